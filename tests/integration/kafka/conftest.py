"""`execution` and `risk` with Kafka between them, in threads of one process; each test has topics of its own."""

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from banyan.clock import SystemClock
from banyan.codec import Envelope, encode_message
from banyan.context import Context
from banyan.host import Delivery, Host, HostSettings
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from banyan.models import Log
from banyan.process import HostWorker
from banyan.store import Store
from banyan.transport import LocalTransport
from banyan.transport.kafka import Link
from tests.integration.host import tally
from tests.patience import PATIENCE_SECONDS, wait_for_thread, wait_until

KEYS = ("a", "b", "c")
_NUMBERS = itertools.count(1)


class Side:
    """One context with its link, as a process would have it."""

    def __init__(
        self,
        name: str,
        cluster: Cluster,
        topics: Topics,
        owner: str,
        *,
        keys: tuple[str, ...] = KEYS,
        alias: str = "",
        context: Context[Any] | None = None,
        has_other_side: bool = False,
        side: str = "app",
        crosses: bool = False,
    ) -> None:
        other = "risk" if name == "execution" else "execution"
        settings = HostSettings(always_decode=True, poll_seconds=0.2, side=side)
        routes = tally.ROUTES if name == "execution" else []
        clock = SystemClock()
        self.transport = LocalTransport({})
        store = Store(alias or name, leads_new=not alias)
        self.host: Host[Any] = Host(
            context or tally.context(name), store, routes, clock, owner=owner, settings=settings
        )
        self.transport.join(self.host, keys)
        self.link = Link(
            self.host, cluster, topics,
            receivers=[other] if routes else [], senders=[] if routes else [other], side=side,
            has_other_side=has_other_side,
        )  # fmt: skip
        if not crosses:
            self.link.open()
        if routes and not crosses:
            self.transport.attach(other, self.link.relay, None)
        self.stop_event = threading.Event()
        self.workers = [HostWorker(self.host, keys, clock), *([] if crosses else self.link.workers)]
        self.threads = [
            threading.Thread(target=each.run, args=(self.stop_event,), daemon=True) for each in self.workers
        ]

    def start(self) -> "Side":
        for thread in self.threads:
            thread.start()
        return self

    def say(self, *numbers: int, key: str = "a") -> None:
        deliveries = [
            Delivery("execution", Envelope(name="tally.add.v1", id=f"m{next(_NUMBERS)}", key=key),
                     encode_message(tally.Add(number=number)))
            for number in numbers
        ]  # fmt: skip
        self.host.offer(deliveries)

    def told(self, key: str = "a") -> list[int]:
        """Return what a key was told, or nothing while the last of it is not committed."""
        if key not in self.host.keys:
            return []
        told = list(self.host.keys[key].state["told"])
        number = self.host.keys[key].number
        is_committed = Log.objects.using(self.host.context.name).filter(key=key, number=number).exists()
        return told if is_committed else []

    def stop(self) -> None:
        if self.stop_event.is_set():
            return
        self.stop_event.set()
        for worker in self.workers:
            worker.wake()
        for thread in (each for each in self.threads if each.ident is not None):
            wait_for_thread(thread)
        self.host.store.close()
        self.transport.close()


class Bench:
    """Makes sides on topics of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.topics = Topics(
            f"t{os.getpid()}-{next(_NUMBERS)}",
            KEYS,
            {("execution", "risk"): "sums", ("execution", "execution"): "log", ("risk", "risk"): "log"},
            frozenset({("execution", "risk"), ("execution", "execution"), ("risk", "risk")}),
        )
        self.topic = self.topics.name("execution", "risk", "")
        self.admin = AdminClient(cluster.options())
        self.sides: list[Side] = []
        self.make_topics()

    def make_topics(self) -> None:
        self.log_topic = self.topics.name("execution", "execution", "")
        keyed = [self.topic, self.log_topic, self.topics.name("risk", "risk", ""), self.topics.requests("risk")]
        single = [of(name) for of in (self.topics.resend, self.topics.compared) for name in ("execution", "risk")]
        self.made = [*keyed, *single]
        wanted = [NewTopic(name, len(KEYS) if name in keyed else 1, 1) for name in self.made]
        for made in self.admin.create_topics(wanted).values():
            made.result(PATIENCE_SECONDS)

    def lose_topic(self) -> None:
        """Throw away all that Kafka has, and make the topic anew."""
        self.admin.delete_topics([self.topic])[self.topic].result(PATIENCE_SECONDS)
        self.until(lambda: self.topic not in self.admin.list_topics(timeout=PATIENCE_SECONDS).topics)
        self.admin.create_topics([NewTopic(self.topic, len(KEYS), 1)])[self.topic].result(PATIENCE_SECONDS)

    def side(self, name: str, owner: str = "one", **how: Any) -> Side:
        made = Side(name, how.pop("cluster", self.cluster), self.topics, owner, **how)
        self.sides.append(made)
        return made

    def until(self, is_so: Callable[[], Any], what: str = "it") -> None:
        wait_until(is_so, what)


@pytest.fixture
def bench(kafka: Cluster, transactional_db: None) -> Iterator[Bench]:
    made = Bench(kafka)
    yield made
    for side in made.sides:
        side.stop()
    made.admin.delete_topics(made.made)


class Running:
    """Workers in threads, which stop together."""

    def __init__(self, *workers: Any) -> None:
        self._workers = workers
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=each.run, args=(self._stop,), daemon=True) for each in workers]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for worker in self._workers:
            worker.wake()
        for thread in self._threads:
            wait_for_thread(thread)
