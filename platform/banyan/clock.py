"""Clocks: the machine's, and one that tests and lock-step replays move by hand."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where the shell takes its time from; the core is given times, and knows no clock."""

    def wall_ns(self) -> int:
        """Return ns since 1970 UTC."""

    def monotonic_ns(self) -> int:
        """Return ns that never go back while the machine runs."""


class SystemClock:
    """The machine's clock."""

    def wall_ns(self) -> int:
        """Return ns since 1970 UTC."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return ns that never go back while the machine runs."""
        return time.monotonic_ns()


class VirtualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def wall_ns(self) -> int:
        """Return the time it was moved to."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """Return the same."""
        return self._now_ns

    def move_to(self, now_ns: int) -> None:
        """Move forward to `now_ns`; an earlier time leaves it where it is."""
        self._now_ns = max(self._now_ns, now_ns)
