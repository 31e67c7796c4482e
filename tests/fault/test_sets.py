"""Sets in processes of their own: what a bad strategy does to itself, and to nobody else."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.fault.system import System, closes
from tests.fault.test_processes import define_trend

EURUSD = ("--instrument", "OANDA:EURUSD", "--interval", "1h")
STRATEGY = '''
"""Goes wrong at its third bar, or is good."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.signals.interface import strategy
from trading.bars import Bar


class Params(NamedTuple):
    pass


class State(NamedTuple):
    bars: NDArray[np.int64]


def _initial(_params: Params) -> State:
    return State(np.zeros(1, np.int64))


@strategy(parameters=(), state=_initial, settles="never")
def bad(state: State, bar: Bar, _params: Params) -> float:
    state.bars[0] += 1
    if state.bars[0] >= 3:
        {deed}
    return 1.0 if state.bars[0] % 2 else 0.0
'''
CLASS = '''
"""Goes wrong at its third bar."""

import os
import signal

from apps.signals.interface import ClassStrategy, strategy


@strategy(settles="never")
class Bad(ClassStrategy):
    def initialize(self, _params):
        self.bars, self.kept = 0, []
        return []

    def event(self, data):
        self.bars += 1
        if self.bars >= 3:
            {deed}
        return 1.0 if self.bars % 2 else 0.0
'''
DEEDS = {
    "raises": ('raise ValueError("no more")', "ValueError: no more"),
    "class raises": ("raise ValueError('no more')", "ValueError: no more"),
    "class hangs": ("while True:\n                self.bars += 1", "has not returned for 10 s, at line"),
    "class leaks": (
        "while True:\n                self.kept.append(bytearray(os.urandom(2**20)))",
        "memory",
    ),
    "class crashes": ("os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV in"),
    "hangs": ("while state.bars[0] > 0:\n            state.bars[0] += 1", "has not returned for 10 s"),
}


def write(folder: Path, deed: str, *, is_class: bool) -> str:
    path = folder / "bad.py"
    path.write_text((CLASS if is_class else STRATEGY).format(deed=deed))
    return str(path)


def shown(system: System, name: str) -> dict[str, Any]:
    return json.loads(system.manage("sets", "show", name, "--json"))[0]


def replay(system: System) -> None:
    system.manage("replay", *EURUSD[1:], "--from", "2016-01-01", "--to", "2016-01-12")


def applied(system: System, name: str) -> list[int]:
    return [
        body["bars"]["closed_at_ns"]
        for step in system.steps("signals")
        for event, body in step["events"]
        if event == "signals.bars-applied.v1" and step["key"] == name
    ]


def targets(system: System, name: str) -> list[Any]:
    return [
        (body["decided_at_ns"], body["value"], body["version"], body["quotes"])
        for step in system.steps("signals")
        for event, body in step["events"]
        if event == "signals.target-set.v1" and step["key"] == name
    ]


@pytest.mark.parametrize(
    "deed",
    [
        "class raises",
        *(
            pytest.param(deed, marks=pytest.mark.soak)
            for deed in ("raises", "hangs", "class hangs", "class leaks", "class crashes")
        ),
    ],
)
def test_a_set_that_fails_again_and_again_is_parked_with_the_reason_and_the_others_go_on(system, tmp_path, deed):
    code, reason = DEEDS[deed]
    path = write(tmp_path, code, is_class=deed.startswith("class"))
    define_trend(system)
    system.manage("sets", "define", "bad", "--strategy", path, *EURUSD)
    system.manage("sets", "start", "bad")
    system.start()
    replay(system)
    system.wait_for("parking", lambda: shown(system, "bad")["state"] == "parked")
    because = shown(system, "bad")["parked_because"]
    assert f"{path}:" in because
    assert reason in because
    assert f"set bad is parked: {because}" in system.manage("status", code=1)
    system.wait_for("letting all bars in", lambda: system.waiting("feeds") == 0)
    given = list(closes(system, "feeds", "feeds.bar-closed.v1"))
    system.wait_for("the other set", lambda: applied(system, "trend") == given)
    assert shown(system, "trend")["starts"] == 1
    assert applied(system, "bad") == given[:2]

    write(tmp_path, "pass", is_class=deed.startswith("class"))
    system.manage("sets", "define", "bad", "--strategy", path, *EURUSD)
    system.manage("sets", "start", "bad")
    system.wait_for("bars for the mended one", lambda: len(applied(system, "bad")) > 2)
    assert shown(system, "bad")["state"] == "running"
    system.manage("events", "verify", "signals")


@pytest.mark.soak
def test_a_set_that_is_killed_gives_the_same_targets_as_one_that_is_not(system):
    define_trend(system)
    system.manage("sets", "define", "twin", "--strategy", "ema_cross", *EURUSD, "-p", "fast=5", "-p", "slow=20")
    system.manage("sets", "start", "twin")
    system.start()
    killed: set[int] = set()

    def kill_again() -> bool:
        pid = shown(system, "trend").get("pid", 0)
        if pid and pid not in killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        return len(killed) == 3

    replay(system)
    system.wait_for("its deaths", kill_again)
    system.wait_for("letting all bars in", lambda: system.waiting("feeds") == 0)
    given = list(closes(system, "feeds", "feeds.bar-closed.v1"))
    for name in ("trend", "twin"):
        system.wait_for(f"the bars of {name}", lambda name=name: applied(system, name) == given)
    assert targets(system, "trend") == targets(system, "twin") != []
    system.manage("events", "verify", "signals")
