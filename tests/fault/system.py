"""The whole system as its user runs it: real processes, on databases of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg

from banyan.compression import expand
from tests.commands import ROOT, Commands
from tests.patience import PATIENCE_SECONDS
from trading.compiled import data_directory

PAUSE_SECONDS = 0.1  # between two looks at the least
PAUSE_SHARE = 4.0  # of what a look took: each reads whole logs, and who looks all the time has half a core
_DEATH = re.compile(r" ended with signal SIGKILL| ended: | is left alone: ")
"""What a supervisor says of a process that died, and the keeper of sets of one that failed."""


class System:
    """Runs management commands and the tree of processes; `kill` is SIGKILL, `stop` what a person does."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.environment = {
            **os.environ,
            "BANYAN_SHARDS": "12",  # more than a process has by default: what befalls keys meets some and not others
            "DATABASE_URL": database_url,
            "BANYAN_DATA_DIR": str(folder),
            "DJANGO_SETTINGS_MODULE": "settings.dev",
        }
        self.folder = folder
        self.over: dict[str, str] = {}  # what is other for the processes than for commands
        self.others = 0  # faults that no supervisor tells of
        kept = data_directory() / "kernels"  # what was compiled before, instead of compiling all anew for each system
        kept.mkdir(parents=True, exist_ok=True)
        (folder / "kernels").symlink_to(kept)
        self._log = folder / "run.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._commands: Commands | None = None
        self._connections: dict[str, psycopg.Connection[Any]] = {}

    def manage(self, *arguments: str, code: int = 0) -> str:
        """Run a command and return what it printed; it must end with `code`."""
        done = self._done(*arguments)
        assert done.returncode == code, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """Run a command that must fail, and return what it said."""
        done = self._done(*arguments)
        assert done.returncode, f"{arguments} was done\n{done.stdout}"
        return done.stderr

    def tried(self, *arguments: str) -> str:
        """Run a command that may fail, and return all that it said."""
        done = self._done(*arguments)
        return done.stdout + done.stderr

    def _done(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        if self._commands is None or self._commands.environment != self.environment:
            self._end_commands()
            self._commands = Commands(self.environment)
        return self._commands.run(*arguments)

    def _end_commands(self) -> None:
        if self._commands is not None:
            self._commands.end()
            self._commands = None

    def start(self, crash_at: str = "", roles: Sequence[str] = ()) -> None:
        """Start all roles under their supervisor, or `roles` in one process.

        `crash_at` is a crash point, where the processes die every time.
        """
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "run", *roles],
                cwd=ROOT,
                env={**self.environment, **self.over, "BANYAN_CRASH_AT": crash_at},
                stdout=log,
                stderr=log,
            )

    def children(self) -> list[int]:
        """Return the process ids of the supervisor's children."""
        assert self._process is not None
        listed = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return [int(pid) for pid in listed]

    def kill_children(self) -> None:
        """Kill every child as the machine would."""
        for pid in self.children():
            os.kill(pid, signal.SIGKILL)

    def kill_supervisor(self) -> None:
        """Kill the root of the tree only."""
        assert self._process is not None
        self.others += 1
        self._process.kill()
        self._process.wait()

    def stop(self) -> tuple[int, float]:
        """Stop as a person does; return the exit code and the seconds that it took."""
        assert self._process is not None
        begun = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=PATIENCE_SECONDS)
        return code, time.monotonic() - begun

    def verify(self, *, dead_letters: int = 0) -> None:
        """Check all invariants, once what is still on its way has arrived."""
        told = ""

        def holds() -> bool:
            nonlocal told
            done = self._done("verify", "--json", "--dead-letters", str(dead_letters))
            told = done.stdout + done.stderr
            return done.returncode == 0

        until = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < until, told

    def steps(self, context: str) -> list[dict[str, Any]]:
        """Return all log records of a context, each with its events as [name, message]."""
        rows = self.rows(context, "SELECT key, number, events FROM banyan_log ORDER BY key, number")
        return [
            {"key": key, "number": number, "events": json.loads(expand(bytes(events)))} for key, number, events in rows
        ]

    def waiting(self, context: str) -> int:
        """Return how many commands wait in a context."""
        return int(self.rows(context, "SELECT count(*) FROM banyan_request")[0][0])

    def rows(self, context: str, statement: str) -> list[Any]:
        """Return what a query gives in a context's database."""
        before, question, options = self.environment["DATABASE_URL"].partition("?")
        url = f"{before}_{context}{question}{options}"
        try:
            return self._connected(url).execute(statement).fetchall()
        except psycopg.OperationalError:  # the server has been another one meanwhile
            return self._connected(url, anew=True).execute(statement).fetchall()

    def _connected(self, url: str, *, anew: bool = False) -> "psycopg.Connection[Any]":
        """Return a connection that is kept: making one for each look costs more than the look."""
        if anew or url not in self._connections:
            if url in self._connections:
                self._connections.pop(url).close()
            self._connections[url] = psycopg.connect(url, autocommit=True)
        return self._connections[url]

    def log(self) -> str:
        """Return what the processes have logged."""
        return self._log.read_text()

    def faults(self) -> int:
        """Return how many faults have been injected."""
        return self.others + (len(_DEATH.findall(self.log())) if self._log.exists() else 0)

    def wait_for(self, what: str, is_so: Callable[[], bool]) -> None:
        """Ask again and again until it is so."""
        until = time.monotonic() + PATIENCE_SECONDS
        begun = time.monotonic()
        while not is_so():
            taken = time.monotonic() - begun
            assert time.monotonic() < until, f"{what} did not come about in {PATIENCE_SECONDS:.0f} s:\n{self.log()}"
            time.sleep(max(PAUSE_SECONDS, PAUSE_SHARE * taken))
            begun = time.monotonic()

    def end(self) -> None:
        """End whatever still runs."""
        self._end_commands()
        while self._connections:
            self._connections.popitem()[1].close()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=PATIENCE_SECONDS)


def closes(system: System, context: str, name: str) -> Iterator[int]:
    """Yield the close times of the bars in the events of type `name`, in the order of the log."""
    for step in system.steps(context):
        for event, body in step["events"]:
            if event == name:
                yield (body.get("bars") or body)["closed_at_ns"]
