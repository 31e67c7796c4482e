"""The pipeline with contexts as services: the same invariants, and services may die."""

import json
from collections.abc import Iterator

import pytest

from banyan.kafka import Cluster
from tests.fault.service import OLDER_RISK, Service, delete_topics, join_kafka, replace, wait_until_ready
from tests.fault.system import System
from tests.fault.test_pipeline import check_that_nothing_was_lost_or_doubled, is_at_rest, open_accounts
from tests.fault.test_processes import define_trend

Extracted = tuple[System, list[Service], Service]
"""The app, its services, risk's being a version back, and the next version of that."""


@pytest.fixture(
    params=[
        "execution,risk",
        pytest.param("execution", marks=pytest.mark.soak),
        pytest.param("risk", marks=pytest.mark.soak),
    ]
)
def extracted(
    system: System, kafka: Cluster, request: pytest.FixtureRequest
) -> Iterator[tuple[System, list[Service], Service]]:
    contexts = request.param.split(",")
    name = join_kafka(system, kafka, **{each: each for each in contexts})
    system.environment["BANYAN_EXTRACTED"] = request.param
    services = [Service(system, each) for each in contexts]
    if "risk" in contexts:
        services[-1] = Service(system, program=OLDER_RISK)
    successor = Service(system, name="successor")
    yield system, services, successor
    for service in (*services, successor):
        service.end()
    delete_topics(kafka, name)


def test_the_pipeline_trades_with_services_that_are_killed_and_come_back_or_make_way_for_their_next_version(extracted):
    system, services, successor = extracted
    define_trend(system)  # first, since a set has a topic of its own
    assert "create" in system.manage("topics", "apply")
    system.manage("topics", "verify")
    open_accounts(system)
    system.start()
    for service in services:
        service.start()
    for service in services:
        wait_until_ready(system, service)
    here = [line.split()[0] for line in system.manage("run", "--list").splitlines()]
    assert not {service.context for service in services} & set(here)
    system.manage("replay", "OANDA:EURUSD", "--interval", "1h", "--from", "2016-01-01", "--to", "2016-01-20")
    system.wait_for("verdicts", lambda: len(system.steps("risk")) > 20)
    for number, service in enumerate(services):
        if service.context == "risk":
            replace(system, service, successor)
            services[number] = successor
        else:
            service.kill()
            service.start()
    for service in services:
        wait_until_ready(system, service)
    system.wait_for("rest", lambda: is_at_rest(system))
    check_that_nothing_was_lost_or_doubled(system)
    for service in services:
        assert service.ask("/live")[0] == 200
        assert json.loads(service.ask("/lag")[1])["context"] == service.context
        assert "banyan_log_number" in service.ask("/metrics")[1]
        assert service.stop() == 0
        assert "Traceback" not in service.log()
    assert "held by nobody" in system.manage("status")
