"""A run and everything that is said about it: the result with its manifest and its notes."""

import hashlib
import os
import platform
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.backtest.bars_input import check_bars, read_channels
from apps.backtest.engine import Run, simulate
from apps.backtest.kernels.books_after import exposures
from apps.backtest.market import Prepared
from apps.backtest.measure import measure, trips_of
from apps.backtest.options import Options
from apps.backtest.result import Result
from apps.signals.interface import Strategy
from trading.books import TICKETS
from trading.compiled import running_seconds, seconds_compiling, source_digest, versions
from trading.intervals import format_interval
from trading.metrics import METRICS_VERSION, Basis, definitions

ENGINE_VERSION = "1.4"


def run_prepared(
    strategy: Strategy, params: Any, prepared: Prepared, options: Options, benchmark: Any = None
) -> Result:
    """Return the result of a strategy with bound `params` on prepared bars; `benchmark` is bars or None."""
    compiling = seconds_compiling()
    if strategy.kind == "class":
        from apps.backtest.classic import simulate_class

        run = simulate_class(strategy, params, prepared, options)
    else:
        run = simulate(strategy, params, prepared, options)
    specs = run.specs
    trips = trips_of(run, prepared, specs)
    held = None if benchmark is None else _benchmark_curve(benchmark, prepared, options)
    metrics = measure(run, trips, prepared, specs, options, held)
    begun = running_seconds()
    equity = run.curve.whole
    metrics["engine_seconds"] += running_seconds() - begun
    metrics["compile_seconds"] = seconds_compiling() - compiling

    def exposure() -> NDArray[np.float64]:
        out = np.empty(equity.size)
        exposures(prepared.closes, specs, run.fills, equity, out)
        return out

    return Result(
        strategy=strategy.name,
        params=strategy.values(params),
        channels=prepared.channels,
        bars=prepared.bars,
        equity=equity,
        fill_records=run.fills.view(np.ndarray),
        trade_records=trips,
        metrics=metrics,
        time=prepared.close_times,
        exposure=exposure,
        manifest=lambda: manifest(strategy, params, prepared, options),
        benchmark=held,
        notes=_notes(run, prepared),
    )


def manifest(strategy: Strategy, params: Any, prepared: Prepared, options: Options) -> dict[str, Any]:
    """Return what was run, JSON-able: enough to run it again and to tell whether anything has changed."""
    longest = max(bars.interval for bars in prepared.bars)
    first = prepared.instruments[0]
    basis = Basis(
        options.returns,
        prepared.periods_per_year,
        options.risk_free_pct / 100.0,
        prepared.calendar,
        first.time_zone,
        first.day_turn_minutes,
    )
    return {
        "strategy": strategy.name,
        "code_hash": strategy.code_hash,
        "params": strategy.values(params),
        "options": {**_fields(options), "sizing": options.sizing or strategy.sizing, "currency": prepared.currency},
        "channels": list(prepared.channels),
        "instruments": [_fields(instrument) for instrument in prepared.instruments],
        "interval": format_interval(longest),
        "bars": int(prepared.market.close.shape[1]),
        "data_hash": data_digest(prepared),
        "engine_version": ENGINE_VERSION,
        "kernel_sources": source_digest(),
        "metrics_version": METRICS_VERSION,
        "metric_definitions": definitions(basis),
        "environment": environment(),
    }


def data_digest(prepared: Prepared) -> str:
    """Return 64 hex digits over the bars of all channels and the conversions between their currencies."""
    from apps.feeds.interface import data_hash

    whole = hashlib.sha256()
    for name, bars in zip(prepared.channels, prepared.bars, strict=True):
        whole.update(f"{name}:{data_hash(bars)}\n".encode())
    whole.update(prepared.market.conversion.tobytes())
    whole.update(prepared.market.opening.tobytes())
    return whole.hexdigest()


def environment() -> dict[str, Any]:
    """Return what a run's last bits can depend on besides code and data."""
    return {"python": platform.python_version(), **versions(), "machine": platform.machine(), "cores": os.cpu_count()}


def _fields(record: Any) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in type(record).__dataclass_fields__}
    return {name: None if value != value else value for name, value in values.items()}


def _benchmark_curve(benchmark: Any, prepared: Prepared, options: Options) -> NDArray[np.float64]:
    bars = read_channels(benchmark)["bars"]
    check_bars(bars, "benchmark")
    known = np.searchsorted(bars.time + bars.interval, prepared.close_times(), side="right") - 1
    price = bars.close[np.maximum(known, 0)]
    curve: NDArray[np.float64] = options.cash * price / price[0]
    return curve


def _notes(run: Run, prepared: Prepared) -> tuple[str, ...]:
    account = run.desk.account[0]
    notes = []
    if not all(instrument.lot_step > 0 and instrument.tick_size > 0 for instrument in prepared.instruments):
        notes.append("Research run: an instrument without lot step and tick is traded in fractions, money in float64.")
    for count, text in (
        (account["n_reduced"], "orders were cut to what the account's margin allowed"),
        (account["n_unsized"], "targets could not be sized and were not traded (no stop loss, or no volatility yet)"),
        (account["n_margin_calls"], "positions were closed by margin call"),
        (account["n_expired"], "orders expired unfilled"),
        (account["n_inexact"], "fills left more cash than can be held to the millionth"),
        (account["n_merged"], f"entries were added to an open ticket, as all {TICKETS} were in use"),
    ):
        if count:
            notes.append(f"{count:,} {text}.")
    if account["ruined"]:
        notes.append("The account was ruined: cash fell to zero or below, and nothing was traded after that.")
    return tuple(notes)
