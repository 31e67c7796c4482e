from datetime import timedelta

import pytest

from banyan.facade import Routing, Stage
from extract import guards
from extract.comparator.durations import class_of
from extract.comparator.ledger import COUNTS, Took
from extract.guards import DRAINED, Guard, Hysteresis, Limits, Unheard
from extract.sides import Waiting
from settings.topics import TOPICS

LIVE = Routing(Stage.LIVE)


def test_a_limit_must_be_passed_for_some_looks_in_a_row():
    passed = Hysteresis(Limits(looks=3))
    assert [bool(passed.tripped({"lag": "late"})) for _ in range(2)] == [False, False]
    assert passed.tripped({}) == []
    assert [bool(passed.tripped({"lag": "late"})) for _ in range(3)] == [False, False, True]


def test_two_limits_that_take_turns_do_not_add_up():
    passed = Hysteresis(Limits(looks=2))
    assert not any(passed.tripped({name: name}) for name in ("lag", "error rate") * 5)


def test_a_service_that_is_being_replaced_has_more_time_than_one_that_died():
    passed = Hysteresis(Limits(looks=3, drained_looks=5))
    seen = [passed.tripped({DRAINED: "given back", "dead": "dead"}) for _ in range(5)]
    assert [len(each) for each in seen] == [0, 0, 1, 1, 2]


class Moves(list):
    def __call__(self, *arguments):
        return self

    def move(self, before, stage, service_keys, who, why, evidence):
        self.append((stage, who, why, [each["found"] for each in evidence]))


def test_a_guard_brings_a_context_back_once_and_says_why(monkeypatch):
    moves = Moves()
    monkeypatch.setattr(guards, "Mover", moves)
    guard = Guard("risk", None, TOPICS, Limits(looks=2), lambda *_: {"mismatch rate": "mismatch rate 3.00%"})
    guard.look(LIVE)
    assert moves == []
    guard.look(LIVE)
    assert moves == [(Stage.SHADOW, "guard", "mismatch rate 3.00%", ["mismatch rate 3.00%"])]


CANARY = Routing(Stage.CANARY, frozenset({"canary"}))
ALLOWED_NS, SLOW_NS = 50_000_000, 2_000_000_000


@pytest.fixture
def seen(monkeypatch):
    """Return what lets a guard see sums, and how long things took, by key."""

    def see(sums, times=None):
        whole = {key: dict.fromkeys((*COUNTS, "lag_ns_max"), 0) | each for key, each in sums.items()}
        monkeypatch.setattr(guards, "watched", lambda *_: (timedelta(hours=1), whole))
        monkeypatch.setattr(guards, "took", lambda *_: times or {})
        monkeypatch.setattr(guards, "held_by_nobody", lambda *_: (set(), set()))
        monkeypatch.setattr(guards, "waiting_inputs", lambda *_: [])
        monkeypatch.setattr(guards, "fences", lambda *_: {})
        monkeypatch.setattr(guards, "led_by", lambda *_: {"00": None})
        monkeypatch.setattr(guards, "reached", lambda *_: {})
        return list(guards.problems_of("risk", CANARY, ["00", "canary"], Limits(), Unheard()))

    return see


@pytest.mark.parametrize(
    ("sums", "expected"),
    [
        ({"same": 1_000}, []),
        ({"same": 10, "differing": 30}, []),  # too few to tell
        ({"same": 900, "differing": 100}, ["mismatch rate (app)"]),
        ({"same": 900, "differing": 100, "problems": 100}, ["mismatch rate (app)", "error rate (app)"]),
        ({"same": 1_000, "lag_ns_max": 20_000_000_000}, ["lag"]),
    ],
)
def test_each_limit_is_looked_at(seen, sums, expected):
    assert seen({"00": sums}) == expected


def test_what_differs_where_the_service_leads_is_not_lost_among_all_that_the_app_leads(seen):
    assert seen({"00": {"same": 100_000}, "canary": {"same": 95, "differing": 5}}) == ["mismatch rate (service)"]


