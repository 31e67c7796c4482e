"""Events that wait in a relay until Kafka has the records that they came of. Kafka's client is the test's own here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from banyan.codec import Envelope
from banyan.host import Delivery
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from banyan.transport.kafka import held
from banyan.transport.kafka.outboxes import Behind, Stream
from banyan.transport.kafka.relay import Relay

LOG, ORDERS = ("execution", "a", "a"), ("risk", "a", "a")
TOPICS = Topics("t", ["a"], {("execution", "risk"): "orders", ("execution", "execution"): "shards"})


class Client:
    """Takes what it is given, and acknowledges it when it is told to."""

    def __init__(self) -> None:
        self.taken: dict[str, list[bytes]] = {}
        self._waiting: dict[str, list[Callable[[Any, Any], None]]] = {}

    def produce(self, topic: str, body: bytes, key: str, partition: int, answer: Any, headers: Any) -> None:
        name = topic.split(".")[3]
        self.taken.setdefault(name, []).append(body)
        self._waiting.setdefault(name, []).append(answer)

    def acknowledge(self, name: str, count: int) -> None:
        for _ in range(count):
            self._waiting[name].pop(0)(None, None)

    def poll(self, _: float) -> None:
        """Do nothing: the test says when something is acknowledged."""


class Kept:
    """An outbox in memory; `asked` has what was read from it."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.asked: list[Stream] = []

    def behind(self, keys: Sequence[str], receivers: Sequence[str]) -> list[Behind]:
        return [(*stream, 0, 0) for stream in (LOG, ORDERS)]

    def after(self, positions: Mapping[Stream, int]) -> list[Delivery]:
        self.asked += positions
        return [
            each
            for each in self.deliveries
            if (stream := (each.receiver, each.envelope.key, "a")) in positions
            and each.envelope.number > positions[stream]
        ]

    def keep(self, positions: Mapping[Stream, int]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Desk:
    """A relay of execution, whose log is carried too, with all at hand that it uses."""

    def __init__(self) -> None:
        self.client, self.kept = Client(), Kept()
        self.relay = Relay(
            "execution", ["risk", "execution"], Cluster("t"), TOPICS, self.kept, lambda: ["a"]
        )  # fmt: skip
        self.relay._producer = self.client  # type: ignore[assignment]
        self.relay._look()

    def commit(self, *numbers: int) -> None:
        """Offer records, and the event that each gave."""
        for number in numbers:
            both = [
                Delivery(receiver, self._envelope(number * scale, (number - 1) * scale), b"%d" % number)
                for receiver, scale in (("execution", 1), ("risk", 4096))
            ]
            self.kept.deliveries += both
            self.relay.offer(reversed(both))

    def catch_up(self) -> None:
        self.kept.asked.clear()
        self.relay._catch_up()

    def orders(self) -> list[int]:
        return [int(body) for body in self.client.taken.get("orders", [])]

    def _envelope(self, number: int, previous: int) -> Envelope:
        return Envelope(
            name="x", id=f"{number}", key="a", sender="execution", sender_key="a", number=number, previous=previous
        )


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_an_event_goes_when_kafka_has_its_record_and_nothing_is_read_again_for_it(desk):
    desk.commit(1, 2)
    assert desk.orders() == []
    desk.client.acknowledge("shards", 1)
    assert desk.orders() == [1]
    desk.commit(3)
    desk.client.acknowledge("shards", 2)
    assert desk.orders() == [1, 2, 3]
    assert desk.relay.behind == 0
    desk.catch_up()
    assert desk.kept.asked == []


def test_while_kafka_takes_nothing_events_wait_in_bounded_memory_and_the_outbox_has_the_others(desk, monkeypatch):
    monkeypatch.setattr(held, "BYTES_MOST", 20)
    desk.commit(*range(1, 51))
    assert desk.client.taken["shards"] == [b"%d" % number for number in range(1, 51)]
    assert desk.relay._held._bytes <= 20 + 2
    assert desk.relay.behind == 1
    desk.catch_up()
    assert desk.kept.asked == [], "there is no room for it yet"
    desk.client.acknowledge("shards", 50)
    before = desk.orders()
    assert 1 < len(before) < 50
    desk.catch_up()
    assert desk.orders() == list(range(1, 51))
    assert not desk.relay._held
    assert desk.relay._held._bytes == 0
    assert desk.relay.behind == 0
