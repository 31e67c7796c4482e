"""The façade where messages pass it: what a host hands on goes to the other side too from the stage `shadow` on."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import psycopg
from django.db import Error, connections

from banyan.facade.stages import Routing
from banyan.host import Delivery
from banyan.kafka import KafkaError
from banyan.store import Store

_LOGGER = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5
_RETRY_SECONDS = 2.0


class Needs(NamedTuple):
    """What a host needs Kafka for: contexts that it sends to, contexts it hears from, and its own other side."""

    receivers: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    has_other_side: bool = False


def needs_of(context: str, receivers: Iterable[str], senders: Iterable[str], routings: Mapping[str, Routing]) -> Needs:
    """Return what the host of `context` needs in the stages that it and those are in."""
    on_kafka = {name for name, routing in routings.items() if routing.has_service}
    from_kafka = {name for name, routing in routings.items() if routing.may_service_lead}
    own = routings.get(context, Routing())
    return Needs(
        tuple(sorted(on_kafka.intersection(receivers))),
        tuple(sorted(from_kafka.intersection(senders))),
        own.has_service,  # in `extracted` too, for as long as the app still has the context
    )


class Carrier(Protocol):
    """What takes deliveries to Kafka: at once, or while it `is_patient` at its leisure."""

    is_patient: bool

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Carry them."""


class Joined(Protocol):
    """What joins a sender to Kafka: `workers` run while it is there."""

    @property
    def receivers(self) -> Sequence[str]:
        """To whom it carries."""

    @property
    def relay(self) -> Carrier | None:
        """What takes deliveries to `receivers`, where there are any."""

    @property
    def workers(self) -> Sequence[Any]:
        """What is to run."""

    def open(self) -> None:
        """Let its owner use it."""

    def close(self) -> None:
        """Let its owner do without."""


class Crossing:
    """Has at every moment the link that a sender needs, while stages change: none, and no client of Kafka, in the app.

    `listen` is told what the sender hands on. `make` builds the link for some needs. `alias` is the database in which
    it is kept what Kafka has of the sender's streams; "": nowhere, its outbox tells. `first` is needed before anybody
    has been asked.
    """

    def __init__(
        self, name: str, receivers: Sequence[str], senders: Sequence[str],
        routings: Callable[[], Mapping[str, Routing]], make: Callable[[Needs], Joined], *, alias: str = "",
        first: Needs | None = None,
    ) -> None:  # fmt: skip
        self.name = f"{name}-crossing"
        self._sender = name
        self._receivers = tuple(receivers)
        self._senders = tuple(senders)
        self._routings = routings
        self._make = make
        self._alias = alias
        self._first = first or Needs()
        self._needs = Needs()
        self._link: Joined | None = None
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def listen(self, deliveries: list[Delivery]) -> None:
        """Give Kafka those of the deliveries that have to go there, which in the app are none."""
        link = self._link
        if link is None:
            return
        name, crossing = self._sender, link.receivers
        theirs = [each for each in deliveries if each.receiver in crossing and each.envelope.sender == name]
        if theirs and link.relay is not None:
            link.relay.offer(theirs)

    def run(self, stop: threading.Event) -> None:
        """Follow the stages until `stop` is set; a façade that cannot be asked changes nothing."""
        if self._first != Needs():
            self._begin(self._first)
            self._needs = self._first
        while not stop.is_set():
            try:
                routings = self._routings()
                self._come_to(needs_of(self._sender, self._receivers, self._senders, routings))
                if self._link is not None and self._link.relay is not None:
                    self._link.relay.is_patient = not self._is_awaited(routings)
            except (Error, psycopg.Error, KafkaError) as problem:
                _LOGGER.warning("%s goes on as it is: %s", self.name, problem)
                connections["facade"].close()
                stop.wait(_RETRY_SECONDS)
            stop.wait(_LOOK_SECONDS)
        self._end()
        connections["facade"].close()

    def wake(self) -> None:
        """Do nothing: it waits for a moment at the longest."""

    def _is_awaited(self, routings: Mapping[str, Routing]) -> bool:
        """Tell whether somebody who leads may be waiting for what goes to Kafka."""
        those = {self._sender, *self._receivers} & routings.keys()
        return any(routings[name].may_service_lead for name in those)

    def _come_to(self, needs: Needs) -> None:
        if needs == self._needs:
            return
        before, self._needs = self._needs, Needs()
        self._end()
        self._keep_marks(sorted(set(self._streams(before)) - set(self._streams(needs))), self._streams(needs))
        if needs != Needs():
            self._begin(needs)
        self._needs = needs

    def _streams(self, needs: Needs) -> list[str]:
        return [*needs.receivers, *([self._sender] if needs.has_other_side else [])]

    def _keep_marks(self, gone: Sequence[str], there: Sequence[str]) -> None:
        if not self._alias:
            return
        store = Store(self._alias)
        try:
            store.end_relaying(gone)
            store.begin_relaying(self._sender, there)
        finally:
            store.close()

    def _begin(self, needs: Needs) -> None:
        link = self._make(needs)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep_running, args=(each,), name=each.name, daemon=True)
            for each in link.workers
        ]
        link.open()
        self._link = link
        for thread in self._threads:
            thread.start()

    def _keep_running(self, worker: Any) -> None:
        while not self._stop.is_set():
            try:
                worker.run(self._stop)
            except Exception:
                # Whatever is wrong with Kafka or the other side, this side goes on.
                _LOGGER.exception("%s failed; it is started again in %.0f s", worker.name, _RETRY_SECONDS)
                self._stop.wait(_RETRY_SECONDS)

    def _end(self) -> None:
        if self._link is None:
            return
        link, self._link = self._link, None
        link.close()
        self._stop.set()
        for worker in link.workers:
            worker.wake()
        for thread in self._threads:
            thread.join()