def test_an_app_that_was_away_while_the_service_led_is_behind_and_no_reason(seen):
    away = {"same": 1_000, "lag_ns_max": 60_000_000_000}
    assert seen({"00": {"same": 1_000}, "canary": away}) == []


def took(*, leader: dict[int, int], follower: dict[int, int]) -> Took:
    made = Took()
    for counts, wanted in ((made.leader, leader), (made.follower, follower)):
        for ns, count in wanted.items():
            counts[class_of(ns)] += count
    return made


@pytest.mark.parametrize(
    ("slow", "expected"),
    [
        ({"00": ("follower", 2)}, []),  # 2 of 300: less than one in a hundred
        ({"00": ("follower", 4)}, ["p99 to decide"]),
        ({"00": ("leader", 300)}, []),  # it is the app that is slow
        ({"canary": ("leader", 2)}, []),
        ({"canary": ("leader", 4)}, ["p99 to commit"]),
        ({"canary": ("follower", 300)}, []),  # the app's
    ],
)
def test_one_in_a_hundred_of_the_services_records_may_be_slow_and_the_apps_are_not_its_fault(seen, slow, expected):
    times = {}
    for key in ("00", "canary"):
        role, count = slow.get(key, ("leader", 0))
        fast = {ALLOWED_NS: 300}
        mixed = {ALLOWED_NS: 300 - count, SLOW_NS: count}
        times[key] = took(leader=mixed if role == "leader" else fast, follower=mixed if role == "follower" else fast)
    assert seen({"00": {"same": 300}, "canary": {"same": 300}}, times) == expected


def test_a_few_slow_records_are_nothing_that_can_be_judged_by(seen):
    times = {"00": took(leader={}, follower={SLOW_NS: 299})}
    assert seen({"00": {"same": 299}}, times) == []


def test_a_key_that_neither_side_leads_is_a_reason(monkeypatch):
    monkeypatch.setattr(guards, "held_by_nobody", lambda *_: (set(), set()))
    monkeypatch.setattr(guards, "waiting_inputs", lambda *_: [])
    monkeypatch.setattr(guards, "led_by", lambda *_: {"00": None, "01": "app", "02": None})
    monkeypatch.setattr(guards, "reached", lambda *_: {"00": None, "01": None})
    monkeypatch.setattr(guards, "watched", lambda *_: (timedelta(), {}))
    monkeypatch.setattr(guards, "took", lambda *_: {})
    found = guards.problems_of("risk", LIVE, ["00", "01", "02"], Limits(), Unheard())
    assert found == {"headless": "neither side leads 1 keys, such as 00"}


def test_what_waits_for_a_key_that_the_service_leads_is_a_reason_once_it_has_not_moved_for_long(seen, monkeypatch):
    seen({})
    now, asked, unheard = 0.0, [], Unheard()
    waiting = [Waiting("canary", "execution", "canary", 7), Waiting("canary", "execution", "00", 9)]
    monkeypatch.setattr(guards.time, "monotonic", lambda: now)
    monkeypatch.setattr(guards, "waiting_inputs", lambda _, keys: asked.append(keys) or waiting)

    def look() -> dict[str, str]:
        return guards.problems_of("risk", CANARY, ["00", "canary"], Limits(unheard_seconds=10), unheard)

    assert look() == {}
    now = 10.0
    assert look() == {}
    waiting[0] = Waiting("canary", "execution", "canary", 8)  # it goes on, though slowly
    now = 10.5
    assert look()["inputs"].startswith("the service has not taken what Kafka has for 1 streams")
    del waiting[1]
    assert look() == {}
    now = 20.6
    assert "from execution to canary, for 10 s" in look()["inputs"]
    waiting.clear()
    assert look() == {}
    assert asked[0] == ["canary"], "those that the app leads are not looked at"
