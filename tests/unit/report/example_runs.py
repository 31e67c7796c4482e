"""Results to report on: a moving-average cross simulated in a few lines of NumPy, on real and on random bars."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apps.backtest.report.inputs import Bands, MonteCarloOutcome, SweepOutcome, WalkForwardOutcome, WalkForwardWindow
from apps.backtest.result import Result
from trading.bars import Bars
from trading.instruments import Instrument
from trading.intervals import DAY, HOUR, MINUTE
from trading.ledger import FILL_DTYPE, TARGET, TRADE_DTYPE
from trading.metrics import (
    BENCHMARK_KEYS,
    CURVE_KEYS,
    TRADE_KEYS,
    Basis,
    as_dict,
    benchmark_metrics,
    curve_metrics,
    definitions,
    trade_metrics,
)
from trading.sessions import session_days

SAMPLE = Path(__file__).parents[3] / "apps" / "feeds" / "sample"
EURUSD = Instrument("OANDA:EURUSD", "fx", "USD", calendar="24x5", time_zone="America/New_York", day_turn_minutes=-420)
SPY = Instrument("ARCA:SPY", "equity", "USD", calendar="XNYS", time_zone="America/New_York")
CASH = 100_000.0
_FILL_FIELDS = ("bar", "time", "quantity", "price", "fee", "position", "cash", "reason")
_TRADE_FIELDS = tuple(name for name in TRADE_DTYPE.names or () if name != "channel")


@cache
def eurusd_bars(n: int | None = None) -> Bars:
    """Hourly mid bars, all 74,439 or the first n."""
    table = pd.read_csv(SAMPLE / "eurusd_1h_quotes.csv.gz", nrows=n)
    mid = {
        name: (table[f"bid_{name}"] + table[f"ask_{name}"]).to_numpy() / 2 for name in ("open", "high", "low", "close")
    }
    time = pd.to_datetime(table["ts"], utc=True).astype("datetime64[ns, UTC]").astype(np.int64).to_numpy()
    return Bars(time=time, interval=HOUR, **mid)


@cache
def daily_bars(symbol: str) -> Bars:
    """Daily bars of a stock, one a New York trading date, opening at local midnight."""
    table = pd.read_csv(SAMPLE / f"{symbol}_1d.csv.gz")
    local = pd.to_datetime(table.iloc[:, 0]).dt.tz_localize("America/New_York")
    time = local.dt.tz_convert("UTC").astype("datetime64[ns, UTC]").astype(np.int64).to_numpy()
    columns = {name: table[name].to_numpy(dtype=float) for name in ("open", "high", "low", "close")}
    return Bars(time=time, interval=DAY, **columns)


def random_bars(n: int, seed: int = 7, interval: int = MINUTE) -> Bars:
    """Bars of a geometric random walk without pauses."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 4e-4, n)))
    opened = np.concatenate(([100.0], close[:-1]))
    spread = np.abs(rng.normal(0, 2e-4, (2, n)))
    high, low = np.maximum(opened, close) * (1 + spread[0]), np.minimum(opened, close) * (1 - spread[1])
    time = 1_577_836_800_000_000_000 + interval * np.arange(n)
    return Bars(time=time, open=opened, high=high, low=low, close=close, interval=interval)


def cross_run(
    bars: Bars,
    fast: int = 20,
    slow: int = 50,
    *,
    instrument: Instrument = EURUSD,
    fee_bps: float = 0.2,
    short: bool = True,
    benchmark: bool = True,
    **changes: Any,
) -> Result:
    """Hold +1 or -1 (or 0) times equity by SMA(fast) against SMA(slow), from the next open; `changes` are fields."""
    n = len(bars)
    side = np.zeros(n, dtype=np.int64)
    if n > slow + 1:
        total = np.concatenate(([0.0], np.cumsum(bars.close)))
        means = [np.full(n, np.nan), np.full(n, np.nan)]
        for mean, window in zip(means, (fast, slow), strict=True):
            mean[window - 1 :] = (total[window:] - total[:-window]) / window
        decided = np.where(means[0] > means[1], 1, -1 if short else 0) * ~np.isnan(means[1])
        side[1:] = decided[:-1]
    trades, fills, equity = _trade(bars, side, fee_bps)
    close_time = bars.time + bars.interval
    held = CASH * bars.close / bars.close[0] if benchmark else None
    exposure = np.abs(side).astype(float)
    basis = Basis(
        calendar=instrument.calendar, time_zone=instrument.time_zone, day_turn_minutes=instrument.day_turn_minutes
    )
    result = Result(
        strategy="sma_cross",
        params={"fast": fast, "slow": slow, "side": "both" if short else "long"},
        channels=(instrument.id,),
        bars=(bars,),
        time=close_time,
        equity=equity,
        exposure=exposure,
        fill_records=fills,
        trade_records=trades,
        metrics=_metrics(close_time, equity, held, exposure, trades, fills, instrument),
        manifest=_manifest(instrument, bars, basis, fast, slow, fee_bps),
        benchmark=held,
    )
    return replace(result, **changes)


