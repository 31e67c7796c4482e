"""One process: the roles that it has, each with threads of its own, until it is told to stop."""

import argparse
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from zlib import crc32

import psycopg

from banyan.clock import Clock
from banyan.host import Delivery, Host, bringing
from banyan.process.collector import Collector
from banyan.store import Store
from banyan.transport import LocalTransport, deliveries_of

_LOGGER = logging.getLogger(__name__)
_LEFT_AFTER_SECONDS = 3.0
_RETRY_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


class CannotRunError(RuntimeError):
    """A worker cannot do its work until a person has done something; the message says what is wrong and what to do."""


class Worker(Protocol):
    """Something that works until it is told to stop."""

    name: str

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, then end in order. Raises CannotRunError where a person has to act first."""

    def wake(self) -> None:
        """Return from waiting now: `stop` has been set."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which of a role's keys a process is to hold, where several share them: part `number` of `count`, from 1."""

    number: int = 1
    count: int = 1

    @classmethod
    def typed(cls, text: str) -> "Part":
        """Return the part that is typed as "1/2". Raises argparse.ArgumentTypeError."""
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise argparse.ArgumentTypeError(f"{text!r} is not K/N with K from 1 to N, such as 1/2")
        return cls(int(number), int(count))

    def of(self, keys: Sequence[str]) -> Sequence[str]:
        """Return the keys of this part: the parts have all of them, each once."""
        return keys[self.number - 1 :: self.count]

    def has(self, key: str) -> bool:
        """Tell whether a key is of this part, where keys come and go: by its name, whatever others there are."""
        return crc32(key.encode()) % self.count == self.number - 1


@dataclass(frozen=True, slots=True)
class Role:
    """A part of the system that can run in a process of its own.

    `build` returns its workers for a transport, a clock and a part of its keys. `process` is the process that it
    belongs to where nobody says otherwise: roles of one process hand their messages on without a detour. `parts` is
    over how many such processes its keys are spread. `niceness` is how far its process steps back for others: 19 for
    what nobody waits for. Above 0 its workers commit all that they do together with how far they are, so that at the
    end they need not be waited for where others leave them no time.
    """

    name: str
    process: str
    help: str
    build: "Callable[[LocalTransport, Clock, Part], Sequence[Worker]]"
    parts: int = 1
    niceness: int = 0


Roles = Mapping[str, Role]


class HostWorker:
    """Steps a host whenever something arrives or comes due, and waits out a database that is away.

    Who has something for the host steps it, while this worker waits. `keys` are those to hold, or what returns them,
    asked again as time goes on; None: all that the context has.
    """

    def __init__(self, host: Host[Any], keys: Sequence[str] | Callable[[], Sequence[str]] | None, clock: Clock) -> None:
        self.name = host.context.name
        self._host = host
        self._keys = host.store.all_keys if keys is None else keys
        self._clock = clock
        self._looked_ns = 0
        self._waits_until_ns = 0

    def run(self, stop: threading.Event) -> None:
        """Host the keys until `stop` is set; then apply what waits, keep snapshots and give the keys back."""
        failures, turn = 0, self._host.turn
        while not stop.is_set():
            try:
                with bringing(), turn.taken:
                    is_done = self._step()
                    self._waits_until_ns = self._due_ns()
                    turn.lend(self._lent)
                if is_done:
                    self._host.called.wait(max(0.0, (self._waits_until_ns - self._clock.monotonic_ns()) / 1e9))
                    self._host.called.clear()
                failures = 0
            except psycopg.OperationalError as problem:
                turn.withdraw()
                seconds = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)]
                failures += 1
                _LOGGER.warning("%s: the database is away, next try in %.2f s: %s", self.name, seconds, problem)
                stop.wait(seconds)
        turn.withdraw()
        try:
            with turn.taken:
                self._host.close()
        except psycopg.OperationalError as problem:
            _LOGGER.warning("%s: stopped without snapshots, the database is away: %s", self.name, problem)

    def wake(self) -> None:
        """Stop waiting."""
        self._host.turn.call()

    def _step(self) -> bool:
        """Do what there is to do; tell whether the rest can wait until something comes or is due."""
        self._want_keys()
        return not self._host.step() or self._host.is_done()

    def _lent(self) -> bool:
        """Do the same in another thread; tell whether there is more to do at once. Failures are left to our own."""
        try:
            is_done = self._step()
        except psycopg.OperationalError:
            self._host.turn.withdraw()
            self._host.turn.call()
            return False
        if self._due_ns() < self._waits_until_ns:
            self._host.turn.call()
        return not is_done

    def _want_keys(self) -> None:
        now_ns = self._clock.monotonic_ns()
        is_time = now_ns - self._looked_ns >= self._host.settings.poll_seconds * 1e9
        if not self._looked_ns or (callable(self._keys) and (is_time or self._host.has_strangers())):
            self._looked_ns = now_ns
            self._host.open(self._keys() if callable(self._keys) else self._keys)

    def _due_ns(self) -> int:
        """Return until when, by the monotonic clock, the host need not be stepped where nothing comes for it."""
        due_ns = self._host.next_due_ns()
        longest = self._host.idle_seconds()
        seconds = longest if due_ns is None else min(longest, (due_ns - self._clock.wall_ns()) / 1e9)
        return self._clock.monotonic_ns() + int(seconds * 1e9)


