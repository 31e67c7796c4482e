"""Kafka's broker killed, and started again, while orders flow and keys go from one side to the other."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from banyan.kafka import Cluster, KafkaServer
from tests.fault.service import Service, wait_until_ready
from tests.fault.system import System
from tests.fault.test_pipeline import is_at_rest
from tests.fault.test_shadow import is_followed, replay_bars, status
from tests.fault.test_stages import WATCHED, check_that_nothing_differed_and_nothing_was_lost, followed, leads

pytestmark = pytest.mark.soak  # of the core is a broker that is killed in test_server.py of tests/integration/kafka
__all__ = ["followed"]
WAYS = (("canary", "--percent", "40"), ("live",), ("shadow",), ("live",))
DELAYS = (0.4, 0.0, 0.8, 1.2)  # in seconds, from the command to the kill
WEEKS = ("2016-01-20", "2016-01-26", "2016-02-01", "2016-02-06", "2016-02-11")


@pytest.fixture
def kafka(kafka: Cluster, tmp_path: Path) -> Iterator[Cluster]:
    """A cluster that may be killed: its broker is nobody else's."""
    if kafka.server is None:
        pytest.skip("KAFKA_BOOTSTRAP names a cluster that is not ours to kill")
    server = KafkaServer(tmp_path / "broker", kafka.server.jars)
    server.start()
    yield Cluster(kafka.environment, server=server)
    server.remove()


def killed_and_started(kafka: Cluster) -> None:
    assert kafka.server is not None
    kafka.server.kill()
    kafka.server.start()


def go(system: System, stage: str, *options: str) -> bool:
    """Type what brings risk to a stage, unless it is there; tell whether it is. A guard may have brought it back."""
    if status(system)["stage"] != stage:
        action = "rollback" if stage == "shadow" else stage
        told = system.tried("extract", action, "risk", "--why", "in the middle of it", *options, *WATCHED)
        assert "Traceback" not in told
    return bool(status(system)["stage"] == stage)


def test_a_broker_that_is_killed_while_keys_are_handed_over_ends_no_process_and_loses_nothing(
    followed: tuple[System, Service], kafka: Cluster
):
    system, service = followed
    assert kafka.server is not None
    replay_bars(system, "2016-01-01", "2016-01-20")
    for way, seconds, first, last in zip(WAYS, DELAYS, WEEKS[:-1], WEEKS[1:], strict=True):
        system.wait_for("the followers", lambda: is_followed(system))
        system.manage("replay", "OANDA:EURUSD", "--interval", "1h", "--from", first, "--to", last)
        dying = threading.Timer(seconds, killed_and_started, [kafka])
        dying.start()
        system.others += 1
        go(system, *way)
        dying.join()
        kafka.server.start()  # which is there already, unless the machine was too busy for it
        system.wait_for("one leader for each shard", lambda: None not in leads(system).values())
        system.wait_for("rest", lambda: is_at_rest(system))
        system.wait_for("the followers", lambda: is_followed(system))
        system.wait_for("the stage", lambda way=way: go(system, *way))
    wait_until_ready(system, service)
    replay_bars(system, "2016-02-11", "2016-02-15")
    system.wait_for("the followers", lambda: is_followed(system))
    assert service.process is not None
    assert service.process.poll() is None
    assert "SIGABRT" not in system.log()
    assert "Assertion" not in system.log() + service.log()
    check_that_nothing_differed_and_nothing_was_lost(system)
