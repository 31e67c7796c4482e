"""The root of a tree of processes: it forks them, forks again what dies, and ends them all within a bound."""

import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from banyan.process.usage import name_process

_LOGGER = logging.getLogger(__name__)
STOP_SECONDS_MAX = 5.0
_STOPPING = (signal.SIGTERM, signal.SIGINT)
_CALM_SECONDS = 30.0
_PAUSES_SECONDS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)

Body = Callable[[threading.Event], bool]
"""What a child does until its event is set; returns whether it ended in order."""


@dataclass(slots=True)
class _Child:
    """A process. The kernel closes `held`, and so ends the child, when the supervisor is gone, however it went."""

    pid: int
    held: int
    started: float
    deaths: int = 0
    starts_at: float = 0.0
    code: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code


class Supervisor:
    """Keeps one child per name alive. A child that dies again and again is started ever later, up to 5 s.

    Children are forked, so they have at once, and share, whatever is imported and compiled here. At `run` this process
    must have one thread, and no connection.
    """

    def __init__(self, bodies: Mapping[str, Body], *, stop: threading.Event) -> None:
        self._bodies = bodies
        self._stop = stop
        self._children: dict[str, _Child] = {}

    def run(self) -> int:
        """Run until `stop` is set; return 0 when every child ended in order, 1 when one had to be killed."""
        gc.collect()
        gc.freeze()  # so that collections in children leave the memory alone that they share
        for name in self._bodies:
            self._start(name)
        while not self._stop.wait(0.05):
            for name, child in self._children.items():
                self._look_after(name, child)
        return self._end()

    def _start(self, name: str) -> None:
        before = self._children.get(name)
        if before is not None:
            os.close(before.held)
        others = [each.held for each in self._children.values() if each is not before]
        watched, held = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        # What comes for the child before it listens waits: our own handlers, which it begins with, would swallow it.
        before_mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        pid = os.fork()
        if pid == 0:
            _live(name, self._bodies[name], watched, [*others, held])
        signal.pthread_sigmask(signal.SIG_SETMASK, before_mask)
        os.close(watched)
        self._children[name] = _Child(pid, held, time.monotonic(), before.deaths if before is not None else 0)

    def _look_after(self, name: str, child: _Child) -> None:
        code = child.poll()
        if code is None:
            return
        now = time.monotonic()
        if not child.starts_at:
            child.deaths = 0 if now - child.started > _CALM_SECONDS else child.deaths + 1
            pause = _PAUSES_SECONDS[min(child.deaths, len(_PAUSES_SECONDS) - 1)]
            _LOGGER.error("%s ended with %s; it is started again in %.1f s", name, _told(code), pause)
            child.starts_at = now + pause
        if now >= child.starts_at:
            self._start(name)

    def _end(self) -> int:
        running = {name: child for name, child in self._children.items() if child.poll() is None}
        for child in running.values():
            os.kill(child.pid, signal.SIGTERM)
        until = time.monotonic() + STOP_SECONDS_MAX
        while time.monotonic() < until and any(child.poll() is None for child in running.values()):
            time.sleep(0.01)
        late = [(name, child) for name, child in running.items() if child.poll() is None]
        for name, child in late:
            _LOGGER.warning("%s did not stop within %.0f s and is killed", name, STOP_SECONDS_MAX)
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
        return 1 if late else 0


def _live(name: str, body: Body, watched: int, not_ours: Sequence[int]) -> NoReturn:
    """Be the child: in a session of its own, so that Ctrl-C in a terminal reaches the supervisor only."""
    code = 1
    try:
        os.setsid()
        for each in not_ours:
            os.close(each)
        name_process(name)
        stop = threading.Event()
        for number in _STOPPING:
            signal.signal(number, lambda *_: stop.set())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        threading.Thread(target=_wait_for_end, args=(watched, stop), name="supervisor", daemon=True).start()
        code = 0 if body(stop) else 1
    except BaseException:
        _LOGGER.exception("%s failed", name)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait_for_end(watched: int, stop: threading.Event) -> None:
    while os.read(watched, 1024):
        pass
    stop.set()


def _told(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
