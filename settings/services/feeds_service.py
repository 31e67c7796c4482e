"""What the service of feeds is made of."""

from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka.admin import AdminClient
from django.conf import settings

from apps.feeds.beside import Beside, HostLeads
from apps.feeds.contracts import BAR_COLUMNS, BarClosed, ReceiveBars
from apps.feeds.core import FEEDS, listeners_of
from apps.feeds.defined import adapter_of
from apps.feeds.directory import StoredDirectory
from apps.feeds.worker import FeedsWorker
from banyan.clock import Clock
from banyan.columns import ints
from banyan.context import Context
from banyan.host import Host, Route
from banyan.messages import Received
from banyan.process import Worker
from extract.service import Service
from settings.topics import TOPICS

HOSTED_CONTEXTS: Mapping[str, Context[Any]] = {FEEDS.name: FEEDS}


def made() -> Service:
    """Return the service."""
    return Service(
        context=FEEDS,
        routes=[Route(BarClosed, "signals", listeners_of)],
        receivers=["signals"],
        senders=[],
        keys=feeds,
        cluster=settings.KAFKA,
        topics=TOPICS,
        leads_new="feeds" in settings.EXTRACTED,
        rehearse=rehearse,
        beside=sources,
    )


def feeds() -> Sequence[str]:
    """Return the feeds whose log has a topic. Raises banyan.kafka.KafkaError and KafkaException."""
    begins = TOPICS.name(FEEDS.name, FEEDS.name, "x").removesuffix("x.v1")
    topics = AdminClient(settings.KAFKA.options()).list_topics(timeout=5.0).topics
    return sorted(each.removeprefix(begins).removesuffix(".v1") for each in topics if each.startswith(begins))


def sources(host: Host[Any], clock: Clock) -> Sequence[Worker]:
    """Return the worker of the sources, which are opened here too while the app leads: what they give is compared."""
    beside = Beside(HostLeads(host, unknown=None), clock)
    host.heard = beside.show
    return [
        FeedsWorker(
            StoredDirectory(clock),
            lambda definition, is_done: adapter_of(definition, clock, is_done),
            clock,
            beside=beside,
        )
    ]


def rehearse() -> None:
    """Let in one bar of a feed that nobody has, with nobody watching."""
    columns: dict[str, Any] = {name: ints([100]) for name in BAR_COLUMNS}
    bars = ReceiveBars(feed="rehearsal", interval_ns=60, closed_at_ns=120, instruments=["REHEARSAL:ANY"], **columns)
    state = FEEDS.new_state("rehearsal")
    received = Received(message=bars, id="rehearsal", key="rehearsal", received_at_ns=1, event_time_ns=1)
    for event in FEEDS.decide(state, received):
        state = FEEDS.evolve(state, event)
