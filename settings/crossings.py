"""What joins those who run in the app to services: by Kafka, as the stages of contexts want it at the moment.

No client of Kafka is loaded before somebody has a service.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings

from banyan.clock import Clock
from banyan.facade.crossing import Crossing, Joined, Needs
from banyan.facade.routing import Looked
from banyan.host import Host, Route
from banyan.process import Worker
from banyan.transport import LocalTransport, Notified
from settings.routing import EXTRACTABLE, HOSTED

if TYPE_CHECKING:
    from apps.execution.edge.worker import EdgeWorker

LOOKED = Looked(seconds=0.25)


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


def of_sets() -> Sequence[Worker]:
    """Return the workers that give Kafka what sets, each in a process of its own, tell execution, if it has a service.

    What sets tell others is heard in the database of those; where they are not here, in their own.
    """
    if "execution" in settings.EXTRACTED:
        return _overheard("signals").workers
    return [Crossing("signals", ["execution"], [], LOOKED, lambda _: _overheard("execution"), alias="signals")]


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


def _overheard(told_in: str) -> Joined:
    from banyan.transport.kafka import Overheard
    from settings.topics import TOPICS

    return Overheard("signals", "execution", settings.KAFKA, TOPICS, told_in=told_in)
