"""When a watched process is to be ended, held back, started again or left alone: arithmetic, without a clock."""

from collections import deque
from dataclasses import dataclass, field

PAUSES_SECONDS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
CALM_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process may take. `memory_mb` is beside what it had when it was forked, `cpu_share` 1.0 for one core.

    It is left alone after `failures_max` failures of its own within `window_seconds`.
    """

    memory_mb: int = 256
    cpu_share: float = 1.0
    failures_max: int = 3
    window_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of a process at `at` (seconds): its calls (`banyan.calls`) and its memory."""

    at: float
    count: int
    seconds: float
    place: str
    megabytes: float


@dataclass(slots=True)
class Watchdog:
    """Looks at one process, which had `begun_mb` of memory at its start."""

    limits: Limits
    begun_mb: float
    _count: int = -1
    _stuck_seconds: float = 0.0
    _looked_at: float | None = None

    def look(self, sight: Sight, *, ran: bool = True) -> str:
        """Return why the process is to be killed, "" while it is well.

        Time in which it was held back (not `ran`) does not count against a call.
        """
        passed = 0.0 if self._looked_at is None or not ran else sight.at - self._looked_at
        self._looked_at = sight.at
        is_same_call = sight.count == self._count and sight.count % 2 == 1
        self._stuck_seconds = self._stuck_seconds + passed if is_same_call else 0.0
        self._count = sight.count
        if is_same_call and self._stuck_seconds > sight.seconds:
            return f"{sight.place} has not returned for {sight.seconds:g} s"
        grown = sight.megabytes - self.begun_mb
        if grown > self.limits.memory_mb:
            by = f", {sight.place} ran last" if sight.place else ""
            return f"it took {grown:.0f} MB of memory, it may take {self.limits.memory_mb}{by}"
        return ""


@dataclass(slots=True)
class Throttle:
    """Keeps a process to its share of a core, by holding it back whenever it has had more; a second may be saved up."""

    cpu_share: float
    _saved_seconds: float = 1.0
    _looked_at: float | None = None
    _cpu_seconds: float = 0.0

    def may_run(self, at: float, cpu_seconds: float) -> bool:
        """Tell whether the process may run until the next look, given how long it has been on a core so far."""
        if self._looked_at is None:
            self._looked_at, self._cpu_seconds = at, cpu_seconds
        earned = (at - self._looked_at) * self.cpu_share
        spent = cpu_seconds - self._cpu_seconds
        self._saved_seconds = min(self._saved_seconds + earned - spent, max(1.0, self.cpu_share))
        self._looked_at, self._cpu_seconds = at, cpu_seconds
        return self._saved_seconds >= 0.0


@dataclass(slots=True)
class Restarts:
    """What follows when a process ends that is to run: start it again after a pause, or leave it alone."""

    limits: Limits
    failures: deque[float] = field(default_factory=deque)
    _ended_at: float | None = None
    _in_a_row: int = 0

    def after(self, at: float, *, is_own_fault: bool) -> float | None:
        """Return after how many seconds to start it again, None to leave it alone.

        Only failures of its own count against it: what somebody else has killed is always started again.
        """
        is_calm = self._ended_at is None or at - self._ended_at > CALM_SECONDS
        self._in_a_row = 0 if is_calm else self._in_a_row + 1
        self._ended_at = at
        if is_own_fault:
            self.failures.append(at)
        while self.failures and self.failures[0] <= at - self.limits.window_seconds:
            self.failures.popleft()
        if len(self.failures) >= self.limits.failures_max:
            return None
        return PAUSES_SECONDS[min(self._in_a_row, len(PAUSES_SECONDS) - 1)]
