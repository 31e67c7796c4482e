"""Who looks on at what feeds tell sets hears each bar from then on, and the last before that as what it was."""

import itertools
import os

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from banyan.codec import Envelope, encode_envelope, encode_message
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from banyan.transport.kafka import Onlooker
from banyan.transport.kafka.wire import HEADER
from tests.integration.host.tally import Added
from tests.integration.kafka.conftest import Running
from tests.patience import PATIENCE_SECONDS, wait_until

_NUMBERS = itertools.count(1)


@pytest.fixture
def topics(kafka: Cluster):
    made = Topics(f"t{os.getpid()}-o{next(_NUMBERS)}", ("a",))
    yield made
    admin = AdminClient(kafka.options())
    ours = [
        each for each in admin.list_topics(timeout=PATIENCE_SECONDS).topics if each.startswith(f"{made.environment}.")
    ]
    admin.delete_topics(ours)


def tell(kafka: Cluster, topics: Topics, feed: str, *numbers: int, sender: str = "feeds") -> None:
    producer, topic = Producer(kafka.options()), topics.name("feeds", "signals", feed)
    for number in numbers:
        envelope = Envelope(
            name=Added.wire_name, id=str(number), key="trend", sender=sender, sender_key=feed, number=number
        )
        body = encode_message(Added(number=number, total=0))
        producer.produce(topic, body, "trend", 0, headers=[(HEADER, encode_envelope(envelope))])
    producer.flush(PATIENCE_SECONDS)


def make(kafka: Cluster, topics: Topics, feed: str) -> None:
    name = topics.name("feeds", "signals", feed)
    admin = AdminClient(kafka.options())
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(PATIENCE_SECONDS)


def test_an_onlooker_recalls_the_last_and_hears_what_comes_also_of_feeds_that_come(kafka, topics, caplog):
    heard: list[tuple[str, str, int]] = []

    def note(how: str):
        return lambda told: heard.extend((how, each.envelope.sender_key, each.envelope.number) for each in told)

    make(kafka, topics, "oanda")
    make(kafka, topics, "empty")
    tell(kafka, topics, "oanda", 1, 2)
    running = Running(Onlooker("feeds", "signals", kafka, topics, note("listen"), note("recall")))
    try:
        wait_until(lambda: heard == [("recall", "oanda", 2)], "the last bar")
        tell(kafka, topics, "oanda", 3)
        tell(kafka, topics, "empty", 1)
        wait_until(lambda: {("listen", "oanda", 3), ("listen", "empty", 1)} <= set(heard), "what came")
        make(kafka, topics, "later")
        tell(kafka, topics, "later", 7, 8)
        tell(kafka, topics, "oanda", 4, sender="signals")
        wait_until(lambda: ("listen", "later", 8) in heard, "a feed that came later")
    finally:
        running.stop()
    assert sorted(heard) == sorted(
        [
            ("recall", "oanda", 2),
            ("listen", "oanda", 3),
            ("listen", "empty", 1),
            ("listen", "later", 7),
            ("listen", "later", 8),
        ]
    )
    assert "'signals' may not tell anything" in caplog.text
