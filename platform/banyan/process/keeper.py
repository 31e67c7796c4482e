"""The process that forks others, one for each name that is wanted, watches them and starts again what ends.

It has one thread and, while it forks, no connection: what it forks has its modules and compiled code at once, and
shares their memory.
"""

import contextlib
import gc
import logging
import mmap
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import psycopg

from banyan.calls import SIZE, Calls
from banyan.process.forked import Trace, become_child
from banyan.process.usage import usage_of
from banyan.process.watchdog import Limits, Restarts, Sight, Throttle, Watchdog

_LOGGER = logging.getLogger(__name__)
_TICK_SECONDS = 0.1
_WANT_SECONDS = 0.5
_USAGE_SECONDS = 1.0
_REPORT_SECONDS = 5.0
_STOP_SECONDS_MAX = 4.0

Body = Callable[[str, socket.socket, int], bool]
"""What a forked process does, given its name, its end of a channel and how many failures count against it now; returns
whether it ended in order."""


class Report(NamedTuple):
    """How the process of a name is: "running" or "restarting"; `problem` is why it ended last."""

    name: str
    state: str
    pid: int
    failures: int
    starts: int
    problem: str
    megabytes: float


class Directory(Protocol):
    """Where it is kept which processes are wanted, and how they are."""

    def wanted(self) -> Collection[str]:
        """Return the names that are to have a process. Raises psycopg.OperationalError while nobody can be asked."""

    def park(self, name: str, reason: str) -> None:
        """Want a name no more until a person has looked at it."""

    def report(self, reports: Sequence[Report]) -> None:
        """Keep how processes are."""

    def close(self) -> None:
        """Let go of the connection, until it is needed again."""


@dataclass(slots=True)
class _Child:
    pid: int
    calls: Calls
    trace: Trace
    watchdog: Watchdog
    throttle: Throttle
    complaint: str = ""
    is_held: bool = False
    megabytes: float = 0.0


@dataclass(slots=True)
class _Name:
    restarts: Restarts
    child: _Child | None = None
    starts_at: float = 0.0
    starts: int = 0
    problem: str = ""


