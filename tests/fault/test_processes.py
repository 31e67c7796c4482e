from collections.abc import Sequence

import pytest

from tests.fault.system import System, closes

pytestmark = pytest.mark.soak  # of the core is that all processes are killed while they trade, in test_pipeline.py
FIRST, LAST = "2016-01-01", "2016-03-15"


def define_trend(
    system: System, strategy: Sequence[str] = ("ema_cross", "-p", "fast=5", "-p", "slow=20"), how: Sequence[str] = ()
) -> None:
    channel = ("--instrument", "OANDA:EURUSD", "--interval", "1h")
    system.manage("sets", "define", "trend", "--strategy", *strategy, *channel, *how)
    system.manage("sets", "start", "trend")


def replay(system: System, first: str = FIRST, last: str = LAST) -> None:
    system.manage("replay", "OANDA:EURUSD", "--interval", "1h", "--from", first, "--to", last)


def has_applied(system: System, bars: int) -> bool:
    return len(list(closes(system, "signals", "signals.bars-applied.v1"))) >= bars


def check_that_every_bar_was_applied_once(system: System) -> None:
    system.wait_for("letting all bars in", lambda: system.waiting("feeds") == 0)
    given = list(closes(system, "feeds", "feeds.bar-closed.v1"))
    assert given == sorted(set(given))
    system.wait_for("applying all bars", lambda: has_applied(system, len(given)))
    assert list(closes(system, "signals", "signals.bars-applied.v1")) == given


@pytest.mark.parametrize(
    "point", ["feeds.before-commit:2", "feeds.after-commit:1", "signals.after-commit:1", "signals.before-commit:2"]
)
def test_a_process_that_dies_at_a_crash_point_again_and_again_loses_and_doubles_nothing(system, point):
    define_trend(system)
    system.start(crash_at=point)
    replay(system)
    system.wait_for("letting all bars in", lambda: system.waiting("feeds") == 0)
    system.wait_for("a crash", lambda: system.faults() > 0)
    check_that_every_bar_was_applied_once(system)
    system.manage("events", "verify", "feeds")
    system.manage("events", "verify", "signals")


def test_processes_that_are_killed_are_started_again_and_go_on_where_they_were(system):
    define_trend(system)
    system.start()
    replay(system)
    system.wait_for("the first bars", lambda: has_applied(system, 1))
    system.kill_children()
    check_that_every_bar_was_applied_once(system)
    code, _ = system.stop()
    assert code == 0
