"""The root of a tree of processes: it starts them, starts again what dies, and ends them all within a bound."""

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_LOGGER = logging.getLogger(__name__)
STOP_SECONDS_MAX = 5.0
SUPERVISED = "BANYAN_SUPERVISED"
_CALM_SECONDS = 30.0
_PAUSES_SECONDS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(slots=True)
class _Child:
    command: Sequence[str]
    process: "subprocess.Popen[bytes]"
    started: float
    deaths: int = 0
    starts_at: float = field(default=0.0)


class Supervisor:
    """Keeps one child process per name alive. A child that dies again and again is started ever later, up to 5 s."""

    def __init__(self, commands: Mapping[str, Sequence[str]], *, stop: threading.Event) -> None:
        self._commands = commands
        self._stop = stop
        self._children: dict[str, _Child] = {}

    def run(self) -> int:
        """Run until `stop` is set; return 0 when every child ended in order, 1 when one had to be killed."""
        for name, command in self._commands.items():
            self._children[name] = _Child(command, _start(command), time.monotonic())
        while not self._stop.wait(0.05):
            for name, child in self._children.items():
                self._look_after(name, child)
        return self._end()

    def pids(self) -> dict[str, int]:
        """Return the process id of every child."""
        return {name: child.process.pid for name, child in self._children.items()}

    def _look_after(self, name: str, child: _Child) -> None:
        code = child.process.poll()
        if code is None:
            return
        now = time.monotonic()
        if not child.starts_at:
            child.deaths = 0 if now - child.started > _CALM_SECONDS else child.deaths + 1
            pause = _PAUSES_SECONDS[min(child.deaths, len(_PAUSES_SECONDS) - 1)]
            _LOGGER.error("%s ended with %s; it is started again in %.1f s", name, _told(code), pause)
            child.starts_at = now + pause
        if now >= child.starts_at:
            child.process, child.started, child.starts_at = _start(child.command), now, 0.0

    def _end(self) -> int:
        for child in self._children.values():
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + STOP_SECONDS_MAX
        is_clean = True
        for name, child in self._children.items():
            try:
                child.process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                _LOGGER.warning("%s did not stop within %.0f s and is killed", name, STOP_SECONDS_MAX)
                child.process.kill()
                child.process.wait()
                is_clean = False
        return 0 if is_clean else 1


def _start(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    # A session of its own: Ctrl-C in a terminal reaches the supervisor only, which ends its children in order. The
    # pipe closes when the supervisor is gone, however it went, and a child that sees that ends by itself.
    environment = {**os.environ, SUPERVISED: "1"}
    return subprocess.Popen(command, start_new_session=True, stdin=subprocess.PIPE, env=environment)


def stop_with_supervisor(stop: threading.Event) -> None:
    """Set `stop` once the supervisor of this process is gone. Without a supervisor, do nothing."""
    if os.environ.get(SUPERVISED) == "1":
        threading.Thread(target=_wait_for_end, args=(stop,), name="supervisor", daemon=True).start()


def _wait_for_end(stop: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    stop.set()


def _told(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
