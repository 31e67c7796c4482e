import pytest

from banyan.facade import Routing, Stage
from extract import guards
from extract.guards import DRAINED, Guard, Hysteresis, Limits
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


@pytest.mark.parametrize(
    ("sums", "expected"),
    [
        ({"same": 1_000}, []),
        ({"same": 10, "differing": 30}, []),  # too few to tell
        ({"same": 900, "differing": 100}, ["mismatch rate"]),
        ({"same": 900, "differing": 100, "problems": 100}, ["mismatch rate", "error rate"]),
        ({"same": 1_000, "follower_ns": 1_000 * 200_000_000}, ["latency"]),
        ({"same": 1_000, "lag_ns_max": 20_000_000_000}, ["lag"]),
    ],
)
def test_each_limit_is_looked_at(monkeypatch, sums, expected):
    names = ("same", "differing", "problems", "follower_ns", "lag_ns_max")
    monkeypatch.setattr(guards, "watched", lambda *_: (None, {name: sums.get(name, 0) for name in names}))
    monkeypatch.setattr(guards, "held_by_nobody", lambda *_: (set(), set()))
    monkeypatch.setattr(guards, "fences", lambda *_: {})
    monkeypatch.setattr(guards, "led_by", lambda *_: {"00": None})
    monkeypatch.setattr(guards, "reached", lambda *_: {})
    assert list(guards.problems_of("risk", ["00"], Limits())) == expected


def test_a_key_that_neither_side_leads_is_a_reason(monkeypatch):
    monkeypatch.setattr(guards, "held_by_nobody", lambda *_: (set(), set()))
    monkeypatch.setattr(guards, "led_by", lambda *_: {"00": None, "01": "app", "02": None})
    monkeypatch.setattr(guards, "reached", lambda *_: {"00": None, "01": None})
    monkeypatch.setattr(guards, "watched", lambda *_: (None, {"same": 0, "differing": 0}))
    found = guards.problems_of("risk", ["00", "01", "02"], Limits())
    assert found == {"headless": "neither side leads 1 keys, such as 00"}
