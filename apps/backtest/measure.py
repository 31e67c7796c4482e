"""From a run's fills and curve to its metrics."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.backtest.engine import Run
from apps.backtest.kernels.books_after import round_trips
from apps.backtest.kernels.market import Specs
from apps.backtest.kernels.scoring import N_SCORES, SCORE_KEYS, Outcome, Periods, score
from apps.backtest.market import Prepared
from apps.backtest.options import Options
from trading.ledger import TRADE_DTYPE
from trading.metrics import BENCHMARK_KEYS, as_dict, benchmark_metrics


def trips_of(run: Run, prepared: Prepared, specs: Specs) -> NDArray[Any]:
    """Return a run's round trips, TRADE_DTYPE: closed ones in the order of their closing, then open ones."""
    trips = np.empty(run.fills.size + len(prepared.channels), TRADE_DTYPE)
    swap = np.ascontiguousarray(run.desk.books["swap"])
    return trips[: round_trips(prepared.closes, specs, run.fills, swap, trips)]


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


def periods_of(prepared: Prepared, options: Options) -> Periods:
    """Return the periods of which a run's returns are taken."""
    ends = period_ends(prepared, options)
    market = prepared.market
    opened = int(market.time[0] + market.row_interval - market.intervals.max())
    times = with_start(opened, prepared.close_times(ends))
    return Periods(ends, times, prepared.periods_per_year, options.risk_free_pct / 100.0, options.cash)


def score_run(
    run: Run, trips: NDArray[Any], prepared: Prepared, specs: Specs, options: Options, out: NDArray[np.float64]
) -> Periods:
    """Write the metrics of a run into `out`, in the order of SCORE_KEYS; return the periods that they are of."""
    periods = periods_of(prepared, options)
    values = with_start(options.cash, run.curve.at(periods.ends))
    outcome = Outcome(run.fills, trips, values, float(run.desk.account["fees"][0]))
    score(prepared.closes, specs, outcome, periods, out)
    return periods


def measure(
    run: Run,
    trips: NDArray[Any],
    prepared: Prepared,
    specs: Specs,
    options: Options,
    benchmark: NDArray[np.float64] | None,
) -> dict[str, Any]:
    """Return the metrics of a run by key, None where one is not defined (see `trading.metrics.definitions`)."""
    scores = np.empty(N_SCORES)
    periods = score_run(run, trips, prepared, specs, options, scores)
    metrics: dict[str, Any] = as_dict(SCORE_KEYS, scores)
    if benchmark is not None:
        against = np.empty(len(BENCHMARK_KEYS))
        values, theirs = (
            with_start(options.cash, curve) for curve in (run.curve.at(periods.ends), benchmark[periods.ends])
        )
        benchmark_metrics(values, theirs, periods.per_year, periods.risk_free, against)
        metrics |= as_dict(BENCHMARK_KEYS, against)
    metrics["open_trades"] = int(np.count_nonzero(trips["is_open"]))
    metrics["swap_paid"] = float(run.desk.account["swap"][0])
    metrics["bars"] = int(prepared.market.close.shape[1])
    metrics["engine_seconds"] = run.seconds
    return metrics
