"""Schemas at a registry: a real one, built from its jars, that speaks Confluent's protocol."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from banyan.kafka import Cluster, KafkaError
from banyan.kafka.registry import Registry, RegistryError, RegistryServer

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = {"$id": "test.told.v1", "type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.fixture(scope="module")
def url(kafka: Cluster) -> Iterator[str]:
    if kafka.server is None:
        pytest.skip("KAFKA_BOOTSTRAP names a cluster, beside which no registry of ours is started")
    server = RegistryServer(kafka.server.jars.parent / "registry")
    was_there = server.url()
    try:
        yield server.start()
    except KafkaError as problem:
        pytest.skip(f"no registry can be had here: {problem}")
    finally:
        if was_there is None:
            server.stop()


def manage(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", *arguments]
    environment = {**os.environ, **variables, "DATABASE_URL": "postgresql:///none?host=/nonexistent"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_what_is_published_is_found_again_and_a_field_with_a_default_may_be_added(url):
    registry = Registry(url)
    assert registry.look("test.told.v1", SCHEMA).id is None
    number = registry.publish("test.told.v1", SCHEMA)
    found = registry.look("test.told.v1", SCHEMA)
    assert (found.id, found.is_ours, found.complaints) == (number, True, [])
    more = {**SCHEMA, "properties": {**SCHEMA["properties"], "b": {"type": "integer", "default": 0}}}
    found = registry.look("test.told.v1", more)
    assert (found.is_ours, found.complaints) == (False, [])
    registry.publish("test.told.v1", more)
    assert registry.look("test.told.v1", more).is_ours


def test_a_change_that_others_could_not_read_stops_a_deploy_and_publishes_nothing(url):
    registry = Registry(url)
    name = "risk.orders-refused.v1"
    other = json.loads((ROOT / "docs" / "schemas" / f"{name}.json").read_text())
    other["properties"]["gone"] = {"type": "integer", "default": 0}
    registry.publish(name, other)
    done = manage("schemas", "publish", SCHEMA_REGISTRY_URL=url)
    assert done.returncode == 1
    assert f"{name}: gone: the field is gone" in done.stderr
    assert "nothing is published" in done.stderr
    assert registry.look("risk.orders-approved.v1", {}).id is None


def test_a_registry_that_cannot_be_reached_is_named():
    with pytest.raises(RegistryError, match=r"http://127.0.0.1:9 cannot be asked"):
        Registry("http://127.0.0.1:9").look("a.b.v1", {})


def test_without_a_registry_publishing_says_how_to_name_one():
    done = manage("schemas", "publish", SCHEMA_REGISTRY_URL="")
    assert done.returncode == 1
    assert "SCHEMA_REGISTRY_URL=" in done.stderr
