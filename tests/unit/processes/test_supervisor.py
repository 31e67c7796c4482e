"""The end of a tree of processes: nobody misses the signal, and nobody is waited for in vain."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from banyan.clock import SystemClock
from banyan.process import Role, roles, run_roles
from banyan.transport import LocalTransport

ROOT = Path(__file__).resolve().parents[3]

STOPPED_WHILE_A_CHILD_BEGINS = """
import os, signal, sys, threading
from banyan.process import supervisor

stop, kill = threading.Event(), os.kill
begins, killed = os.pipe()


def kill_and_tell(pid, number):
    kill(pid, number)
    os.write(killed, b"x")


supervisor.name_process = lambda name: os.read(begins, 1)  # so that the signal comes before the child listens
supervisor.os.kill = kill_and_tell
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: stop.set())
stop.set()
sys.exit(supervisor.Supervisor({"one": lambda its_stop: its_stop.wait()}, stop=stop).run())
"""


def test_a_child_that_is_told_to_stop_before_it_listens_stops():
    environment = os.environ | {"PYTHONPATH": str(ROOT / "platform")}
    ended = subprocess.run(
        [sys.executable, "-c", STOPPED_WHILE_A_CHILD_BEGINS], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")


class Busy:
    """A worker that ends when it may, whoever asks it to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.has_begun, self.may_end, self.has_ended = threading.Event(), threading.Event(), threading.Event()

    def run(self, stop: threading.Event) -> None:
        self.has_begun.set()
        stop.wait()
        self.may_end.wait()
        self.has_ended.set()

    def wake(self) -> None:
        """Do nothing."""


def test_who_only_remembers_is_left_at_the_end_and_who_decides_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "_LEFT_AFTER_SECONDS", 0.05)
    deciding, remembering = Busy("deciding"), Busy("remembering")
    parts = [
        Role("remembers", "one", "", lambda *_: [remembering], niceness=19),
        Role("decides", "one", "", lambda *_: [deciding]),
    ]
    stop, ended = threading.Event(), []
    running = threading.Thread(target=lambda: ended.append(run_roles(parts, LocalTransport({}), SystemClock(), stop)))
    running.start()
    for each in (deciding, remembering):
        each.has_begun.wait()
    stop.set()
    deciding.may_end.set()
    running.join()
    assert (ended, deciding.has_ended.is_set(), remembering.has_ended.is_set()) == ([True], True, False)
    remembering.may_end.set()


def test_what_is_told_to_stop_while_it_is_built_builds_no_more() -> None:
    stop, built = threading.Event(), []

    def build(name: str) -> Role:
        return Role(name, "one", "", lambda *_: [built.append(name), stop.set()][:0])

    assert run_roles([build("first"), build("second")], LocalTransport({}), SystemClock(), stop)
    assert built == ["first"]
