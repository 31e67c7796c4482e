"""The pulse of this process: how far the read models are, looked up once for however many listen."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec
from django.db import Error, connections

from apps.alerts.interface import open_count
from apps.reporting import interface as reporting

_LOOK_SECONDS = 0.04
_IN_A_ROW, _PAUSE_SECONDS = 4, 1.0
"""So often are listeners told of something new in that time, the first times at once."""
_BEAT_SECONDS = 1.0


class Beat(NamedTuple):
    """How far each source has been taken (the sum of its keys' numbers), and how many alerts are open to be looked at.

    `problem` says why nobody can tell; `alerts` is None where their database cannot be asked.
    """

    at_ms: int
    marks: dict[str, int]
    problem: str = ""
    alerts: int | None = None

    def encoded(self) -> bytes:
        """Return it as a server-sent event."""
        body = msgspec.json.encode(
            {"at": self.at_ms, "marks": self.marks, "problem": self.problem, "alerts": self.alerts}
        )
        return b"event: pulse\ndata: " + body + b"\n\n"


_NOTHING = Beat(0, {})


class Pulse:
    """Looks as long as somebody listens, in a thread with a connection of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._thread: threading.Thread | None = None
        self._told = _NOTHING
        self._alerts: int | None = None
        self._counted_at = 0.0

    async def beats(self, seconds: float) -> AsyncIterator[Beat]:
        """Yield a beat when something has been taken, at once but at most four times a second, and once a second.

        It ends after `seconds`: whoever listens comes again, and is then asked anew who they are.
        """
        woken, until = asyncio.Event(), time.monotonic() + seconds
        self._join(woken)
        mine = _NOTHING
        try:
            while time.monotonic() < until:
                if self._told is not mine:
                    mine = self._told
                    yield mine
                await woken.wait()
                woken.clear()
        finally:
            with self._lock:
                self._listeners.pop(woken, None)

    def _join(self, woken: asyncio.Event) -> None:
        with self._lock:
            self._listeners[woken] = asyncio.get_running_loop()
            if self._thread is None:
                self._told = _NOTHING
                self._thread = threading.Thread(target=self._look, name="console-pulse", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        try:
            self._look_while_listened_to()
        finally:
            with self._lock:
                if self._thread is threading.current_thread():  # something failed: who comes next begins anew
                    self._thread = None
            connections.close_all()

    def _look_while_listened_to(self) -> None:
        told_at = deque([float("-inf")] * _IN_A_ROW, maxlen=_IN_A_ROW)
        while True:
            beat = _beat()._replace(alerts=self._counted())
            is_new = beat[1:] != self._told[1:]
            now = time.monotonic()
            with self._lock:
                if not self._listeners:
                    self._thread = None
                    break
                if (is_new and now - told_at[0] >= _PAUSE_SECONDS) or now - told_at[-1] >= _BEAT_SECONDS:
                    self._told = beat
                    told_at.append(now)
                    self._wake_all()
            time.sleep(_LOOK_SECONDS)

    def _wake_all(self) -> None:
        for woken, loop in list(self._listeners.items()):
            try:
                loop.call_soon_threadsafe(woken.set)
            except RuntimeError:  # its loop has been closed
                del self._listeners[woken]

    def _counted(self) -> int | None:
        """Return how many alerts are open, counted once a second at the most."""
        if time.monotonic() - self._counted_at >= _BEAT_SECONDS:
            self._alerts, self._counted_at = alerts_to_look_at(), time.monotonic()
        return self._alerts


def alerts_to_look_at() -> int | None:
    """Return how many alerts are open that nobody has acknowledged or silenced; None where nobody can tell."""
    try:
        return open_count()
    except Error:
        connections["default"].close()
        return None


def _beat() -> Beat:
    at_ms = time.time_ns() // 1_000_000
    try:
        marks = {source: sum(numbers.values()) for source, numbers in reporting.marks().items()}
    except Error:
        connections.close_all()
        return Beat(at_ms, {}, "The database of the read models cannot be reached.")
    return Beat(at_ms, marks)


PULSE = Pulse()
