"""Reading logs to their ends, again and again, a bounded piece at a time."""

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import psycopg
from django.conf import settings
from django.db import OperationalError, connections

from apps.reporting.database import connect
from apps.reporting.marks import MarkMove, MarksMovedError
from apps.reporting.sources import LogError, Source
from banyan.road import Road
from banyan.store import Step

_LOGGER = logging.getLogger(__name__)
RECORDS_MAX = 400
"""Of one log in one piece."""
BYTES_MAX = 250_000
"""Of all logs in one piece."""
_NEVER_NS = 2**63 - 1
_LEAST = 19
_RETRY_SECONDS = 2.0
_ROAD_SECONDS = 0.02
"""Between looks at the road: a word of memory, which costs nobody else anything."""
_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, OperationalError)

Mark = tuple[int, int]
Read = list[tuple[str, Step]]


class Taker(Protocol):
    """Who takes what was read."""

    reader: str

    def begin(self, connection: "psycopg.Connection[Any]") -> None:
        """Prepare for taking: marks are read after it."""

    def end(self, connection: "psycopg.Connection[Any]") -> None:
        """Put in order what was taken: nothing more comes."""

    def take(self, connection: "psycopg.Connection[Any]", read: Read, marks: Sequence[MarkMove]) -> None:
        """Take records of (source, record), and move the marks once that cannot be lost any more."""

    def forget(self) -> None:
        """Know nothing any more of what was taken: it may not have been."""


