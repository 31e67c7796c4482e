"""Backtests, in one import: `run` one, or `sweep` over parameters. No database and no Django is needed.

from apps.backtest.interface import run, sweep

r = run("sma_cross", bars, params={"fast": 20, "slow": 50}, cash=100_000, fee_bps=5)
s = sweep("sma_cross", bars, grid={"fast": range(5, 25), "slow": range(30, 221, 10)})
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from apps.backtest.announcing import announce_compiling
from apps.backtest.bars_input import BarsError
from apps.backtest.engine import ChannelsError, can_flip
from apps.backtest.market import CurrencyError, Prepared, prepare, prepare_unchecked
from apps.backtest.options import OptionError, Options
from apps.backtest.result import Result
from apps.backtest.running import run_prepared
from apps.backtest.sweep import Sweep, sweep_prepared
from apps.signals.interface import Strategy, get_strategy
from trading.instruments import Instrument

if TYPE_CHECKING:
    from datetime import datetime

    from apps.backtest.stored_runs import StoredRun

__all__ = [
    "BarsError",
    "ChannelsError",
    "CurrencyError",
    "OptionError",
    "Options",
    "Prepared",
    "Result",
    "Sweep",
    "prepare",
    "run",
    "run_curve",
    "stored_run",
    "stored_runs",
    "sweep",
]


def run(
    strategy: str | Strategy,
    bars: Any,
    *,
    params: Mapping[str, Any] | None = None,
    instruments: Instrument | Mapping[str, Instrument] | None = None,
    benchmark: Any = None,
    conversion: Mapping[str, Any] | None = None,
    interval: str | None = None,
    **options: Any,
) -> Result:
    """Run a strategy over bars and return its fills, trades, curves and metrics.

    `strategy` is a name, "path/to/file.py:name" or a Strategy. `bars` are Bars, a DataFrame or a dict of arrays with
    open, high, low, close[, volume] or bid_*/ask_* (and a time column or DatetimeIndex: each bar's OPEN time, UTC), or
    a dict of those by instrument; without times each bar counts as a day, or as `interval` ("1m"). `instruments` gives
    ticks, lots, currency and session; without, quantities are fractions. `benchmark` is bars to compare with,
    `conversion` bars by currency: its price in the account's. Everything else is a field of `Options` (cash, fee_bps,
    fill, sizing …).

    Raises OptionError, StrategyParameterError, UnknownStrategyError, StrategyError, ChannelsError, BarsError,
    CurrencyError.
    """
    announce_compiling()
    chosen = Options.of(options)
    known = get_strategy(strategy) if isinstance(strategy, str) else strategy
    bound = known.bind(**(params or {}))
    prepared, check = prepare_unchecked(bars, chosen, instruments, conversion, interval)
    if known.lines is None or not can_flip(known, prepared, chosen):
        check()  # before a strategy's own code sees any bar
        return run_prepared(known, bound, prepared, chosen, benchmark)
    try:
        return run_prepared(known, bound, prepared, chosen, benchmark)
    finally:
        check()  # what is wrong with the bars is what is told


def sweep(
    strategy: str | Strategy,
    bars: Any,
    *,
    grid: Mapping[str, Iterable[Any]],
    params: Mapping[str, Any] | None = None,
    rank: str = "sharpe",
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    instruments: Instrument | Mapping[str, Instrument] | None = None,
    conversion: Mapping[str, Any] | None = None,
    interval: str | None = None,
    **options: Any,
) -> Sweep:
    """Run a strategy with every combination of the grid's values and return one row of metrics for each.

    `grid` gives values by parameter, `params` the ones that stay. `rank` is the metric that orders the table. `workers`
    is the number of cores to use (default: all). `progress(done, total)` is called as combinations finish. All else,
    and what is raised, as in `run`; a `rank` that is no metric raises OptionError.
    """
    announce_compiling()
    chosen = Options.of(options)
    known = get_strategy(strategy) if isinstance(strategy, str) else strategy
    prepared = prepare(bars, chosen, instruments=instruments, conversion=conversion, interval=interval)
    return sweep_prepared(known, prepared, chosen, grid, dict(params or {}), rank, workers, progress)


def stored_runs(strategy: str, most: int, before: "tuple[datetime, int] | None" = None) -> "list[StoredRun]":
    """Return runs that were stored, newest first, of a strategy or ("") of all; `before` is the place of another."""
    from apps.backtest.stored_runs import stored_runs as found

    return found(strategy, most, before)


def stored_run(short_id: str) -> "StoredRun | None":
    """Return a stored run by its short id, None where there is none."""
    from apps.backtest.stored_runs import stored_run as found

    return found(short_id)


def run_curve(short_id: str, most: int) -> list[tuple[int, float]]:
    """Return (ns UTC, equity) at up to `most` closes of a stored run, its first and last among them; [] for no run.

    Raises StoredRunError where what is stored is not what was.
    """
    from apps.backtest.stored_runs import run_curve as found

    return found(short_id, most)
