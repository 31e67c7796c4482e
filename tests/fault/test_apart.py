"""The app without feeds and without sets: both are services, and its paper broker hears prices from Kafka alone."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from banyan.kafka import Cluster
from tests.fault.followed import Grown
from tests.fault.service import Service, delete_topics, join_kafka, wait_until_ready
from tests.fault.system import System, closes
from tests.fault.test_pipeline import (
    check_that_nothing_was_lost_or_doubled,
    columns,
    is_at_rest,
    is_quiet,
    is_ready,
    open_accounts,
)
from tests.fault.test_processes import define_trend

CONTEXTS = ("feeds", "signals")


@pytest.fixture
def apart(system: System, kafka: Cluster, tmp_path: Path) -> Iterator[tuple[System, list[Service], Grown]]:
    name = join_kafka(system, kafka, **{each: each for each in CONTEXTS})
    system.environment["BANYAN_EXTRACTED"] = ",".join(CONTEXTS)
    services, file = [Service(system, each) for each in CONTEXTS], Grown(tmp_path)
    define_trend(system)
    open_accounts(system)
    system.manage("feeds", "add", "--interval", "1h", "--instrument", f"OANDA:EURUSD={file.path}")
    system.manage("feeds", "start", "oanda")
    system.manage("topics", "apply")
    yield system, services, file
    for service in services:
        service.end()
    delete_topics(kafka, name)


def closing_prices(file: Grown) -> set[int]:
    """Return the prices, in billionths, that the bars of a file have closed with."""
    lines = csv.DictReader(file.path.read_text().splitlines())
    return {round(float(line[name]) * 1e9) for line in lines for name in ("bid_close", "ask_close")}


@pytest.mark.soak
def test_orders_are_filled_at_prices_that_only_services_have_seen_though_both_are_killed(apart):
    system, services, file = apart
    system.start()
    for service in services:
        service.start()
    here = [line.split()[0] for line in system.manage("run", "--list").splitlines()]
    assert not set(CONTEXTS) & set(here)
    assert "prices" in here

    def grow(bars: int) -> None:
        """Let bars come a few at a time: what comes all at once is traded in a few orders, maybe in none."""
        for _ in range(0, bars, 6):
            file.grow(6)
            system.wait_for("the set", lambda: len(applied()) >= file.count)
            system.wait_for("the end of what it led to", lambda: is_quiet(system))

    def applied() -> list[int]:
        return list(closes(system, "signals", "signals.bars-applied.v1"))

    for service in services:
        wait_until_ready(system, service)
    system.wait_for("accounts that may trade", lambda: is_ready(system))
    grow(60)
    for service in services:
        service.kill()
    file.grow(30)
    for service in services:
        service.start()
    grow(30)
    system.kill_children()
    grow(60)
    system.wait_for("rest", lambda: is_at_rest(system))
    assert applied() == sorted(set(applied()))
    assert len(applied()) == file.count
    check_that_nothing_was_lost_or_doubled(system)
    filled = {int(each) for body in columns(system, "execution.orders-filled.v1") for each in body["price_e9"]}
    ended = columns(system, "execution.orders-ended.v1")
    assert len(filled) > 1, f"orders are filled at more than one close; without a fill ended {ended}"
    assert filled <= closing_prices(file), "each order is filled at the close of a bar"
    for service in services:
        assert "Traceback" not in service.log()