class Told(Protocol):
    """Who is told what has come for its keys."""

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Let messages wait that an outbox keeps."""

    def look_for(self, woken: Iterable[tuple[str, str]]) -> None:
        """Read what waits elsewhere: (sender, key) of each, the sender of commands being ""."""


class Listener:
    """Tells whoever hosts keys of a context what a process elsewhere has for them."""

    def __init__(self, context: str, told: Told) -> None:
        self.name = f"{context}-listener"
        self._context = context
        self._told = told
        self._store = Store(context)

    def run(self, stop: threading.Event) -> None:
        """Listen until `stop` is set; while the database is away the host's own polling has to do."""
        while not stop.is_set():
            try:
                notices = self._store.woken(seconds=0.5)
                with bringing(self._store.is_woken):
                    for notice in notices:
                        if notice.has_message:
                            self._told.offer(deliveries_of(self._context, notice))
                        else:
                            self._told.look_for((notice.sender, key) for key in notice.keys)
            except psycopg.OperationalError:
                self._store.close()
                stop.wait(_RETRY_SECONDS[-1])
        self._store.close()

    def wake(self) -> None:
        """Do nothing: it waits half a second at the longest."""


def run_roles(
    roles: Sequence[Role], transport: LocalTransport, clock: Clock, stop: threading.Event, part: Part | None = None
) -> bool:
    """Run roles, with a part of their keys, until `stop` is set, or a worker fails; return whether all ended in order.

    The failure of one ends the process: its supervisor starts it again from what is committed.
    """
    failed = threading.Event()
    built: list[tuple[Worker, bool]] = []
    for role in roles:
        if stop.is_set():
            return True  # nobody holds anything yet
        built += [(worker, role.niceness > 0) for worker in role.build(transport, clock, part or Part())]
    built.append((Collector(), False))
    threads = [
        (threading.Thread(target=_run, args=(worker, stop, failed), name=worker.name, daemon=True), may_be_left)
        for worker, may_be_left in built
    ]
    for thread, _ in threads:
        thread.start()
    stop.wait()
    until = time.monotonic() + _LEFT_AFTER_SECONDS
    for worker, _ in built:
        worker.wake()
    for thread, may_be_left in sorted(threads, key=lambda each: each[1]):
        thread.join(max(0.0, until - time.monotonic()) if may_be_left else None)
        if thread.is_alive():
            _LOGGER.info("%s is left in the middle of something, which it does again when it is started", thread.name)
    transport.close()
    return not failed.is_set()


def _run(worker: Worker, stop: threading.Event, failed: threading.Event) -> None:
    try:
        worker.run(stop)
    except CannotRunError as problem:
        _LOGGER.error("%s cannot run: %s", worker.name, problem)  # noqa: TRY400  (a traceback would hide the message)
        _end(stop, failed)
    except Exception:
        _LOGGER.exception("%s failed, and its process with it", worker.name)
        _end(stop, failed)


def _end(stop: threading.Event, failed: threading.Event) -> None:
    failed.set()
    stop.set()
