"""The pipeline with contexts as services: the same invariants, and services may die."""

import json
from collections.abc import Iterator

import pytest

from banyan.kafka import Cluster
from tests.fault.service import Service, delete_topics, join_kafka
from tests.fault.system import System
from tests.fault.test_pipeline import check_that_nothing_was_lost_or_doubled, is_at_rest, open_accounts
from tests.fault.test_processes import define_trend


@pytest.fixture(
    params=[
        "execution,risk",
        pytest.param("execution", marks=pytest.mark.soak),
        pytest.param("risk", marks=pytest.mark.soak),
    ]
)
def extracted(system: System, kafka: Cluster, request: pytest.FixtureRequest) -> Iterator[tuple[System, list[Service]]]:
    contexts = request.param.split(",")
    name = join_kafka(system, kafka, **{each: each for each in contexts})
    system.environment["BANYAN_EXTRACTED"] = request.param
    services = [Service(system, each) for each in contexts]
    yield system, services
    for service in services:
        service.end()
    delete_topics(kafka, name)


def test_the_pipeline_trades_with_services_that_are_killed_and_come_back(extracted):
    system, services = extracted
    define_trend(system)  # first, since a set has a topic of its own
    assert "create" in system.manage("topics", "apply")
    system.manage("topics", "verify")
    open_accounts(system)
    system.start()
    for service in services:
        service.start()
    wait_until_ready(system, services)
    here = [line.split()[0] for line in system.manage("run", "--list").splitlines()]
    assert not {service.context for service in services} & set(here)
    system.manage("replay", "OANDA:EURUSD", "--interval", "1h", "--from", "2016-01-01", "--to", "2016-01-20")
    system.wait_for("verdicts", lambda: len(system.steps("risk")) > 20)
    for service in services:
        service.kill()
        service.start()
    wait_until_ready(system, services)
    system.wait_for("rest", lambda: is_at_rest(system))
    check_that_nothing_was_lost_or_doubled(system)
    for service in services:
        assert service.ask("/live")[0] == 200
        assert json.loads(service.ask("/lag")[1])["context"] == service.context
        assert "banyan_log_number" in service.ask("/metrics")[1]
        assert service.stop() == 0
        assert "Traceback" not in service.log()
    assert "held by nobody" in system.manage("status")


def wait_until_ready(system: System, services: list[Service]) -> None:
    for service in services:
        system.wait_for(f"{service.context}'s readiness", lambda each=service: each.ask("/ready")[0] == 200)
