"""Events that wait until Kafka has the records that they came of."""

from collections import deque
from collections.abc import Callable, Collection

from banyan.host import Delivery
from banyan.transport.kafka.outboxes import Stream

BYTES_MOST = 67_108_864
"""So much may wait in all: as much as a client of Kafka holds back while no broker takes anything."""


class Held:
    """What waits, by key, in its order. What there is no room for is in the outbox."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[tuple[Stream, Delivery]]] = {}
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __contains__(self, key: str) -> bool:
        return key in self._waiting

    @property
    def keys(self) -> Collection[str]:
        """The keys of which something waits."""
        return self._waiting.keys()

    @property
    def is_full(self) -> bool:
        """Whether there is no room for more."""
        return self._bytes >= BYTES_MOST

    def add(self, stream: Stream, delivery: Delivery) -> bool:
        """Let an event of a stream wait; tell whether there was room."""
        if self.is_full:
            return False
        self._waiting.setdefault(stream[2], deque()).append((stream, delivery))
        self._bytes += len(delivery.body)
        return True

    def take(self, key: str, may_go: Callable[[Delivery], bool]) -> list[tuple[Stream, Delivery]]:
        """Return the first events of a key, for as long as they may go; they wait no longer."""
        waiting: deque[tuple[Stream, Delivery]] = self._waiting.get(key, deque())
        taken: list[tuple[Stream, Delivery]] = []
        while waiting and may_go(waiting[0][1]):
            taken.append(waiting.popleft())
            self._bytes -= len(taken[-1][1].body)
        if not waiting:
            self._waiting.pop(key, None)
        return taken

    def forget(self, key: str) -> None:
        """Let nothing of a key wait."""
        self.take(key, lambda _: True)

    def clear(self) -> None:
        """Let nothing wait."""
        self._waiting.clear()
        self._bytes = 0
