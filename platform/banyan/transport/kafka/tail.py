"""What reads from Kafka for one that keeps no places there: from the end on, and what was before is asked for."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from banyan.codec import CodecError, decode_message
from banyan.host import Delivery
from banyan.kafka import Cluster
from banyan.kafka.ends import end_of
from banyan.kafka.topics import Topics
from banyan.messages import Message
from banyan.transport.kafka.complaints import Complaints
from banyan.transport.kafka.wire import Resend, encode_resend, envelope_of

_LOGGER = logging.getLogger(__name__)
_POLL_SECONDS = 0.05
_LOOK_SECONDS = 1.0
_ASK_SECONDS = 5.0
_NEW_SECONDS = 10.0
"""So long a key that has come asks every second: its sender may be starting too."""
_AT_ONCE = 500


class Tail:
    """Reads what `sender` sends to the same keys of `receiver`, messages of some kinds, and gives it to `offer`.

    `marks` returns how far each key that is held here has taken that stream. A key that has come, one that misses
    something, and every key now and then, asks for what follows its mark: its sender's relay gives it that again.
    """

    def __init__(
        self, receiver: str, sender: str, cluster: Cluster, topics: Topics, marks: Callable[[], Mapping[str, int]],
        offer: Callable[[Iterable[Delivery]], None], kinds: tuple[type[Message], ...],
    ) -> None:  # fmt: skip
        self.name = f"{receiver}-tail"
        self._receiver = receiver
        self._sender = sender
        self._cluster = cluster
        self._topics = topics
        self._marks = marks
        self._offer = offer
        self._kinds = kinds
        self._keys: frozenset[str] = frozenset()
        self._seen: dict[str, int] = {}
        self._stuck: dict[str, int] = {}
        self._asked_at: dict[str, float] = {}
        self._came_at: dict[str, float] = {}
        self._complaints = Complaints(_LOGGER, self.name)
        self.count = 0
        self.asked = 0

    def run(self, stop: threading.Event) -> None:
        """Read until `stop` is set. Raises KafkaException where the client cannot go on."""
        consumer = Consumer(
            self._cluster.options(
                group_id=f"{self._topics.environment}.{self._receiver}.tail", enable_auto_commit=False,
                auto_offset_reset="latest", fetch_wait_max_ms=100, fetch_error_backoff_ms=100,
            )
        )  # fmt: skip
        asking = Producer(self._cluster.options(linger_ms=0))
        self._keys = frozenset()
        looked_at = -1e9
        try:
            while not stop.is_set():
                now, marks = time.monotonic(), self._marks()
                if marks.keys() != self._keys:
                    self._assign(consumer, frozenset(marks))
                if now - looked_at >= _LOOK_SECONDS:
                    looked_at = now
                    self._ask(asking, marks, now)
                first = consumer.poll(_POLL_SECONDS)
                if first is not None:
                    self._take([first, *consumer.consume(_AT_ONCE, 0)])
        finally:
            consumer.close()

    def wake(self) -> None:
        """Do nothing: it waits for a moment at the longest."""

    def _assign(self, consumer: Consumer, keys: frozenset[str]) -> None:
        """Read the partitions of these keys, those that are new from their ends on."""
        assigned = {part.partition for part in consumer.assignment()}
        wanted = {self._topics.partition(self._sender, self._receiver, key) for key in keys}
        topic = self._topics.name(self._sender, self._receiver, "")
        try:
            ends = [end_of(consumer, topic, partition, seconds=2.0) for partition in sorted(wanted - assigned)]
        except KafkaException as problem:
            self._complaints.say(f"{topic} cannot be read now: {problem}; `manage.py topics apply` makes topics")
            return
        if assigned - wanted:
            consumer.incremental_unassign([TopicPartition(topic, each) for each in sorted(assigned - wanted)])
        if ends:
            consumer.incremental_assign(ends)
        for known in (self._seen, self._stuck, self._asked_at, self._came_at):
            for key in known.keys() - keys:
                del known[key]
        self._came_at |= dict.fromkeys(keys - self._keys, time.monotonic())
        self._keys = keys

    def _ask(self, asking: Producer, marks: Mapping[str, int], now: float) -> None:
        """Ask for keys that are read: at first, where nothing has moved what is missing, and every few seconds."""
        for key in sorted(self._keys & marks.keys()):
            misses = self._seen.get(key, 0) > marks[key] and self._stuck.get(key) == marks[key]
            self._stuck[key] = marks[key]
            seconds = _LOOK_SECONDS if now - self._came_at[key] < _NEW_SECONDS else _ASK_SECONDS
            if misses or now - self._asked_at.get(key, -1e9) >= seconds:
                self._asked_at[key] = now
                self.asked += 1
                asking.produce(
                    self._topics.resend(self._sender), encode_resend(Resend(self._receiver, key, key, marks[key]))
                )
        asking.poll(0)

    def _take(self, records: Iterable[Any]) -> None:
        deliveries = [each for each in map(self._delivery, records) if each is not None]
        if deliveries:
            self.count += len(deliveries)
            self._offer(deliveries)

    def _delivery(self, record: Any) -> Delivery | None:
        problem = record.error()
        if problem is not None:
            if problem.code() != KafkaError._PARTITION_EOF:
                self._complaints.say(problem.str())
            return None
        try:
            envelope = envelope_of(record)
            if envelope.key not in self._keys:
                return None
            message = decode_message(envelope.name, record.value() or b"")
        except CodecError as told:
            self._complaints.say(f"{record.offset()} of {record.topic()} is no message of ours: {told}")
            return None
        is_theirs = envelope.sender == self._sender and envelope.number and envelope.sender_key == envelope.key
        if not (is_theirs and isinstance(message, self._kinds)):
            self._complaints.say(f"{envelope.name} of {envelope.sender!r} may not be on {record.topic()}")
            return None
        self._seen[envelope.key] = max(envelope.number, self._seen.get(envelope.key, 0))
        return Delivery(self._receiver, envelope, record.value() or b"", message)
