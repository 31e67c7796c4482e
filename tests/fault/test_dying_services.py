"""Services that die at every crash point, while they lead and while they take over, again and again."""

import re
import signal

import pytest

from banyan.kafka import Cluster
from banyan.shards import shard_keys
from tests.fault.service import Service, delete_topics, join_kafka, moved, started_again, wait_until_ready
from tests.fault.system import System, closes
from tests.fault.test_pipeline import (
    WEEKS,
    check_that_nothing_was_lost_or_doubled,
    is_at_rest,
    is_ready,
    open_accounts,
    trade,
)
from tests.fault.test_processes import define_trend
from tests.fault.test_sets import applied
from tests.fault.test_shadow import is_followed, replay_bars
from tests.fault.test_stages import WATCHED, check_that_nothing_differed_and_nothing_was_lost, followed, leads
from tests.patience import PATIENCE_SECONDS

pytestmark = (
    pytest.mark.soak
)  # of the core is that a service that leads is killed, in test_stages.py and test_extracted.py
__all__ = ["followed"]
DEATHS = 3


@pytest.mark.parametrize("point", ["before-commit:6", "after-commit:6", "before-relay:8", "after-relay:8"])
@pytest.mark.parametrize("context", ["risk", "execution"])
def test_a_service_that_dies_at_a_crash_point_again_and_again_loses_and_doubles_nothing(
    system: System, kafka: Cluster, context: str, point: str
):
    name = join_kafka(system, kafka, **{context: context})
    system.environment["BANYAN_EXTRACTED"] = context
    service = Service(system, context)
    define_trend(system)
    system.manage("topics", "apply")
    open_accounts(system)
    system.start()
    service.over["BANYAN_CRASH_AT"] = f"{context}.{point}"
    with started_again(system, service) as deaths:
        traded = trade(system, WEEKS[:-3], lambda: len(deaths) >= DEATHS)
        system.wait_for("deaths", lambda: len(deaths) >= DEATHS)
        service.over.clear()
        if service.process is not None:
            service.process.kill()
        system.wait_for("accounts that may trade", lambda: is_ready(system))
        trade(system, WEEKS[traded:])
        system.wait_for("rest", lambda: is_at_rest(system))
        check_that_nothing_was_lost_or_doubled(system)
        assert "Traceback" not in service.log()
    delete_topics(kafka, name)


def test_a_worker_that_is_killed_has_its_shards_held_by_the_other_until_it_is_back(system: System, kafka: Cluster):
    name = join_kafka(system, kafka, risk="risk")
    system.environment["BANYAN_EXTRACTED"] = "risk"
    define_trend(system)
    system.manage("topics", "apply")
    open_accounts(system)
    system.start()
    workers, shards = parts_of(system, "risk"), shard_keys(int(system.environment["BANYAN_SHARDS"]))
    try:
        for each in workers:
            each.start()
        for each in workers:
            wait_until_ready(system, each)
        replay_bars(system, "2016-01-01", "2016-01-15")
        workers[0].kill()
        system.manage("replay", "OANDA:EURUSD", "--interval", "1h", "--from", "2016-01-15", "--to", "2016-02-01")
        system.wait_for("the other", lambda: held(workers[1]) == set(shards))
        system.wait_for("rest", lambda: is_at_rest(system))
        workers[0].start()
        wait_until_ready(system, workers[0])
        assert held(workers[0]) == set(shards[::2])
        replay_bars(system, "2016-02-01", "2016-02-10")
        system.wait_for("its own part", lambda: held(workers[1]) == set(shards[1::2]))
        check_that_nothing_was_lost_or_doubled(system)
        for each in workers:
            assert each.stop() == 0
            assert "Traceback" not in each.log()
    finally:
        for each in workers:
            each.end()
        delete_topics(kafka, name)


