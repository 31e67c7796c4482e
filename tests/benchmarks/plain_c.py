"""Plain C beside us: loops compiled when they are measured, with `cc -O3 -march=native`."""

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks import data
from tests.benchmarks.jobs import Case, EngineMissingError, Facts, Job, WorkUnsupportedError

_SOURCES = Path(__file__).parent / "c"


def prepare(case: Case) -> Job:
    """Return the job of `case`. Raises EngineMissingError without a compiler, WorkUnsupportedError without a loop."""
    loops = {"W1": _crossing, "W2": _crossing_sweep, "W3": _momentum}
    if case.work not in loops:
        raise WorkUnsupportedError(f"there is no C loop for {case.work}")
    return loops[case.work](case)


def compiled(name: str) -> ctypes.CDLL:
    """Return the shared library of `c/<name>.c`, compiled now. Raises EngineMissingError without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise EngineMissingError("cc, a C compiler, is not installed")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / f"{name}.so"
        subprocess.run(
            [
                compiler,
                "-O3",
                "-march=native",
                "-shared",
                "-fPIC",
                "-pthread",
                "-o",
                library,
                _SOURCES / f"{name}.c",
                "-lm",
            ],
            check=True,
        )
        return ctypes.CDLL(str(library))


class _CrossingOutcome(ctypes.Structure):
    _fields_ = [
        ("final_equity", ctypes.c_double),
        ("fees", ctypes.c_double),
        ("fills", ctypes.c_int64),
        ("equity", ctypes.POINTER(ctypes.c_double)),
    ]


def _crossing(case: Case) -> Job:
    library = compiled("crossing")
    library.crossing_free.argtypes = [ctypes.POINTER(ctypes.c_double)]
    bars = data.read(case.arrays)
    open_, close = bars["open"], bars["close"]
    count, fast, slow = (ctypes.c_int64(number) for number in (close.size, case["fast"], case["slow"]))
    cash, fee = ctypes.c_double(case["cash"]), ctypes.c_double(case["fee_bps"] / 10_000)

    def run() -> Facts:
        out = _CrossingOutcome()
        if library.crossing(_pointer(open_), _pointer(close), count, fast, slow, cash, fee, ctypes.byref(out)):
            raise MemoryError("the equity curve")
        library.crossing_free(out.equity)
        return {"final_equity": out.final_equity, "n_fills": out.fills, "fees_paid": out.fees}

    return Job(run, dict, "equity curve, final equity, fees, number of fills")


class _Sweep(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_void_p) for name in ("open", "close", "lines", "windows", "fast", "slow")],
        *[(name, ctypes.c_int64) for name in ("n", "n_lines", "n_pairs", "bars_per_day", "workers")],
        *[(name, ctypes.c_double) for name in ("cash", "fee")],
        *[(name, ctypes.c_void_p) for name in ("final_equity", "sharpe", "drawdown", "fills")],
    ]


def _crossing_sweep(case: Case) -> Job:
    library = compiled("crossing_sweep")
    bars = data.read(case.arrays)
    windows = np.array(sorted({*case["fast"], *case["slow"]}), np.int64)
    pairs = np.array([(fast, slow) for fast in case["fast"] for slow in case["slow"]], np.int64)
    columns = np.searchsorted(windows, pairs.T).astype(np.int64)
    count = len(pairs)

    def run() -> Facts:
        found = {name: np.empty(count) for name in ("final_equity", "sharpe", "drawdown")}
        fills = np.empty(count, np.int64)
        sweep = _Sweep(
            *(_pointer(array) for array in (bars["open"], bars["close"])),
            None,
            *(_pointer(array) for array in (windows, columns[0], columns[1])),
            *(bars["close"].size, windows.size, count, case["bars_per_day"], case["workers"]),
            *(case["cash"], case["fee_bps"] / 10_000),
            *(_pointer(array) for array in (*found.values(), fills)),
        )
        if library.crossing_sweep(ctypes.byref(sweep)):
            raise MemoryError("the lines of the sweep, or its threads")
        return {"final_equity": found["final_equity"].tolist(), "n_fills": fills.tolist()}

    return Job(run, dict, "final equity, Sharpe, drawdown and number of fills of every pair")


class _MomentumOutcome(ctypes.Structure):
    _fields_ = [("final_equity", ctypes.c_double), ("fees", ctypes.c_double), ("fills", ctypes.c_int64)]


def _momentum(case: Case) -> Job:
    library = compiled("momentum")
    bars = data.read(case.arrays)
    symbols, days = bars["close"].shape
    rule = [ctypes.c_int64(number) for number in (symbols, days, case["lookback"], case["every"], case["top"])]
    money = [ctypes.c_double(number) for number in (case["invest"], case["cash"], case["fee_bps"] / 10_000)]

    def run() -> Facts:
        out = _MomentumOutcome()
        equity = np.empty(days)
        prices = (_pointer(bars["open"]), _pointer(bars["close"]))
        if library.momentum(*prices, *rule, *money, _pointer(equity), ctypes.byref(out)):
            raise MemoryError("the ranks")
        return {"final_equity": out.final_equity, "n_fills": out.fills, "fees_paid": out.fees}

    return Job(run, dict, "equity curve, final equity, fees, number of fills")


def _pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
