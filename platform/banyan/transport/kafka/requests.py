"""What carries to the other side what people ask of its keys: it waits here until the log shows it applied."""

import contextlib
import threading
import time

import psycopg
from confluent_kafka import KafkaException, Producer

from banyan.codec import decode_envelope
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from banyan.store import Store
from banyan.transport.kafka.holder import Holder
from banyan.transport.kafka.wire import HEADER

_TURN_SECONDS = 0.1
_AGAIN_SECONDS = 5.0


class Requests:
    """Passes on what waits for keys of a host that follow here, and again every few seconds while it waits."""

    def __init__(self, host: Holder, cluster: Cluster, topics: Topics) -> None:
        self.name = f"{host.context.name}-requests"
        self._host = host
        self._cluster = cluster
        self._topics = topics
        self._store = Store(host.store.alias)
        self._passed: dict[str, float] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        # What is sent again comes before what follows it: a later limit must not be overtaken by the one before.
        producer = Producer(self._cluster.options(linger_ms=0, max_in_flight_requests_per_connection=1))
        while not stop.wait(_TURN_SECONDS):
            with contextlib.suppress(
                psycopg.OperationalError, KafkaException, BufferError
            ):  # it stays, and comes again
                self._pass_on(producer)
                producer.poll(0)
        producer.flush(3.0)
        self._store.close()

    def wake(self) -> None:
        """Do nothing: it waits for a moment at the longest."""

    def _pass_on(self, producer: Producer) -> None:
        following = sorted(key for key, memory in list(self._host.keys.items()) if not memory.is_leading)
        if not following:
            return
        now, name = time.monotonic(), self._host.context.name
        waiting = [(decode_envelope(header), header, body) for _, header, body in self._store.requests(following)]
        known = {envelope.id for envelope, _, _ in waiting}
        self._passed = {each: at for each, at in self._passed.items() if each in known}
        for envelope, header, body in waiting:
            if now - self._passed.get(envelope.id, -1e9) >= _AGAIN_SECONDS:
                partition = self._topics.partition(name, name, envelope.key)
                producer.produce(
                    self._topics.requests(name), body, envelope.key, partition, headers=[(HEADER, header)]
                )  # fmt: skip
                self._passed[envelope.id] = now
