"""A context as a service: its unchanged decisions, its own database, and Kafka on both sides."""

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from banyan.clock import Clock, SystemClock
from banyan.commands import explained
from banyan.context import Context
from banyan.host import Host, HostSettings, Route
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from banyan.process import HostWorker, Listener, Nursery, Part, Role, Worker, is_gone, own_name, run_roles
from banyan.store import Store
from banyan.transport import Channels, LocalTransport
from banyan.transport.kafka import Apart, Ear, Link
from extract.finding import Finder
from extract.health import Health, HealthServer, health_of
from extract.sharing import Presence, Shares, Sharing


@dataclass(frozen=True, slots=True)
class Service:
    """What a service is made of. `rehearse` compiles, before the first message, what decisions call.

    `keys` are those that there are, or what finds those that others know of; it may wait for Kafka. `beside` builds
    what else runs with the host. Keys that nobody has led are led from the first on where `leads_new` says so, else
    they follow. Where each key has a process of its own, `fork` makes what keeps these, for a part of the keys and the
    percentage of records that are compared; `keys` are then those that it wants.
    """

    context: Context[Any]
    routes: Sequence[Route]
    receivers: Sequence[str]
    senders: Sequence[str]
    keys: Sequence[str] | Callable[[], Sequence[str]]
    cluster: Cluster
    topics: Topics
    leads_new: bool
    rehearse: Callable[[], object]
    beside: Callable[[Host[Any], Clock], Sequence[Worker]] = lambda *_: ()
    fork: "Callable[[Part, int], Forked] | None" = None


@dataclass(frozen=True, slots=True)
class Forked:
    """Processes of keys: what keeps them, the channels to them, and what returns the keys of any part that are wanted.

    `shares` tell it which keys it is to keep for parts that are gone.
    """

    nursery: Nursery
    channels: Channels
    wanted: Callable[[Part], Sequence[str]]
    shares: Shares


def serve(service: Service, arguments: Sequence[str]) -> int:
    """Run a service until SIGTERM or Ctrl-C; return 0 when it ended in order: inputs applied, outputs with Kafka."""
    name = service.context.name
    options = _parser(name).parse_args(arguments)
    forked = service.fork(options.part, options.compare) if service.fork else None  # while there is one thread
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        service.cluster.address()
        with HealthServer(options.health, name) as health:

            def build(*built: Any) -> Sequence[Worker]:
                if forked is not None:
                    return _workers_apart(service, health, forked, built[-1])
                return _workers(service, health, options.compare, *built)

            role = Role(name, name, "", build)
            service.rehearse()
            return 0 if run_roles([role], LocalTransport({}), SystemClock(), stop, options.part) else 1
    except Exception as error:
        told = explained(error)
        if told is None:
            raise
        sys.stderr.write(f"error: {told[0]}\n")
        return told[1]


def _workers(
    service: Service, health: HealthServer, percent: int, transport: LocalTransport, clock: Clock, part: Part
) -> Sequence[Worker]:
    store = Store(service.context.name, leads_new=service.leads_new)
    settings = HostSettings(side="service", compare_percent=percent)
    host = Host(service.context, store, service.routes, clock, owner=own_name(), settings=settings)
    host.is_gone = is_gone
    keys = Finder(service.keys, host, part) if callable(service.keys) else part.of(service.keys)
    sharing = _sharing(service, part, keys) if part.count > 1 else None
    transport.join(host, None)
    link = Link(
        host, service.cluster, service.topics,
        receivers=service.receivers, senders=service.senders, side="service", has_other_side=True,
    )  # fmt: skip
    for receiver in service.receivers:
        transport.attach(receiver, link.relay, None)
    link.open()
    worker = HostWorker(host, sharing or keys, clock)

    def look() -> Health:
        return health_of(host, link, len(keys), sharing.others if sharing else ())

    health.look = look
    looking = [each for each in (keys, sharing) if isinstance(each, Finder | Sharing)]
    return [worker, Listener(service.context.name, host), *looking, *link.workers, *service.beside(host, clock)]


def _sharing(service: Service, part: Part, keys: Finder | Sequence[str]) -> Sharing:
    there = service.keys
    if isinstance(keys, Finder) or callable(there):
        assert isinstance(keys, Finder)
        return Sharing(service.context.name, part, keys, keys.of)
    return Sharing(service.context.name, part, lambda: keys, lambda other: other.of(there))


def _workers_apart(service: Service, health: HealthServer, forked: Forked, part: Part) -> Sequence[Worker]:
    """Return the workers beside the processes of keys: one client of Kafka for all of them."""
    name = service.context.name
    apart = Apart(service.context, service.senders, forked.channels, wanted=lambda: forked.wanted(part))
    link = Link(
        apart, service.cluster, service.topics,
        receivers=service.receivers, senders=service.senders, side="service", has_other_side=True,
    )  # fmt: skip
    link.open()
    forked.channels.join_other_side(is_there=True)
    sharing = [Presence(name, part, forked.shares)] if part.count > 1 else []

    def look() -> Health:
        others = {key for key in apart.keys if not part.has(key)}
        return health_of(apart, link, len(apart.keys.keys() - others) + len(apart.missing), others)

    health.look = look
    ears = [Ear(name, each, link.relay, name) for each in service.receivers]
    return [forked.nursery, Listener(name, forked.channels), *sharing, *apart.workers, *link.workers, *ears]


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m extract.{name}",
        description=f"The context {name} as a service. SIGTERM ends it in order.",
    )
    parser.add_argument(
        "--part",
        type=Part.typed,
        default=Part(),
        metavar="K/N",
        help="hold part K of N of the keys, and a share of those of parts that nobody runs",
    )
    parser.add_argument(
        "--compare", type=_percent, default=100, metavar="PERCENT",
        help="of so many records in a hundred decide too, to be compared, while it follows (100)",
    )  # fmt: skip
    parser.add_argument(
        "--health", type=_address, default=("127.0.0.1", 8101), metavar="HOST:PORT",
        help="where /live, /ready, /lag and /metrics are answered (127.0.0.1:8101)",
    )  # fmt: skip
    return parser


def _percent(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage from 1 to 100")
    return int(text)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 0.0.0.0:8101")
    return host, int(port)
