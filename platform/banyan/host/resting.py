"""Inputs that nobody waits for: they rest until there is nothing else to do, and are then applied together."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from banyan.clock import Clock
from banyan.context import Context
from banyan.host.memory import KeyMemory

State = TypeVar("State")
_LONGEST = 10  # times the rest that is wanted: a host that is never idle has to come to them too


@dataclass(slots=True)
class Resting(Generic[State]):
    """Which keys have nothing but such inputs, and until when they rest: for `rest_ns` after all else.

    A key rests with all that waits for it, so that its inputs stay in the order in which they came.
    """

    context: Context[State]
    rest_ns: int
    _since_ns: dict[str, int] = field(default_factory=dict)

    def keys(self, memories: Collection[KeyMemory[State]], clock: Clock, worked_ns: int) -> set[str]:
        """Return which of the keys that have inputs to leave alone now; somebody has worked at `worked_ns` last."""
        if not self.rest_ns or not (memories or self._since_ns):
            return set()
        now_ns, wall_ns = clock.monotonic_ns(), clock.wall_ns()
        self._since_ns = {
            memory.key: self._since_ns.get(memory.key, now_ns) for memory in memories if self._may_rest(memory, wall_ns)
        }
        ends_ns = self.ends_ns(worked_ns)
        return set(self._since_ns) if ends_ns is not None and now_ns < ends_ns else set()

    def has(self, key: str) -> bool:
        """Tell whether a key rested when it was last looked at."""
        return key in self._since_ns

    def ends_ns(self, worked_ns: int) -> int | None:
        """Return until when keys rest, by the monotonic clock; None where none does."""
        if not self._since_ns:
            return None
        since = self._since_ns.values()
        return min(max(worked_ns, *since) + self.rest_ns, min(since) + _LONGEST * self.rest_ns)

    def _may_rest(self, memory: KeyMemory[State], wall_ns: int) -> bool:
        if not memory.waiting or not memory.is_leading or memory.parked_because:
            return False
        if any(due_ns <= wall_ns for due_ns in memory.timers.values()):
            return False
        messages = (delivery.message for delivery in memory.waiting)
        return not any(each is None or self.context.is_urgent(memory.state, each) for each in messages)
