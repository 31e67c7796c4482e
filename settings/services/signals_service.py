"""What the service of signals is made of: as in the app, each set has a process of its own."""

import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.conf import settings

from apps.feeds.contracts import BarClosed
from apps.signals.contracts import ChannelSpec, DefineSet, MemberSpec, RunSet
from apps.signals.core import SIGNALS
from apps.signals.directory import SetDirectory
from apps.signals.registry import get_strategy
from apps.signals.running import prepare, run_set, watched
from banyan.clock import SystemClock
from banyan.columns import ints
from banyan.context import Context
from banyan.host import Host, HostSettings
from banyan.messages import Message, Received
from banyan.process import Limits, Nursery, Part, own_name
from banyan.store import Store
from banyan.transport import Channels, LocalTransport, Notified
from banyan.transport.kafka import Asker
from extract.service import Forked, Service
from extract.sharing import Shares
from settings.routes import FROM_SIGNALS
from settings.topics import TOPICS

HOSTED_CONTEXTS: Mapping[str, Context[Any]] = {SIGNALS.name: SIGNALS}
_ANSWER_SECONDS = 30.0


class PartOfSets(SetDirectory):
    """The sets of one part, where several processes share them, and of `shares` of parts that are gone."""

    def __init__(self, part: Part, shares: Shares) -> None:
        super().__init__()
        self._part = part
        self._shares = shares

    def of(self, part: Part) -> Sequence[str]:
        """Return those of any part that were started and are not parked."""
        return sorted(name for name in super().wanted() if part.has(name))

    def wanted(self) -> Collection[str]:
        """Return those that were started and are not parked."""
        return [*self.of(self._part), *self._shares.of(self._part.count, self.of)]


def made() -> Service:
    """Return the service."""
    return Service(
        context=SIGNALS,
        routes=FROM_SIGNALS,
        receivers=["execution"],
        senders=["feeds"],
        keys=(),
        cluster=settings.KAFKA,
        topics=TOPICS,
        leads_new="signals" in settings.EXTRACTED,
        rehearse=rehearse,
        fork=forked,
    )


def forked(part: Part, compare_percent: int) -> Forked:
    """Return what keeps the processes of sets."""
    channels, clock, shares = Channels(SIGNALS.name), SystemClock(), Shares(part.count)
    ask = Asker(SIGNALS.name, "feeds", settings.KAFKA, TOPICS, seconds=_ANSWER_SECONDS)
    context = watched(SIGNALS, ask)

    def run(name: str, channel: socket.socket, failures: int) -> bool:
        store = Store(SIGNALS.name, leads_new="signals" in settings.EXTRACTED)
        host_settings = HostSettings(side="service", compare_percent=compare_percent)
        if failures:  # bar by bar, so that those before the one that it was about are done with
            host_settings = replace(host_settings, inputs_per_round_max=1)
        host = Host(context, store, FROM_SIGNALS, clock, owner=own_name(), settings=host_settings)
        transport = LocalTransport({})
        transport.attach("execution", Notified(SIGNALS.name), None)
        return run_set(name, host, transport, channel, clock)

    limits = Limits(memory_mb=settings.SET_MEMORY_MB, cpu_share=settings.SET_CPU_PERCENT / 100.0)
    nursery = Nursery("sets", PartOfSets(part, shares), run, limits, channels.join, prepare=prepare)
    return Forked(nursery, channels, PartOfSets(part, shares).of, shares)


def rehearse() -> None:
    """Let a set that nobody has see one bar, with nobody watching."""
    channel = ChannelSpec(instrument="REHEARSAL:ANY", interval_ns=60, tick_e9=10_000)
    member = MemberSpec(
        strategy="sma_cross", code_hash=get_strategy("sma_cross").code_hash, parameters={}, channels=[channel]
    )
    one = ints([100])
    bar = BarClosed(
        feed="rehearsal", interval_ns=60, closed_at_ns=120, instruments=[channel.instrument], revision=ints([0]),
        bid_open=one, bid_high=one, bid_low=one, bid_close=one, ask_open=one, ask_high=one, ask_low=one, ask_close=one,
        volume_e6=one,
    )  # fmt: skip
    state = SIGNALS.new_state("rehearsal")
    messages: list[Message] = [
        DefineSet(set="rehearsal", members=[member]), RunSet(set="rehearsal", is_running=True), bar,
    ]  # fmt: skip
    for message in messages:
        received = Received(message=message, id="rehearsal", key="rehearsal", received_at_ns=1, event_time_ns=1)
        for event in SIGNALS.decide(state, received):
            state = SIGNALS.evolve(state, event)
