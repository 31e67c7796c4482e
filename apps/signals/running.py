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

import psycopg

from apps.feeds.contracts import BarClosed, BarsFound, BarsWanted, FindBars
from apps.signals.contracts import ChannelSpec
from apps.signals.core import again, warmed
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
from banyan.transport.questions import Ask, NoAnswerError

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


def watched(context: Context[SetState], ask: Ask) -> Context[SetState]:
    """Return the context for a process of its own: its first bars warm it up, and a strategy that fails ends it.

    What came before these bars is asked of feeds.
    """
    return replace(
        context,
        decide=_ends_process(_warming(context, ask)),
        evolve=_ends_process(context.evolve),
        again=_ends_process(again),
        from_snapshot=_ends_process(context.from_snapshot),
    )


def _warming(context: Context[SetState], ask: Ask) -> Callable[[SetState, Received], Sequence[Message]]:
    """Return how a set decides here: what strategies are to see before their first bars is asked for, and comes first.

    It becomes an event in the record of these bars, so that neither replay nor who follows has to ask again.
    """

    def decide(state: SetState, received: Received) -> Sequence[Message]:
        if not (state.is_cold and isinstance(received.message, BarClosed)) or state.unready:
            return context.decide(state, received)
        return warmed(state, received, _history(state, received.message, ask))

    return decide


def _history(state: SetState, first: BarClosed, ask: Ask) -> list[BarClosed]:
    wanted = [
        BarsWanted(instrument=instrument, interval_ns=interval_ns, count=count)
        for (instrument, interval_ns), count in state.how_much_to_warm_up().items()
    ]
    try:
        found = ask(FindBars(feed=first.feed, before_ns=first.closed_at_ns, wanted=wanted))
    except NoAnswerError as problem:  # as a host knows it, which tries again later
        raise psycopg.OperationalError(str(problem)) from problem
    assert isinstance(found, BarsFound)
    return found.bars


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
