"""A key is handed over only to a side that has what its leader has."""

from collections.abc import Sequence

import pytest

from banyan.facade import Routing, Side, Stage, StageError
from extract import moving
from extract.handing import Handed
from extract.moving import Mover
from extract.sides import Fence

KEYS = ["00", "01"]


class Sides:
    """Both sides of a context; at each look at the one that follows it has come some records further."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.leader = Side.APP
        self.followed, self.step = dict.fromkeys(KEYS, 90), 0
        self.handed: list[tuple[list[str], Side]] = []
        self.changed: list[Stage] = []
        self.cut_off: set[str] = set()
        self.mute: set[str] = set()
        self.fenced_off: list[str] = []
        self.slept = 0.0
        monkeypatch.setattr(moving, "fences", self.fences)
        monkeypatch.setattr(moving, "led_by", lambda _, keys: dict.fromkeys(keys, self.leader))
        monkeypatch.setattr(moving, "held_by_nobody", lambda *_: (set(), set()))
        monkeypatch.setattr(moving, "not_relayed", lambda *_: self.cut_off)
        monkeypatch.setattr(moving, "watch_anew", lambda _: None)
        monkeypatch.setattr(moving, "change", self.change)
        monkeypatch.setattr(moving.time, "sleep", self.sleep)
        monkeypatch.setattr(moving.time, "monotonic", lambda: self.slept)
        self.mover = Mover("risk", None, None, KEYS, str)
        self.mover._handing = self

    def fences(self, context: str, side: Side, keys: Sequence[str]) -> dict[str, Fence]:
        if side is self.leader:
            return {key: Fence(100, 1, True) for key in keys}
        self.followed["01"] = min(100, self.followed["01"] + self.step)
        return {key: Fence(self.followed[key], 1, False) for key in keys}

    def change(self, context: str, before: Routing, stage: Stage, **_) -> Routing:
        self.changed.append(stage)
        return Routing(stage, version=before.version + 1)

    def hand_over(self, keys: Sequence[str], to: Side) -> list[Handed]:
        self.handed.append((list(keys), to))
        return [Handed(key, key not in self.mute, 0.1, is_mute=key in self.mute) for key in keys]

    def take_from_dead(self, keys: Sequence[str], to: Side) -> list[Handed]:
        self.fenced_off += keys
        return [Handed(key, True, 0.1) for key in keys]

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


@pytest.fixture
def sides(monkeypatch: pytest.MonkeyPatch) -> Sides:
    made = Sides(monkeypatch)
    made.followed["00"] = 100
    return made


def test_who_follows_a_little_behind_is_waited_for(sides):
    sides.step = 1
    sides.mover.move(Routing(Stage.SHADOW), Stage.LIVE, frozenset(), "me", "try", [])
    assert sides.followed["01"] == 100
    assert sides.handed == [(KEYS, Side.SERVICE)]
    assert sides.changed == [Stage.LIVE]


@pytest.mark.parametrize("leader", list(Side))
def test_who_does_not_catch_up_is_handed_nothing_and_the_stage_stays(sides, leader):
    sides.leader = leader
    before, stage = Routing(Stage.SHADOW), Stage.LIVE
    if leader is Side.SERVICE:
        before, stage = Routing(Stage.LIVE), Stage.SHADOW
    with pytest.raises(StageError, match="1 keys of risk .* 01 is 10 records behind after 5 s"):
        sides.mover.move(before, stage, frozenset(), "me", "try", [])
    assert (sides.handed, sides.changed) == ([], [])


def test_the_way_back_needs_nothing_of_a_service_that_neither_hears_nor_says_anything(sides):
    sides.leader = Side.SERVICE
    sides.cut_off = {"01"}  # what it has decided is not with Kafka, so the app is behind
    sides.mute = {"00"}
    sides.mover.move(Routing(Stage.LIVE), Stage.SHADOW, frozenset(), "guard", "it is cut off", [])
    assert sides.handed == [(["00"], Side.APP)]
    assert sides.fenced_off == ["00", "01"]
    assert sides.changed == [Stage.SHADOW]


def test_an_app_that_does_not_answer_is_not_fenced_off_for_its_service(sides):
    sides.step, sides.mute = 1, {"00"}
    with pytest.raises(StageError, match="is in stage shadow again: 1 keys"):
        sides.mover.move(Routing(Stage.SHADOW), Stage.LIVE, frozenset(), "me", "try", [])
    assert sides.fenced_off == []
    assert sides.changed == [Stage.LIVE, Stage.SHADOW]
