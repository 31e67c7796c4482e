"""How long it takes after a crash until every account trades again, with a long history behind it.

`measure` runs this file in a process of its own. The history is made by the tree of `manage.py run` itself: bars that
change every account's target, one after the other, until so many orders have been accepted. Then the tree is killed as
the machine would kill it, and started again; bars go on coming, and what is measured ends with the last order of the
first bar that all accounts have answered.
"""

import io
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from tests.benchmarks.live_core import DATAGRAM
from tests.benchmarks.live_tree import LOST_SECONDS, READY_SECONDS_MAX, make_history, prepare, signal
from tests.benchmarks.measure import Row
from tests.benchmarks.report import Table
from tests.benchmarks.tree import PROBE, kill_all, measured_apart, running
from tests.benchmarks.works import OURS, Must

ACCOUNTS, ORDERS, RESTARTS = 10_000, 1_000_000, 3
BOUND = 10.0
PATIENCE_SECONDS = 0.75


def measure(*, quick: bool = False) -> Iterator[Table]:
    """Yield the table of how fast the tree trades again after it was killed."""
    accounts, orders, restarts = (20, 100, 1) if quick else (ACCOUNTS, ORDERS, RESTARTS)
    found = measured_apart("tests.benchmarks.restart", accounts, orders, restarts)
    history = f"{found['orders']:,} orders of history, made in {found['made_in']:.0f} s"
    rows = [Row(OURS, found["seconds"], history)]
    bounds = () if quick else (Must("seconds", BOUND),)
    title = f"`manage.py run` after it was killed → all of {accounts:,} accounts have an order accepted"
    yield Table("restart", title, "s", rows, bounds)


def _measured(accounts: int, orders: int, restarts: int) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command

    from banyan.store import Store

    call_command("migrate", verbosity=0, stdout=sys.stderr)
    prepare(accounts, call_command)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as probe, closing(Store("feeds")) as feeds:
        probe.bind(os.environ[PROBE])
        with running("live_core.py") as tree:
            until = time.monotonic() + READY_SECONDS_MAX
            while signal(feeds, probe, accounts, LOST_SECONDS) is None:
                assert time.monotonic() < until, "the accounts do not trade: see run.log"
            made, made_in = make_history(feeds, probe, accounts, orders)
            kill_all(tree.pid)
        seconds = []
        for _ in range(restarts):
            started_ns = time.time_ns()
            with running("live_core.py") as tree:
                while True:
                    _forget(probe)
                    asked_ns = time.time_ns()
                    taken = signal(feeds, probe, accounts, PATIENCE_SECONDS)
                    if taken is not None:
                        seconds.append((asked_ns - started_ns) / 1e9 + taken)
                        break
                kill_all(tree.pid)
    call_command("stop_database", verbosity=0, stdout=io.StringIO())
    return {"seconds": seconds, "orders": made, "made_in": made_in}


def _forget(probe: socket.socket) -> None:
    """Read away what still comes of bars that not all accounts could answer."""
    probe.settimeout(0.0)
    with suppress(BlockingIOError):
        while True:
            probe.recv(DATAGRAM.size)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measured(*map(int, sys.argv[1:4]))) + "\n")
    shutil.rmtree(os.environ["BANYAN_DATA_DIR"], ignore_errors=True)