def two_stocks() -> Result:
    """Two channels on one axis of time, half of the equity in each."""
    runs = [
        cross_run(
            daily_bars(symbol), instrument=replace(SPY, id=f"ARCA:{symbol.upper()}"), short=False, benchmark=False
        )
        for symbol in ("spy", "qqq")
    ]
    time = np.union1d(runs[0].time, runs[1].time)
    parts = []
    for run in runs:
        at = np.searchsorted(run.time, time, side="right") - 1
        parts.append((np.where(at < 0, CASH, run.equity[at]), np.where(at < 0, 0.0, run.exposure[at])))
    trades = np.concatenate([run.trade_records for run in runs])
    trades["channel"] = np.repeat([0, 1], [run.trade_records.size for run in runs])
    for name, when in (("entry_bar", "entry_time"), ("exit_bar", "exit_time")):
        trades[name] = np.minimum(np.searchsorted(time, trades[when], side="right"), time.size - 1)
    trades = trades[np.argsort(trades["exit_time"], kind="stable")]
    return replace(
        runs[0],
        channels=("ARCA:SPY", "ARCA:QQQ"),
        bars=(runs[0].bars[0], runs[1].bars[0]),
        time=time,
        equity=(parts[0][0] + parts[1][0]) / 2,
        exposure=(parts[0][1] + parts[1][1]) / 2,
        trade_records=trades,
    )


def example_sweep(best: Result | None = None) -> SweepOutcome:
    """20 × 20 combinations whose Sharpe ratio is a hill with some noise."""
    fast, slow = (grid.ravel() for grid in np.meshgrid(np.arange(5, 25), np.arange(30, 230, 10), indexing="ij"))
    noise = np.random.default_rng(3).normal(0, 0.08, fast.size)
    sharpe = 0.9 - ((fast - 14) / 9) ** 2 - ((slow - 120) / 90) ** 2 + noise
    sharpe[7] = np.nan
    table = {
        "fast": fast,
        "slow": slow,
        "sharpe": sharpe,
        "return_pct": 20 * sharpe + noise,
        "max_drawdown_pct": 12 - 5 * sharpe,
        "n_trades": 4000 // fast,
    }
    return SweepOutcome(
        strategy="sma_cross",
        parameters=("fast", "slow"),
        table=table,
        rank="sharpe",
        best=best,
        manifest={"command": ["manage.py", "sweep", "sma_cross", "--grid", "fast=5:25:1", "--grid", "slow=30:230:10"]},
    )


def example_walk(result: Result) -> WalkForwardOutcome:
    """Windows of two years of training and half a year of test over a run's time."""
    starts = np.arange(int(result.time[0]), int(result.time[-1]) - 912 * DAY, 182 * DAY)
    rng = np.random.default_rng(5)
    windows = [
        WalkForwardWindow(
            train=(int(start), int(start) + 730 * DAY),
            test=(int(start) + 730 * DAY, int(start) + 912 * DAY),
            params={"fast": int(rng.integers(5, 25)), "slow": int(rng.integers(30, 230))},
            train_score=float(rng.normal(1.0, 0.2)),
            test_score=float(rng.normal(0.3, 0.6)),
            test_metrics={"return_pct": float(rng.normal(2, 4)), "max_drawdown_pct": float(rng.uniform(1, 8))},
        )
        for start in starts
    ]
    return WalkForwardOutcome(
        strategy="sma_cross",
        windows=windows,
        rank="sharpe",
        time=result.time,
        equity=result.equity,
        result=result,
        bands=example_bands(),
    )


def example_bands(paths: int = 500, steps: int = 400) -> Bands:
    """Quantiles of random walks with drift."""
    rng = np.random.default_rng(11)
    walks = CASH * np.exp(np.cumsum(rng.normal(5e-4, 0.01, (paths, steps)), axis=1))
    quantiles = (0.05, 0.25, 0.5, 0.75, 0.95)
    return Bands(
        quantiles=quantiles, values=np.quantile(walks, quantiles, axis=0), at=np.arange(walks.shape[1]), actual=walks[0]
    )


def example_montecarlo() -> MonteCarloOutcome:
    """Two thousand final values and drawdowns with their bands."""
    rng = np.random.default_rng(13)
    return MonteCarloOutcome(
        strategy="sma_cross",
        method="Trades drawn with replacement",
        bands=example_bands(),
        final_equity=CASH * np.exp(rng.normal(0.2, 0.2, 2000)),
        max_drawdown_pct=-np.abs(rng.gamma(4, 4, 2000)),
        start_equity=CASH,
        seed=13,
        manifest={"run": "b7c1", "command": "manage.py montecarlo b7c1 --paths 2000 --seed 13"},
    )


