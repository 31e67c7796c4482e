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
from tests.benchmarks.live_core import DATAGRAM
from tests.benchmarks.measure import ROOT, Row
from tests.benchmarks.report import Table
from tests.benchmarks.works import OURS, Must
from trading.compiled import data_directory

HERE = Path(__file__).parent
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
        found = _run(held, count, pause)
        seconds = found["seconds"]
        last = quantiles(seconds, n=100, method="inclusive")[-1]
        bounds = () if quick else (Must("seconds", p50), Must("seconds", p99, P99))
        rows = [Row(OURS, seconds, f"{count:,} signals"), Row(P99, [last])]
        yield Table(name, f"a bar handed in → the last of {held:,} orders accepted by the broker", "s", rows, bounds)
        memory = [Row(OURS, [found["megabytes"]], ", ".join(found["processes"]))]
        limit = None if quick or accounts < 10_000 else 600.0
        yield Table(f"{name}-memory", f"memory of all processes with {held:,} accounts", "MB", memory, limit=limit)


def _run(accounts: int, signals: int, pause: float) -> dict[str, Any]:
    folder = data_directory() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        kept = data_directory() / "kernels"  # what was compiled before: here live decisions are timed, not compiling
        kept.mkdir(exist_ok=True)
        (Path(own) / "kernels").symlink_to(kept)
        environment = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
        environment |= {
            "BANYAN_DATA_DIR": own,
            "BANYAN_BENCH_PROBE": f"{own}/probe",
            "DJANGO_SETTINGS_MODULE": "settings.dev",
            "PYTHONPATH": str(ROOT),
        }
        environment.pop("BANYAN_POSTGRES_DIR", None)
        command = [sys.executable, "-m", "tests.benchmarks.live", str(accounts), str(signals), str(pause)]
        answer = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def _measured(accounts: int, signals: int, pause: float) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command

    from banyan.store import Store

    call_command("migrate", verbosity=0, stdout=sys.stderr)
    _prepare(accounts, call_command)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as probe, closing(Store("feeds")) as feeds:
        probe.bind(os.environ["BANYAN_BENCH_PROBE"])
        with _running() as tree:
            until = time.monotonic() + READY_SECONDS_MAX
            while _signal(feeds, probe, accounts, LOST_SECONDS) is None:
                assert time.monotonic() < until, "the accounts do not trade: see run.log"
            seconds = []
            for number in range(WARMING + signals):
                time.sleep(pause)  # for fills to be booked, as between bars
                taken = _signal(feeds, probe, accounts, LOST_SECONDS * 6)
                assert taken is not None, "orders got lost: see run.log"
                seconds += [taken] if number >= WARMING else []
            processes = _memory(tree)
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


@contextmanager
def _running() -> Iterator["subprocess.Popen[bytes]"]:
    with (data_directory() / "run.log").open("wb") as log:
        tree = subprocess.Popen([sys.executable, str(HERE / "live_core.py"), "run"], cwd=ROOT, stdout=log, stderr=log)
        try:
            yield tree
        finally:
            tree.send_signal(signal.SIGTERM)
            tree.wait(timeout=60)


def _signal(feeds: Any, probe: socket.socket, accounts: int, patience: float) -> float | None:
    """Hand in a bar; return the seconds until the last account's order was accepted, None if they did not all come."""
    from apps.feeds.contracts import BAR_COLUMNS, ReceiveBars
    from banyan.columns import ints
    from banyan.transport import Command, ask

    now_ns = time.time_ns()
    prices = {name: ints([110_002 if name.startswith("ask") else 110_000]) for name in BAR_COLUMNS}
    bar = ReceiveBars(
        feed="oanda", interval_ns=60_000_000_000, closed_at_ns=now_ns, instruments=["OANDA:EURUSD"],
        **(prices | {"volume_e6": ints([-1])}),
    )  # fmt: skip
    ask(feeds, [Command("oanda", bar, f"bench-{now_ns}")], now_ns)
    probe.settimeout(patience)
    orders = 0
    try:
        while orders < accounts:
            written_ns, count = DATAGRAM.unpack(probe.recv(DATAGRAM.size))
            orders += count
    except TimeoutError:
        return None
    return float(written_ns - now_ns) / 1e9


def _memory(tree: "subprocess.Popen[bytes]") -> list[tuple[str, float]]:
    """Return name and megabytes of each process: what it has for itself, and its part of what it shares."""
    found = []
    for process in [str(tree.pid), *_descendants(str(tree.pid))]:
        kilobytes = Path(f"/proc/{process}/smaps_rollup").read_text().partition("\nPss:")[2].split()[0]
        name = "supervisor" if process == str(tree.pid) else Path(f"/proc/{process}/comm").read_text().strip()
        found.append((name, int(kilobytes) / 1024))
    return found


def _descendants(process: str) -> list[str]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [*children, *(each for child in children for each in _descendants(child))]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measured(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))) + "\n")
    shutil.rmtree(Path(os.environ["BANYAN_DATA_DIR"]), ignore_errors=True)
