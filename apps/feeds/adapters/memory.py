"""Records given by hand: the adapter for tests, with every misfortune that a source can have."""

import threading
from collections import deque

from apps.feeds.adapters.port import Given, Reading, SourceError
from banyan.clock import Clock


class MemoryAdapter:
    """Gives what it was given. Without `keeps_history` what came while it was not open is lost, as on a live line."""

    def __init__(self, clock: Clock, *, keeps_history: bool = True) -> None:
        self._clock = clock
        self._keeps_history = keeps_history
        self._arrived = threading.Condition()
        self._past: list[Given] = []
        self._waiting: deque[Given] = deque()
        self._is_open = False
        self._has_ended = False
        self._is_hung = False
        self._failure: Exception | None = None
        self.opened = 0

    def open(self, after_ns: int) -> int:
        """Begin: with the past, where it is kept."""
        with self._arrived:
            self._is_open = True
            self._failure = None
            self.opened += 1
            self._waiting.clear()
            self._arrived.notify_all()
            if not self._keeps_history:
                return self._clock.wall_ns()
            for each in self._past:
                self._waiting.append(each._replace(records=each.records.select(each.records.time >= after_ns)))
            return after_ns

    def read(self, seconds: float) -> Reading | None:
        """Return what was given since; while it hangs, nothing ever."""
        with self._arrived:
            self._arrived.wait_for(self._has_something, timeout=seconds)
            self._arrived.wait_for(lambda: not (self._is_hung and self._is_open))
            if not self._is_open:
                return None
            if self._failure is not None:
                raise self._failure
            if not self._waiting and self._has_ended:
                return None
            given = tuple(self._waiting)
            self._waiting.clear()
            return Reading(given, is_current=True)

    def close(self) -> None:
        """Be no longer open."""
        with self._arrived:
            self._is_open = False
            self._arrived.notify_all()

    def give(self, *given: Given) -> None:
        """Let records come."""
        with self._arrived:
            self._past += given
            if self._is_open:
                self._waiting += given
            self._arrived.notify_all()

    def fail(self, reason: str) -> None:
        """Break until it is opened again."""
        with self._arrived:
            self._failure = SourceError(reason)
            self._arrived.notify_all()

    def hang(self, *, is_hung: bool = True) -> None:
        """Return from no read any more, whatever comes, or do so again."""
        with self._arrived:
            self._is_hung = is_hung
            self._arrived.notify_all()

    def end(self) -> None:
        """Have nothing more to give."""
        with self._arrived:
            self._has_ended = True
            self._arrived.notify_all()

    def _has_something(self) -> bool:
        if not self._is_open:
            return True
        return not self._is_hung and bool(self._waiting or self._failure or self._has_ended)
