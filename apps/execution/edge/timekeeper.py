"""Time at the edge: deadlines, leases and settle windows are counted so that a clock that is set moves none of them."""

from banyan.clock import Clock


class Timekeeper:
    """Wall time as it stood at the start, carried on by the monotonic clock.

    `is_trusted` tells whether the wall clock still agrees with it up to `bound_ns`. Where it does not, deadlines that
    others give cannot be compared any more: nothing is sent until the edge has begun anew, with the time as it was set.
    """

    def __init__(self, clock: Clock, bound_ns: int = 1_000_000_000) -> None:
        self._clock = clock
        self._bound_ns = bound_ns
        self._offset_ns = clock.wall_ns() - clock.monotonic_ns()

    def now_ns(self) -> int:
        """Return ns since 1970 UTC, counted from the start."""
        return self._offset_ns + self._clock.monotonic_ns()

    def monotonic_ns(self) -> int:
        """Return the clock's own monotonic ns."""
        return self._clock.monotonic_ns()

    def step_ns(self) -> int:
        """Return by how much the clock has been set since the start."""
        return self._clock.wall_ns() - self.now_ns()

    def is_trusted(self) -> bool:
        """Tell whether nobody has set the clock since the start."""
        return abs(self.step_ns()) <= self._bound_ns

    def is_ahead(self, time_ns: int) -> bool:
        """Tell whether a time that somebody has put down cannot have been yet: their clock or this one was set."""
        return time_ns > self.now_ns() + self._bound_ns
