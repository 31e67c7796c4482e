"""What carries committed events from an outbox to Kafka, in the order of their streams.

An event goes to Kafka as soon as it is committed, from memory. What is not next on its stream (after a start, after a
failure, or because a receiver asked again) is read from the outbox. A key has one writer, and each of its commits moves
its row, so its positions become visible in order: reading a stream after a position skips nothing, however late another
key commits.
"""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import msgspec
import psycopg
from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from banyan import crash
from banyan.codec import encode_envelope
from banyan.host import Delivery
from banyan.host.delivery import EVENTS_PER_STEP_MAX
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from banyan.messages import Seeded
from banyan.transport.kafka.complaints import Complaints
from banyan.transport.kafka.held import Held
from banyan.transport.kafka.outboxes import Behind, Outbox, Stream
from banyan.transport.kafka.wire import HEADER, decode_resend

_LOGGER = logging.getLogger(__name__)
_TURN_SECONDS = 0.1
_LOOK_SECONDS = 1.0
_KEEP_SECONDS = 0.5
_FLUSH_SECONDS = 3.0
_SEED_SECONDS = 5.0
_ACK_SECONDS = 0.005
_OFFERED_MOST = 1_000
_UNKNOWN = (KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART)


class Relay:
    """Carries what the keys of context `sender` that are led here send to `receivers`.

    `led` returns the keys that are led now. Where the sender is among the receivers, its log is carried too, and `seed`
    is called for keys whose follower has nothing yet. `outbox` is where everything that is carried is kept. `offer` and
    `look_soon` may be called by any thread, everything else by one.

    While it `is_patient`, because all who decide are beside the sender, what is offered waits for the relay's own turn,
    ten times a second, and the sender goes on at once.

    Where the log is carried, no event gets out before Kafka has the record that it came of: nobody hears of what the
    other side could not read.
    """

    def __init__(
        self, sender: str, receivers: Sequence[str], cluster: Cluster, topics: Topics, outbox: Outbox,
        led: Callable[[], Iterable[str]], seed: Callable[[Iterable[str]], None] = lambda _: None, *, side: str = "app",
    ) -> None:  # fmt: skip
        self.name = f"{sender}-relay"
        self._points = f"{sender}.before-relay", f"{sender}.after-relay"
        self._sender = sender
        self._receivers = tuple(receivers)
        self._cluster = cluster
        self._topics = topics
        self._led = led
        self._seed = seed
        self._side = side
        self._seeded_at: dict[str, float] = {}
        self._unseeded: set[str] = set()  # keys whose seed came while their log was behind
        self._outbox = outbox
        self._looked_at = -1e9
        self._lock = threading.RLock()
        self._woken = threading.Event()
        self._producer: Producer | None = None
        self._produced: dict[Stream, int] = {}
        self._acknowledged: dict[Stream, int] = {}
        self._kept: dict[Stream, int] = {}
        self._behind: set[Stream] = set()
        self._missed: set[Stream] = set()  # what was offered while its stream was behind
        self._logged: dict[str, int] = {}  # up to which number Kafka has the log of each key
        self._held = Held()  # what waits for that
        self._offered: deque[list[Delivery]] = deque()
        self.is_patient = False
        self._is_stopping = False
        self._failure = ""
        self._complaints = Complaints(_LOGGER, self.name)
        self.count = 0

    @property
    def behind(self) -> int:
        """How many streams have something in the outbox that Kafka has not been given."""
        return len(self._behind)

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Give Kafka what has just been committed, or leave it in the outbox for later."""
        if self.is_patient and not self._is_stopping and len(self._offered) < _OFFERED_MOST:
            self._offered.append(list(deliveries))
            return
        self._take_offered()
        self._give_or_leave(deliveries)

    def _take_offered(self) -> None:
        """Give Kafka what has waited for a turn."""
        with self._lock:
            while self._offered:
                self._give_or_leave(self._offered.popleft())

    def _give_or_leave(self, deliveries: Iterable[Delivery]) -> None:
        with self._lock:
            for each in deliveries:
                envelope = each.envelope
                stream = _stream_of(each)
                is_next = self._produced.get(stream) == envelope.previous and stream not in self._behind
                if not (is_next and self._produce(stream, each)):
                    if envelope.name == Seeded.wire_name:
                        self._unseeded.add(envelope.sender_key)
                    self._behind.add(stream)
                    self._missed.add(stream)
                    self._woken.set()
        if self._is_stopping and self._producer is not None:
            self._producer.flush(_FLUSH_SECONDS)

    def look_soon(self) -> None:
        """Look into the outbox now: something has been committed that was not offered."""
        self._looked_at = -1e9
        self._woken.set()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then wait for what Kafka has been given and remember how far it is.

        Raises KafkaException where the client cannot go on: whoever starts it again begins from what is remembered.
        """
        producer = Producer(
            self._cluster.options(
                enable_idempotence=True, acks="all", linger_ms=0.2, message_timeout_ms=0, message_max_bytes=8_388_608,
                queue_buffering_max_kbytes=65_536,
            )
            | {"error_cb": self._failed}
        )  # fmt: skip
        with self._lock:
            if self._producer is not None:
                self._begin_anew()
            self._producer = producer
        requests = self._requests()
        kept_at = -1e9
        try:
            while not stop.is_set():
                if not self._held:
                    self._woken.wait(_TURN_SECONDS)
                    self._woken.clear()
                producer.poll(_ACK_SECONDS if self._held else 0)
                if self._failure:
                    raise KafkaException(self._failure)
                now = time.monotonic()
                self._take_offered()
                with contextlib.suppress(psycopg.OperationalError):  # everybody says so; what is kept waits
                    self._take_requests(requests)
                    if now - self._looked_at >= _LOOK_SECONDS:
                        self._looked_at = now
                        self._look()
                    self._catch_up()
                    self._give_missed_seeds()
                    if now - kept_at >= _KEEP_SECONDS:
                        kept_at = now
                        self._keep()
        finally:
            self._is_stopping = True
            self._take_offered()
            producer.flush(_FLUSH_SECONDS)
            requests.close()
            with contextlib.suppress(psycopg.OperationalError):
                self._keep()
            self._outbox.close()

    def _begin_anew(self) -> None:
        """Forget what a client that could not go on was given: what is remembered in the database tells the rest."""
        for known in (self._produced, self._acknowledged, self._kept, self._logged):
            known.clear()
        self._held.clear()
        self._behind.clear()
        self._is_stopping, self._failure = False, ""

    def wake(self) -> None:
        """Return from waiting."""
        self._woken.set()

    def _requests(self) -> Consumer:
        consumer = Consumer(
            self._cluster.options(
                group_id=f"{self._topics.environment}.{self._sender}.{self._side}.relay",
                enable_auto_commit=False,
                fetch_wait_max_ms=500,
            )
        )
        consumer.assign([TopicPartition(self._topics.resend(self._sender), 0, OFFSET_END)])
        return consumer

    def _take_requests(self, requests: Consumer) -> None:
        led = set(self._led())
        while (record := requests.poll(0)) is not None:
            if record.error() is not None:
                continue  # the topic is not there yet, or no broker is: receivers ask again
            try:
                asked = decode_resend(record.value())
            except msgspec.DecodeError as problem:
                _LOGGER.warning("%s: what was asked for again cannot be read: %s", self.name, problem)
                continue
            stream = asked.receiver, asked.receiver_key, asked.sender_key
            if asked.sender_key not in led or asked.receiver not in self._receivers:
                continue
            if asked.receiver == self._sender and asked.after == 0:
                self._give_seed(asked.sender_key)
            else:
                with self._lock:
                    if stream not in self._behind and asked.after < self._produced.get(stream, 0):
                        _LOGGER.info("%s: %s/%s asks again for what follows %d", self.name, *stream[:2], asked.after)
                        self._produced[stream] = asked.after
                        self._behind.add(stream)

    def _give_seed(self, key: str) -> None:
        """Let a follower begin that has nothing: not more often than every few seconds, however often it asks."""
        now = time.monotonic()
        if now - self._seeded_at.get(key, -1e9) >= _SEED_SECONDS:
            self._seeded_at[key] = now
            self._seed([key])

    def _give_missed_seeds(self) -> None:
        with self._lock:
            ready = {key for key in self._unseeded if (self._sender, key, key) not in self._behind}
            self._unseeded -= ready
        if ready:
            self._seed(ready)

    def _look(self) -> None:
        """Find the streams that Kafka does not have whole, and forget those of keys that somebody else holds."""
        led = set(self._led())
        with self._lock:
            for known in (self._produced, self._acknowledged, self._kept):
                for stream in [each for each in known if each[2] not in led]:
                    del known[stream]
            self._behind = {each for each in self._behind if each[2] in led}
            for key in {*self._held.keys, *self._logged} - led:
                self._held.forget(key)
                self._logged.pop(key, None)
        if not led:
            return
        for receiver, receiver_key, key, relayed, last in self._relayed(sorted(led)):
            stream = receiver, receiver_key, key
            if receiver == self._sender and key not in self._logged:
                self._let_go(key, relayed)
            with self._lock:
                if self._produced.setdefault(stream, relayed) < last:
                    self._behind.add(stream)

    def _catch_up(self) -> None:
        """Give Kafka what the outbox holds of streams that are behind, until they are not, or its queue is full."""
        while self._behind:
            led = set(self._led())
            with self._lock:
                behind = sorted(stream for stream in self._behind if stream[2] in led and self._has_room(stream))
                self._missed.difference_update(behind)
                unknown = [stream for stream in behind if stream not in self._produced]
            if unknown:
                self._begin(unknown)
            if not (behind and self._read(behind)):
                return

    def _begin(self, streams: Sequence[Stream]) -> None:
        found = self._relayed(sorted({key for _, _, key in streams}))
        relayed = {(receiver, theirs, ours): position for receiver, theirs, ours, position, _ in found}
        with self._lock:
            for stream in streams:
                if stream in relayed:
                    self._produced.setdefault(stream, relayed[stream])

    def _relayed(self, keys: Sequence[str]) -> list[Behind]:
        return self._outbox.behind(keys, self._receivers)

    def _read(self, streams: Sequence[Stream]) -> bool:
        """Give Kafka what is next on streams; tell whether it took it all."""
        found = self._outbox.after({stream: self._produced.get(stream, 0) for stream in streams})
        with self._lock:
            for each in found:
                if not self._produce(_stream_of(each), each):
                    return False
            self._behind -= set(streams) - {_stream_of(each) for each in found} - self._missed
        assert self._producer is not None
        self._producer.poll(0)
        return True

    def _produce(self, stream: Stream, delivery: Delivery) -> bool:
        """Give Kafka what is next on a stream, or hold it until its record is there; tell whether that could be."""
        if self._producer is None:
            return False
        if self._has_record(stream, delivery):
            is_taken = self._give(stream, delivery)
        else:
            is_taken = self._held.add(stream, delivery)
            self._woken.set()
        if is_taken:
            self._produced[stream] = delivery.envelope.number
        return is_taken

    def _has_room(self, stream: Stream) -> bool:
        """Tell whether what comes next on a stream can be held, should its record not be there."""
        return stream[0] == self._sender or not self._held.is_full

    def _has_record(self, stream: Stream, delivery: Delivery) -> bool:
        """Tell whether Kafka has the record that an event came of, and nothing of its key is held before it."""
        if self._sender not in self._receivers or stream[0] == self._sender:
            return True
        return stream[2] not in self._held and self._has_come(delivery)

    def _let_go(self, key: str, number: int) -> None:
        """Note that Kafka has the log of a key up to a number, and give it the events that have waited for that."""
        with self._lock:
            self._logged[key] = max(number, self._logged.get(key, 0))
            left: set[Stream] = set()
            for stream, delivery in self._held.take(key, self._has_come):
                # Where one had to be left to the outbox, what follows it on its stream comes from there too.
                if stream in left or not self._give(stream, delivery):
                    self._produced[stream] = min(delivery.envelope.number - 1, self._produced.get(stream, 0))
                    left.add(stream)
            self._behind |= left

    def _has_come(self, delivery: Delivery) -> bool:
        """Tell whether Kafka has the record that an event came of."""
        envelope = delivery.envelope
        return envelope.number // EVENTS_PER_STEP_MAX <= self._logged.get(envelope.sender_key, -1)

    def _give(self, stream: Stream, delivery: Delivery) -> bool:
        envelope, producer = delivery.envelope, self._producer
        if producer is None:
            return False
        receiver, receiver_key, key = stream
        crash.point(self._points[0])
        try:
            producer.produce(
                self._topics.name(self._sender, receiver, key),
                delivery.body,
                receiver_key,
                self._topics.partition(self._sender, receiver, receiver_key),
                lambda problem, _: self._answered(stream, envelope.number, problem),
                headers=[(HEADER, encode_envelope(envelope))],
            )
        except BufferError:
            return False
        except KafkaException as problem:
            self._complaints.say(
                f"Kafka's client does not take {envelope.number} of {receiver}/{receiver_key}: {problem}"
            )
            return False
        return True

    def _answered(self, stream: Stream, position: int, problem: KafkaError | None) -> None:
        if problem is None:
            crash.point(self._points[1])
            self.count += 1
            self._acknowledged[stream] = max(position, self._acknowledged.get(stream, 0))
            if stream[0] == self._sender:
                self._let_go(stream[2], position)
            return
        remedy = "; `manage.py topics apply` makes topics" if problem.code() in _UNKNOWN else ""
        self._complaints.say(f"Kafka did not take {position} of {stream[0]}/{stream[1]}: {problem}{remedy}")
        with self._lock:
            self._produced[stream] = min(position - 1, self._produced.get(stream, position))
            self._behind.add(stream)

    def _keep(self) -> None:
        news = {each: position for each, position in self._acknowledged.items() if self._kept.get(each, 0) < position}
        if news:
            self._outbox.keep(news)
            self._kept |= news

    def _failed(self, problem: KafkaError) -> None:
        if problem.fatal():
            self._failure = problem.str()
        elif problem.code() == KafkaError._ALL_BROKERS_DOWN:
            self._complaints.say("no broker can be reached; what is committed waits in the outbox")


def _stream_of(delivery: Delivery) -> Stream:
    return delivery.receiver, delivery.envelope.key, delivery.envelope.sender_key
