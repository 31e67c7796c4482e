"""What the live pipeline costs: from a bar to orders that the broker's socket has accepted.

`measure` runs this file in a process of its own, which starts the whole tree of `manage.py run`, the paper broker in a
process of its own among it, on an embedded server that commits to the disk. A signal is a bar that changes the target
of every account. The next one is handed in when all orders of the one before have been handed over, after a pause in
which fills are booked.
"""

import io
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from statistics import quantiles
from typing import Any

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from tests.benchmarks.live_core import DATAGRAM
from tests.benchmarks.measure import Row
from tests.benchmarks.report import Table
from tests.benchmarks.tree import HERE, PROBE, hand_in_bars, measured_apart, memory_of, running
from tests.benchmarks.works import OURS, Must

P99 = f"{OURS}: 99 % of signals"
READY_SECONDS_MAX = 600.0
LOST_SECONDS = 10.0
WARMING = 5

# (name, accounts, signals, pause in s, bounds of p50 and p99 in s)
FIGURES = (
    ("live-1", 1, 2_000, 0.02, 0.008, 0.020),
    ("live-10000", 10_000, 300, 0.4, 0.050, 0.100),
)


def measure(*, quick: bool = False) -> Iterator[Table]:
    """Yield the tables of how fast a signal reaches the broker, and of the memory that the tree takes."""
    for name, accounts, signals, pause, p50, p99 in FIGURES:
        held, count = (min(accounts, 20), 5) if quick else (accounts, signals)
        found = measured_apart("tests.benchmarks.live", held, count, pause)
        seconds = found["seconds"]
        last = quantiles(seconds, n=100, method="inclusive")[-1]
        bounds = () if quick else (Must("seconds", p50), Must("seconds", p99, P99))
        rows = [Row(OURS, seconds, f"{count:,} signals"), Row(P99, [last])]
        yield Table(name, f"a bar handed in → the last of {held:,} orders accepted by the broker", "s", rows, bounds)
        memory = [Row(OURS, [found["megabytes"]], ", ".join(found["processes"]))]
        limit = None if quick or accounts < 10_000 else 600.0
        yield Table(f"{name}-memory", f"memory of all processes with {held:,} accounts", "MB", memory, limit=limit)


def _measured(accounts: int, signals: int, pause: float) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command

    from banyan.store import Store

    call_command("migrate", verbosity=0, stdout=sys.stderr)
    _prepare(accounts, call_command)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as probe, closing(Store("feeds")) as feeds:
        probe.bind(os.environ[PROBE])
        with running("live_core.py") as tree:
            until = time.monotonic() + READY_SECONDS_MAX
            while _signal(feeds, probe, accounts, LOST_SECONDS) is None:
                assert time.monotonic() < until, "the accounts do not trade: see run.log"
            seconds = []
            for number in range(WARMING + signals):
                time.sleep(pause)  # for fills to be booked, as between bars
                taken = _signal(feeds, probe, accounts, LOST_SECONDS * 6)
                assert taken is not None, "orders got lost: see run.log"
                seconds += [taken] if number >= WARMING else []
            processes = memory_of(tree.pid)
    call_command("stop_database", verbosity=0, stdout=io.StringIO())
    shown = [f"{name} {megabytes:.0f}" for name, megabytes in processes]
    return {"seconds": seconds, "megabytes": sum(each for _, each in processes), "processes": shown}


def _prepare(accounts: int, call_command: Any) -> None:
    quiet = {"stdout": io.StringIO()}
    call_command("load_sample_data", **quiet)
    flip = str(HERE / "flip.py")
    call_command("sets", "define", "bench", strategy=flip, instrument=["OANDA:EURUSD"], interval="1m", **quiet)
    call_command("sets", "start", "bench", **quiet)
    call_command("accounts", "open", "B", count=accounts, deposit=100_000.0, **quiet)
    call_command("accounts", "subscribe", "B", count=accounts, set="bench", **quiet)


def _signal(feeds: Any, probe: socket.socket, accounts: int, patience: float) -> float | None:
    """Hand in a bar; return the seconds until the last account's order was accepted, None if they did not all come."""
    now_ns = time.time_ns()
    hand_in_bars(feeds, "oanda", 60_000_000_000, ["OANDA:EURUSD"], now_ns)
    probe.settimeout(patience)
    orders = 0
    try:
        while orders < accounts:
            written_ns, count = DATAGRAM.unpack(probe.recv(DATAGRAM.size))
            orders += count
    except TimeoutError:
        return None
    return float(written_ns - now_ns) / 1e9


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measured(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))) + "\n")
    shutil.rmtree(os.environ["BANYAN_DATA_DIR"], ignore_errors=True)
