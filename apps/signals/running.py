"""A set in a process of its own: its host, and what ends the process when a strategy fails."""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

from apps.signals.core import SIGNALS
from apps.signals.errors import StrategyError
from apps.signals.state import SetState
from banyan.calls import CALLS
from banyan.clock import Clock
from banyan.context import Context
from banyan.host import Host, HostSettings, Route
from banyan.process import HostWorker, Role, Worker, is_gone, own_name, run_roles
from banyan.store import Store
from banyan.transport import ChannelListener, LocalTransport

_LOGGER = logging.getLogger(__name__)
Result = TypeVar("Result")


def run_set(
    name: str, channel: socket.socket, routes: Sequence[Route], senders: Mapping[str, Sequence[str]], clock: Clock
) -> bool:
    """Run the host of one set until SIGTERM, or until the other end of `channel` is closed; return whether all is well.

    Where a strategy fails the process ends at once and says why: what it has left behind is not to be used.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    store = Store(SIGNALS.name)
    host = Host(_watched(SIGNALS), store, routes, clock, owner=own_name(), settings=HostSettings())
    host.is_gone = is_gone
    transport = LocalTransport(senders)
    transport.join(host, [name])
    workers: list[Worker] = [HostWorker(host, [name], clock), ChannelListener(host, channel)]
    return run_roles([Role(name, name, "", lambda *_: workers)], transport, clock, stop)


def _watched(context: Context[SetState]) -> Context[SetState]:
    return replace(
        context,
        decide=_ends_process(context.decide),
        evolve=_ends_process(context.evolve),
        from_snapshot=_ends_process(context.from_snapshot),
    )


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
