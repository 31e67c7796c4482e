"""A feed between the app and its service: each side with a source of its own, and a set in a process of its own.

The service's database is that of `risk`. The sides run in threads, the set at the other end of a channel.
"""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from apps.feeds.adapters.memory import MemoryAdapter
from apps.feeds.adapters.port import Given
from apps.feeds.beside import Beside, HostLeads
from apps.feeds.contracts import BarClosed, Listen, ListenerChanged
from apps.feeds.core import FEEDS, listeners_of
from apps.feeds.defined import TAIL, FeedDefinition
from apps.feeds.records import COLUMNS, Kind, Records
from apps.feeds.worker import FeedsWorker
from banyan.clock import SystemClock
from banyan.codec import decode_message
from banyan.context import Context
from banyan.facade import Side as Which
from banyan.host import Host, HostSettings, Route
from banyan.host.memory import state_at
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from banyan.messages import Compared, Message, Received
from banyan.models import Key, Log
from banyan.process import HostWorker, Listener
from banyan.store import Store
from banyan.transport import ChannelListener, Channels, Command, LocalTransport, ask
from banyan.transport.kafka import Apart, Link
from banyan.transport.kafka.wire import envelope_of
from extract import sides
from extract.handing import Handing
from tests.integration.kafka.conftest import _NUMBERS, Running
from tests.patience import PATIENCE_SECONDS, wait_until
from trading.instruments import Instrument
from trading.intervals import HOUR

pytestmark = pytest.mark.django_db(transaction=True, databases=["feeds", "risk", "signals"])
ALIASES = {Which.APP: "feeds", Which.SERVICE: "risk"}
BEGIN = int(np.datetime64("2024-03-06T00:00", "ns").astype(np.int64))
FEED, SET, NAME = "oanda", "trend", "OANDA:EURUSD"
DEFINITION = FeedDefinition(
    feed=FEED, source=TAIL, instruments=[Instrument(id=NAME, tick_size=0.01, calendar="24x7")], interval_ns=HOUR
)  # fmt: skip


def _heard(state: dict, received: Received) -> list[Message]:
    assert isinstance(received.message, BarClosed)
    hour = (received.message.closed_at_ns - BEGIN) // HOUR
    return [ListenerChanged(feed=str(hour), set=state["key"], listens=True)]  # any event that a set could have


SETS: Context[dict] = Context(
    name="signals",
    new_state=lambda key: {"key": key, "hours": []},
    decide=_heard,
    evolve=lambda state, event: {**state, "hours": [*state["hours"], int(event.feed)]},  # type: ignore[attr-defined]
    snapshot_version=1,
    to_snapshot=lambda state: repr(state).encode(),
    from_snapshot=lambda _, __, written: eval(written),
)


class Directory:
    """The definition of the feed, and a side's database."""

    def __init__(self, alias: str) -> None:
        self._store = Store(alias)

    def wanted(self) -> Sequence[FeedDefinition]:
        return [DEFINITION]

    def known(self, feed: str) -> Mapping[tuple[str, int], int]:
        numbers = self._store.numbers([feed])
        return state_at(FEEDS, self._store, feed, numbers[feed])[0].closed_at_ns if feed in numbers else {}

    def tell(self, commands: Sequence[Command]) -> None:
        ask(self._store, commands, SystemClock().wall_ns())

    def report(self, feeds: Sequence[Any]) -> None:
        pass

    def close(self) -> None:
        self._store.close()


class Side:
    """A side of feeds as its process has it."""

    def __init__(self, which: Which, cluster: Cluster, topics: Topics, channels: Channels) -> None:
        clock, alias = SystemClock(), ALIASES[which]
        is_app = which is Which.APP
        store = Store(alias, leads_new=is_app)
        settings = HostSettings(side=which, poll_seconds=0.2, always_decode=True)
        self.host = Host(
            FEEDS, store, [Route(BarClosed, "signals", listeners_of)], clock, owner=f"{which}-{next(_NUMBERS)}",
            settings=settings,
        )  # fmt: skip
        self.transport = LocalTransport({})
        self.transport.join(self.host)
        receivers = [] if is_app else ["signals"]
        link = Link(
            self.host, cluster, topics, receivers=receivers, senders=[], side=which, has_other_side=True
        )  # fmt: skip
        self.transport.attach("signals", channels if is_app else link.relay, None)
        link.open()
        self.source = MemoryAdapter(clock)
        beside = Beside(HostLeads(self.host, unknown=is_app or None), clock)
        self.host.heard = beside.show
        self.sources = FeedsWorker(Directory(alias), lambda *_: self.source, clock, beside=beside)
        keys = None if is_app else [FEED]
        self.running = Running(
            HostWorker(self.host, keys, clock), Listener(alias, self.host), self.sources, *link.workers
        )  # fmt: skip

    def give(self, *hours: int, price: float = 1.0) -> None:
        """Let its source give the bars that close in these hours."""
        opens = BEGIN + (np.array(hours) - 1) * HOUR
        values = np.vstack([np.full((8, opens.size), price), np.ones(opens.size)])
        records = Records(Kind.QUOTES, opens, values, np.arange(opens.size) + 1)
        self.source.give(Given(NAME, HOUR, records, COLUMNS[Kind.QUOTES]))

    def stop(self) -> None:
        self.running.stop()
        self.host.store.close()
        self.transport.close()


