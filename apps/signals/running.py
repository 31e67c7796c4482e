"""A set in a process of its own: its host, and what ends the process when a strategy fails."""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

import msgspec
import psycopg
from django.db import OperationalError, connections

from apps.feeds.contracts import BarClosed
from apps.feeds.interface import bars_before
from apps.signals.contracts import ChannelSpec, WarmUp
from apps.signals.errors import StrategyError
from apps.signals.minds import mind_of
from apps.signals.registry import get_strategy
from apps.signals.state import SetState
from banyan.calls import CALLS
from banyan.clock import Clock
from banyan.context import Context
from banyan.host import Host
from banyan.messages import Message, Received
from banyan.process import HostWorker, Role, Worker, is_gone, run_roles
from banyan.transport import ChannelListener, LocalTransport

_LOGGER = logging.getLogger(__name__)
Result = TypeVar("Result")
PREPARED = (("sma_cross", 1), ("momentum_rank", 2))
"""Strategies that ship, and on how many channels each: all that others need is compiled with them."""


def prepare() -> None:
    """Load what all strategies need, by compiling two that ship: what comes after shares it, and is there at once."""
    for name, count in PREPARED:
        strategy = get_strategy(name)
        channels = [ChannelSpec(instrument=str(each), interval_ns=1, tick_e9=1) for each in range(count)]
        mind_of(strategy, strategy.bind(), channels)


def run_set(name: str, host: Host[SetState], transport: LocalTransport, channel: socket.socket, clock: Clock) -> bool:
    """Run the host of one set until SIGTERM, or until the other end of `channel` is closed; return whether all is well.

    Its context is one that `watched` has returned: where a strategy fails the process ends at once and says why, and
    what it has left behind is not used.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    host.is_gone = is_gone
    transport.join(host, [name])
    workers: list[Worker] = [HostWorker(host, [name], clock), ChannelListener(host, channel)]
    return run_roles([Role(name, name, "", lambda *_: workers)], transport, clock, stop)


def watched(context: Context[SetState]) -> Context[SetState]:
    """Return the context for a process of its own: its first bars warm it up, and a strategy that fails ends it."""
    return replace(
        context,
        decide=_ends_process(_warming(context)),
        evolve=_ends_process(context.evolve),
        from_snapshot=_ends_process(context.from_snapshot),
    )


def _warming(context: Context[SetState]) -> Callable[[SetState, Received], Sequence[Message]]:
    """Return how a set decides here: what strategies are to see before their first bars is read, and goes before them.

    It becomes an event in the record of these bars, so that replay needs nobody to read it again.
    """

    def decide(state: SetState, received: Received) -> Sequence[Message]:
        if not (state.is_cold and isinstance(received.message, BarClosed)) or state.unready:
            return context.decide(state, received)
        history = WarmUp(bars=_history(state, received.message))
        events = context.decide(state, msgspec.structs.replace(received, message=history))
        warmed = state.copy()
        for event in events:
            warmed = context.evolve(warmed, event)
        return [*events, *context.decide(warmed, received)]

    return decide


def _history(state: SetState, first: BarClosed) -> list[BarClosed]:
    try:
        return bars_before(first.feed, state.how_much_to_warm_up(), first.closed_at_ns)
    except OperationalError as problem:  # as a host knows it, which tries again later
        connections["feeds"].close()
        raise psycopg.OperationalError(str(problem)) from problem


def _ends_process(function: Callable[..., Result]) -> Callable[..., Result]:
    def called(*arguments: Any) -> Result:
        try:
            return function(*arguments)
        except StrategyError as problem:
            _end(str(problem))
        except MemoryError:
            _end(f"{CALLS.place or 'it'} asked for more memory than it may take")

    return called


def _end(reason: str) -> NoReturn:
    CALLS.fail(reason)
    _LOGGER.error("the process ends: %s", reason)
    sys.stderr.flush()
    os._exit(1)
