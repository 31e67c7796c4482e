"""The prices that are measured on: geometric Brownian bars from a fixed seed, kept as .npy files.

NumPy only: processes of other engines, which have no Banyan, read the same files.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]

SEED = 20_240_601
START_NS = 1_577_836_800_000_000_000  # 2020-01-01 UTC
MINUTE_NS = 60_000_000_000
DAY_NS = 1440 * MINUTE_NS
MINUTE_SIGMA = 3e-4
DAY_SIGMA = 0.015


def minute_bars(count: int) -> Columns:
    """Return `count` minute bars of one instrument: "time" (int64, ns UTC, of the open), float64 prices and volume."""
    return _bars(np.random.default_rng(SEED), count, MINUTE_NS, MINUTE_SIGMA)


def daily_bars(symbols: int, days: int) -> dict[str, Columns]:
    """Return `days` daily bars of each of `symbols` instruments, by name, in order of name."""
    generators = np.random.default_rng(SEED).spawn(symbols)
    return {f"S{number:03d}": _bars(generators[number], days, DAY_NS, DAY_SIGMA) for number in range(symbols)}


def _bars(rng: np.random.Generator, count: int, interval_ns: int, sigma: float) -> Columns:
    close = 100.0 * np.exp(np.cumsum(rng.standard_normal(count) * sigma - sigma * sigma / 2))
    open_ = np.concatenate(([100.0], close[:-1])) * (1.0 + rng.standard_normal(count) * sigma / 10)
    reach = np.abs(rng.standard_normal((2, count))) * sigma / 2
    return {
        "time": START_NS + np.arange(count, dtype=np.int64) * interval_ns,
        "open": open_,
        "high": np.maximum(open_, close) * (1.0 + reach[0]),
        "low": np.minimum(open_, close) * (1.0 - reach[1]),
        "close": close,
        "volume": rng.integers(1, 1000, count).astype(np.float64),
    }


def write_minutes(folder: Path, count: int) -> Path:
    """Write `minute_bars(count)` as one .npy file per column, unless they are there; return their folder."""
    target = folder / f"minutes-{count}-{SEED}"
    if not (target / "volume.npy").exists():
        target.mkdir(parents=True, exist_ok=True)
        for name, column in minute_bars(count).items():
            np.save(target / f"{name}.npy", column)
    return target


def write_days(folder: Path, symbols: int, days: int) -> Path:
    """Write `daily_bars(symbols, days)` as one .npy file per column, (symbols, days) each; return their folder."""
    target = folder / f"days-{symbols}x{days}-{SEED}"
    if not (target / "volume.npy").exists():
        target.mkdir(parents=True, exist_ok=True)
        bars = daily_bars(symbols, days)
        for name in next(iter(bars.values())):
            np.save(target / f"{name}.npy", np.stack([columns[name] for columns in bars.values()]))
    return target


def write_csv(folder: Path, count: int) -> Path:
    """Write `minute_bars(count)` as CSV with a header and ISO 8601 times, unless it is there; return its path."""
    target = folder / f"minutes-{count}-{SEED}.csv"
    if not target.exists():
        bars = minute_bars(count)
        times = np.datetime_as_string(bars["time"].astype("datetime64[ns]"), unit="s")
        prices = [bars[name] for name in ("open", "high", "low", "close", "volume")]
        part = target.with_suffix(".part")
        with part.open("w") as out:
            out.write("time,open,high,low,close,volume\n")
            out.writelines(
                f"{time}Z,{row[0]!r},{row[1]!r},{row[2]!r},{row[3]!r},{row[4]:.0f}\n"
                for time, *row in zip(times, *(column.tolist() for column in prices), strict=True)
            )
        part.rename(target)
    return target


def read(folder: Path) -> Columns:
    """Return the columns of a folder written by `write_minutes` or `write_days`."""
    return {path.stem: np.load(path) for path in sorted(folder.glob("*.npy"))}
