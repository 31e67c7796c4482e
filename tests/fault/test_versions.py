"""A service replaced by its next version while it trades: old and new beside each other, and back again."""

import json
from collections.abc import Iterator

import pytest

from banyan.kafka import Cluster
from tests.fault import older_risk
from tests.fault.service import (
    OLDER_RISK,
    Service,
    delete_topics,
    join_kafka,
    moved,
    replace,
    wait_beside,
    wait_until_ready,
)
from tests.fault.system import System
from tests.fault.test_pipeline import check_that_nothing_was_lost_or_doubled, open_accounts, prepare
from tests.fault.test_processes import define_trend
from tests.fault.test_shadow import is_followed, replay_bars
from tests.fault.test_stages import WATCHED, check_that_nothing_differed_and_nothing_was_lost, leads

SNAPSHOTS = "SELECT DISTINCT version FROM banyan_snapshot ORDER BY version"


def approvals(system: System, context: str = "risk") -> list[bool]:
    """Return of each approval, in the order of the logs, whether it is of the newer version."""
    approved = [
        body for step in system.steps(context) for name, body in step["events"] if name == "risk.orders-approved.v1"
    ]
    return [older_risk.UNKNOWN[older_risk.OrdersApproved] in body for body in approved]


@pytest.fixture
def extracted(system: System, kafka: Cluster) -> Iterator[System]:
    name = join_kafka(system, kafka, risk="risk")
    system.environment["BANYAN_EXTRACTED"] = "risk"
    define_trend(system)
    system.manage("topics", "apply")
    open_accounts(system)
    system.start()
    yield system
    delete_topics(kafka, name)


@pytest.mark.soak
def test_a_service_is_replaced_part_by_part_goes_back_to_its_older_version_and_on_again(extracted):
    system = extracted
    parts = [("--part", f"{part}/2") for part in (1, 2)]
    old = [Service(system, program=(*OLDER_RISK, *part), name=f"old-{part[1][0]}") for part in parts]
    new = [Service(system, program=("-m", "extract.risk", *part), name=f"new-{part[1][0]}") for part in parts]
    try:
        for each in old:
            each.start()
        for each in old:
            wait_until_ready(system, each)
        replay_bars(system, "2016-01-01", "2016-01-10")
        assert not any(approvals(system))
        system.manage("replay", "OANDA:EURUSD", "--interval", "1h", "--from", "2016-01-10", "--to", "2016-01-20")
        replace(system, old[0], new[0])
        replay_bars(system, "2016-01-20", "2016-01-25")
        assert set(approvals(system)) == {False, True}, "old and new hold keys beside each other"
        replace(system, new[0], old[0])
        assert system.rows("risk", SNAPSHOTS) == [(1,), (2,)], "what the older version reads around"
        replay_bars(system, "2016-01-25", "2016-02-02")
        new[0].start()
        wait_beside(system, new[0])
        old[0].kill()
        wait_until_ready(system, new[0])
        replace(system, old[1], new[1])
        replay_bars(system, "2016-02-02", "2016-02-10")
        check_that_nothing_was_lost_or_doubled(system)
        assert [each.stop() for each in new] == [0, 0]
        for each in (*old, *new):
            assert "Traceback" not in each.log()
    finally:
        for each in (*old, *new):
            each.end()


@pytest.fixture
def followed(system: System, kafka: Cluster) -> Iterator[tuple[System, Service, Service]]:
    """A system whose risk is followed by the older version of its service, and the newer one beside it."""
    name = join_kafka(system, kafka, risk="risk_service")
    old, new = Service(system, program=OLDER_RISK, name="old"), Service(system, name="new")
    prepare(system)
    system.manage("topics", "apply", "--with", "risk")
    new.migrate()
    system.start()
    system.manage("extract", "shadow", "risk", "--why", "first day")
    old.start()
    yield system, old, new
    old.end()
    new.end()
    delete_topics(kafka, name)


@pytest.mark.soak
def test_an_older_service_follows_is_replaced_and_its_successor_leads_while_nothing_differs(followed):
    system, old, new = followed
    seed = ("extract", "seed", "risk", "--seconds", "5")
    system.wait_for("the older version's words", lambda: "one of a newer version has to follow" in old.log())
    assert "NO FOLLOWER" in system.tried(*seed), "the app's state is of a version that it does not read"
    assert old.stop() == 0
    assert "Traceback" not in old.log()
    new.start()
    system.wait_for("followers", lambda: "NO FOLLOWER" not in system.tried(*seed))
    replay_bars(system, "2016-01-01", "2016-01-20")
    system.wait_for("the follower", lambda: is_followed(system))
    moved(system, "canary", "risk", "--percent", "40", "--why", "no difference", *WATCHED)
    replay_bars(system, "2016-01-20", "2016-01-26")
    next_one = Service(system, name="next")
    try:
        replace(system, new, next_one)
        assert sorted(set(leads(system).values())) == ["app", "service"]
        replay_bars(system, "2016-01-26", "2016-02-02")
        system.wait_for("the followers", lambda: is_followed(system))
        check_that_nothing_differed_and_nothing_was_lost(system)
        assert json.loads(next_one.ask("/lag")[1])["lag"] == 0
    finally:
        next_one.end()