def _trade(bars: Bars, side: Any, fee_bps: float) -> tuple[Any, Any, Any]:
    n = len(bars)
    fee = fee_bps / 1e4
    changes = np.flatnonzero(np.diff(side, prepend=0))
    equity = np.full(n, CASH)
    trades, fills = [], []
    cash, position = CASH, 0.0
    entry = (0, 0.0, 0.0)
    for place, at in enumerate(changes):
        price = bars.open[at]
        end = changes[place + 1] if place + 1 < changes.size else n
        if position:
            cash = _close(trades, fills, bars, at, position, price, cash, fee, entry)
            position = 0.0
        if side[at]:
            position = side[at] * cash / price
            paid = abs(position) * price * fee
            cash -= position * price + paid
            entry = (int(at), price, paid)
            fills.append((at, bars.time[at], position, price, paid, position, cash, TARGET))
        equity[at:end] = cash + position * bars.close[at:end]
    if position:
        _close(trades, fills[:0], bars, n - 1, position, bars.close[-1], cash, 0.0, entry, is_open=1)
    return _records(trades, _TRADE_FIELDS, TRADE_DTYPE), _records(fills, _FILL_FIELDS, FILL_DTYPE), equity


def _close(
    trades: list[Any],
    fills: list[Any],
    bars: Bars,
    at: Any,
    position: float,
    price: float,
    cash: float,
    fee: float,
    entry: tuple[int, float, float],
    is_open: int = 0,
) -> float:
    row, entry_price, entry_fee = entry
    paid = abs(position) * price * fee
    pnl = position * (price - entry_price) - paid - entry_fee
    when = bars.time[at] if not is_open else bars.time[at] + bars.interval
    cash += position * price - paid
    gain = pnl / (abs(position) * entry_price)
    ends = (row, int(at), bars.time[row], when, entry_price, price)
    trades.append((position, *ends, pnl, paid + entry_fee, gain, TARGET, is_open))
    fills.append((at, when, -position, price, paid, 0.0, cash, TARGET))
    return cash


def _records(rows: list[Any], fields: tuple[str, ...], dtype: Any) -> Any:
    records = np.zeros(len(rows), dtype=dtype)
    for place, name in enumerate(fields):
        records[name] = [row[place] for row in rows]
    return records


def _metrics(
    time: Any, equity: Any, benchmark: Any, exposure: Any, trades: Any, fills: Any, instrument: Instrument
) -> dict[str, Any]:
    days = session_days(time - 1, instrument)
    last = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    values = np.concatenate(([CASH], equity[last]))
    moments = np.concatenate((time[:1], time[last]))
    out = np.empty(len(CURVE_KEYS))
    curve_metrics(values, moments, 252.0, 0.0, out)
    metrics = as_dict(CURVE_KEYS, out)
    closed = trades[trades["is_open"] == 0]
    out = np.empty(len(TRADE_KEYS))
    held = (closed["exit_bar"] - closed["entry_bar"] + 1).astype(np.int64)
    trade_metrics(closed["pnl"].copy(), closed["return"].copy(), held, out)
    metrics |= as_dict(TRADE_KEYS, out)
    metrics |= {"exposure_pct": 100.0 * float(np.mean(exposure != 0.0))}
    metrics |= {"avg_exposure_pct": 100.0 * float(np.mean(exposure[last]))}
    metrics |= {"n_fills": int(fills.size), "fees_paid": float(fills["fee"].sum()), "dsr": None}
    out = np.full(len(BENCHMARK_KEYS), np.nan)
    if benchmark is not None:
        benchmark_metrics(values, np.concatenate(([CASH], benchmark[last])), 252.0, 0.0, out)
    return metrics | as_dict(BENCHMARK_KEYS, out)


def _manifest(instrument: Instrument, bars: Bars, basis: Basis, fast: int, slow: int, fee_bps: float) -> dict[str, Any]:
    return {
        "strategy": "sma_cross",
        "engine_version": "1.0",
        "code_hash": "9f2d6c1b7e",
        "data_hash": "c41a0f93d25b7710",
        "params": {"fast": fast, "slow": slow},
        "options": {"cash": CASH, "currency": "USD", "fee_bps": fee_bps, "fill": "next-open", "sizing": "all-in"},
        "instruments": [{name: getattr(instrument, name) for name in ("id", "currency", "calendar", "time_zone")}],
        "data": {"bars": len(bars), "source": "eurusd_1h_quotes.csv.gz"},
        "environment": {"python": "3.11.2", "numpy": "2.4.6", "numba": "0.68.1"},
        "metric_definitions": definitions(basis),
        "command": f"manage.py backtest sma_cross --instrument {instrument.id} --param fast={fast} --param slow={slow}",
    }
