"""Questions to a context that is reached through Kafka, and whoever answers them there."""

import logging
import threading
import time
import uuid
from collections.abc import Sequence

import psycopg
from confluent_kafka import Consumer, KafkaException, Producer

from banyan.codec import CodecError, Envelope, decode_message, encode_envelope, encode_message
from banyan.kafka import Cluster
from banyan.kafka.ends import end_of
from banyan.kafka.topics import Topics
from banyan.messages import Message
from banyan.transport.kafka.complaints import Complaints
from banyan.transport.kafka.wire import HEADER, envelope_of
from banyan.transport.questions import Ask, NoAnswerError

_LOGGER = logging.getLogger(__name__)
_AGAIN_SECONDS = 1.0
_POLL_SECONDS = 0.05


class Asker:
    """Asks `of` on behalf of `context`. Questions are rare, so each has clients of its own for as long as it takes.

    One that nobody has answered after a second is sent again: it may have come before there was somebody to hear it.
    """

    def __init__(self, context: str, of: str, cluster: Cluster, topics: Topics, *, seconds: float) -> None:
        self._context = context
        self._of = of
        self._cluster = cluster
        self._topics = topics
        self._seconds = seconds

    def __call__(self, question: Message) -> Message:
        """Return the answer. Raises NoAnswerError."""
        identity, until = uuid.uuid4().hex, time.monotonic() + self._seconds
        envelope = Envelope(
            name=question.wire_name, id=identity, key=self._of, sender=self._context, sent_at_ns=time.time_ns(),
            deadline_ns=time.time_ns() + int(self._seconds * 1e9),
        )  # fmt: skip
        group = f"{self._topics.environment}.{self._context}.questions"
        consumer = Consumer(self._cluster.options(group_id=group, enable_auto_commit=False, fetch_wait_max_ms=100))
        try:
            consumer.assign([end_of(consumer, self._topics.answers(self._of), 0)])
            return self._answer(consumer, envelope, encode_message(question), until)
        except (KafkaException, CodecError) as problem:
            raise NoAnswerError(f"{self._of} cannot be asked for {question.wire_name}: {problem}") from problem
        finally:
            consumer.close()

    def _answer(self, consumer: Consumer, envelope: Envelope, body: bytes, until: float) -> Message:
        asking, asked_at = Producer(self._cluster.options(linger_ms=0)), -1e9
        while (now := time.monotonic()) < until:
            if now - asked_at >= _AGAIN_SECONDS:
                asked_at = now
                asking.produce(self._topics.questions(self._of), body, headers=[(HEADER, encode_envelope(envelope))])
            asking.poll(0)
            record = consumer.poll(_POLL_SECONDS)
            if record is None or record.error() is not None:
                continue
            told = envelope_of(record)
            if told.cause == envelope.id:
                return decode_message(told.name, record.value() or b"")
        raise NoAnswerError(f"{self._of} has not answered {envelope.name} within {self._seconds:.0f} s")


class Answers:
    """Answers what `context` is asked, questions of some kinds, with `answer`; one whose deadline has passed is not."""

    def __init__(
        self, context: str, cluster: Cluster, topics: Topics, answer: Ask, kinds: Sequence[type[Message]]
    ) -> None:
        self.name = f"{context}-answers"
        self._context = context
        self._cluster = cluster
        self._topics = topics
        self._answer = answer
        self._kinds = tuple(kinds)
        self._complaints = Complaints(_LOGGER, self.name)

    def run(self, stop: threading.Event) -> None:
        """Answer until `stop` is set: what was asked before is asked again. Raises KafkaException."""
        group = f"{self._topics.environment}.{self._context}.answers"
        consumer = Consumer(self._cluster.options(group_id=group, enable_auto_commit=False, auto_offset_reset="latest"))
        producer = Producer(self._cluster.options(linger_ms=0))
        try:
            consumer.assign([end_of(consumer, self._topics.questions(self._context), 0)])
            while not stop.is_set():
                record = consumer.poll(_POLL_SECONDS)
                if record is not None and record.error() is None:
                    self._take(producer, record)
                producer.poll(0)
        finally:
            consumer.close()
            producer.flush(3.0)

    def wake(self) -> None:
        """Do nothing: it waits for a moment at the longest."""

    def _take(self, producer: Producer, record: object) -> None:
        try:
            envelope = envelope_of(record)
            question = decode_message(envelope.name, record.value() or b"")  # type: ignore[attr-defined]
        except CodecError as problem:
            self._complaints.say(f"a question cannot be read: {problem}")
            return
        if not isinstance(question, self._kinds) or (envelope.deadline_ns or 0) <= time.time_ns():
            return
        try:
            answer = self._answer(question)
        except psycopg.OperationalError as problem:
            self._complaints.say(f"{envelope.name} is answered when it is asked again: {problem}")
            return
        told = Envelope(
            name=answer.wire_name, id=f"{envelope.id}-answer", key=envelope.sender, sender=self._context,
            cause=envelope.id, sent_at_ns=time.time_ns(),
        )  # fmt: skip
        producer.produce(
            self._topics.answers(self._context), encode_message(answer), headers=[(HEADER, encode_envelope(told))]
        )
