"""A long history of trading: made once by the whole tree of `manage.py run`, kept, and copied by whoever works on it.

It is kept in the data directory of the checkout, under a name that changes with whatever decides what is stored: the
messages, the tables, the states, what reporting makes of them, and this file. One of another name is made anew, and
the old one goes. `python -m tests.benchmarks.history ACCOUNTS ORDERS BARS` makes one in `BANYAN_DATA_DIR`.
"""

import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from banyan.embedded import EmbeddedServer
from tests.benchmarks.measure import ROOT
from tests.benchmarks.tree import HERE, environment_of
from trading.compiled import data_directory

QUIET = "BENCH:QUIET"
GBM = "BENCH:GBM"
SET, QUIET_SET = "bench", "quiet"
CLIENT, CLIENTS = "acme", 100
"""One client has so many of the accounts, ACME-…; each of the others, B-…, has a client of its own."""
_MADE = "made.json"
_READ_SECONDS_MAX = 3_600.0
_DECIDES = (
    "docs/schemas/**/*.json", "apps/**/migrations/*.py", "platform/banyan/migrations/*.py", "apps/*/state.py",
    "apps/reporting/*.py", "platform/banyan/store/*.py", "platform/banyan/embedded.py",
    "tests/benchmarks/history.py", "tests/benchmarks/tree.py", "tests/benchmarks/live_tree.py",
    "tests/benchmarks/flip.py",
)  # fmt: skip


class Size(NamedTuple):
    """So many accounts that have had so many orders, and bars of an instrument that nobody trades."""

    accounts: int
    orders: int
    bars: int


FULL = Size(10_000, 1_000_000, 1_000_000)
SMALL = Size(40, 2_000, 2_000)


def size_of(*, quick: bool) -> Size:
    """Return the size of the history that is measured on."""
    return SMALL if quick else FULL


def account_of(size: Size, number: int, begin: str = CLIENT.upper()) -> str:
    """Return the id of an account, by its number from 1 and how ids of its kind begin (ACME, B)."""
    of_one = min(CLIENTS, size.accounts // 2)
    count = of_one if begin == CLIENT.upper() else size.accounts - of_one
    return f"{begin}-{number:0{len(str(count))}d}"


class Made(NamedTuple):
    """A history that is kept: how many orders it has, and the seconds that it took to make it."""

    folder: Path
    orders: int
    seconds: float


def kept(size: Size) -> Made:
    """Return a history, making it first where there is none of the present code: full, about ten minutes."""
    shelf = (data_directory() / "histories").resolve()
    shelf.mkdir(parents=True, exist_ok=True)
    name = f"{size.accounts}x{size.orders}"
    with (shelf / f".{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = shelf / f"{name}-{_digest()}"
        if not (folder / _MADE).exists():
            for each in shelf.glob(f"{name}-*"):
                remove(each)
            sys.stderr.write(f"A history of {size.orders:,} orders is made, once …\n")
            try:
                _make(size, folder)
            except BaseException:
                remove(folder)
                raise
        told = json.loads((folder / _MADE).read_text())
    return Made(folder, told["orders"], told["seconds"])


def copy(made: Made, folder: Path) -> None:
    """Let a folder that is there have all of a history; its server is `EmbeddedServer(folder / "postgres")`."""
    EmbeddedServer(made.folder / "postgres").copy_to(EmbeddedServer(folder / "postgres"))
    for each in made.folder.iterdir():
        if each.name not in ("postgres", "kernels", "run.log", _MADE) and not each.is_socket():
            copied = folder / each.name
            if each.is_dir():
                shutil.copytree(each, copied, ignore=_sockets)
            else:
                shutil.copy2(each, copied)
    os.sync()  # what is measured on it would wait for the disk, which is still at it


def remove(folder: Path) -> None:
    """Remove a history, or a copy of one, with its database."""
    EmbeddedServer(folder / "postgres").remove()
    shutil.rmtree(folder, ignore_errors=True)


def _sockets(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if (Path(folder) / name).is_socket()}


def _digest() -> str:
    digest = hashlib.sha256()
    for pattern in _DECIDES:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _make(size: Size, folder: Path) -> None:
    folder.mkdir()
    made = data_directory() / "kernels"
    made.mkdir(parents=True, exist_ok=True)
    (folder / "kernels").symlink_to(made.resolve())
    command = [sys.executable, "-m", "tests.benchmarks.history", *map(str, size)]
    environment = environment_of(folder)
    answer = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    (folder / _MADE).write_text(answer.stdout.splitlines()[-1])


# ---- in the process that makes it -----------------------------------------------------------------------------------


def _trade(size: Size) -> dict[str, Any]:
    from django.core.management import call_command
    from django.db import connections

    from tests.benchmarks.live_rates import all_read, until
    from tests.benchmarks.live_tree import make_history, trading

    with trading(size.accounts, lambda count, call: _open(count, call, size.bars)) as tree:
        made, seconds = make_history(tree.feeds, tree.probe, size.accounts, size.orders)
        until(all_read(), _READ_SECONDS_MAX)
        for alias in ("feeds", "signals", "execution", "risk", "edge", "reporting"):
            with connections[alias].cursor() as cursor:
                cursor.execute("VACUUM (ANALYZE)")  # as the server does by itself when it comes by
        connections.close_all()
    call_command("stop_database", verbosity=0, stdout=io.StringIO())
    return {"orders": made, "seconds": seconds}


def _open(accounts: int, call_command: Callable[..., Any], bars: int) -> None:
    """Open accounts that trade, some of one client; and have a set that nobody follows say something at each bar."""
    from apps.feeds.models import Instrument
    from tests.benchmarks.live_tree import prepare

    of_one, quiet = min(CLIENTS, accounts // 2), {"stdout": io.StringIO()}
    prepare(accounts - of_one, call_command)
    call_command("accounts", "open", CLIENT.upper(), count=of_one, client=CLIENT, deposit=100_000.0, **quiet)
    call_command("accounts", "subscribe", CLIENT.upper(), count=of_one, set=SET, **quiet)
    Instrument.objects.create(id=QUIET, tick_size=1e-5, lot_step=1.0, lot_min=1.0)
    flip = str(HERE / "flip.py")
    call_command("sets", "define", QUIET_SET, strategy=flip, instrument=[QUIET], interval="1s", **quiet)
    call_command("sets", "start", QUIET_SET, **quiet)
    _import_bars(bars)


def _import_bars(count: int) -> None:
    from apps.feeds.imports import Options, import_file
    from apps.feeds.models import Instrument
    from apps.feeds.records import Kind
    from tests.benchmarks.data import write_csv

    instrument = Instrument.objects.create(id=GBM)
    with tempfile.TemporaryDirectory() as folder:
        outcome = import_file(write_csv(Path(folder), count), instrument, 60_000_000_000, (Kind.BARS,), Options())
    assert outcome.rows_added == count, outcome


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_trade(Size(*map(int, sys.argv[1:4])))) + "\n")
