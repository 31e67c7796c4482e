"""Right of way: whoever decides about orders says that it is at it, and whatever can wait does so meanwhile.

Priorities do not reach far enough: Linux weighs sessions against each other, of which all of a server's processes are
one, and whatever is written just now is in the way of those who wait for the disk.
"""

import mmap
import struct
import time
from collections.abc import Callable

_TIME = struct.Struct("=q")
_USED_AT, _JAMMED_AT = 0, _TIME.size
_LOOK_SECONDS = 0.002
_FREE_AFTER_NS = 30_000_000  # longer than what is between two commits of a signal
_JAMMED_FOR_NS = 1_000_000_000
_WAITED_FOR_EACH_WORKED, _IN_A_JAM = 2, 20
_PATIENCE_NS, _PATIENCE_IN_A_JAM_NS = 500_000_000, 5_000_000_000


class Road:
    """Used by this process and by all that are forked from it once it is made; times are monotonic, in ns."""

    def __init__(self, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._monotonic_ns = monotonic_ns
        self._told = mmap.mmap(-1, 2 * _TIME.size)

    def use(self) -> None:
        """Say that something which nobody may be in the way of is being done just now; for any thread."""
        _TIME.pack_into(self._told, _USED_AT, self._monotonic_ns())

    def jam(self) -> None:
        """Say that more has come than can be done at once, so that it is getting late; for any thread."""
        _TIME.pack_into(self._told, _JAMMED_AT, self._monotonic_ns())

    def used_ns(self) -> int:
        """Return when it was used last, 0 where it never was."""
        used_ns: int = _TIME.unpack_from(self._told, _USED_AT)[0]
        return used_ns

    def is_free(self) -> bool:
        """Tell whether it has not been used for a moment."""
        used_ns = self.used_ns()
        return not used_ns or self._monotonic_ns() - used_ns >= _FREE_AFTER_NS

    def is_jammed(self) -> bool:
        """Tell whether it is late just now, or was a moment ago."""
        jammed_ns: int = _TIME.unpack_from(self._told, _JAMMED_AT)[0]
        return bool(jammed_ns) and self._monotonic_ns() - jammed_ns < _JAMMED_FOR_NS


ROAD = Road()
"""That of the system which this process belongs to."""


class GivingWay:
    """Lets the thread that calls it wait until `road` is free, between small pieces of work that are in the way.

    It waits at most twice as long as it has worked, where the road is never free, and half a second in a row; where it
    is jammed, twenty times as long, and five seconds.
    """

    def __init__(
        self, road: Road = ROAD, monotonic_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._road = road
        self._monotonic_ns = monotonic_ns
        self._sleep = sleep
        self._patience_ns = 0
        self._since_ns = monotonic_ns()

    def __call__(self) -> None:
        """Wait, if need be."""
        now_ns = self._monotonic_ns()
        worked_ns = now_ns - self._since_ns
        jammed = self._road.is_jammed()
        each, most_ns = (_IN_A_JAM, _PATIENCE_IN_A_JAM_NS) if jammed else (_WAITED_FOR_EACH_WORKED, _PATIENCE_NS)
        until_ns = now_ns + min(self._patience_ns + each * worked_ns, most_ns)
        while now_ns < until_ns and not self._road.is_free():
            self._sleep(_LOOK_SECONDS)
            now_ns = self._monotonic_ns()
        self._patience_ns = max(0, until_ns - now_ns)
        self._since_ns = now_ns
