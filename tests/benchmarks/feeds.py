"""What market data costs: bars off a file, into the table, out of it, and out of the local copy.

`measure` runs this file in a process of its own, on an embedded server of its own that commits to the disk as the real
one does, and throws it away afterwards.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from tests.benchmarks.measure import ROOT, Row
from tests.benchmarks.report import Table
from tests.benchmarks.works import OURS, Must
from trading.compiled import data_directory

ROWS = 1_000_000
ROUNDS = 5
INTERVAL_NS = 60_000_000_000


def measure(*, quick: bool = False) -> list[Table]:
    """Return the tables of what feeds do to a million minute bars."""
    rows, rounds = (20_000, 1) if quick else (ROWS, ROUNDS)
    folder = data_directory() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        environment = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
        environment |= {"BANYAN_DATA_DIR": own, "DJANGO_SETTINGS_MODULE": "settings.dev", "PYTHONPATH": str(ROOT)}
        environment.pop("BANYAN_POSTGRES_DIR", None)
        command = [sys.executable, "-m", "tests.benchmarks.feeds", str(folder), str(rows), str(rounds)]
        answer = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    samples = json.loads(answer.stdout.splitlines()[-1])
    fast_enough = Must("seconds", rows / 400_000)
    return [
        _table("feeds-file", f"{rows:,} bars off a CSV file, checked", samples["file"]),
        _table("feeds-import", f"{rows:,} bars from CSV to the table, checked", samples["import"], fast_enough),
        _table("feeds-table", f"{rows:,} bars from the table to arrays", samples["table"], Must("seconds", 1.0)),
        _table("feeds-cache", f"{rows:,} bars from the local copy, all used", samples["cache"], Must("seconds", 0.1)),
    ]


def _table(name: str, title: str, samples: list[float], *must: Must) -> Table:
    return Table(name, title, "s", [Row(OURS, samples)], must)


def _samples(folder: Path, count: int, rounds: int) -> dict[str, list[float]]:
    """Return seconds of each round of each work."""
    import django

    django.setup()
    from django.core.management import call_command

    from apps.feeds.cache import cache_file
    from apps.feeds.imports import Options, import_file
    from apps.feeds.interface import read_bars, read_bars_file
    from apps.feeds.models import Instrument, Series
    from apps.feeds.records import Kind
    from apps.feeds.rows import read_rows
    from tests.benchmarks.data import write_csv

    path = write_csv(folder, count)
    call_command("migrate", verbosity=0)
    found: dict[str, list[float]] = {"file": [], "import": [], "table": [], "cache": []}
    for number in range(rounds):
        instrument = Instrument.objects.create(id=f"BENCH:GBM{number}")
        started = time.perf_counter()
        read_bars_file(path)
        found["file"].append(time.perf_counter() - started)
        started = time.perf_counter()
        outcome = import_file(path, instrument, INTERVAL_NS, (Kind.BARS,), Options())
        found["import"].append(time.perf_counter() - started)
        assert outcome.rows_added == count, outcome
        series = Series.objects.get(instrument=instrument)
        started = time.perf_counter()
        rows = read_rows(series)
        found["table"].append(time.perf_counter() - started)
        assert len(rows) == count
        read_bars(instrument.pk, "1m")
        assert cache_file(series).exists()
        started = time.perf_counter()
        bars = read_bars(instrument.pk, "1m")
        assert bars.volume is not None
        sum(float(column.sum()) for column in (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.time))
        found["cache"].append(time.perf_counter() - started)
    call_command("stop_database", verbosity=0, stdout=sys.stderr)
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_samples(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))) + "\n")
    shutil.rmtree(Path(os.environ["BANYAN_DATA_DIR"]), ignore_errors=True)
