"""What a hundred strategies on fifty instruments cost, whose bars all close every second.

`measure` runs this file in a process of its own, which starts the roles `feeds` and `signals`, with a process for each
set, on an embedded server that commits to the disk. Every strategy changes its mind on every instrument at every bar.
What is measured runs from the close, when the bars are handed in, to the commit of the last target.
"""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from tests.benchmarks.measure import ROOT, Row
from tests.benchmarks.report import Table
from tests.benchmarks.signals_core import DATAGRAM
from tests.benchmarks.works import OURS, Must
from trading.compiled import data_directory

HERE = Path(__file__).parent
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
        found = _run(held, closes, takes_all)
        seconds = found["seconds"]
        last = quantiles(seconds, n=100, method="inclusive")[-1]
        bounds = () if quick or name == "signals-100" else (Must("seconds", 0.1),)
        told = f"{found['strategies']} strategies in {held} sets, {found['megabytes']:.0f} MB in all their processes"
        title = f"bars of {INSTRUMENTS} instruments closed → the last of {found['targets']:,} targets committed"
        yield Table(name, title, "s", [Row(OURS, seconds, told), Row(P99, [last])], bounds)


def _run(sets: int, closes: int, takes_all: bool) -> dict[str, Any]:
    folder = data_directory() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        environment = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
        environment |= {
            "BANYAN_DATA_DIR": own,
            "BANYAN_BENCH_PROBE": f"{own}/probe",
            "DJANGO_SETTINGS_MODULE": "settings.dev",
            "PYTHONPATH": str(ROOT),
        }
        environment.pop("BANYAN_POSTGRES_DIR", None)
        (Path(own) / "kernels").symlink_to(data_directory() / "kernels")
        command = [sys.executable, "-m", "tests.benchmarks.signals", str(sets), str(closes), str(int(takes_all))]
        answer = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def _measured(sets: int, closes: int, takes_all: bool) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command

    from banyan.store import Store

    call_command("migrate", verbosity=0, stdout=sys.stderr)
    names, targets = _prepare(sets, takes_all), sets * INSTRUMENTS
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as probe, closing(Store("feeds")) as feeds:
        probe.bind(os.environ["BANYAN_BENCH_PROBE"])
        with _running() as tree:
            until = time.monotonic() + READY_SECONDS_MAX
            while _close(feeds, probe, names, targets, LOST_SECONDS) is None:
                assert time.monotonic() < until, "the sets do not run: see run.log"
            seconds = []
            for number in range(WARMING + closes):
                time.sleep(1.0 - time.time() % 1.0)
                taken = _close(feeds, probe, names, targets, LOST_SECONDS)
                assert taken is not None, "targets got lost: see run.log"
                seconds += [taken] if number >= WARMING else []
            megabytes = _megabytes(tree.pid)
    call_command("stop_database", verbosity=0, stdout=io.StringIO())
    return {"seconds": seconds, "targets": targets, "strategies": STRATEGIES if not takes_all else sets,
            "megabytes": megabytes}  # fmt: skip


def _prepare(sets: int, takes_all: bool) -> list[str]:
    from apps.feeds.models import Instrument
    from apps.signals.sets import NewMember, define_set, start_set

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


@contextmanager
def _running() -> Iterator["subprocess.Popen[bytes]"]:
    with (data_directory() / "run.log").open("wb") as log:
        command = [sys.executable, str(HERE / "signals_core.py"), "run", "feeds", "signals"]
        tree = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield tree
        finally:
            tree.send_signal(signal.SIGTERM)
            tree.wait(timeout=60)


def _close(feeds: Any, probe: socket.socket, names: list[str], targets: int, patience: float) -> float | None:
    """Hand in the bars that close now; return the seconds until the last target was committed, None if not all were."""
    from apps.feeds.contracts import BAR_COLUMNS, ReceiveBars
    from banyan.columns import ints
    from banyan.transport import Command, ask

    now_ns = time.time_ns()
    prices = {name: ints([110_002 if name.startswith("ask") else 110_000] * len(names)) for name in BAR_COLUMNS}
    bars = ReceiveBars(
        feed="bench", interval_ns=1_000_000_000, closed_at_ns=now_ns, instruments=names,
        **(prices | {"volume_e6": ints([-1] * len(names))}),
    )  # fmt: skip
    ask(feeds, [Command("bench", bars, f"bench-{now_ns}")], now_ns)
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


def _megabytes(root: int) -> float:
    """Return what a process and all below it take: what each has for itself, and its part of what it shares."""
    kilobytes = int(Path(f"/proc/{root}/smaps_rollup").read_text().partition("\nPss:")[2].split()[0])
    children = Path(f"/proc/{root}/task/{root}/children").read_text().split()
    return kilobytes / 1024 + sum(_megabytes(int(child)) for child in children)


if __name__ == "__main__":
    sets, closes, takes_all = map(int, sys.argv[1:])
    sys.stdout.write(json.dumps(_measured(sets, closes, bool(takes_all))) + "\n")
    shutil.rmtree(Path(os.environ["BANYAN_DATA_DIR"]), ignore_errors=True)