class Stage:
    """Both sides, and a set that hears the app through a channel, and the service through Kafka and that channel."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.topics = Topics(f"t{next(_NUMBERS)}-{threading.get_native_id()}", ["00"])
        names = [
            self.topics.name("feeds", "feeds", FEED), self.topics.name("feeds", "signals", FEED),
            self.topics.requests("feeds"), self.topics.resend("feeds"), self.topics.compared("feeds"),
        ]  # fmt: skip
        self.admin = AdminClient(cluster.options())
        for made in self.admin.create_topics([NewTopic(name, 1, 1) for name in names]).values():
            made.result(PATIENCE_SECONDS)
        self.names = names
        here, there = socket.socketpair()
        self.channels = Channels("signals")
        self.channels.join(SET, here)
        clock = SystemClock()
        self.set = Host(SETS, Store("signals"), [], clock, owner="set", settings=HostSettings(poll_seconds=0.2))
        LocalTransport({}).join(self.set, [SET])
        self.passed: list[int] = []
        apart = Apart(SETS, ["feeds"], self.channels, listen=self._listen)
        link = Link(apart, cluster, self.topics, receivers=[], senders=["feeds"], side="app")
        link.open()
        self.running = Running(
            HostWorker(self.set, [SET], clock), ChannelListener(self.set, there), *apart.workers, *link.workers
        )  # fmt: skip
        self.all: list[Side] = []

    def _listen(self, deliveries: Sequence[Any]) -> None:
        self.passed += [(each.message.closed_at_ns - BEGIN) // HOUR for each in deliveries]

    def side(self, which: Which) -> Side:
        self.all.append(Side(which, self.cluster, self.topics, self.channels))
        return self.all[-1]

    def until(self, is_so: Callable[[], Any], what: str) -> None:
        wait_until(is_so, what)

    def heard(self) -> list[int]:
        """Return the hours of the bars that the set has applied, once they are committed."""
        memory = self.set.keys.get(SET)
        is_kept = memory is not None and Log.objects.using("signals").filter(number=memory.number).exists()
        return list(memory.state["hours"]) if memory is not None and is_kept else []

    def compared(self) -> list[Compared]:
        """Return all that was told of what sources gave."""
        consumer = Consumer(self.cluster.options(group_id="any", enable_auto_commit=False, enable_partition_eof=True))
        consumer.assign([TopicPartition(self.topics.compared("feeds"), 0, 0)])
        found = []
        while (record := consumer.poll(PATIENCE_SECONDS)) is not None and record.error() is None:
            told = decode_message(envelope_of(record).name, record.value())
            if isinstance(told, Compared) and told.source:
                found.append(told)
        consumer.close()
        return found

    def close(self) -> None:
        for side in self.all:
            side.stop()
        self.channels.close()
        self.running.stop()
        self.set.store.close()
        self.admin.delete_topics(self.names)


@pytest.fixture
def stage(kafka: Cluster, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(sides, "alias_of", lambda context, side: ALIASES[side])
    made = Stage(kafka)
    yield made
    made.close()


def is_led_by(which: Which) -> bool:
    return Key.objects.using(ALIASES[which]).filter(key=FEED, is_leading=True).exists()


def test_a_feed_goes_to_its_service_which_dies_and_the_set_gets_each_bar_once_and_in_order(stage):
    store = Store("feeds")
    ask(store, [Command(FEED, Listen(set=SET, listens=True), "listen")], 1)
    store.close()
    app = stage.side(Which.APP)
    stage.until(lambda: FEED in app.host.keys and app.source.opened, "the app's source")
    app.give(1, 2)
    stage.until(lambda: stage.heard() == [1, 2], "bars in the app")
    service = stage.side(Which.SERVICE)
    stage.until(lambda: service.source.opened, "the service's source, once it follows")
    app.give(3, 4)
    service.give(3, 4, price=1.0)
    app.give(5)
    service.give(5, price=2.0)
    stage.until(lambda: len(stage.compared()) == 3, "comparing")
    assert [each.same for each in stage.compared()] == [True, True, False]
    assert stage.heard() == [1, 2, 3, 4, 5]
    assert stage.passed == []
    handing = Handing("feeds", stage.cluster, stage.topics)
    [handed] = handing.hand_over([FEED], Which.SERVICE, seconds=PATIENCE_SECONDS)
    assert (handed.took, handed.problem) == (True, "")
    for side in (app, service):
        side.give(6)
        side.give(7)
    stage.until(lambda: stage.heard() == [1, 2, 3, 4, 5, 6, 7], "bars of the service")
    assert stage.passed == [6, 7]
    service.stop()
    stage.all.remove(service)
    app.give(8, 9)  # nobody leads who could hear them
    [handed] = handing.take_from_dead([FEED], Which.APP)
    assert (handed.took, handed.problem) == (True, "")
    app.give(10)
    stage.until(lambda: stage.heard() == list(range(1, 11)), "what came while nobody led, and after that")
    assert is_led_by(Which.APP)
    assert not is_led_by(Which.SERVICE)
