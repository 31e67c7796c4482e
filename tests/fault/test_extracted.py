"""The pipeline with risk as a service: the same invariants, and the service may die."""

import json
from collections.abc import Iterator

import pytest

from banyan.kafka import Cluster
from tests.fault.service import Service, delete_topics, join_kafka
from tests.fault.system import System
from tests.fault.test_pipeline import ACCOUNTS, check_that_nothing_was_lost_or_doubled, is_at_rest
from tests.fault.test_processes import define_trend


@pytest.fixture
def extracted(system: System, kafka: Cluster) -> Iterator[tuple[System, Service]]:
    name = join_kafka(system, kafka, "risk")
    system.environment["BANYAN_EXTRACTED"] = "risk"
    service = Service(system)
    yield system, service
    service.end()
    delete_topics(kafka, name)


def test_the_pipeline_trades_with_risk_as_a_service_that_is_killed_and_comes_back(extracted):
    system, service = extracted
    define_trend(system)
    assert "create" in system.manage("topics", "apply")
    system.manage("topics", "verify")
    system.manage("accounts", "open", "DEMO", "--count", str(ACCOUNTS), "--client", "demo", "--deposit", "100000")
    system.manage("accounts", "subscribe", "DEMO", "--count", str(ACCOUNTS), "--set", "trend")
    system.start()
    service.start()
    system.wait_for("the service's readiness", lambda: service.ask("/ready")[0] == 200)
    assert not any(line.startswith("risk") for line in system.manage("run", "--list").splitlines())
    system.manage("replay", "OANDA:EURUSD", "--interval", "1h", "--from", "2016-01-01", "--to", "2016-01-20")
    system.wait_for("verdicts", lambda: len(system.steps("risk")) > 20)
    service.kill()
    service.start()
    system.wait_for("rest", lambda: is_at_rest(system))
    check_that_nothing_was_lost_or_doubled(system)
    assert service.ask("/live")[0] == 200
    lag = json.loads(service.ask("/lag")[1])
    assert lag["context"] == "risk"
    assert "banyan_log_number" in service.ask("/metrics")[1]
    assert service.stop() == 0
    assert "held by nobody" in system.manage("status")
    assert "Traceback" not in service.log()
