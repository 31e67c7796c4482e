"""From a run's fills and curve to its metrics."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.backtest.engine import Run
from apps.backtest.kernels.books_after import round_trips, time_in_market, traded_notional
from apps.backtest.kernels.market import Specs
from apps.backtest.market import Prepared
from apps.backtest.options import Options
from trading.ledger import TRADE_DTYPE
from trading.metrics import (
    BENCHMARK_KEYS,
    CURVE_KEYS,
    TRADE_KEYS,
    as_dict,
    benchmark_metrics,
    curve_metrics,
    trade_metrics,
    turnover,
)

_BOOK_KEYS = ("n_fills", "fees_paid", "exposure_pct", "avg_exposure_pct", "turnover")


def trips_of(run: Run, prepared: Prepared, specs: Specs) -> NDArray[Any]:
    """Return a run's round trips, TRADE_DTYPE: closed ones in the order of their closing, then open ones."""
    trips = np.empty(run.fills.size + len(prepared.channels), TRADE_DTYPE)
    swap = np.ascontiguousarray(run.desk.books["swap"])
    return trips[: round_trips(prepared.market, specs, run.fills, swap, trips)]


def period_ends(prepared: Prepared, options: Options) -> NDArray[np.int64]:
    """Return the rows whose closes are the values that returns are taken of."""
    if options.returns == "bar":
        return np.arange(prepared.market.close.shape[1])
    return prepared.market.day_ends


def with_start(start: float, values: NDArray[Any]) -> NDArray[Any]:
    """Return `values` with `start` before them."""
    out = np.empty(values.size + 1, values.dtype)
    out[0] = start
    out[1:] = values
    return out


def period_times(prepared: Prepared, ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the moments, ns UTC, of the values at `ends`, after the open of the first bar."""
    market = prepared.market
    opened = int(market.time[0] + market.row_interval - market.intervals.max())
    return with_start(opened, prepared.close_times(ends))


def measure(
    run: Run, trips: NDArray[Any], prepared: Prepared, options: Options, benchmark: NDArray[np.float64] | None
) -> dict[str, Any]:
    """Return the metrics of a run by key, None where one is not defined (see `trading.metrics.definitions`)."""
    ends = period_ends(prepared, options)
    values = with_start(options.cash, run.equity[ends])
    times = period_times(prepared, ends)
    risk_free = options.risk_free_pct / 100.0
    curve, trades = np.empty(len(CURVE_KEYS)), np.empty(len(TRADE_KEYS))
    curve_metrics(values, times, prepared.periods_per_year, risk_free, curve)
    closed = trips[trips["is_open"] == 0]
    held = (closed["exit_bar"] - closed["entry_bar"]).astype(np.float64)
    trade_metrics(np.ascontiguousarray(closed["pnl"]), np.ascontiguousarray(closed["return"]), held, trades)
    specs = prepared.specs(options)
    account = run.desk.account[0]
    in_market, exposure = time_in_market(prepared.market, specs, run.fills, run.equity)
    notional = traded_notional(prepared.market, specs, run.fills)
    book = (account["n_fills"], account["fees"], in_market, exposure, turnover(notional, values, times))
    metrics = as_dict(CURVE_KEYS, curve) | as_dict(TRADE_KEYS, trades) | as_dict(_BOOK_KEYS, book)
    if benchmark is not None:
        against = np.empty(len(BENCHMARK_KEYS))
        theirs = with_start(options.cash, benchmark[ends])
        benchmark_metrics(values, theirs, prepared.periods_per_year, risk_free, against)
        metrics |= as_dict(BENCHMARK_KEYS, against)
    metrics["open_trades"] = int(trips.size - closed.size)
    metrics["swap_paid"] = float(account["swap"])
    metrics["bars"] = int(prepared.market.close.shape[1])
    metrics["engine_seconds"] = run.seconds
    return metrics
