"""Handing the lead of keys from one side to the other, while both live, and when the one that leads is dead."""

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import psycopg
from confluent_kafka import Consumer, KafkaException, Producer

from banyan.codec import decode_envelope, decode_message, encode_envelope
from banyan.facade import Side
from banyan.host import record_of
from banyan.ids import derive
from banyan.kafka import Cluster
from banyan.kafka.ends import end_of
from banyan.kafka.topics import Topics
from banyan.messages import HandOver, Logged, TookOver
from banyan.transport import Command, ask
from banyan.transport.kafka.wire import HEADER, envelope_of
from extract.sides import fence_off, fences, promote, store_of

TAKE_SECONDS = 1.0
"""Within this a side takes what is handed to it, or it goes back."""
_GRACE_SECONDS = 0.5
"""So much the clocks of both sides may differ: later a key goes back, and who has not taken it by then never does."""
_POLL_SECONDS = 0.02
_LEVEL_SECONDS = 15.0


class Handed(NamedTuple):
    """What came of handing over a key: whether `to` leads it now, how long that took, and why not.

    `is_mute`: whoever leads it has not answered, though Kafka does.
    """

    key: str
    took: bool
    seconds: float
    problem: str = ""
    is_mute: bool = False


class Handing:
    """Hands over keys of one context."""

    def __init__(self, context: str, cluster: Cluster, topics: Topics) -> None:
        self._context = context
        self._cluster = cluster
        self._topics = topics

    def hand_over(self, keys: Sequence[str], to: Side, *, seconds: float = TAKE_SECONDS) -> list[Handed]:
        """Have the leaders of keys end their epochs, and `to` begin the next; what it does not take goes back."""
        if not keys:
            return []
        asked = time.monotonic()
        try:
            consumer = self._log_from_now(keys)
        except KafkaException as problem:
            told = f"Kafka does not answer ({problem.args[0].str()}); the {to.other} goes on leading"
            return [Handed(key, False, time.monotonic() - asked, told) for key in keys]
        began, until_ns = time.monotonic(), time.time_ns() + int(seconds * 1e9)
        try:
            with store_of(self._context, Side.APP) as store:
                ask(store, [self._wish(key, to, until_ns) for key in keys], time.time_ns())
            took = self._taken(consumer, keys, to, began, seconds)
        finally:
            consumer.close()
        missing = [key for key in keys if key not in took]
        return [
            *(Handed(key, True, took[key]) for key in keys if key in took),
            *(self._give_back(key, to, began) for key in missing),
        ]

    def take_from_dead(self, keys: Iterable[str], to: Side) -> list[Handed]:
        """Have `to` lead keys whose leader is dead: it is fenced off, its log brought to the end, then `to` begins."""
        return [self._take_from_dead(key, to) for key in keys]

    def _take_from_dead(self, key: str, to: Side) -> Handed:
        began = time.monotonic()
        try:
            dead = fence_off(self._context, to.other, key)
        except psycopg.Error as problem:
            return Handed(
                key, False, time.monotonic() - began,
                f"the database of the {to.other} cannot be reached, so nobody knows what it still does: the key stays "
                f"where it is ({problem})",
            )  # fmt: skip
        if dead is None:
            return Handed(key, False, time.monotonic() - began, f"the {to.other} has never had it")
        self._publish(key, to, dead.number)
        until = time.monotonic() + _LEVEL_SECONDS
        while not promote(self._context, to, key, dead.epoch, dead.number):
            if self._leads(key, to):
                break  # what it was given before, it has taken now
            if time.monotonic() > until:
                return Handed(key, False, time.monotonic() - began, f"the {to} has not come to record {dead.number}")
            time.sleep(_POLL_SECONDS)
        else:
            self._say_so(key, to)
        return Handed(key, True, time.monotonic() - began)

    def _leads(self, key: str, side: Side) -> bool:
        row = fences(self._context, side, [key]).get(key)
        return row is not None and row.is_leading

    def _publish(self, key: str, to: Side, upto: int) -> None:
        """Give Kafka what the dead side's log has beyond what `to` has."""
        there = fences(self._context, to, [key])
        after = there[key].number if key in there else 0
        if after >= upto:
            return
        producer = Producer(self._cluster.options(enable_idempotence=True, acks="all"))
        topic = self._topics.name(self._context, self._context, key)
        partition = self._topics.partition(self._context, self._context, key)
        with store_of(self._context, to.other) as store:
            for step in store.steps(key, after, upto):
                record = record_of(self._context, step, time.time_ns())
                producer.produce(
                    topic, record.body, key, partition, headers=[(HEADER, encode_envelope(record.envelope))]
                )
                producer.poll(0)
        producer.flush(10)

    def _give_back(self, key: str, to: Side, began: float) -> Handed:
        """Fence `to` off where it has not taken a key that was handed to it, and let the one that led go on."""

        def after(problem: str, *, took: bool = False) -> Handed:
            return Handed(key, took, time.monotonic() - began, problem)

        led = fences(self._context, to.other, [key]).get(key)
        if led is None or led.is_leading:
            told = after(f"the {to.other}, which leads, has not answered; it goes on leading")
            return told._replace(is_mute=led is not None)
        if self._leads(key, to):
            return after("", took=True)
        fenced = fence_off(self._context, to, key)
        ended = max(led.epoch, fenced.epoch if fenced is not None else 0) + 1
        if not promote(self._context, to.other, key, ended, led.number):
            return after(f"neither side leads: `manage.py extract rollback {self._context}` tries again")
        self._say_so(key, to.other)
        return after(f"the {to} has not taken it; the {to.other} leads again")

    def _say_so(self, key: str, side: Side) -> None:
        identity = derive(self._context, key, "took-over", side, time.time_ns())
        with store_of(self._context, side) as store:
            ask(store, [Command(key, TookOver(side=side), identity)], time.time_ns())

    def _wish(self, key: str, to: Side, until_ns: int) -> Command:
        return Command(
            key, HandOver(to=to, until_ns=until_ns), derive(self._context, key, "hand-over", to, until_ns)
        )  # fmt: skip

    def _log_from_now(self, keys: Sequence[str]) -> Consumer:
        options = self._cluster.options(
            group_id=f"{self._topics.environment}.{self._context}.handing",
            enable_auto_commit=False,
            fetch_wait_max_ms=100,
        )
        consumer = Consumer(options)
        places = {
            (
                self._topics.name(self._context, self._context, key),
                self._topics.partition(self._context, self._context, key),
            )
            for key in keys
        }
        try:
            consumer.assign([end_of(consumer, *place) for place in sorted(places)])
        except KafkaException:
            consumer.close()
            raise
        return consumer

    def _taken(
        self, consumer: Consumer, keys: Sequence[str], to: Side, began: float, seconds: float
    ) -> dict[str, float]:
        """Return after how long `to` has said of each key that it leads; those of which it has not are missing."""
        took: dict[str, float] = {}
        while len(took) < len(keys) and time.monotonic() - began < seconds + _GRACE_SECONDS:
            record = consumer.poll(0.05)
            if record is None or record.error() is not None:
                continue
            envelope = envelope_of(record)
            if envelope.name != Logged.wire_name or envelope.key not in keys:
                continue
            logged = decode_message(envelope.name, record.value() or b"")
            assert isinstance(logged, Logged)
            if decode_envelope(bytes(logged.envelope)).name == TookOver.wire_name:
                said = decode_message(TookOver.wire_name, logged.message)
                if isinstance(said, TookOver) and said.side == to:
                    took[envelope.key] = time.monotonic() - began
        return took
