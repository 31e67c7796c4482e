"""Hearing what a context tells another, without being either: nothing is asked for again, and no key is held."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from banyan.codec import CodecError, decode_message
from banyan.host import Delivery
from banyan.kafka import Cluster
from banyan.kafka.ends import end_of
from banyan.kafka.topics import Topics
from banyan.transport.kafka.complaints import Complaints
from banyan.transport.kafka.wire import envelope_of

_LOGGER = logging.getLogger(__name__)
_POLL_SECONDS = 0.05
_LOOK_SECONDS = 5.0
_RETRY_SECONDS = 1.0
_AT_ONCE = 500
Take = Callable[[list[Delivery]], None]


class Onlooker:
    """Gives `listen` what each key of `sender` tells keys of `receiver` from now on, and `recall` the last before that.

    It is for streams with a topic for each of the sender's keys and one partition; topics that come are looked for
    every few seconds, and read from their beginning.
    """

    def __init__(
        self, sender: str, receiver: str, cluster: Cluster, topics: Topics, listen: Take, recall: Take
    ) -> None:  # fmt: skip
        assert (sender, receiver) not in {*topics.keyed, *topics.shared}
        self.name = f"{sender}-onlooker"
        self._sender = sender
        self._receiver = receiver
        self._cluster = cluster
        self._topics = topics
        self._listen = listen
        self._recall = recall
        self._begins: dict[str, int] = {}
        self._complaints = Complaints(_LOGGER, self.name)

    def run(self, stop: threading.Event) -> None:
        """Read until `stop` is set. Raises KafkaException where the client cannot go on."""
        group = f"{self._topics.environment}.{self._sender}.onlooker"
        consumer = Consumer(
            self._cluster.options(
                group_id=group, enable_auto_commit=False, auto_offset_reset="earliest", fetch_wait_max_ms=100,
                fetch_error_backoff_ms=100,
            )
        )  # fmt: skip
        self._begins.clear()  # nothing is assigned to a new client
        looks_at, is_first = 0.0, True
        try:
            while not stop.is_set():
                if time.monotonic() >= looks_at:
                    has_looked = self._look(consumer, is_first=is_first)
                    is_first = is_first and not has_looked
                    looks_at = time.monotonic() + (_LOOK_SECONDS if has_looked else _RETRY_SECONDS)
                first = consumer.poll(_POLL_SECONDS)
                if first is not None:
                    self._take([first, *consumer.consume(_AT_ONCE, 0)])
        finally:
            consumer.close()

    def wake(self) -> None:
        """Do nothing: it waits for a moment at the longest."""

    def _look(self, consumer: Consumer, *, is_first: bool) -> bool:
        """Read topics that are new: those that there are at first from their last record on. Tell whether all are."""
        try:
            existing = sorted(consumer.list_topics(timeout=2.0).topics)
            read = {topic for topic, _ in self._topics.read_by(self._receiver, self._sender, "", existing)}
            new = sorted(read - self._begins.keys())
            ends = [end_of(consumer, topic, 0, seconds=2.0) for topic in new]
        except KafkaException as problem:
            self._complaints.say(f"which topics there are cannot be asked now: {problem}")
            return False
        places = [
            TopicPartition(each.topic, 0, max(0, each.offset - 1) if is_first else OFFSET_BEGINNING) for each in ends
        ]
        self._begins |= {each.topic: each.offset if is_first else 0 for each in ends}
        if places:
            consumer.incremental_assign(places)
        return True

    def _take(self, records: Iterable[Any]) -> None:
        before: list[Delivery] = []
        since: list[Delivery] = []
        for record in records:
            if record.error() is not None:
                if record.error().code() != KafkaError._PARTITION_EOF:
                    self._complaints.say(record.error().str())
                continue
            delivery = self._delivery(record)
            if delivery is not None:
                (since if record.offset() >= self._begins[record.topic()] else before).append(delivery)
        if before:
            self._recall(before)
        if since:
            self._listen(since)

    def _delivery(self, record: Any) -> Delivery | None:
        try:
            envelope = envelope_of(record)
            message = decode_message(envelope.name, record.value() or b"")
        except CodecError as problem:
            self._complaints.say(f"{record.offset()} of {record.topic()} is no message of ours: {problem}")
            return None
        wanted = self._topics.name(self._sender, self._receiver, envelope.sender_key)
        if envelope.sender != self._sender or record.topic() != wanted:
            self._complaints.say(f"{envelope.sender!r} may not tell anything on {record.topic()}")
            return None
        return Delivery(self._receiver, envelope, record.value() or b"", message)
