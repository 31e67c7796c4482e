"""What the system is made of when it runs: roles, their keys, and who gets which event."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings

from apps.alerts.worker import AlertsWorker
from apps.api.webhooks.waiting import WhenWanted
from apps.execution.contracts import AccountsReconciled, OrdersReported
from apps.execution.core import EXECUTION
from apps.execution.edge.at_rest import EdgeAtRest
from apps.execution.edge.edge import Edge
from apps.execution.edge.kill_switch import CentralSwitch, HeardSwitch
from apps.execution.edge.ledger import Ledger
from apps.execution.edge.paper import PaperBroker
from apps.execution.edge.paper_market import PaperMarket
from apps.execution.edge.paper_worker import PaperWorker
from apps.execution.edge.published import SentOrders
from apps.execution.edge.worker import EdgeWorker
from apps.execution.marking import Marking
from apps.execution.terms import terms_of
from apps.feeds.answers import answer
from apps.feeds.beside import Beside, HostLeads
from apps.feeds.contracts import BarClosed, FindBars
from apps.feeds.core import FEEDS, listeners_of
from apps.feeds.defined import adapter_of
from apps.feeds.directory import StoredDirectory
from apps.feeds.interface import last_closes
from apps.feeds.worker import FeedsWorker
from apps.reporting.books.keeping import READER as BOOKS_READER
from apps.reporting.books.keeping import BooksKeeper
from apps.reporting.folding import SOURCES
from apps.reporting.following import Follower, FollowerWorker
from apps.reporting.projecting import READER, Projector, logs
from apps.reporting.retention import unread
from apps.reporting.sources import Log, Source
from apps.risk.core import RISK
from apps.signals.core import SIGNALS
from apps.signals.directory import SetDirectory
from apps.signals.listening import Listening
from apps.signals.running import prepare, run_set, watched
from banyan.clock import Clock
from banyan.context import Context
from banyan.host import Host, HostSettings, Route, Shown, same_key
from banyan.machine import boot_name
from banyan.process import (
    HostWorker,
    Limits,
    Listener,
    Nursery,
    Part,
    Quiet,
    Role,
    Roles,
    Worker,
    is_gone,
    own_name,
)
from banyan.road import ROAD, GivingWay
from banyan.store import Store
from banyan.transport import Channels, LocalTransport
from banyan.transport.questions import answered_here
from settings.crossings import leads_new, of_edge, of_host, of_prices, of_sets, set_transport
from settings.routes import FROM_RISK, FROM_SIGNALS, TO_EDGE, TO_RISK
from settings.shards import SHARDS
from settings.warming import rehearse

PARTS = min(settings.SHARD_PROCESSES, len(SHARDS))
_REST_SECONDS = 0.025
_ANSWER_SECONDS = 30.0
_LEAST = 19
"""The niceness of what only remembers: it has the cores when nobody decides or sends."""

Build = Callable[[LocalTransport, Clock, Part], Sequence[Worker]]


HOSTED_CONTEXTS: Mapping[str, Context[Any]] = {context.name: context for context in (FEEDS, SIGNALS, EXECUTION, RISK)}

ROUTES: Mapping[str, Sequence[Route]] = {
    "feeds": [Route(BarClosed, "signals", listeners_of)],
    "signals": FROM_SIGNALS,
    "execution": [*TO_EDGE, *TO_RISK],
    "risk": FROM_RISK,
    "edge": [Route(kind, "execution", same_key) for kind in (OrdersReported, AccountsReconciled)],
}

SENDERS: Mapping[str, Sequence[str]] = {
    receiver: [sender for sender, routes in ROUTES.items() if any(route.receiver == receiver for route in routes)]
    for receiver in ("feeds", "signals", "execution", "risk", "edge")
}

BESIDE: Mapping[str, Sequence[str]] = {
    receiver: [sender for sender in senders if sender not in settings.EXTRACTED]
    for receiver, senders in SENDERS.items()
}
"""The senders of each context whose outboxes are read where they are: those of services come through Kafka."""


def hosted(context: Context[Any], keys: Sequence[str] | None) -> Build:
    """Return what builds the workers of a context's role; its keys are those given, or all that there are."""

    def build(transport: LocalTransport, clock: Clock, part: Part) -> Sequence[Worker]:
        if context in (EXECUTION, RISK):
            rehearse()
        return _host(context, transport, clock, keys and part.of(keys))[1]

    return build


