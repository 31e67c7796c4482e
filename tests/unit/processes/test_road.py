"""Whoever can wait lets those go first who decide about orders, and is not kept waiting for ever."""

import os

import pytest

from banyan.road import GivingWay, Road

MS = 1_000_000


class Time:
    """A clock that goes on while somebody sleeps; `then` happens at every look."""

    def __init__(self):
        self.now_ns = 1_000 * MS
        self.then = lambda: None

    def monotonic_ns(self):
        return self.now_ns

    def sleep(self, seconds):
        self.now_ns += int(seconds * 1e9)
        self.then()


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def road(time):
    return Road(time.monotonic_ns)


@pytest.fixture
def give_way(road, time):
    return GivingWay(road, time.monotonic_ns, time.sleep)


def waited_ms(give_way, time):
    before_ns = time.now_ns
    give_way()
    return (time.now_ns - before_ns) / MS


def test_nobody_waits_on_a_road_that_nobody_uses(give_way, time):
    time.now_ns += 100 * MS
    assert waited_ms(give_way, time) == 0


def test_it_is_waited_until_nothing_has_been_done_for_a_moment(give_way, road, time):
    time.now_ns += 100 * MS
    road.use()
    assert waited_ms(give_way, time) == 30
    assert road.is_free()


def test_it_is_waited_twice_as_long_as_was_worked_where_the_road_is_never_free(give_way, road, time):
    time.then = road.use
    give_way()
    for worked_ms in (10, 50):
        time.now_ns += worked_ms * MS
        road.use()
        assert waited_ms(give_way, time) == 2 * worked_ms


def test_who_was_idle_for_long_waits_half_a_second_and_no_longer(give_way, road, time):
    time.now_ns += 3_600_000 * MS
    road.use()
    time.then = road.use
    assert waited_ms(give_way, time) == 500


def test_what_was_not_waited_is_left_for_the_next_time(give_way, road, time):
    time.now_ns += 40 * MS
    road.use()
    assert waited_ms(give_way, time) == 30  # of 80
    time.then = road.use
    road.use()
    assert waited_ms(give_way, time) == 50


def test_in_a_jam_it_is_waited_twenty_times_as_long_and_then_as_before(give_way, road, time):
    give_way()
    time.then = road.use
    time.now_ns += 10 * MS
    road.use()
    road.jam()
    assert waited_ms(give_way, time) == 200
    time.now_ns += 1_000 * MS
    road.use()
    road.jam()
    assert waited_ms(give_way, time) == 5_000
    time.now_ns += 10 * MS
    road.use()
    assert waited_ms(give_way, time) == 20


def test_a_forked_process_uses_the_same_road():
    road = Road()
    assert road.used_ns() == 0
    child = os.fork()
    if child == 0:
        road.use()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert road.used_ns() > 0
