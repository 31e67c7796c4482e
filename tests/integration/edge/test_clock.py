"""A clock that is set: nothing is sent by a time that nobody knows, and trading goes on by itself afterwards."""

import pytest

from apps.execution.contracts import EdgeRefusal
from banyan.clock import VirtualClock
from tests.integration.edge.desk import SECOND, arrived, name, refusals

pytestmark = pytest.mark.django_db(databases=["edge"], transaction=True)
DISTRUST_NS = 10 * SECOND
STEPS = pytest.mark.parametrize("step", [60 * SECOND, -60 * SECOND], ids=["forward", "back"])


class ClockThatIsSet(VirtualClock):
    """A clock under the test's hand whose wall time is set by `step_ns`."""

    step_ns = 0

    def wall_ns(self) -> int:
        return super().wall_ns() + self.step_ns


@pytest.fixture
def clock() -> ClockThatIsSet:
    return ClockThatIsSet(1_000 * SECOND)


@STEPS
def test_nothing_is_sent_for_a_while_then_by_the_new_time(desk, fake, clock, step, caplog):
    clock.step_ns = step
    desk.release([(1, 1, 5)], seconds=100)
    desk.poll()
    assert refusals(desk) == [(1, 1, EdgeRefusal.CLOCK_STEPPED)]
    assert "clock was set" in caplog.text
    clock.move_to(clock.monotonic_ns() + DISTRUST_NS - 1)
    desk.release([(1, 2, 5)], seconds=100)
    desk.poll()
    assert refusals(desk)[1:] == [(1, 2, EdgeRefusal.CLOCK_STEPPED)]
    clock.move_to(clock.monotonic_ns() + 1)
    desk.poll()
    desk.until(lambda: all(link.session for link in desk.edge.links.values()))
    desk.until(desk.edge.shards["00"].reconciled.all)
    desk.release([(1, 3, 5)])
    desk.poll()
    assert arrived(fake) == [(name(1, 3), 5)]


def test_a_clock_that_is_set_again_is_waited_for_anew(desk, fake, clock):
    clock.step_ns = 60 * SECOND
    desk.poll()
    clock.move_to(clock.monotonic_ns() + DISTRUST_NS - 1)
    clock.step_ns = -60 * SECOND
    desk.poll()
    clock.move_to(clock.monotonic_ns() + 2)
    desk.poll()
    desk.release([(1, 1, 5)], seconds=100)
    desk.poll()
    assert refusals(desk) == [(1, 1, EdgeRefusal.CLOCK_STEPPED)]


def test_a_clock_that_is_set_back_to_what_it_was_is_trusted_at_once(desk, fake, clock):
    clock.step_ns = 60 * SECOND
    desk.poll()
    clock.step_ns = 0
    desk.release([(1, 1, 5)])
    desk.poll()
    assert arrived(fake) == [(name(1, 1), 5)]


def test_an_order_that_was_sent_later_than_now_is_refused_for_its_deadline_means_nothing(desk, fake, clock):
    late = clock.wall_ns() + SECOND
    desk.release([(1, 1, 5), (2, 1, 5)], seconds=100, envelope={"sent_at_ns": late + 1})
    desk.release([(1, 2, 5)], seconds=100, envelope={"sent_at_ns": late})
    desk.poll()
    assert refusals(desk) == [(1, 1, EdgeRefusal.CLOCK_STEPPED), (2, 1, EdgeRefusal.CLOCK_STEPPED)]
    assert arrived(fake) == [(name(1, 2), 5)]
