"""What overhears keys in processes of their own, which tell a receiver in its database what they have committed."""

import threading

import psycopg

from banyan.store import Store
from banyan.transport.kafka.relay import Relay
from banyan.transport.notices import deliveries_of

_LISTEN_SECONDS = 0.5
_RETRY_SECONDS = 1.0


class Ear:
    """Listens to what keys of `sender` tell `receiver` in the database `told_in`, and gives it to a relay at once.

    What was not heard is in the outbox.
    """

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
