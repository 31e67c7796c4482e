"""`python -m apps.backtest.compiling_beside`: what follows a run's fills, compiled by a process of its own.

It is more than half of what a first run compiles. While the first process compiles what trades, this one compiles what
measures, beginning with what is needed last. The first one finds it kept, waits for what is just being compiled, and
compiles itself what this one has not come to.
"""

import os
import subprocess
import sys

import numpy as np

import apps as apps  # appends the platform/ source root to sys.path
from apps.backtest.kernels.books_after import exposures, mark_curve, mark_rows, outgrows_margin, round_trips
from apps.backtest.kernels.market import SPEC_DTYPE, Closes
from apps.backtest.kernels.scoring import N_SCORES, Outcome, Periods, score
from trading.books import open_desk
from trading.compiled import ROOT, Kernel, cache_directory, data_directory
from trading.ledger import TRADE_DTYPE

_started: list["subprocess.Popen[bytes]"] = []


def begin() -> None:
    """Start the process, where the metrics' kernel is neither kept nor compiled and there is a core to spare."""
    if _started or not isinstance(score, Kernel) or not sys.executable or (os.cpu_count() or 1) < 2:
        return
    if any(cache_directory().glob(f"{score.py_func.__module__}.{score.py_func.__name__}-*")):
        return
    nothing = subprocess.DEVNULL
    command = [sys.executable, "-m", __name__]
    environment = {**os.environ, "BANYAN_DATA_DIR": str(data_directory().resolve())}
    _started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdin=nothing, stdout=nothing, stderr=nothing))


def compile_what_follows() -> None:
    """Mark and score a run of one bar that did nothing: what is compiled for it is what every run needs."""
    time, curve, none = np.zeros(1, np.int64), np.ones(1), np.empty((0, 0))
    closes = Closes(time, 1, np.ones((1, 1)), none, none)
    specs = np.zeros(1, SPEC_DTYPE).view(np.recarray)
    fills, trips = open_desk(1.0, 1, 1, 1).fills[:0], np.empty(0, TRADE_DTYPE)
    periods = Periods(time, np.arange(2), 252.0, 0.0, 1.0)
    score(closes, specs, Outcome(fills, trips, np.ones(2), 0.0), periods, np.empty(N_SCORES))
    round_trips(closes, specs, fills, np.zeros(1), trips)
    mark_curve(closes, specs, fills, (1.0, 0.0), (0, 1), curve)
    mark_rows(closes, specs, fills, 1.0, time, curve)
    outgrows_margin(closes, specs, fills, 1.0, 0.5)
    exposures(closes, specs, fills, curve, np.empty(1))


if __name__ == "__main__":
    compile_what_follows()
