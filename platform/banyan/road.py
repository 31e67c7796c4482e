"""Right of way: whoever decides about orders says that it is at it, and whatever can wait does so meanwhile.

Priorities do not reach far enough: Linux weighs sessions against each other, of which all of a server's processes are
one, and whatever is written just now is in the way of those who wait for the disk.
"""

import asyncio
import mmap
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

_TIME = struct.Struct("=q")
_USED_AT, _JAMMED_AT, _SIZE = 0, _TIME.size, 2 * _TIME.size
_LOOK_SECONDS = 0.002
_FREE_AFTER_NS = 30_000_000  # longer than what is between two commits of a signal
_JAMMED_FOR_NS = 1_000_000_000
_WAITED_FOR_EACH_WORKED, _IN_A_JAM = 2, 20
_PATIENCE_NS, _PATIENCE_IN_A_JAM_NS = 500_000_000, 5_000_000_000
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (what is opened there has to be ours)  # nosec B108
_LOOK_FOR_IT_SECONDS = 1.0
_LET_GO_SECONDS = 0.1  # longer than most signals take to reach their last account


class Road:
    """Used by this process and by all that are forked from it once it is made; times are monotonic, in ns."""

    def __init__(self, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._monotonic_ns = monotonic_ns
        self._told = mmap.mmap(-1, _SIZE)

    def share(self, path: Path) -> None:
        """Let processes see it that are not forked from this one, before any is.

        Raises OSError where `path` cannot be made, or is not ours.
        """
        self._told = _mapped(path, os.O_RDWR | os.O_CREAT)

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


class RoadSeen:
    """The road of a system that this process does not belong to, which may be started, end and come again meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, Road] | None = None  # the number of the file, and what it says
        self._looked_at = float("-inf")

    def is_free(self) -> bool:
        """Tell whether it has not been used for a moment, or nobody is there to use it."""
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_FOR_IT_SECONDS:
            self._looked_at = now
            self._look_for_it()
        return self._seen is None or self._seen[1].is_free()

    async def let_go_first(self) -> None:
        """Wait until it is free, a tenth of a second at most."""
        until = time.monotonic() + _LET_GO_SECONDS
        while not self.is_free() and time.monotonic() < until:  # noqa: ASYNC110  (it is memory, which wakes nobody)
            await asyncio.sleep(_LOOK_SECONDS)

    def _look_for_it(self) -> None:
        try:
            number = self._path.stat().st_ino
            if self._seen is None or self._seen[0] != number:
                road = Road()
                road._told = _mapped(self._path, os.O_RDONLY)
                self._seen = number, road
        except OSError:
            self._seen = None


def place_of(data_dir: Path) -> Path:
    """Return the file of a road: of the system with that data directory, in memory where there is such a place."""
    if not _SHARED_MEMORY.is_dir():
        return data_dir / "road"
    return _SHARED_MEMORY / f"banyan-{os.geteuid()}-{crc32(os.fsencode(data_dir.resolve())):08x}"


def _mapped(path: Path, flags: int) -> mmap.mmap:
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(f"{path} belongs to somebody else")
        if flags & os.O_CREAT:
            os.ftruncate(descriptor, _SIZE)
        return mmap.mmap(descriptor, _SIZE, access=mmap.ACCESS_WRITE if flags & os.O_RDWR else mmap.ACCESS_READ)
    except ValueError:  # shorter than that: not made yet
        raise FileNotFoundError(path) from None
    finally:
        os.close(descriptor)


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
