"""What reads from Kafka what the keys of a host are sent, from the places that stand beside their marks."""

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from banyan.codec import CodecError
from banyan.host import Delivery, Place, Wanted
from banyan.kafka import Cluster
from banyan.kafka.ends import end_of
from banyan.kafka.topics import Topics
from banyan.messages import Seeded
from banyan.store import Store
from banyan.transport.kafka.complaints import Complaints
from banyan.transport.kafka.holder import Holder
from banyan.transport.kafka.lag import Lag
from banyan.transport.kafka.wire import Resend, encode_resend, envelope_of

_LOGGER = logging.getLogger(__name__)
_POLL_SECONDS = 0.05
_LOOK_SECONDS = 1.0
_AT_ONCE = 500
_PAUSE_SECONDS = 0.005

Part = tuple[str, int]
"""Topic and partition."""
Stream = tuple[str, str, str]
"""Our key, sender, its key."""


class Intake:
    """Reads for `host` what `senders` have relayed. `side` tells ours from others that read the same, in lags.

    Who holds a key is said by its lease in PostgreSQL alone: partitions are assigned by ourselves, and begin where the
    place of each key says. A record that Kafka does not have is asked of its sender, who has it in an outbox. `look` is
    called by the host's thread.

    One whose only sender is the context itself reads the log of the keys that follow here. One that `takes_requests`
    also reads what the other side passes on of people's commands.
    """

    def __init__(
        self, host: Holder, senders: Sequence[str], cluster: Cluster, topics: Topics, side: str, *,
        takes_requests: bool = False,
    ) -> None:  # fmt: skip
        self._is_of_log = tuple(senders) == (host.context.name,)
        self.name = f"{host.context.name}-{'log-intake' if self._is_of_log else 'intake'}"
        self._takes_requests = takes_requests
        self._host = host
        self._context = host.context.name
        self._senders = tuple(senders)
        self._cluster = cluster
        self._topics = topics
        self._store = Store(host.store.alias)
        self._group = f"{topics.environment}.{self._context}.{side}.{'log' if self._is_of_log else 'inputs'}"
        self._lag = Lag()
        self._epochs: dict[str, int] = {}
        self._parts: dict[str, list[Part]] = {}
        self._unread: dict[str, set[Part]] = {}  # of each key the partitions whose end has not been seen
        self._seen: dict[Stream, int] = {}
        self._stuck: dict[Stream, int] = {}
        self._doubted: dict[Stream, int] = {}  # streams of which Kafka may have lost the last
        self._last: dict[tuple[str, str, int], tuple[Stream, int, int]] = {}  # read last: number, offset
        self._asked: list[tuple[str, Resend]] = []
        self._complaints = Complaints(_LOGGER, self.name)
        self.count = 0
        self.resent = 0

    def is_caught_up(self) -> bool:
        """Tell whether every key that is held has been read to the end once."""
        held = set(self._held())
        is_read = all(self._parts.get(key) and not self._unread.get(key) for key in held)
        return is_read and (bool(held) or self._is_of_log)

    def lags(self) -> Mapping[str, int]:
        """Return how many records wait in Kafka for each key, as of a moment ago."""
        return self._lag.by_key

    def look(self, wanted: Wanted) -> None:
        """Notice where a message was read that its key has not been able to apply: what is before it is missing."""
        seen = dict(self._seen)
        for (key, sender, sender_key), number in seen.items():
            memory = self._host.keys.get(key)
            if key not in wanted or memory is None or memory.parked_because or memory.is_leading == self._is_of_log:
                continue
            stream, mark = (key, sender, sender_key), wanted[key][0].get((sender, sender_key), (0, 0))[1]
            if number <= mark:
                self._stuck.pop(stream, None)
            elif self._stuck.get(stream) == mark:
                self._ask(stream, mark)
            else:
                self._stuck[stream] = mark

    def run(self, stop: threading.Event) -> None:
        """Read until `stop` is set. Raises KafkaException where the client cannot go on."""
        consumer = Consumer(
            self._cluster.options(
                group_id=self._group, enable_auto_commit=False, auto_offset_reset="error",
                enable_partition_eof=True, fetch_wait_max_ms=100, fetch_error_backoff_ms=100,
                queued_max_messages_kbytes=32_768, topic_metadata_refresh_interval_ms=5_000,
            )
            | {"on_commit": self._lag.answered}
        )  # fmt: skip
        asking = Producer(self._cluster.options(linger_ms=0))
        for known in (self._epochs, self._parts, self._unread):
            known.clear()  # nothing is assigned to a new client, after one that could not go on
        self._lag.begin()
        looked_at = -1e9
        try:
            while not stop.is_set():
                now = time.monotonic()
                is_time = now - looked_at >= _LOOK_SECONDS
                if is_time or self._has_new_keys():
                    looked_at = now
                    self._follow(consumer)
                if is_time:
                    self._ask_doubted()
                    self._ask_for_seeds()
                    self._report(consumer)
                self._send_asked(asking)
                if not self._has_room():
                    stop.wait(_PAUSE_SECONDS)
                    continue
                first = consumer.poll(_POLL_SECONDS)
                if first is not None:
                    self._take(consumer, [first, *consumer.consume(_AT_ONCE, 0)])
        finally:
            self._lag.close(consumer)
            self._store.close()

    def wake(self) -> None:
        """Do nothing: it waits for a moment at the longest."""

    def _held(self) -> dict[str, int]:
        return {
            key: memory.epoch
            for key, memory in list(self._host.keys.items())
            if not (self._is_of_log and memory.is_leading)
        }

    def _has_room(self) -> bool:
        """Tell whether more may be read: inputs that wait for a leader must not keep its log from being read."""
        memories = list(self._host.keys.values())
        waiting = sum(len(each.records) for each in memories) if self._is_of_log else self._host.waiting()
        return waiting <= self._host.settings.waiting_max // 2

    def _has_new_keys(self) -> bool:
        return any(self._epochs.get(key) != epoch for key, epoch in self._held().items())

    def _follow(self, consumer: Consumer) -> None:
        """Read the partitions of the keys that are held: of one that is new here, or again, from its places."""
        held = self._held()
        if not (held or self._epochs):
            return
        try:
            existing = sorted(consumer.list_topics(timeout=2.0).topics)
            new = [key for key, epoch in held.items() if self._epochs.get(key) != epoch]
            places = self._store.places(sorted(held))
            ends = self._ends(consumer, held, places, existing) if self._is_of_log else {}
        except (KafkaException, psycopg.OperationalError) as problem:
            self._complaints.say(f"which partitions to read cannot be asked now: {problem}")
            return
        starts: dict[Part, int] = {}
        for key in held:
            parts = self._parts_of(key, existing)
            fresh = parts if key in new else [part for part in parts if part not in self._parts.get(key, ())]
            for part in fresh:
                start = places.get((key, *part), ends.get(part, OFFSET_BEGINNING))
                starts[part] = min(start, starts.get(part, start))
            if fresh:
                self._unread[key] = self._unread.get(key, set()) | set(fresh)
            self._parts[key] = parts
        for key in new:
            self._forget(key)
            self._epochs[key] = held[key]
            marks = dict(self._host.keys[key].marks) if key in self._host.keys else {}
            self._seen |= {(key, *stream): position for stream, (_, position) in marks.items()}
        for key in self._epochs.keys() - held.keys():
            self._forget(key)
            del self._epochs[key], self._parts[key]
            self._unread.pop(key, None)
        self._assign(consumer, starts)

    def _ends(
        self, consumer: Consumer, held: Iterable[str], places: Mapping[tuple[str, str, int], int],
        existing: Sequence[str],
    ) -> dict[Part, int]:  # fmt: skip
        """Return the ends of partitions that have not been read: what is before is asked for, or in the seed."""
        parts = {part for key in held for part in self._parts_of(key, existing) if (key, *part) not in places}
        read = {part for parts in self._parts.values() for part in parts}
        return {part: end_of(consumer, *part).offset for part in parts - read}

    def _parts_of(self, key: str, existing: Sequence[str]) -> list[Part]:
        parts = [part for each in self._senders for part in self._topics.read_by(self._context, each, key, existing)]
        requests = self._topics.requests(self._context)
        if self._takes_requests and requests in existing:
            parts.append((requests, self._topics.partition(self._context, self._context, key)))
        return parts

    def _forget(self, key: str) -> None:
        for known in (self._seen, self._stuck, self._doubted):
            for stream in [each for each in list(known) if each[0] == key]:
                known.pop(stream, None)
        self._last = {at: last for at, last in self._last.items() if at[0] != key}

    def _assign(self, consumer: Consumer, starts: Mapping[Part, int]) -> None:
        assigned = {(part.topic, part.partition) for part in consumer.assignment()}
        read = {part for parts in self._parts.values() for part in parts}
        gone = assigned - read
        # One that is read already, for another key or an earlier epoch, begins anew too: what is known is passed over.
        again = gone | (assigned & starts.keys())
        if again:
            consumer.incremental_unassign([TopicPartition(*part) for part in again])
        if starts:
            consumer.incremental_assign([TopicPartition(*part, start) for part, start in starts.items()])

    def _take(self, consumer: Consumer, records: Iterable[Any]) -> None:
        deliveries = []
        for record in records:
            problem = record.error()
            if problem is not None:
                self._look_at(consumer, record, problem)
                continue
            delivery = self._delivery(record)
            if delivery is not None:
                deliveries.append(delivery)
        if deliveries:
            self.count += len(deliveries)
            self._host.offer(deliveries)

    def _delivery(self, record: Any) -> Delivery | None:
        topic, partition, offset = record.topic(), record.partition(), record.offset()
        try:
            envelope = envelope_of(record)
        except CodecError as problem:
            _LOGGER.warning("%s: %s/%d at %d is no message of ours: %s", self.name, topic, partition, offset, problem)
            return None
        if envelope.key not in self._epochs:
            return None
        sender, sender_key, number = envelope.sender, envelope.sender_key, envelope.number
        is_seed = self._is_of_log and envelope.name == Seeded.wire_name
        place = Place(topic, partition, offset)
        if self._takes_requests and topic == self._topics.requests(self._context) and not (sender or number):
            return Delivery(self._context, envelope, record.value() or b"", None, place)
        is_theirs = sender in self._senders and topic == self._topics.name(sender, self._context, sender_key)
        if not is_theirs or not (number or is_seed):
            _LOGGER.warning(
                "%s: %s/%d at %d is not what %r may send there", self.name, topic, partition, offset, sender
            )
            return None
        stream = envelope.key, sender, sender_key
        last = self._seen.get(stream, 0)
        if envelope.previous > last and not is_seed:
            self._ask(stream, last)
        self._seen[stream] = max(number, last)
        self._last[envelope.key, topic, partition] = stream, number, offset
        return Delivery(self._context, envelope, record.value() or b"", None, place)

    def _look_at(self, consumer: Consumer, record: Any, problem: KafkaError) -> None:
        part = record.topic(), record.partition()
        match problem.code():
            case KafkaError._PARTITION_EOF:
                for key in [key for key, parts in self._unread.items() if part in parts]:
                    self._unread[key].discard(part)
                    if not self._unread[key]:
                        self._doubt(key)
            case KafkaError._AUTO_OFFSET_RESET | KafkaError.OFFSET_OUT_OF_RANGE:
                _LOGGER.warning(
                    "%s: Kafka has no longer what follows the place in %s/%d (%s): it is read from its beginning, and "
                    "what is missing is asked of its sender", self.name, *part, problem.str(),
                )  # fmt: skip
                consumer.incremental_unassign([TopicPartition(*part)])
                consumer.incremental_assign([TopicPartition(*part, OFFSET_BEGINNING)])
            case _:
                self._complaints.say(f"{problem.str()} ({part[0]}/{part[1]})" if part[0] else problem.str())

    def _doubt(self, key: str) -> None:
        """Remember to ask the senders of a key that has been read to the end for more: Kafka may have lost the last."""
        marks = {(sender, theirs): position for (ours, sender, theirs), position in self._seen.items() if ours == key}
        for sender in self._senders:
            if (sender, self._context) in self._topics.shared:
                marks.setdefault((sender, key), 0)
        for (sender, sender_key), position in marks.items():
            if sender in self._senders:
                self._doubted[key, sender, sender_key] = position

    def _ask_doubted(self) -> None:
        """Ask where nothing has come for a look's length: while something comes, what is missing would be noticed."""
        for stream, before in list(self._doubted.items()):
            last = self._seen.get(stream, 0)
            self._doubted[stream] = last
            if last == before:
                del self._doubted[stream]
                self._ask(stream, last)

    def _ask_for_seeds(self) -> None:
        """Ask the leader of each key that follows here, and has nothing or is astray, for all that it takes to begin.

        Not before its partition is read, from the end that it had then: the answer would be before that.
        """
        if self._is_of_log:
            for key, memory in list(self._host.keys.items()):
                needs_seed = memory.is_astray or (self._context, key) not in memory.marks
                if key in self._epochs and not memory.is_leading and needs_seed:
                    self._ask((key, self._context, key), 0)

    def _ask(self, stream: Stream, after: int) -> None:
        key, sender, sender_key = stream
        self._asked.append((sender, Resend(self._context, key, sender_key, after)))

    def _send_asked(self, asking: Producer) -> None:
        asked, self._asked = self._asked, []
        for sender, resend in dict.fromkeys(asked):
            self.resent += 1
            asking.produce(self._topics.resend(sender), encode_resend(resend))
        asking.poll(0)

    def _report(self, consumer: Consumer) -> None:
        try:
            places = self._store.places(sorted(self._epochs))
        except psycopg.OperationalError:
            return
        self._lag.report(consumer, self._parts, places | self._passed(places))

    def _passed(self, places: Mapping[tuple[str, str, int], int]) -> dict[tuple[str, str, int], int]:
        """Return the places behind records that came again at the end of a partition: they move none in the database.

        That is for who looks at lags: after a restart, a sender gives Kafka its last ones once more.
        """
        found = {}
        for at, ((key, *stream), number, offset) in self._last.items():
            memory = self._host.keys.get(key)
            sender, sender_key = stream
            mark = memory.marks.get((sender, sender_key), (0, 0)) if memory is not None else (0, 0)
            if places.get(at, 0) <= offset and number <= mark[1]:
                found[at] = offset + 1
        return found
