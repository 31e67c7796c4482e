"""Measuring a tree of `manage.py run` from outside: a place of its own, the tree, a probe in it, and what it takes."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from banyan.embedded import EmbeddedServer
from tests.benchmarks.measure import ROOT
from trading.compiled import data_directory

PROBE = "BANYAN_BENCH_PROBE"
HERE = Path(__file__).parent
SHARDS = 4
"""Whatever the tests' own settings are: accounts stay in the shards in which they were opened."""


def measured_apart(module: str, *arguments: object) -> dict[str, Any]:
    """Return what a module prints last, run in a process and on an embedded server of its own."""
    with a_place() as folder:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        answer = subprocess.run(
            command, cwd=ROOT, env=environment_of(folder), stdout=subprocess.PIPE, check=True, text=True
        )
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


@contextmanager
def a_place() -> Iterator[Path]:
    """Give a data directory for a while, which goes with the embedded server in it."""
    folder = data_directory() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        kept = data_directory() / "kernels"  # what was compiled before: here live decisions are timed, not compiling
        kept.mkdir(exist_ok=True)
        (Path(own) / "kernels").symlink_to(kept.resolve())
        try:
            yield Path(own)
        finally:
            EmbeddedServer(Path(own) / "postgres").remove()  # which may be elsewhere, and run after a failure


def environment_of(folder: Path) -> dict[str, str]:
    """Return the environment of processes whose data is in a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
    kept.pop("BANYAN_POSTGRES_DIR", None)
    return kept | {
        "BANYAN_DATA_DIR": str(folder),
        "BANYAN_SHARDS": str(SHARDS),
        PROBE: f"{folder}/probe",
        "DJANGO_SETTINGS_MODULE": "settings.dev",
        "PYTHONPATH": str(ROOT),
    }


@contextmanager
def running(script: str, *roles: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run roles, or all, by a script beside this one that is `manage.py` with a probe."""
    with (data_directory() / "run.log").open("wb") as log:
        command = [sys.executable, str(HERE / script), "run", *roles]
        tree = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield tree
        finally:
            tree.send_signal(signal.SIGTERM)
            tree.wait(timeout=60)


def hand_in_bars(feeds: Any, feed: str, interval_ns: int, instruments: list[str], now_ns: int) -> None:
    """Hand in bars of one price that close now."""
    from apps.feeds.contracts import BAR_COLUMNS, ReceiveBars
    from banyan.columns import ints
    from banyan.transport import Command, ask

    count = len(instruments)
    prices = {name: ints([110_002 if name.startswith("ask") else 110_000] * count) for name in BAR_COLUMNS}
    bars = ReceiveBars(
        feed=feed, interval_ns=interval_ns, closed_at_ns=now_ns, instruments=instruments,
        **(prices | {"volume_e6": ints([-1] * count)}),
    )  # fmt: skip
    ask(feeds, [Command(feed, bars, f"bench-{now_ns}")], now_ns)


def memory_of(process: int) -> list[tuple[str, float]]:
    """Return name and megabytes of a process and all below it: what each has for itself, and its part of the shared."""
    kilobytes = Path(f"/proc/{process}/smaps_rollup").read_text().partition("\nPss:")[2].split()[0]
    name = Path(f"/proc/{process}/comm").read_text().strip()
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [(name, int(kilobytes) / 1024), *(each for child in children for each in memory_of(int(child)))]


def kill_all(process: int) -> None:
    """Kill a process and all below it at once, as a machine that stops."""
    for each in [process, *_below(process)]:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def _below(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *_below(child))]


def probe_address() -> socket.socket:
    """Return the socket that a probe writes to."""
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.connect(os.environ[PROBE])
    return told


def manage() -> None:
    """Be `manage.py`, with the arguments of this process."""
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
