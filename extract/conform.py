"""Trying a service that nothing is known of: it is seeded, given a recorded log, and what it tells is compared.

It gets topics of its own, whose names begin with a word that is made for the trial, and needs nothing else: no database
of ours, and no other context. What it gives out is compared, not how it keeps its state.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from banyan.codec import CodecError, decode_message, encode_envelope
from banyan.context import Context
from banyan.facade.models import Mismatch
from banyan.host import Delivery, record_of
from banyan.host.memory import KeyMemory, state_at
from banyan.host.records import seed_of
from banyan.kafka import Cluster
from banyan.kafka.ends import end_of
from banyan.kafka.topics import Topics
from banyan.messages import Compared, Seeded
from banyan.store import Step, Store
from banyan.transport.kafka.wire import HEADER, decode_resend, envelope_of
from extract.comparator.comparator import Comparator
from extract.comparator.ledger import COUNTS, Counts
from extract.comparator.rows import Allowance
from extract.comparator.shapes import SHAPES
from extract.keys import is_sharded

_AGAIN_SECONDS = 10.0


@dataclass(slots=True)
class Trial:
    """What came of it: sums of counts, rows that differ, and of each key how far it was compared and ought to be."""

    sums: dict[str, int] = field(default_factory=dict)
    found: list[Mismatch] = field(default_factory=list)
    reached: dict[str, int] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)
    unreadable: int = 0

    @property
    def missing(self) -> list[str]:
        """The keys of which not everything was answered."""
        return sorted(key for key, number in self.wanted.items() if self.reached.get(key, 0) < number)

    @property
    def conforms(self) -> bool:
        """Whether everything was answered, and nothing differed."""
        return not (self.missing or self.unreadable or self.sums.get("differing", 0))


class Conformance:
    """Tries the service of one context on the log that is here, all of it."""

    def __init__(self, context: Context[Any], cluster: Cluster, topics: Topics) -> None:
        self._context = context
        self._cluster = cluster
        self._topics = topics
        self._log: dict[str, list[Step]] = {}
        self._seeds: dict[str, Delivery] = {}
        self._wanted: list[NewTopic] = []

    def load(self, keys: Sequence[str], most: int) -> dict[str, int]:
        """Read the last `most` records of each key, and the state before them; return how far each key goes."""
        store = Store(self._context.name)
        try:
            for key, number in store.numbers(keys).items():
                after = max(0, number - most, store.first_number(key) - 1)
                state, _ = state_at(self._context, store, key, after)
                memory = KeyMemory(key, 1, after, state, {}, {}, {}, after)
                self._seeds[key] = seed_of(self._context, memory, [], time.time_ns())
                self._log[key] = list(store.steps(key, after, number))
        finally:
            store.close()
        return {key: steps[-1].number for key, steps in self._log.items() if steps}

    def make_topics(self) -> None:
        """Make the trial's topics, for the keys that were loaded."""
        name, topics, copies = self._context.name, self._topics, self._cluster.copies
        partitions = len(topics.shards) if is_sharded(name, topics) else 1
        self._wanted = [
            *(
                NewTopic(each, partitions, copies)
                for each in sorted({topics.name(name, name, key) for key in self._log})
            ),
            NewTopic(topics.compared(name), 1, copies),
            NewTopic(topics.resend(name), 1, copies),
            NewTopic(topics.requests(name), partitions, copies),
        ]
        admin = AdminClient(self._cluster.options())
        for made in admin.create_topics(self._wanted).values():
            made.result(30)

    def delete_topics(self) -> None:
        """Delete them again."""
        AdminClient(self._cluster.options()).delete_topics([each.topic for each in self._wanted])

    def run(self, seconds: float, allowed: Sequence[Allowance] = (), say: Callable[[str], object] = str) -> Trial:
        """Seed whoever asks, give it the log, and compare what it tells until it is done or time is up."""
        name = self._context.name
        wanted = {key: steps[-1].number for key, steps in self._log.items() if steps}
        comparator = Comparator(name, SHAPES[name], self._find, allowed, only=SHAPES[name].public)
        producer = Producer(self._cluster.options(enable_idempotence=True, acks="all"))
        consumer = Consumer(
            self._cluster.options(group_id=f"{self._topics.environment}.{name}.conform", enable_auto_commit=False)
        )
        places = [end_of(consumer, topic, 0) for topic in (self._topics.compared(name), self._topics.resend(name))]
        for place in places:
            place.offset = 0
        consumer.assign(places)
        trial, given = Trial(wanted=wanted), dict[str, float]()
        until = time.monotonic() + seconds
        try:
            while trial.missing and time.monotonic() < until:
                record = consumer.poll(0.1)
                producer.poll(0)
                if record is None or record.error() is not None:
                    continue
                if record.topic() == self._topics.resend(name):
                    self._answer(producer, record.value(), given, say)
                else:
                    self._take(comparator, record, trial)
        finally:
            producer.flush(5)
            consumer.close()
        counts, _, trial.found = comparator.taken()
        trial.sums = _sums(counts)
        return trial

    def _answer(
        self, producer: Producer, value: bytes | None, given: dict[str, float], say: Callable[[str], object]
    ) -> None:
        """Give a key's seed and log to who has nothing of it, and what follows a record to who asks for that.

        Who asks for a seed again and again gets it now and then: it may have begun to read too late for the first.
        """
        asked = decode_resend(value)
        key, now = asked.sender_key, time.monotonic()
        if key not in self._seeds or (asked.after == 0 and now - given.get(key, -_AGAIN_SECONDS) < _AGAIN_SECONDS):
            return
        if asked.after == 0:
            given[key] = now
            say(f"{key}: it is seeded and given {len(self._log[key]):,} records")
            self._produce(producer, key, self._seeds[key])
        for step in self._log[key]:
            if step.number > asked.after:
                self._produce(producer, key, record_of(self._context.name, step, time.time_ns()))

    def _produce(self, producer: Producer, key: str, delivery: Delivery) -> None:
        name = self._context.name
        producer.produce(
            self._topics.name(name, name, key), delivery.body, key, self._topics.partition(name, name, key),
            headers=[(HEADER, encode_envelope(delivery.envelope))],
        )  # fmt: skip
        producer.poll(0)

    def _take(self, comparator: Comparator, record: Any, trial: Trial) -> None:
        try:
            envelope = envelope_of(record)
            told = decode_message(envelope.name, record.value() or b"")
            if isinstance(told, Compared) and told.input != Seeded.wire_name:
                comparator.take(envelope, record.value())
                trial.reached[envelope.key] = max(envelope.number, trial.reached.get(envelope.key, 0))
        except CodecError:
            trial.unreadable += 1

    def _find(self, key: str, number: int) -> Step | None:
        return next((step for step in self._log.get(key, ()) if step.number == number), None)


def _sums(counts: Mapping[tuple[str, int], Counts]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for each in counts.values():
        for name in COUNTS:
            sums[name] = sums.get(name, 0) + getattr(each, name)
    return sums
