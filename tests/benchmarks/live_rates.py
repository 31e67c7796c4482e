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
GIVEN_UP_SECONDS = 2 * LOST_SECONDS
"""After how long without one no more orders are waited for: those that are left were given up at their deadlines."""
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
        late, given_up = found["seconds"], found["given_up"]
        rows = [
            Row(OURS, late, f"{len(late):,} signals; orders given up at their deadline: {given_up:,}"),
            growth_row(late, given_up),
            Row(FOLDED, [found["folded"]]),
            Row(DRAINED, [found["drained"]]),
        ]
        bounds = (Must("seconds", GROWTH_SECONDS_MAX, GROWTH), Must("seconds", DRAINED_SECONDS_MAX, DRAINED))
        title = f"{rate:g} signals a second for {lasts:g} s: a bar handed in → the last of {held:,} orders accepted"
        yield Table(name, title, "s", rows, () if quick else bounds)


def growth_row(late: Sequence[float], given_up: int) -> Row:
    """Return by how much the delay has grown; where orders were given up it has outgrown their deadline."""
    if given_up or not late:
        return Row(GROWTH, note=f"{given_up:,} orders were too late to be sent")
    third = max(1, len(late) // 3)
    return Row(GROWTH, [median(late[-third:]) - median(late[:third])])


def _measured(accounts: int, rate: float, seconds: float) -> dict[str, Any]:
    with trading(accounts) as tree:
        until(_folded())
        late, given_up = _signals(tree, rate, seconds)
        ended = time.monotonic()
        folded = until(_folded()) - ended
        drained = until(all_read()) - ended
    return {"seconds": late, "given_up": given_up, "folded": folded, "drained": drained}


def _signals(tree: Trading, rate: float, seconds: float) -> tuple[list[float], int]:
    """Hand in bars at a rate; return how late each signal's last order was, and how many orders never came."""
    count = int(rate * seconds)
    handed: list[int] = []

    def hand_in() -> None:
        begins = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, begins + number / rate - time.monotonic()))
            handed.append(tree.hand_in())

    giver = threading.Thread(target=hand_in)
    giver.start()
    accepted: list[tuple[int, int]] = []
    missing = count * tree.accounts
    while missing > 0 and (giver.is_alive() or accepted):
        try:
            accepted.append(tree.accepted(GIVEN_UP_SECONDS))
        except TimeoutError:
            if not giver.is_alive():
                break
            continue
        missing -= accepted[-1][1]
    giver.join()
    return lateness(handed, accepted, tree.accounts), max(0, missing)


def lateness(handed: Sequence[int], accepted: Sequence[tuple[int, int]], accounts: int) -> list[float]:
    """Return how many seconds after its bar the last order of each signal was accepted, of those that all came.

    `accepted` is (time in ns, orders) in order; orders are counted as they come, for one signal after the other.
    """
    late: list[float] = []
    orders = 0
    for written_ns, count in accepted:
        orders += count
        whole = min(orders // accounts, len(handed))
        late += [(written_ns - handed[number]) / 1e9 for number in range(len(late), whole)]
    return late


def _folded() -> Callable[[], bool]:
    """Return what tells whether all contexts have applied what they were sent."""
    from banyan.process import Quiet
    from settings.roles import HOSTED_CONTEXTS, SENDERS

    return Quiet(list(HOSTED_CONTEXTS), SENDERS)


def all_read() -> Callable[[], bool]:
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


def until(is_so: Callable[[], bool], seconds_max: float = REST_SECONDS_MAX) -> float:
    """Wait until something is so; return the time of a monotonic clock then."""
    ends = time.monotonic() + seconds_max
    while not is_so():
        assert time.monotonic() < ends, "it does not come to rest: see run.log"
        time.sleep(0.2)
    return time.monotonic()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measured(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))) + "\n")
    shutil.rmtree(os.environ["BANYAN_DATA_DIR"], ignore_errors=True)
