"""Where a relay finds what it carries: the outbox of a context's database, or whatever stands for one."""

import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from banyan.host import Delivery, record_of
from banyan.store import FETCH_MOST, Store
from banyan.transport.outbox import delivery_of

Stream = tuple[str, str, str]
"""Receiver, its key, our key."""
Behind = tuple[str, str, str, int, int]
"""A stream, the position on it that Kafka has, and the last one."""


class Outbox(Protocol):
    """What one sender keeps for its receivers. Raises psycopg.OperationalError while it is away."""

    def behind(self, keys: Sequence[str], receivers: Sequence[str]) -> list[Behind]:
        """Return the streams of keys to receivers that Kafka may not have whole."""

    def after(self, positions: Mapping[Stream, int]) -> list[Delivery]:
        """Return what is kept of streams after a position of each, in order, so much of each at most."""

    def keep(self, positions: Mapping[Stream, int]) -> None:
        """Remember up to which position Kafka has streams."""

    def close(self) -> None:
        """Do without the database."""


class StoreOutbox:
    """The outbox, and the log, of the context `sender`, in the database `alias`."""

    def __init__(self, sender: str, alias: str) -> None:
        self._sender = sender
        self._store = Store(alias)

    def behind(self, keys: Sequence[str], receivers: Sequence[str]) -> list[Behind]:
        """Return the streams that Kafka has not whole, and all logs, where the sender is among the receivers."""
        found = self._store.relayed(keys, receivers)
        if self._sender in receivers:
            found += self._store.relayed_log(self._sender, keys)
        return found

    def after(self, positions: Mapping[Stream, int]) -> list[Delivery]:
        """Return what is kept of streams after a position of each."""
        events = {stream: position for stream, position in positions.items() if stream[0] != self._sender}
        found = [delivery_of(self._sender, row) for row in self._store.outgoing_of(events)] if events else []
        for stream in positions.keys() - events.keys():
            steps = self._store.steps(stream[2], positions[stream], positions[stream] + FETCH_MOST)
            found += [record_of(self._sender, step, time.time_ns()) for step in steps]
        return found

    def keep(self, positions: Mapping[Stream, int]) -> None:
        """Remember up to which position Kafka has streams."""
        self._store.keep_relayed(positions)

    def close(self) -> None:
        """Do without the database."""
        self._store.close()
