"""What carries to the comparator what followers would have decided, as well as it can: nobody waits for it."""

import threading
from collections import deque
from collections.abc import Iterable

from confluent_kafka import KafkaException, Producer

from banyan.codec import encode_envelope
from banyan.host import Delivery
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from banyan.transport.kafka.wire import HEADER

_WAITING_MOST = 2_000
_TURN_SECONDS = 0.1
_FLUSH_SECONDS = 3.0


class Verdicts:
    """Carries the verdicts of keys of `context` that follow here.

    `count` tells how many Kafka was given, `dropped` for how many there was no room.
    """

    def __init__(self, context: str, cluster: Cluster, topics: Topics) -> None:
        self.name = f"{context}-compared"
        self._context = context
        self._cluster = cluster
        self._topics = topics
        self._waiting: deque[Delivery] = deque(maxlen=_WAITING_MOST)
        self._woken = threading.Event()
        self.dropped = 0
        self.count = 0

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Let verdicts wait, the oldest going where there is no room; may be called by any thread."""
        for each in deliveries:
            self.dropped += len(self._waiting) == _WAITING_MOST
            self._waiting.append(each)
        self._woken.set()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        producer = Producer(
            self._cluster.options(
                linger_ms=5, queue_buffering_max_kbytes=16_384,
                max_in_flight_requests_per_connection=1,  # what is sent again comes before what follows it
            )
        )  # fmt: skip
        while not stop.is_set():
            self._woken.wait(_TURN_SECONDS)
            self._woken.clear()
            self._produce(producer)
        self._produce(producer)
        producer.flush(_FLUSH_SECONDS)

    def _produce(self, producer: Producer) -> None:
        topic = self._topics.compared(self._context)
        while self._waiting:
            each = self._waiting.popleft()
            try:
                producer.produce(
                    topic, each.body, each.envelope.key, headers=[(HEADER, encode_envelope(each.envelope))]
                )
            except (BufferError, KafkaException):
                self.dropped += 1
            else:
                self.count += 1
        producer.poll(0)

    def wake(self) -> None:
        """Return from waiting."""
        self._woken.set()