class Follower:
    """Reads the logs of `sources` for `taker`, from the marks on. Not for several threads at once.

    `give_way` is called before anything is read or written that others may be waiting for the end of.
    """

    def __init__(self, sources: Sequence[Source], taker: Taker, give_way: Callable[[], None] = lambda: None) -> None:
        self._sources = sources
        self._taker = taker
        self._give_way = give_way
        self._connection: psycopg.Connection[Any] | None = None
        self._marks: dict[tuple[str, str], Mark] | None = None
        self._last_key = ""
        self.is_behind = False
        """Whether the last piece has left something that was there already."""
        self.damaged: dict[tuple[str, str], str] = {}
        """Why a log cannot be read on."""

    def step(self) -> bool:
        """Read a piece and have it taken; tell whether there was anything.

        A piece is what has come to one key after the other, as far as it goes: the more there is of a key, the less
        each record costs the taker. Raises psycopg.Error while a database cannot be reached: nothing is lost, call
        again later.
        """
        connection = self._connected()
        if self._marks is None:
            self._taker.begin(connection)
            self._marks = marks_of(connection, self._taker.reader)
        read, moves = self._piece([(source, source.heads()) for source in self._sources])
        if not moves:
            return False
        try:
            self._taker.take(connection, read, moves)
        except (MarksMovedError, psycopg.Error) as problem:
            self.forget()
            if isinstance(problem, MarksMovedError):
                _LOGGER.info("%s", problem)
                return True
            raise
        self._marks.update({(each.source, each.key): (each.number, each.received_at_ns) for each in moves})
        return True

    def _piece(self, heads: Sequence[tuple[Source, Mapping[str, int]]]) -> tuple[Read, list[MarkMove]]:
        """Return records of keys, those after the last piece's first, and how far the logs are read with them."""
        assert self._marks is not None
        read: Read = []
        moves: list[MarkMove] = []
        self.is_behind = False
        waiting = {
            key
            for source, of_source in heads
            for key, head in of_source.items()
            if head != self._marks.get((source.name, key), (0, 0))[0] and (source.name, key) not in self.damaged
        }
        left = BYTES_MAX
        for key in sorted(waiting, key=lambda each: (each <= self._last_key, each)):
            if left <= 0:
                self.is_behind = True
                break
            until_ns = _NEVER_NS
            for source, of_source in heads:
                head = of_source.get(key, 0)
                self._give_way()
                move, steps = self._read(source, key, head, _Bounds(left, until_ns))
                read += [(source.name, each) for each in steps]
                left -= sum(len(each.events) + len(each.body) for each in steps)
                if move is not None:
                    moves.append(move)
                    if move.number < head:
                        # What is left here would, if others were read beyond it, be known in two pieces.
                        until_ns = min(until_ns, move.received_at_ns)
                        self.is_behind = True
            self._last_key = key
        return read, moves

    def forget(self) -> None:
        """Throw away what is in memory: the marks tell how far everything is."""
        self._marks = None
        self._taker.forget()
        for source in self._sources:
            source.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Let the taker end, and close all connections. Raises psycopg.Error where the database is away."""
        try:
            if self._marks is not None:
                self._taker.end(self._connected())
        finally:
            self.forget()

    def _connected(self) -> "psycopg.Connection[Any]":
        if self._connection is None or self._connection.closed:
            self._connection = connect()
            if settings.GIVES_WAY:
                _step_back(self._connection)
            self._connection.cursor_factory = _giving(self._give_way)
        return self._connection

    def _read(self, source: Source, key: str, head: int, bounds: "_Bounds") -> tuple[MarkMove | None, list[Step]]:
        assert self._marks is not None
        mark = self._marks.get((source.name, key), (0, 0))
        if head == mark[0] or (source.name, key) in self.damaged:
            return None, []
        try:
            steps, is_cut = _within(_after(source, key, mark, head), bounds)
        except LogError as problem:
            _LOGGER.error("%s", problem)  # noqa: TRY400  (it says all that there is to say)
            self.damaged[source.name, key] = str(problem)
            return None, []
        if not steps and (is_cut or source.is_gapless):
            return None, []
        received_at_ns = steps[-1].received_at_ns if steps else mark[1]
        is_whole = not (is_cut or source.is_gapless)
        number = min(head, mark[0] + RECORDS_MAX) if is_whole else steps[-1].number
        return MarkMove(source.name, key, mark[0], number, received_at_ns), steps


class _Bounds(NamedTuple):
    """How much of a log is read at a time: so many bytes (but one record), and no record that came after a time."""

    bytes_max: int
    until_ns: int


def _within(steps: Iterator[Step], bounds: _Bounds) -> tuple[list[Step], bool]:
    """Return the records within bounds, and whether some were left."""
    taken: list[Step] = []
    size = 0
    for step in steps:
        if step.received_at_ns > bounds.until_ns or (taken and size >= bounds.bytes_max):
            return taken, True
        size += len(step.events) + len(step.body)
        taken.append(step)
    return taken, False


def _after(source: Source, key: str, mark: Mark, head: int) -> Iterator[Step]:
    """Yield the next records after a mark. Raises LogError where the log is not the one that was read so far."""
    number, received_at_ns = mark
    name = f"{source.name}/{key}"
    if head < number:
        raise LogError(f"{name} ends at {head} and was read to {number}: it was put back, so rebuild what was read")
    if not source.is_gapless:
        yield from source.steps(key, number, min(head, number + RECORDS_MAX))
        return
    expected = number + 1
    for step in source.steps(key, max(0, number - 1), min(head, number + RECORDS_MAX)):
        if step.number == number:
            if step.received_at_ns != received_at_ns:
                raise LogError(f"{name}: record {number} is another than was read: rebuild what was read")
            continue
        if step.number != expected:
            raise LogError(f"{name} has {step.number} where {expected} should be: what was between was dropped unread")
        expected += 1
        yield step


def marks_of(connection: "psycopg.Connection[Any]", reader: str) -> dict[tuple[str, str], Mark]:
    """Return (number, received_at_ns) by (source, key): how far a reader is."""
    rows = connection.execute(
        "SELECT source, key, number, received_at_ns FROM reporting_mark WHERE reader = %s", [reader]
    )
    return {(source, key): (number, received_at_ns) for source, key, number, received_at_ns in rows}


def behind(follower_marks: Mapping[tuple[str, str], Mark], sources: Sequence[Source]) -> dict[tuple[str, str], int]:
    """Return how many numbers each log is ahead of its mark, without those that are not."""
    gaps = {
        (source.name, key): head - follower_marks.get((source.name, key), (0, 0))[0]
        for source in sources
        for key, head in source.heads().items()
    }
    return {key: gap for key, gap in gaps.items() if gap}


class FollowerWorker:
    """Lets a follower read whatever comes, until it is told to stop. `build` is called in the worker's thread.

    It looks when somebody has used the `road`, where one is given, every `poll_seconds` in any case, and at once where
    it is behind.
    """

    def __init__(
        self, name: str, build: Callable[[], Follower], poll_seconds: float, road: Road | None = None
    ) -> None:  # fmt: skip
        self.name = name
        self._build = build
        self._poll_seconds = poll_seconds
        self._road = road
        self._woken = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Read until `stop` is set, and one piece more."""
        if settings.GIVES_WAY:
            _be_idle()
        follower = self._build()
        while not stop.is_set():
            looked_ns = time.monotonic_ns()
            try:
                follower.step()
                if not follower.is_behind:
                    self._wait(looked_ns)
            except (*_AWAY, OSError) as problem:
                _LOGGER.warning("%s: what it needs is away, it tries again: %s", self.name, problem)
                follower.forget()
                connections.close_all()
                self._woken.wait(_RETRY_SECONDS)
        with contextlib.suppress(*_AWAY, OSError):
            follower.step()  # what has come since it looked last
        with contextlib.suppress(*_AWAY):
            follower.close()
        connections.close_all()

    def wake(self) -> None:
        """Stop waiting."""
        self._woken.set()

    def _wait(self, looked_ns: int) -> None:
        """Wait until something may have been recorded since the databases were looked at."""
        if self._road is None:
            self._woken.wait(self._poll_seconds)
            return
        until_ns = looked_ns + int(self._poll_seconds * 1e9)
        while self._road.used_ns() < looked_ns and time.monotonic_ns() < until_ns:
            if self._woken.wait(_ROAD_SECONDS):
                break


def _giving(give_way: Callable[[], None]) -> "type[psycopg.Cursor[Any]]":
    """Return cursors that give way before each statement."""

    class Giving(psycopg.Cursor[Any]):
        def execute(self, *statement: Any, **options: Any) -> Any:
            give_way()
            return super().execute(*statement, **options)

        def copy(self, *statement: Any, **options: Any) -> Any:
            give_way()
            return super().copy(*statement, **options)

    return Giving


def _be_idle() -> None:
    """Let this thread have the processors only when nobody else wants them, where the system can do that."""
    if sys.platform == "linux":
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))


def _step_back(connection: "psycopg.Connection[Any]") -> None:
    """Let the server's process for a connection give way too, where it is one of this machine and this user.

    It is not made idle, as it may hold what others wait for.
    """
    backend = connection.info.backend_pid
    with contextlib.suppress(OSError):
        title = Path(f"/proc/{backend}/cmdline").read_bytes()
        if title.startswith(b"postgres: ") and connection.info.dbname.encode() in title:
            os.setpriority(os.PRIO_PROCESS, backend, _LEAST)