@dataclass(slots=True)
class Keeper:
    """Keeps a process for each wanted name, until its parent's end of `parent` closes or it gets SIGTERM.

    `prepare` is called once, before the first: to load what all are to share. Each new process gets `body`; the other
    end of its channel goes to the parent.
    """

    directory: Directory
    prepare: Callable[[], object]
    body: Body
    limits: Limits
    parent: socket.socket
    _is_prepared: bool = False
    _names: dict[str, _Name] = field(default_factory=dict)
    _parked: dict[str, str] = field(default_factory=dict)
    _is_told_to_stop: bool = False
    _next: dict[str, float] = field(default_factory=dict)
    _reported: list[Report] = field(default_factory=list)

    def run(self) -> None:
        """Work until told to stop; then end all processes, within four seconds."""
        signal.signal(signal.SIGTERM, self._stop)
        while not self._is_told_to_stop and not self._is_left():
            try:
                self._turn()
            except psycopg.OperationalError as problem:
                self.directory.close()
                _LOGGER.warning("nobody can be asked which processes are wanted: %s", problem)
                time.sleep(_WANT_SECONDS)
        self._end()

    def _turn(self) -> None:
        now = time.monotonic()
        self._reap(now)
        self._watch(now)
        if self._is_time("want", now, _WANT_SECONDS):
            self._look(self.directory.wanted())
        due = [name for name, each in self._names.items() if each.child is None and each.starts_at <= now]
        if due:
            self._prepare()
        for name in due:
            self._start(name)
        for name, reason in list(self._parked.items()):
            self.directory.park(name, reason)
            del self._parked[name], self._names[name]
        self._report(now)

    def _look(self, wanted: Collection[str]) -> None:
        for name in self._names.keys() - set(wanted):
            child = self._names[name].child
            if child is None:
                del self._names[name]
            else:
                self._tell(child, signal.SIGTERM)
        for name in set(wanted) - self._names.keys():
            self._names[name] = _Name(Restarts(self.limits))

    def _prepare(self) -> None:
        self.directory.close()
        if not self._is_prepared:
            self._is_prepared = True
            self.prepare()
            gc.freeze()  # so that collections in forked processes leave the memory alone that they share

    def _start(self, name: str) -> None:
        memory, trace = mmap.mmap(-1, SIZE), Trace()
        ours, theirs = socket.socketpair()
        failures = len(self._names[name].restarts.failures)
        pid = os.fork()
        if pid == 0:
            become_child(
                name, self.limits, memory, trace, [self.parent, ours], lambda: self.body(name, theirs, failures)
            )
        theirs.close()
        with ours, contextlib.suppress(OSError):  # where the parent has gone, that is seen at the next turn
            socket.send_fds(self.parent, [name.encode()], [ours.fileno()])
        each = self._names[name]
        each.starts += 1
        usage = usage_of(pid)
        megabytes = 0.0 if usage is None else usage.megabytes
        watchdog = Watchdog(self.limits, megabytes)
        each.child = _Child(pid, Calls(memory), trace, watchdog, Throttle(self.limits.cpu_share), megabytes=megabytes)

    def _reap(self, now: float) -> None:
        for name, each in list(self._names.items()):
            child = each.child
            if child is None:
                continue
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                each.child = None
                child.trace.close()
                self._ended(name, each, child, os.waitstatus_to_exitcode(status), now)

    def _ended(self, name: str, each: _Name, child: _Child, code: int, now: float) -> None:
        is_own_fault = bool(child.complaint or child.calls.reason or child.calls.count % 2)
        each.problem = child.complaint or child.calls.reason or _told(code, child.calls)
        seconds = each.restarts.after(now, is_own_fault=is_own_fault)
        if seconds is None:
            reason = f"{each.problem} ({len(each.restarts.failures)} failures in {self.limits.window_seconds:g} s)"
            _LOGGER.error("%s is left alone: %s", name, reason)
            each.problem, each.starts_at, self._parked[name] = reason, float("inf"), reason
        elif code or is_own_fault:
            _LOGGER.error("%s ended: %s; it is started again in %.1f s", name, each.problem, seconds)
            each.starts_at = now + seconds
        else:
            del self._names[name]  # it is not wanted any more, or will be again at the next look

    def _watch(self, now: float) -> None:
        measures = self._is_time("usage", now, _USAGE_SECONDS)
        for name, each in self._names.items():
            if each.child is not None and not each.child.complaint:
                self._watch_one(name, each.child, now, measures=measures)

    def _watch_one(self, name: str, child: _Child, now: float, *, measures: bool) -> None:
        usage = usage_of(child.pid) if measures or child.is_held else None
        if usage is not None:
            child.megabytes = usage.megabytes
        calls = child.calls
        sight = Sight(now, calls.count, calls.seconds, calls.place, child.megabytes)
        complaint = child.watchdog.look(sight, ran=not child.is_held)
        if complaint:
            child.complaint = complaint + child.trace.line_of(child.pid, calls.place)
            _LOGGER.error("%s is killed: %s", name, child.complaint)
            self._tell(child, signal.SIGKILL)
        elif usage is not None:
            may_run = child.throttle.may_run(now, usage.cpu_seconds)
            if may_run == child.is_held:
                child.is_held = not may_run
                self._tell(child, signal.SIGCONT if may_run else signal.SIGSTOP)

    def _report(self, now: float) -> None:
        reports = [_report_of(name, each) for name, each in self._names.items()]
        is_news = [each[:-1] for each in reports] != [each[:-1] for each in self._reported]
        if reports and (is_news or self._is_time("report", now, _REPORT_SECONDS)):
            self.directory.report(reports)
            self._reported = reports

    def _is_time(self, what: str, now: float, every: float) -> bool:
        if now < self._next.get(what, 0.0):
            return False
        self._next[what] = now + every
        return True

    def _is_left(self) -> bool:
        """Wait a little; tell whether the parent has gone."""
        ready, _, _ = select.select([self.parent], [], [], _TICK_SECONDS)
        try:
            return bool(ready) and not self.parent.recv(1)
        except ConnectionResetError:
            return True

    def _stop(self, *_: object) -> None:
        self._is_told_to_stop = True

    def _tell(self, child: _Child, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, number)
            if number == signal.SIGTERM and child.is_held:
                os.kill(child.pid, signal.SIGCONT)

    def _end(self) -> None:
        self.directory.close()
        left = [each.child for each in self._names.values() if each.child is not None]
        for child in left:
            self._tell(child, signal.SIGTERM)
        until = time.monotonic() + _STOP_SECONDS_MAX
        while left and time.monotonic() < until:
            time.sleep(0.01)
            left = [child for child in left if not os.waitpid(child.pid, os.WNOHANG)[0]]
        for child in left:
            _LOGGER.warning("process %d did not stop within %.0f s and is killed", child.pid, _STOP_SECONDS_MAX)
            self._tell(child, signal.SIGKILL)
            os.waitpid(child.pid, 0)


def _report_of(name: str, each: _Name) -> Report:
    child, failures = each.child, len(each.restarts.failures)
    if child is None:
        return Report(name, "restarting", 0, failures, each.starts, each.problem, 0.0)
    return Report(name, "running", child.pid, failures, each.starts, each.problem, child.megabytes)


def _told(code: int, calls: Calls) -> str:
    what = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return f"{what} in {calls.place}" if calls.count % 2 else what
