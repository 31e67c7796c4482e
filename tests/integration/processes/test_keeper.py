"""Real processes that hang, leak, crash and raise, beside one that works."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.processes.kept import PLACE
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="what processes take is read from /proc")


class Kept:
    """The lines that `kept` writes, read one after the other."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[list] = []

    def next(self, *begins: str) -> list:
        """Return the next line that begins with these words."""
        assert self.process.stdout is not None
        for text in self.process.stdout:
            self.lines.append(json.loads(text))
            if self.lines[-1][: len(begins)] == list(begins):
                return self.lines[-1]
        raise AssertionError(f"{begins} never came: {self.lines}")


@contextmanager
def kept(*names: str) -> Iterator[Kept]:
    command = [sys.executable, "-m", "tests.integration.processes.kept", *names]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Kept(process)
        finally:
            process.kill()


def test_what_fails_is_parked_with_its_reason_and_what_works_is_left_alone():
    failing = ("hangs", "leaks", "asks for too much", "raises", "crashes")
    with kept("works", *failing) as seen:
        parked = dict(seen.next("parked")[1:] for _ in failing)
        assert set(parked) == set(failing)
        here = ROOT / "tests/integration/processes/kept.py"
        assert parked["hangs"].startswith(f"{here}:1 has not returned for 0.3 s, at line ")
        assert f"may take 40, {PLACE} ran last" in parked["leaks"]
        assert PLACE in parked["asks for too much"]
        assert parked["raises"].startswith(f"{PLACE}: ZeroDivisionError: division by zero (3 failures in")
        assert f"SIGSEGV in {PLACE}" in parked["crashes"]
        seen.next("report", "works")
        assert len({line[3] for line in seen.lines if line[:2] == ["report", "works"]}) == 1


def test_what_somebody_else_has_killed_is_started_again_however_often():
    with kept("works") as seen:
        killed: set[int] = set()
        while len(killed) < 5:
            pid = seen.next("report", "works", "running")[3]
            if pid not in killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        assert not any(line[0] == "parked" for line in seen.lines)


def test_all_end_with_the_process_that_began_them():
    with kept("works") as seen:
        pid = seen.next("report", "works", "running")[3]
        seen.process.send_signal(signal.SIGTERM)
        seen.next("ended")
        assert seen.process.wait(timeout=PATIENCE_SECONDS) == 0
        assert not Path(f"/proc/{pid}").exists()


def test_all_end_when_the_process_that_began_them_is_killed():
    with kept("works") as seen:
        pid = seen.next("report", "works", "running")[3]
        keeper = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        seen.process.kill()
        while is_alive(pid) or is_alive(keeper):
            pass


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