def test_a_worker_of_sets_that_is_killed_has_its_sets_run_by_the_other_until_it_is_back(system: System, kafka: Cluster):
    name = join_kafka(system, kafka, signals="signals")
    system.environment["BANYAN_EXTRACTED"] = "signals"
    define_trend(system)  # is of the first part
    channel = ("--instrument", "OANDA:EURUSD", "--interval", "1h")
    system.manage("sets", "define", "slow", "--strategy", "ema_cross", "-p", "fast=20", "-p", "slow=50", *channel)
    system.manage("sets", "start", "slow")  # of the second
    open_accounts(system)
    system.start()
    system.manage("replay", "OANDA:EURUSD", "--interval", "1h", "--from", "2016-01-01", "--to", "2016-01-15")
    system.wait_for("the feed", lambda: bool(system.rows("feeds", "SELECT FROM banyan_key")))
    system.manage("topics", "apply")  # that of the feed too, which there has been since the replay
    workers = parts_of(system, "signals")
    try:
        for each in workers:
            each.start()
        for each in workers:
            wait_until_ready(system, each)
        assert [held(each) for each in workers] == [{"trend"}, {"slow"}]
        system.wait_for("rest", lambda: is_at_rest(system))
        workers[0].kill()
        system.manage("replay", "OANDA:EURUSD", "--interval", "1h", "--from", "2016-01-15", "--to", "2016-02-01")
        system.wait_for("the other", lambda: held(workers[1]) == {"trend", "slow"})
        system.wait_for("rest", lambda: is_at_rest(system))
        workers[0].start()
        wait_until_ready(system, workers[0])
        assert held(workers[0]) == {"trend"}
        replay_bars(system, "2016-02-01", "2016-02-10")
        system.wait_for("its own part", lambda: held(workers[1]) == {"slow"})
        bars = list(closes(system, "feeds", "feeds.bar-closed.v1"))
        assert [applied(system, name) for name in ("trend", "slow")] == [bars, bars]
        check_that_nothing_was_lost_or_doubled(system)
        for each in workers:
            assert each.stop() == 0
            assert "Traceback" not in each.log()
    finally:
        for each in workers:
            each.end()
        delete_topics(kafka, name)


def parts_of(system: System, context: str) -> list[Service]:
    """Return two workers that share the keys of a service."""
    return [
        Service(system, context, ("-m", f"extract.{context}", "--part", f"{part}/2"), name=f"part-{part}")
        for part in (1, 2)
    ]


def held(worker: Service) -> set[str]:
    """Return the keys that a worker holds."""
    return set(re.findall(r'banyan_log_number\{key="([^"]+)"\}', worker.ask("/metrics")[1]))


@pytest.mark.parametrize("point", ["before-lead", "after-lead"])
def test_a_service_that_dies_while_it_takes_a_shard_leaves_it_to_one_side(followed, point):
    system, service = followed
    replay_bars(system, "2016-01-01", "2016-01-20")
    system.wait_for("the follower", lambda: is_followed(system))
    assert service.stop() == 0
    service.over["BANYAN_CRASH_AT"] = f"risk.{point}"
    service.start()
    replay_bars(system, "2016-01-20", "2016-01-26")
    system.wait_for("the follower", lambda: is_followed(system))
    system.tried("extract", "canary", "risk", "--percent", "40", "--why", "it dies of it", *WATCHED)
    assert service.process.wait(timeout=PATIENCE_SECONDS) == -signal.SIGKILL
    system.others += 1
    service.over.clear()
    system.manage("replay", "OANDA:EURUSD", "--interval", "1h", "--from", "2016-01-26", "--to", "2016-02-02")
    service.start()
    system.wait_for("one leader for each shard", lambda: None not in leads(system).values())
    system.wait_for("rest", lambda: is_at_rest(system))
    system.wait_for("the followers", lambda: is_followed(system))
    replay_bars(system, "2016-02-02", "2016-02-06")
    system.wait_for("the followers", lambda: is_followed(system))
    check_that_nothing_differed_and_nothing_was_lost(system)


def test_a_leader_that_is_paused_while_it_is_fenced_off_changes_nothing_when_it_wakes(followed):
    system, service = followed
    replay_bars(system, "2016-01-01", "2016-01-20")
    system.wait_for("the follower", lambda: is_followed(system))
    moved(system, "live", "risk", "--why", "no difference", *WATCHED)
    replay_bars(system, "2016-01-20", "2016-01-26")
    service.pause()
    system.manage("replay", "OANDA:EURUSD", "--interval", "1h", "--from", "2016-01-26", "--to", "2016-02-02")
    system.wait_for("the guard", lambda: set(leads(system).values()) == {"app"})
    system.wait_for("rest", lambda: is_at_rest(system))
    service.wake()
    replay_bars(system, "2016-02-02", "2016-02-10")
    system.wait_for("the follower", lambda: is_followed(system))
    assert set(leads(system).values()) == {"app"}
    check_that_nothing_differed_and_nothing_was_lost(system)
