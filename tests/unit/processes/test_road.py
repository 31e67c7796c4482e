"""Whoever can wait lets those go first who decide about orders, and is not kept waiting for ever."""

import asyncio
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from banyan import road as roads
from banyan.road import GivingWay, Road, RoadSeen, place_of

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


@pytest.fixture
def place(tmp_path):
    return tmp_path / "road"


@pytest.fixture
def shared(place):
    made = Road()
    made.share(place)
    return made


def use_at(place):
    road = Road()
    road.share(place)
    road.use()


def test_a_road_that_another_process_uses_is_seen(place, monkeypatch):
    monkeypatch.setattr(roads, "_LOOK_FOR_IT_SECONDS", 0.0)
    monkeypatch.setattr(roads, "_FREE_AFTER_NS", 3_600_000_000_000)
    seen = RoadSeen(place)
    assert seen.is_free(), "nobody is there"
    process = multiprocessing.get_context("fork").Process(target=use_at, args=(place,))
    process.start()
    process.join()
    assert not seen.is_free()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_a_road_is_seen_in_use_and_free_again_and_a_new_one_after_the_old(shared, place, monkeypatch):
    monkeypatch.setattr(roads, "_LOOK_FOR_IT_SECONDS", 0.0)
    monkeypatch.setattr(roads, "_FREE_AFTER_NS", 3_600_000_000_000)
    seen = RoadSeen(place)
    shared.use()
    assert not seen.is_free()
    place.unlink()
    assert seen.is_free(), "nobody is there"
    place.touch()
    assert seen.is_free(), "it is not made yet"
    again = Road()
    again.share(place)
    assert seen.is_free(), "not used yet"
    again.use()
    assert not seen.is_free()
    monkeypatch.setattr(roads, "_FREE_AFTER_NS", 0)
    assert seen.is_free()


def test_a_file_of_somebody_else_and_a_link_are_not_taken_for_a_road(place, tmp_path, monkeypatch):
    elsewhere = tmp_path / "precious"
    elsewhere.write_bytes(b"kept")
    place.symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic links"):
        Road().share(place)
    assert elsewhere.read_bytes() == b"kept"
    place.unlink()
    place.touch()
    monkeypatch.setattr(os, "geteuid", lambda: place.stat().st_uid + 1)
    with pytest.raises(PermissionError, match="belongs to somebody else"):
        Road().share(place)
    assert RoadSeen(place).is_free()


def test_who_reads_waits_while_a_road_is_used_and_not_for_ever(place, monkeypatch):
    seen, answers = RoadSeen(place), [False, False, True, False]
    monkeypatch.setattr(seen, "is_free", lambda: answers.pop(0))
    monkeypatch.setattr(roads, "_LET_GO_SECONDS", 3_600.0)
    asyncio.run(seen.let_go_first())
    assert answers == [False], "it waited until it was free"
    monkeypatch.setattr(roads, "_LET_GO_SECONDS", 0.0)
    asyncio.run(seen.let_go_first())
    assert answers == [], "it looked once"


def test_a_road_of_each_data_directory():
    assert place_of(Path("/srv/a")) == place_of(Path("/srv/a"))
    assert place_of(Path("/srv/a")) != place_of(Path("/srv/b"))
