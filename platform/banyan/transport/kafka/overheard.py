"""What carries to Kafka what a context sends whose keys are in processes of their own: one client for all of them."""

import threading
import time
from collections.abc import Sequence

import psycopg

from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from banyan.store import Store
from banyan.transport.kafka.outboxes import StoreOutbox
from banyan.transport.kafka.relay import Relay
from banyan.transport.notices import deliveries_of

_LISTEN_SECONDS = 0.5
_RETRY_SECONDS = 1.0


class Overheard:
    """Joins context `sender` to one receiver by Kafka; `workers` are to run in one process.

    The processes of its keys tell the receiver by notifications in the database `told_in` what they have committed.
    What is heard there is given to Kafka at once; what was not heard is in the outbox.
    """

    def __init__(self, sender: str, receiver: str, cluster: Cluster, topics: Topics, *, told_in: str) -> None:
        self.receivers = (receiver,)
        self._keys = LedKeys(sender)
        outbox = StoreOutbox(sender, sender)
        self.relay = Relay(sender, self.receivers, cluster, topics, outbox, self._keys)
        self.workers: Sequence[Relay | Ear | LedKeys] = [
            self.relay,
            Ear(sender, receiver, self.relay, told_in),
            self._keys,
        ]

    def open(self) -> None:
        """Do nothing: there is no host here that would use it."""

    def close(self) -> None:
        """Do nothing."""


class Ear:
    """Listens to what keys of `sender` tell `receiver` in a database, and gives it to a relay."""

    def __init__(self, sender: str, receiver: str, relay: Relay, told_in: str) -> None:
        self.name = f"{sender}-ear"
        self._sender = sender
        self._receiver = receiver
        self._relay = relay
        self._told_in = told_in

    def run(self, stop: threading.Event) -> None:
        """Listen until `stop` is set; while the database is away the relay's own looking has to do."""
        store = Store(self._told_in)
        while not stop.is_set():
            try:
                for notice in store.woken(_LISTEN_SECONDS):
                    if notice.sender == self._sender and notice.has_message:
                        self._relay.offer(deliveries_of(self._receiver, notice))
                    elif notice.sender == self._sender:
                        self._relay.look_soon()
            except psycopg.OperationalError:
                store.close()
                stop.wait(_RETRY_SECONDS)
        store.close()

    def wake(self) -> None:
        """Do nothing: it waits half a second at the longest."""


class LedKeys:
    """Knows which keys of a context are led in its database, whoever holds them, as of a moment ago."""

    def __init__(self, context: str) -> None:
        self.name = f"{context}-led"
        self._context = context
        self._led: tuple[str, ...] = ()
        self._woken = threading.Event()

    def __call__(self) -> Sequence[str]:
        """Return the keys."""
        return self._led

    def run(self, stop: threading.Event) -> None:
        """Look once a second until `stop` is set; while the database is away nothing changes."""
        store = Store(self._context)
        while not stop.is_set():
            began = time.monotonic()
            try:
                self._led = tuple(key for key, leads in store.leading(store.all_keys()).items() if leads)
            except psycopg.OperationalError:
                store.close()
            self._woken.wait(max(0.0, _RETRY_SECONDS - (time.monotonic() - began)))
        store.close()

    def wake(self) -> None:
        """Return from waiting."""
        self._woken.set()
