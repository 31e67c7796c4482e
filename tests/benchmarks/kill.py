"""How long orders still go out after the kill switch is thrown, while more of them wait than their broker takes.

`measure` runs this file in a process of its own, which starts the tree of `manage.py run` with a paper broker that has
limits. Bars come faster than their orders may go. The switch is thrown in the middle, and what is measured ends with
the last write to the broker, or when the switch is on the disk, whichever is later.
"""

import json
import os
import random
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from tests.benchmarks.live_core import DATAGRAM
from tests.benchmarks.live_tree import LOST_SECONDS, READY_SECONDS_MAX, prepare, signal
from tests.benchmarks.measure import Row
from tests.benchmarks.report import Table
from tests.benchmarks.tree import PROBE, hand_in_bars, measured_apart, running
from tests.benchmarks.works import OURS, Must

WORST = f"{OURS}: the longest"
ACCOUNTS, THROWS, PER_SECOND = 1_000, 40, 1_000
BARS = 4
QUIET_SECONDS = 0.25
BOUND = 0.05


def measure(*, quick: bool = False) -> Iterator[Table]:
    """Yield the table of how fast the kill switch stops orders."""
    accounts, throws = (20, 3) if quick else (ACCOUNTS, THROWS)
    found = measured_apart("tests.benchmarks.kill", accounts, throws)
    seconds = found["seconds"]
    waiting = f"{throws} throws, {found['waiting']:,} of {found['asked']:,} orders were still to go"
    rows = [Row(OURS, seconds, waiting), Row(WORST, [max(seconds)])]
    bounds = () if quick else (Must("seconds", BOUND), Must("seconds", BOUND, WORST))
    title = f"the kill switch is thrown → nothing more is written, {accounts:,} accounts behind a backlog"
    yield Table("kill", title, "s", rows, bounds)


def _measured(accounts: int, throws: int) -> dict[str, Any]:
    os.environ["BANYAN_PAPER_ORDERS_PER_SECOND"] = str(PER_SECOND)
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from apps.execution.edge.kill_switch import KillSwitch
    from banyan.store import Store

    call_command("migrate", verbosity=0, stdout=sys.stderr)
    prepare(accounts, call_command)
    switch, dice = KillSwitch(settings.KILL_SWITCH), random.Random(1)
    seconds, gone = [], 0
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as probe, closing(Store("feeds")) as feeds:
        probe.bind(os.environ[PROBE])
        with running("live_core.py"):
            until = time.monotonic() + READY_SECONDS_MAX
            while signal(feeds, probe, accounts, LOST_SECONDS) is None:
                assert time.monotonic() < until, "the accounts do not trade: see run.log"
            for _ in range(throws):
                for _ in range(BARS):
                    hand_in_bars(feeds, "oanda", 60_000_000_000, ["OANDA:EURUSD"], time.time_ns())
                gone += _heard(probe, LOST_SECONDS)[1]  # orders have begun to go
                time.sleep(dice.uniform(0.0, 0.2))
                thrown_ns = time.time_ns()
                switch.throw("a measurement")
                latched_ns = time.time_ns()
                last_ns = latched_ns
                while (told := _heard(probe, QUIET_SECONDS))[1]:
                    last_ns, gone = max(last_ns, told[0]), gone + told[1]
                seconds.append((last_ns - thrown_ns) / 1e9)
                switch.lift()
    call_command("stop_database", verbosity=0)
    asked = accounts * BARS * throws
    return {"seconds": seconds, "asked": asked, "waiting": asked - gone}


def _heard(probe: socket.socket, patience: float) -> tuple[int, int]:
    """Return when orders were written next, and how many; 0 where none are."""
    probe.settimeout(patience)
    try:
        written_ns, count = DATAGRAM.unpack(probe.recv(DATAGRAM.size))
    except TimeoutError:
        return 0, 0
    return int(written_ns), int(count)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measured(int(sys.argv[1]), int(sys.argv[2]))) + "\n")
    shutil.rmtree(os.environ["BANYAN_DATA_DIR"], ignore_errors=True)