def _host(
    context: Context[Any], transport: LocalTransport, clock: Clock, keys: Sequence[str] | None
) -> tuple[Host[Any], Sequence[Worker]]:
    store = Store(context.name, leads_new=leads_new(context.name))
    host_settings = HostSettings(rest_seconds=_REST_SECONDS)
    host = Host(context, store, ROUTES.get(context.name, ()), clock, owner=own_name(), settings=host_settings)
    host.is_gone = is_gone
    host.road = ROAD
    transport.join(host, keys)
    workers: list[Worker] = [HostWorker(host, keys, clock), Listener(context.name, host)]
    return host, [*workers, *of_host(host, transport, ROUTES.get(context.name, ()), SENDERS[context.name])]


def signals(transport: LocalTransport, clock: Clock, _: Part) -> Sequence[Worker]:
    """Return the workers that keep a process for each set, and pass on to it what is committed here."""
    channels = Channels(SIGNALS.name)
    transport.attach(SIGNALS.name, channels, None)
    limits = Limits(memory_mb=settings.SET_MEMORY_MB, cpu_share=settings.SET_CPU_PERCENT / 100.0)
    ask = answered_here(answer, FEEDS.name, _ANSWER_SECONDS)

    def run(name: str, channel: socket.socket, failures: int) -> bool:
        host = Host(
            watched(SIGNALS, ask), Store(SIGNALS.name, leads_new=leads_new(SIGNALS.name)), ROUTES[SIGNALS.name], clock,
            owner=own_name(),
            # After a failure bar by bar, so that those before the one that it was about are done with.
            settings=HostSettings(inputs_per_round_max=1) if failures else HostSettings(),
        )  # fmt: skip
        host.road = ROAD
        return run_set(name, host, set_transport(BESIDE), channel, clock)

    return [
        Nursery("sets", SetDirectory(), run, limits, channels.join, prepare=prepare),
        Listener(SIGNALS.name, channels),
        Listening(),
        *of_sets(channels, _market()),
    ]


def feeds(transport: LocalTransport, clock: Clock, _: Part) -> Sequence[Worker]:
    """Return the workers of the feeds, whose prices the paper broker hears before anybody decides on them."""
    market = PaperMarket(settings.PAPER_DIR / "socket", terms_of, last_closes())
    transport.tap(market.listen)
    host, workers = _host(FEEDS, transport, clock, None)
    beside = Beside(HostLeads(host, unknown=True), clock)

    def heard(shown: list[Shown]) -> None:
        beside.show(shown)
        market.remember(shown)

    host.heard = heard
    sources = FeedsWorker(
        StoredDirectory(clock),
        lambda definition, is_done: adapter_of(definition, clock, _when_done(is_done)),
        clock,
        publish=lambda quotes: transport.show(quotes, quotes.feed, FEEDS.name, int(quotes.event_time_ns.max())),
        beside=beside,
    )
    return [*workers, sources, market]


def _market() -> PaperMarket:
    return PaperMarket(settings.PAPER_DIR / "socket", terms_of)


def _when_done(is_done: Callable[[], bool]) -> Callable[[], bool]:
    """Return what tells whether a feed's messages were sent and everything has been done about them."""
    at_rest = quiet()
    return lambda: is_done() and at_rest()


def quiet() -> Quiet:
    """Return what tells whether the system has come to rest, what was sent to brokers included."""
    return Quiet(list(HOSTED_CONTEXTS), SENDERS, [EdgeAtRest()])


def edge(transport: LocalTransport, clock: Clock, part: Part) -> Sequence[Worker]:
    """Return the worker of the edge."""
    brokers = [PaperBroker(settings.PAPER_DIR / "socket", rates=settings.PAPER_RATES)]
    switch = HeardSwitch(settings.KILL_SWITCH, clock, name=f"edge-{os.getpid()}")
    made = Edge(Ledger(), brokers, switch, clock, owner=own_name())
    made.is_gone = is_gone
    worker = EdgeWorker(made, part.of(SHARDS), transport)
    worker.road = ROAD
    return [worker, *of_edge(worker, transport, clock)]


def paper(_: LocalTransport, clock: Clock, __: Part) -> Sequence[Worker]:
    """Return the worker of the paper broker."""
    return [PaperWorker(settings.PAPER_DIR, clock, settings.PAPER_RATES)]


def prices(_: LocalTransport, __: Clock, ___: Part) -> Sequence[Worker]:
    """Return the workers that tell the paper broker the prices of feeds whose bars nobody else in the app gets."""
    return of_prices(_market())


