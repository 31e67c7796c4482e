"""Whether the live pipeline keeps up with signals that do not wait for one another.

`measure` runs this file in a process of its own, which starts the whole tree and hands in bars at a rate. It measures
when the last order of each signal was accepted, and after the last signal when all fills are folded and when read
models and books have been drained.
"""

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from statistics import median
from typing import Any

from tests.benchmarks.live_tree import LOST_SECONDS, Trading, trading
from tests.benchmarks.measure import Row
from tests.benchmarks.report import Table
from tests.benchmarks.tree import measured_apart
from tests.benchmarks.works import OURS, Must

GROWTH = f"{OURS}: by how much more in the last third than in the first"
FOLDED = f"{OURS}: from the last bar until fills are folded"
DRAINED = f"{OURS}: from the last bar until read models and books are drained"
REST_SECONDS_MAX = 900.0
GROWTH_SECONDS_MAX = 0.1
DRAINED_SECONDS_MAX = 300.0

# (name, signals a second, accounts, seconds)
FIGURES = (
    ("live-50x1000", 50.0, 1_000, 60.0),
    ("live-5x1000", 5.0, 1_000, 600.0),
)


def measure(*, quick: bool = False, only: Collection[str] = ()) -> Iterator[Table]:
    """Yield the tables of how late signals at a rate are, and of how long what they have left behind takes."""
    for name, rate, accounts, seconds in FIGURES:
        if only and name not in only:
            continue
        held, lasts = (min(accounts, 20), 2.0) if quick else (accounts, seconds)
        found = measured_apart("tests.benchmarks.live_rates", held, rate, lasts)
        late = found["seconds"]
        third = max(1, len(late) // 3)
        growth = median(late[-third:]) - median(late[:third])
        rows = [
            Row(OURS, late, f"{len(late):,} signals"),
            Row(GROWTH, [growth]),
            Row(FOLDED, [found["folded"]]),
            Row(DRAINED, [found["drained"]]),
        ]
        bounds = (Must("seconds", GROWTH_SECONDS_MAX, GROWTH), Must("seconds", DRAINED_SECONDS_MAX, DRAINED))
        title = f"{rate:g} signals a second for {lasts:g} s: a bar handed in → the last of {held:,} orders accepted"
        yield Table(name, title, "s", rows, () if quick else bounds)


def _measured(accounts: int, rate: float, seconds: float) -> dict[str, Any]:
    with trading(accounts) as tree:
        _until(_folded())
        late = _signals(tree, rate, seconds)
        ended = time.monotonic()
        folded = _until(_folded()) - ended
        drained = _until(_drained()) - ended
    return {"seconds": late, "folded": folded, "drained": drained}


def _signals(tree: Trading, rate: float, seconds: float) -> list[float]:
    """Hand in bars at a rate, and return how long after its bar the last order of each signal was accepted."""
    count = int(rate * seconds)
    handed: list[int] = []

    def hand_in() -> None:
        begins = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, begins + number / rate - time.monotonic()))
            handed.append(tree.hand_in())

    giver = threading.Thread(target=hand_in)
    giver.start()
    late: list[float] = []
    orders = 0
    while len(late) < count:
        written_ns, accepted = tree.accepted(LOST_SECONDS * 6)
        orders += accepted
        late += [(written_ns - handed[number]) / 1e9 for number in range(len(late), orders // tree.accounts)]
    giver.join()
    return late


def _folded() -> Callable[[], bool]:
    """Return what tells whether all contexts have applied what they were sent."""
    from banyan.process import Quiet
    from settings.roles import HOSTED_CONTEXTS, SENDERS

    return Quiet(list(HOSTED_CONTEXTS), SENDERS)


def _drained() -> Callable[[], bool]:
    """Return what tells whether read models and books have everything that is in the logs."""
    from apps.reporting.books.keeping import READER as BOOKS
    from apps.reporting.database import connect
    from apps.reporting.following import behind, marks_of
    from apps.reporting.projecting import READER
    from apps.reporting.sources import Log, Source
    from settings.roles import followed

    connection = connect()
    readers: dict[str, Sequence[Source]] = {READER: followed(), BOOKS: [Log("execution")]}
    return lambda: not any(behind(marks_of(connection, reader), sources) for reader, sources in readers.items())


def _until(is_so: Callable[[], bool]) -> float:
    """Wait until something is so; return the time of a monotonic clock then."""
    ends = time.monotonic() + REST_SECONDS_MAX
    while not is_so():
        assert time.monotonic() < ends, "it does not come to rest: see run.log"
        time.sleep(0.2)
    return time.monotonic()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measured(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))) + "\n")
    shutil.rmtree(os.environ["BANYAN_DATA_DIR"], ignore_errors=True)
