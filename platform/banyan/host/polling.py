"""When the outboxes of senders are looked into for keys that have been told of nothing."""

from collections.abc import Collection
from dataclasses import dataclass, field

_QUIET_NS = 5_000_000


@dataclass(slots=True)
class Polling:
    """Each key's turn, once in `every_ns`, spread out so that no round waits for all; times are monotonic, in ns.

    It is only the safety net, so it waits for a moment in which nothing is being done: a look takes as long as a
    commit. A host that has no such moment takes its turns twice as late.
    """

    every_ns: int
    _due_ns: dict[str, int] = field(default_factory=dict)
    _next_ns: int = 0

    def due(self, keys: Collection[str], now_ns: int, worked_ns: int) -> list[str]:
        """Return the keys whose turn it is, where somebody has worked at `worked_ns` last; it is taken with that."""
        new = [key for key in keys if key not in self._due_ns]
        for place, key in enumerate(new):
            self._due_ns[key] = now_ns + self.every_ns * place // len(new)
        if not new and now_ns < self.next_ns(worked_ns):
            return []
        due = [key for key in keys if self._due_ns[key] <= now_ns]
        for key in due:
            self._due_ns[key] = now_ns + self.every_ns
        self._next_ns = min((self._due_ns[key] for key in keys), default=now_ns + self.every_ns)
        return due

    def next_ns(self, worked_ns: int) -> int:
        """Return when the next turn is, where somebody has worked at `worked_ns` last."""
        return max(self._next_ns, min(worked_ns + _QUIET_NS, self._next_ns + self.every_ns))