UNREAD = unread({READER: SOURCES, BOOKS_READER: ("execution",)})
"""What tells who still has to read a record of a log before it may be dropped."""


def followed() -> list[Source]:
    """Return the logs that reporting reads, to their ends: they are read, never asked for, so nobody waits for it."""
    return logs(SentOrders())


def reporting(_: LocalTransport, __: Clock, ___: Part) -> Sequence[Worker]:
    """Return the worker of the read models."""
    return [FollowerWorker("reporting", lambda: Follower(followed(), Projector(), GivingWay()), 1.0, ROAD)]


def alerts(_: LocalTransport, __: Clock, ___: Part) -> Sequence[Worker]:
    """Return the worker that looks at the rules of alerts."""
    return [AlertsWorker()]


def comparator(_: LocalTransport, __: Clock, ___: Part) -> Sequence[Worker]:
    """Return the workers that compare what followers would have decided with what was, and guard those who lead.

    They also answer what services ask of feeds, and tell feeds of sets where no other process does.
    """
    from extract.answering import AnsweringWorker
    from extract.comparator.worker import ComparatorWorker
    from extract.guarding import GuardWorker
    from settings.topics import TOPICS

    return [
        ComparatorWorker(settings.KAFKA, TOPICS),
        GuardWorker(settings.KAFKA, TOPICS),
        AnsweringWorker(SIGNALS.name, FEEDS.name, settings.KAFKA, TOPICS, answer, [FindBars]),
        *([Listening()] if SIGNALS.name in settings.EXTRACTED else []),
    ]


def books(_: LocalTransport, __: Clock, ___: Part) -> Sequence[Worker]:
    """Return the worker that keeps each account's tradebook and orderbook on the disk."""
    # A file is opened for what has come for it, so the longer between looks, the less each line costs.
    way = GivingWay()
    keeper = BooksKeeper(settings.BOOKS_DIR, boot_name(), give_way=way)
    return [FollowerWorker("books", lambda: Follower([Log("execution")], keeper, way), poll_seconds=5.0)]


def webhooks(_: LocalTransport, __: Clock, ___: Part) -> Sequence[Worker]:
    """Return the worker that sends to webhooks."""
    return [WhenWanted()]


def marks(_: LocalTransport, clock: Clock, __: Part) -> Sequence[Worker]:
    """Return the worker that has accounts valued at the prices of now."""
    return [Marking(last_closes(), clock)]


def switch(_: LocalTransport, clock: Clock, __: Part) -> Sequence[Worker]:
    """Return the worker of the central kill switch."""
    return [CentralSwitch(settings.KILL_SWITCH, clock)]


ROLES: Roles = {
    role.name: role
    for role in (
        # First, because it forks: before anything else of its process has threads or connections.
        Role("signals", "core", "strategy sets, each in a process of its own: bars in, targets out", signals),
        Role(
            "feeds", "core", "market data: reads the sources of `feeds list`, checks what they give, closes bars", feeds
        ),
        Role("marks", "core", "prices of now: has accounts valued while nothing of theirs is traded", marks),
        Role("execution", "shards", "accounts and books: targets in, orders out", hosted(EXECUTION, SHARDS), PARTS),
        Role("risk", "shards", "limits: approves orders, or refuses them with a reason", hosted(RISK, SHARDS), PARTS),
        Role("edge", "shards", "broker sessions: sends approved orders, once", edge, PARTS),
        Role("paper", "paper", "the paper broker, with a ledger of its own", paper),
        *(
            [Role("prices", "prices", "bars of the service of feeds: tells them to the paper broker", prices)]
            if {FEEDS.name, SIGNALS.name} <= set(settings.EXTRACTED)
            else []
        ),
        Role(
            "reporting",
            "reporting",
            "read models: what became of orders, fills, positions, profit",
            reporting,
            niceness=_LEAST,
        ),
        Role(
            "comparator",
            "reporting",
            "services that follow: how their decisions differ from those here",
            comparator,
            niceness=_LEAST,
        ),
        Role("alerts", "reporting", "alerts: rules looked at, what they find raised once", alerts, niceness=_LEAST),
        Role(
            "webhooks",
            "books",
            "what streams of the API tell, sent to those who asked for it",
            webhooks,
            niceness=_LEAST,
        ),
        Role("books", "books", "tradebooks and orderbooks: a file of each for every account", books, niceness=_LEAST),
        Role("switch", "switch", "the kill switch: says that orders may go out, as long as they may", switch),
    )
    if role.name not in settings.EXTRACTED
}
