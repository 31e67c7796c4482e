"""A whole tree of `manage.py run` that trades, for measuring: a bar is handed in, and orders come out."""

import io
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from tests.benchmarks.live_core import DATAGRAM
from tests.benchmarks.stages import Heard
from tests.benchmarks.tree import HERE, PROBE, hand_in_bars, memory_of, running

READY_SECONDS_MAX = 600.0
LOST_SECONDS = 10.0
BETWEEN_SECONDS = 0.25
_LOST_MAX = 10


@dataclass(frozen=True, slots=True)
class Trading:
    """A tree whose accounts all trade at every bar."""

    process: int
    feeds: Any
    probe: socket.socket
    stages: Heard
    accounts: int

    def hand_in(self) -> int:
        """Hand in a bar; return when, in ns since 1970 UTC."""
        return _hand_in(self.feeds)

    def accepted(self, patience: float) -> tuple[int, int]:
        """Return the next (time in ns, orders that the broker's socket had accepted by then).

        Raises TimeoutError where none come for so many seconds.
        """
        return _accepted(self.probe, patience)

    def signal(self, patience: float) -> float | None:
        """Hand in a bar; return the seconds until the last account's order was accepted, None if not all came."""
        return signal(self.feeds, self.probe, self.accounts, patience)

    def signal_by_stages(self, patience: float) -> tuple[float, list[float | None]] | None:
        """Do as `signal` does; return the seconds until the last commit of each stage too."""
        handed_ns = time.time_ns()
        taken = self.signal(patience)
        if taken is None:
            return None
        return taken, self.stages.stages(handed_ns, handed_ns + int(taken * 1e9))

    def memory(self) -> list[tuple[str, float]]:
        """Return name and megabytes of each process."""
        return memory_of(self.process)


def prepare(accounts: int, call_command: Any) -> None:
    """Define and start a set that changes its mind at every bar, and open accounts that follow it."""
    quiet = {"stdout": io.StringIO()}
    call_command("load_sample_data", **quiet)
    flip = str(HERE / "flip.py")
    call_command("sets", "define", "bench", strategy=flip, instrument=["OANDA:EURUSD"], interval="1m", **quiet)
    call_command("sets", "start", "bench", **quiet)
    call_command("accounts", "open", "B", count=accounts, deposit=100_000.0, **quiet)
    call_command("accounts", "subscribe", "B", count=accounts, set="bench", **quiet)


@contextmanager
def trading(accounts: int, make: Callable[[int, Any], None] | None = prepare) -> Iterator[Trading]:
    """Run a tree on an embedded server that commits to the disk, and wait until its accounts trade.

    They are made by `make`; None: they are there.
    """
    import django

    django.setup()
    from django.core.management import call_command

    from banyan.store import Store

    call_command("migrate", verbosity=0, stdout=sys.stderr)
    if make is not None:
        make(accounts, call_command)
    probed = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with closing(probed) as probe, closing(Heard()) as stages, closing(Store("feeds")) as feeds:
        probe.bind(os.environ[PROBE])
        with running("live_core.py") as tree:
            made = Trading(tree.pid, feeds, probe, stages, accounts)
            until = time.monotonic() + READY_SECONDS_MAX
            while made.signal(LOST_SECONDS) is None:
                assert time.monotonic() < until, "the accounts do not trade: see run.log"
            yield made
    call_command("stop_database", verbosity=0, stdout=io.StringIO())


def signal(feeds: Any, probe: socket.socket, accounts: int, patience: float) -> float | None:
    """Hand in a bar; return the seconds until the last account's order was accepted, None if they did not all come."""
    handed_ns = _hand_in(feeds)
    orders, written_ns = 0, handed_ns
    try:
        while orders < accounts:
            written_ns, count = _accepted(probe, patience)
            orders += count if written_ns > handed_ns else 0  # what is older was given up
    except TimeoutError:
        return None
    return (written_ns - handed_ns) / 1e9


def make_history(feeds: Any, probe: socket.socket, accounts: int, orders: int) -> tuple[int, float]:
    """Hand in bars until so many orders have been accepted, with one of each account; return how many, and seconds."""
    begun, made, lost = time.monotonic(), accounts, 0
    while made < orders:
        time.sleep(BETWEEN_SECONDS)
        if signal(feeds, probe, accounts, 2 * LOST_SECONDS) is None:  # on a busy machine some are given up
            lost += 1
            assert lost < _LOST_MAX, "orders got lost: see run.log"
        else:
            made += accounts
    return made, time.monotonic() - begun


def _hand_in(feeds: Any) -> int:
    now_ns = time.time_ns()
    hand_in_bars(feeds, "oanda", 60_000_000_000, ["OANDA:EURUSD"], now_ns)
    return now_ns


def _accepted(probe: socket.socket, patience: float) -> tuple[int, int]:
    probe.settimeout(patience)
    written_ns, count = DATAGRAM.unpack(probe.recv(DATAGRAM.size))
    return written_ns, count
