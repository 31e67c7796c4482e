"""What the live pipeline costs: from a bar to orders that the broker's socket has accepted, and what it takes.

`measure` runs this file in a process of its own, which starts the whole tree of `manage.py run`, the paper broker in a
process of its own among it, on an embedded server that commits to the disk. A signal is a bar that changes the target
of every account. The next one is handed in when all orders of the one before have been handed over, after a pause in
which fills are booked; how it keeps up with bars that do not wait is measured by `live_rates`.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Collection, Iterator
from statistics import quantiles
from typing import Any

from tests.benchmarks import live_rates
from tests.benchmarks.live_tree import LOST_SECONDS, trading
from tests.benchmarks.measure import Row
from tests.benchmarks.report import Table
from tests.benchmarks.stages import columns_of
from tests.benchmarks.tree import measured_apart
from tests.benchmarks.works import OURS, Must

P99 = f"{OURS}: 99 % of signals"
WARMING = 5

# (name, accounts, signals, pause in s, bounds of p50 and p99 in s)
FIGURES = (
    ("live-1", 1, 2_000, 0.02, 0.008, 0.020),
    ("live-10000", 10_000, 300, 0.4, 0.050, 0.100),
)
CURVE = "live-memory"
CURVE_ACCOUNTS = (1_000, 10_000, 50_000)


def measure(*, quick: bool = False, only: Collection[str] = ()) -> Iterator[Table]:
    """Yield the tables of how fast a signal reaches the broker, of rates, and of memory; of those in `only`, if any."""
    for name, accounts, signals, pause, p50, p99 in FIGURES:
        if only and name not in only:
            continue
        held, count = (min(accounts, 20), 5) if quick else (accounts, signals)
        found = measured_apart("tests.benchmarks.live", held, count, pause)
        seconds = found["seconds"]
        last = quantiles(seconds, n=100, method="inclusive")[-1]
        bounds = () if quick else (Must("seconds", p50), Must("seconds", p99, P99))
        rows = [Row(OURS, seconds, f"{count:,} signals"), Row(P99, [last])]
        rows += [Row(f"{OURS}: to the commit of {name}", each) for name, each in found["stages"].items() if each]
        yield Table(name, f"a bar handed in → the last of {held:,} orders accepted by the broker", "s", rows, bounds)
        memory = [Row(OURS, [found["megabytes"]], ", ".join(found["processes"]))]
        limit = None if quick or accounts < 10_000 else 600.0
        yield Table(f"{name}-memory", f"memory of all processes with {held:,} accounts", "MB", memory, limit=limit)
    yield from live_rates.measure(quick=quick, only=only)
    if not only or CURVE in only:
        yield _curve([10, 20] if quick else CURVE_ACCOUNTS)


def _curve(sizes: Collection[int]) -> Table:
    rows = []
    for accounts in sizes:
        found = measured_apart("tests.benchmarks.live", accounts, 5, 0.5)
        processes = ", ".join(found["processes"])
        rows.append(Row(f"{OURS}: {accounts:,} accounts", [found["megabytes"]], processes))
    return Table(CURVE, "memory of all processes after a few signals", "MB", rows)


def _measured(accounts: int, signals: int, pause: float) -> dict[str, Any]:
    seconds, stages = [], []
    with trading(accounts) as tree:
        for number in range(WARMING + signals):
            time.sleep(pause)  # for fills to be booked, as between bars
            found = tree.signal_by_stages(LOST_SECONDS * 6)
            assert found is not None, "orders got lost: see run.log"
            if number >= WARMING:
                seconds.append(found[0])
                stages.append(found[1])
        processes = tree.memory()
    shown = [f"{name} {megabytes:.0f}" for name, megabytes in processes]
    megabytes = sum(each for _, each in processes)
    return {"seconds": seconds, "stages": columns_of(stages), "megabytes": megabytes, "processes": shown}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measured(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))) + "\n")
    shutil.rmtree(os.environ["BANYAN_DATA_DIR"], ignore_errors=True)
