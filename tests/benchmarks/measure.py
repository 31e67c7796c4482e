"""Measuring: workers that take turns, so that whatever the machine drifts by is shared."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from tests.benchmarks.jobs import Case, Facts
from tests.benchmarks.works import OURS, C, Work

ROOT = Path(__file__).resolve().parents[2]
TURN_SECONDS = 0.3  # calls of one turn take about this long together
ENGINE_SECONDS = 40.0  # an engine that has taken this long for one work gets no more turns


@dataclass
class Row:
    """What was measured of one engine: `samples` in seconds (or megabytes), or a `note` that says why not."""

    engine: str
    samples: list[float] = field(default_factory=list)
    gives: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Programs:
    """The interpreters that engines run in: ours, and that of the peers, None where they are not installed."""

    peers: Path | None
    log: TextIO

    def of(self, engine: str) -> Path | None:
        """Return the interpreter of `engine`."""
        return Path(sys.executable) if engine in (OURS, C) else self.peers


class Worker:
    """An engine prepared for one work in a process of its own."""

    def __init__(self, row: Row, process: "subprocess.Popen[str]") -> None:
        self.row = row
        self._process = process
        hello = self._answer()
        self.row.note = why_not(hello)
        self.row.gives = hello.get("gives", "")
        self.row.versions = hello.get("versions", {})
        warm = hello.get("warm_seconds", ENGINE_SECONDS)
        self._calls = max(1, min(5, int(TURN_SECONDS / warm)))

    @property
    def is_measured(self) -> bool:
        """Whether the engine can do the work and still gets turns."""
        return not self.row.note and sum(self.row.samples) < ENGINE_SECONDS

    def take_turn(self) -> None:
        """Call the work a few times; where it is short, a first call that brings the caches back is not counted."""
        warming = int(self._calls > 1)
        answer = self._ask(f"measure {self._calls + warming}")
        self.row.note = why_not(answer)
        self.row.samples += answer.get("seconds", [])[warming:]

    def tell_facts(self) -> None:
        """Ask what the last call found."""
        if not self.row.note:
            answer = self._ask("facts")
            self.row.note = why_not(answer)
            self.row.facts = answer

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"failed": "it ended with an error, which is in the log"}
        return answer


def measure(work: Work, programs: Programs, *, rounds: int) -> list[Row]:
    """Measure all engines of `work` in turns: A B C, A B C, …"""
    with ExitStack() as stack:
        workers = []
        rows = []
        for engine in work.engines:
            row = Row(engine)
            rows.append(row)
            interpreter = programs.of(engine)
            if interpreter is None:
                row.note = "not installed"
                continue
            workers.append(Worker(row, stack.enter_context(_serving(engine, work.case, interpreter, programs.log))))
        for _ in range(rounds):
            for worker in workers:
                if worker.is_measured:
                    worker.take_turn()
        for worker in workers:
            worker.tell_facts()
    if work.is_rate:
        for row in rows:
            row.samples = [work.events / seconds for seconds in row.samples]
    return rows


def ask_once(engine: str, case: Case, mode: str, programs: Programs, env: Mapping[str, str] | None = None) -> Facts:
    """Run `engine` on `case` in a new process and return its answer, or {"missing": …} or {"failed": …}."""
    interpreter = programs.of(engine)
    if interpreter is None:
        return {"missing": "not installed"}
    done = subprocess.run(
        _command(interpreter, engine, case, mode),
        cwd=ROOT,
        env={**surroundings(), **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    programs.log.write(done.stderr)
    if done.returncode:
        return {"failed": "it ended with an error, which is in the log"}
    return {**json.loads(done.stdout), "stderr": done.stderr}


def surroundings() -> dict[str, str]:
    """Return the environment of a process timed from its start: its Python keeps bytecode, as it does for users."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def why_not(answer: Facts) -> str:
    """Return why an answer holds no measurement; "" where it holds one."""
    for reason in ("missing", "unsupported", "failed"):
        if reason in answer:
            return f"{reason}: {answer[reason]}" if reason == "failed" else str(answer[reason])
    return ""


def _command(interpreter: Path, engine: str, case: Case, mode: str) -> list[str]:
    text = json.dumps(asdict(case), default=str)
    return [str(interpreter), "-m", "tests.benchmarks.worker", engine, text, mode]


@contextmanager
def _serving(engine: str, case: Case, interpreter: Path, log: TextIO) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        _command(interpreter, engine, case, "serve"),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
