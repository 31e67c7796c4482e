"""What a hundred strategies on fifty instruments cost, whose bars all close every second.

`measure` runs this file in a process of its own, which starts the roles `feeds` and `signals`, with a process for each
set, on an embedded server that commits to the disk. Every strategy changes its mind on every instrument at every bar.
What is measured runs from the close, when the bars are handed in, to the commit of the last target.
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
from tests.benchmarks.measure import Row
from tests.benchmarks.report import Table
from tests.benchmarks.signals_core import DATAGRAM
from tests.benchmarks.tree import HERE, PROBE, hand_in_bars, measured_apart, memory_of, running
from tests.benchmarks.works import OURS, Must

P99 = f"{OURS}: 99 % of closes"
INSTRUMENTS = 50
STRATEGIES = 100
READY_SECONDS_MAX = 300.0
LOST_SECONDS = 10.0
WARMING = 10

# (name, sets, whether a strategy has all instruments as its channels, or one for each)
FIGURES = (
    ("signals-4", 4, False),
    ("signals-20", 20, True),
    ("signals-100", 100, True),
)


def measure(*, quick: bool = False) -> Iterator[Table]:
    """Yield the tables of how long after a close the last target is committed."""
    for name, sets, takes_all in FIGURES:
        held, closes = (min(sets, 2), 5) if quick else (sets, 120)
        found = measured_apart("tests.benchmarks.signals", held, closes, int(takes_all))
        seconds = found["seconds"]
        last = quantiles(seconds, n=100, method="inclusive")[-1]
        bounds = () if quick or name == "signals-100" else (Must("seconds", 0.1),)
        told = f"{found['strategies']} strategies in {held} sets, {found['megabytes']:.0f} MB in all their processes"
        title = f"bars of {INSTRUMENTS} instruments closed → the last of {found['targets']:,} targets committed"
        yield Table(name, title, "s", [Row(OURS, seconds, told), Row(P99, [last])], bounds)


def _measured(sets: int, closes: int, takes_all: bool) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command

    from banyan.store import Store

    call_command("migrate", verbosity=0, stdout=sys.stderr)
    names, targets = _prepare(sets, takes_all), sets * INSTRUMENTS
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as probe, closing(Store("feeds")) as feeds:
        probe.bind(os.environ[PROBE])
        with running("signals_core.py", "feeds", "signals") as tree:
            until = time.monotonic() + READY_SECONDS_MAX
            while _close(feeds, probe, names, targets, LOST_SECONDS) is None:
                assert time.monotonic() < until, "the sets do not run: see run.log"
            seconds = []
            for number in range(WARMING + closes):
                time.sleep(1.0 - time.time() % 1.0)
                taken = _close(feeds, probe, names, targets, LOST_SECONDS)
                assert taken is not None, "targets got lost: see run.log"
                seconds += [taken] if number >= WARMING else []
            megabytes = sum(each for _, each in memory_of(tree.pid))
    call_command("stop_database", verbosity=0, stdout=io.StringIO())
    return {"seconds": seconds, "targets": targets, "strategies": STRATEGIES if not takes_all else sets,
            "megabytes": megabytes}  # fmt: skip


def _prepare(sets: int, takes_all: bool) -> list[str]:
    from apps.feeds.models import Instrument
    from apps.signals.interface import NewMember, define_set, start_set

    names = [f"BENCH:I{number:02d}" for number in range(INSTRUMENTS)]
    for name in names:
        Instrument.objects.create(id=name, tick_size=1e-5, lot_step=1.0, lot_min=1.0)
    channels = [(name, "1s") for name in names]
    for number in range(sets):
        if takes_all:
            members = [NewMember(str(HERE / "flip_all.py"), channels, {})]
        else:
            share = 1.0 / (STRATEGIES // sets)
            members = [
                NewMember(str(HERE / "flip.py"), [channel], {}, share)
                for _ in range(STRATEGIES // sets)
                for channel in channels
            ]
        define_set(f"set{number:03d}", members)
        start_set(f"set{number:03d}")
    return names


def _close(feeds: Any, probe: socket.socket, names: list[str], targets: int, patience: float) -> float | None:
    """Hand in the bars that close now; return the seconds until the last target was committed, None if not all were."""
    now_ns = time.time_ns()
    hand_in_bars(feeds, "bench", 1_000_000_000, names, now_ns)
    probe.settimeout(patience)
    found, last_ns = 0, now_ns
    try:
        while found < targets:
            committed_ns, closed_ns, count = DATAGRAM.unpack(probe.recv(DATAGRAM.size))
            if closed_ns == now_ns:
                found, last_ns = found + count, max(last_ns, committed_ns)
    except TimeoutError:
        return None
    return float(last_ns - now_ns) / 1e9


if __name__ == "__main__":
    sets, closes, takes_all = map(int, sys.argv[1:])
    sys.stdout.write(json.dumps(_measured(sets, closes, bool(takes_all))) + "\n")
    shutil.rmtree(os.environ["BANYAN_DATA_DIR"], ignore_errors=True)
