"""What joins those who run in the app to services: by Kafka, as the stages of contexts want it at the moment.

No client of Kafka is loaded before somebody has a service.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import Error, connections

from banyan.clock import Clock
from banyan.facade import Routing, Stage
from banyan.facade.crossing import Carrier, Crossing, Needs, needs_of
from banyan.facade.routing import Looked
from banyan.host import Host, Route
from banyan.process import Worker
from banyan.transport import Channels, LocalTransport, Notified
from settings.routing import EXTRACTABLE, HOSTED

if TYPE_CHECKING:
    from apps.execution.edge.paper_market import PaperMarket
    from apps.execution.edge.worker import EdgeWorker

LOOKED = Looked(seconds=0.25)


def leads_new(context: str) -> bool:
    """Tell whether a key that the app has never had is led by it: not where all are to be led by the service."""
    try:
        routing = LOOKED().get(context, Routing())
    except Error:  # who leads is decided by fence rows: without the façade everybody goes on as in the app
        return True
    finally:
        connections["facade"].close()
    return routing.stage is not Stage.EXTRACTED


def of_host(
    host: Host[Any], transport: LocalTransport, routes: Sequence[Route], senders: Sequence[str]
) -> Sequence[Worker]:
    """Return the workers that join a host to the services with which it has streams, those that may come included."""
    name = host.context.name
    receivers = {route.receiver for route in routes}
    return [
        *_to_extracted(host, transport, receivers & set(settings.EXTRACTED), set(senders) & set(settings.EXTRACTED)),
        *_to_others(name, host, transport, receivers & set(HOSTED) - set(settings.EXTRACTED), senders),
    ]


def _to_extracted(
    host: Host[Any], transport: LocalTransport, receivers: set[str], senders: set[str]
) -> Sequence[Worker]:
    if not (receivers or senders):
        return []
    link = _link(host, Needs(tuple(sorted(receivers)), tuple(sorted(senders))))
    for receiver in receivers:
        transport.attach(receiver, link.relay, None)
    link.open()
    return link.workers


def _to_others(
    name: str, host: Host[Any], transport: LocalTransport, receivers: set[str], senders: Sequence[str]
) -> Sequence[Worker]:
    beside = [each for each in senders if each not in settings.EXTRACTED]
    if not {name, *receivers, *beside} & set(EXTRACTABLE):
        return []
    made = Crossing(
        name, sorted(receivers), beside, LOOKED, lambda needs: _link(host, needs), alias=host.store.alias
    )  # fmt: skip
    transport.tap(made.listen)
    return [made]


def of_edge(worker: "EdgeWorker", transport: LocalTransport, clock: Clock) -> Sequence[Worker]:
    """Return the workers that join the edge to execution's service, if it has one."""
    if "execution" in settings.EXTRACTED:
        link = _edge_link(worker, clock, hears=True)
        transport.attach("execution", link.relay, None)
        return link.workers
    made = Crossing(
        worker.name, ["execution"], ["execution"], LOOKED,
        lambda needs: _edge_link(worker, clock, hears=bool(needs.senders)),
    )  # fmt: skip
    transport.tap(made.listen)
    return [made]


def of_sets(channels: Channels, market: "PaperMarket") -> Sequence[Worker]:
    """Return the workers that join sets, each in a process of its own, to services: of others, and of signals.

    What sets tell others is heard in the database of those; where they are not here, in their own. Prices that come
    from a service are told to the paper broker before any set gets them.
    """
    extracted = {name: Routing(Stage.EXTRACTED) for name in settings.EXTRACTED}
    return [
        Crossing(
            "signals", ["execution"], ["feeds"], lambda: {**LOOKED(), **extracted},
            partial(SetsLink, channels=channels, market=market),
            alias="signals", first=needs_of("signals", ["execution"], ["feeds"], extracted),
        )
    ]  # fmt: skip


class SetsLink:
    """Joins the processes of sets to Kafka, for what they need of it."""

    def __init__(self, needs: Needs, channels: Channels, market: "PaperMarket") -> None:
        from apps.signals.core import SIGNALS
        from banyan.transport.kafka import Apart, Ear, Link
        from settings.topics import TOPICS

        self.receivers = needs.receivers
        self._has_other_side = needs.has_other_side
        self._channels = channels
        hears = bool(needs.senders)
        apart = Apart(SIGNALS, needs.senders, channels, listen=market.listen if hears else None)
        self._link = Link(
            apart, settings.KAFKA, TOPICS, receivers=needs.receivers, senders=needs.senders, side="app",
            has_other_side=needs.has_other_side,
        )  # fmt: skip
        self.relay: Carrier = self._link.relay
        told_in = "signals" if "execution" in settings.EXTRACTED else "execution"
        ears = [Ear("signals", each, self._link.relay, told_in) for each in needs.receivers]
        self.workers: list[Worker] = [*apart.workers, *self._link.workers, *ears, *([market] if hears else [])]

    def open(self) -> None:
        """Let the processes use it."""
        self._link.open()
        self._channels.join_other_side(is_there=self._has_other_side)

    def close(self) -> None:
        """Let the processes do without."""
        self._channels.join_other_side(is_there=False)
        self._link.close()


def of_prices(market: "PaperMarket") -> Sequence[Worker]:
    """Return the workers that tell the paper broker the prices that the service of feeds gives to that of signals."""
    from banyan.transport.kafka import Onlooker
    from settings.topics import TOPICS

    return [Onlooker("feeds", "signals", settings.KAFKA, TOPICS, market.listen, market.recall), market]


def set_transport(senders: Mapping[str, Sequence[str]]) -> LocalTransport:
    """Return the transport of a set's process."""
    transport = LocalTransport(senders)
    if "execution" in settings.EXTRACTED:
        transport.attach("execution", Notified("signals"), None)
    return transport


def _link(host: Host[Any], needs: Needs) -> Any:
    from banyan.transport.kafka import Link
    from settings.topics import TOPICS

    return Link(
        host, settings.KAFKA, TOPICS,
        receivers=needs.receivers, senders=needs.senders, side="app", has_other_side=needs.has_other_side,
    )  # fmt: skip


def _edge_link(worker: "EdgeWorker", clock: Clock, *, hears: bool) -> Any:
    from apps.execution.edge.crossing import EdgeLink
    from settings.topics import TOPICS

    return EdgeLink(worker, clock, settings.KAFKA, TOPICS, hears=hears)
