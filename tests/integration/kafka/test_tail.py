"""Reading without places: what was before is asked for, what is missing too, and nonsense is passed over."""

import threading
from itertools import accumulate

import pytest
from confluent_kafka import Producer

from banyan.codec import Envelope, encode_envelope
from banyan.transport.kafka import Tail
from banyan.transport.kafka.wire import HEADER
from tests.integration.host import tally
from tests.integration.kafka.conftest import Bench
from tests.integration.kafka.test_following import knows
from tests.patience import PATIENCE_SECONDS, wait_for_thread

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk", "signals"])


class Receiver:
    """Takes what is next on each stream, and what it is told to lose not at first."""

    def __init__(self, bench: Bench) -> None:
        self.taken: dict[str, int] = {"a": 0, "b": 0}
        self.sums: dict[str, list[int]] = {"a": [], "b": []}
        self.losing: set[int] = set()
        self.tail = Tail("risk", "execution", bench.cluster, bench.topics, self.marks, self.offer, (tally.Added,))
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.tail.run, args=(self.stop,), daemon=True)
        self.thread.start()

    def marks(self) -> dict[str, int]:
        return dict(self.taken)

    def offer(self, deliveries) -> None:
        for each in deliveries:
            key, number = each.envelope.key, each.message.number
            if number in self.losing:
                self.losing.discard(number)
            elif each.envelope.previous == self.taken[key]:
                self.taken[key] = each.envelope.number
                self.sums[key].append(each.message.total)


@pytest.fixture
def reading(bench):
    first = bench.side("execution").start()
    first.say(1, 2, 3)
    first.say(7, key="b")
    bench.until(lambda: first.link.relay.count == 4, "what is there before anybody reads")
    receiver = Receiver(bench)
    yield first, receiver
    receiver.stop.set()
    wait_for_thread(receiver.thread)


def test_what_was_sent_before_is_asked_for_and_what_comes_then_is_read(bench, reading):
    first, receiver = reading
    bench.until(lambda: receiver.sums == {"a": [1, 3, 6], "b": [7]}, "what was before")
    first.say(4, 5)
    bench.until(lambda: receiver.sums["a"] == list(accumulate(range(1, 6))))


def test_what_is_missing_in_between_is_asked_for(bench, reading):
    first, receiver = reading
    bench.until(lambda: receiver.sums["a"] == [1, 3, 6])
    receiver.losing.add(4)
    first.say(4, 5)
    bench.until(lambda: receiver.sums["a"] == list(accumulate(range(1, 6))), "what was missing")


def test_a_key_that_comes_is_read_and_one_that_goes_is_not(bench, reading):
    first, receiver = reading
    bench.until(lambda: receiver.sums["b"] == [7])
    receiver.taken.pop("b")
    bench.until(lambda: receiver.tail._keys == {"a"}, "letting it go")
    first.say(8, key="b")
    bench.until(lambda: knows(first, "b") == [7, 8])
    receiver.taken["b"] = 4096  # after the first record of its log
    bench.until(lambda: receiver.sums["b"] == [7, 15], "the key coming again")


def test_nonsense_is_passed_over_and_no_more_than_that(bench, reading):
    first, receiver = reading
    bench.until(lambda: receiver.sums == {"a": [1, 3, 6], "b": [7]})
    producer = Producer(bench.cluster.options())
    theirs = Envelope(name="tally.added.v1", id="x", key="a", sender="risk", sender_key="a", number=1)
    for header in (b"{", encode_envelope(theirs)):
        producer.produce(bench.topic, b"[]", "a", 0, headers=[(HEADER, header)])
    producer.flush(PATIENCE_SECONDS)
    first.say(4)
    bench.until(lambda: receiver.sums["a"] == [1, 3, 6, 10])
