"""Results of consecutive spans of time as one."""

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.backtest.options import Options
from apps.backtest.request import Loaded
from apps.backtest.result import Result
from trading.bars import Bars

_COLUMNS = tuple(name for name in Bars.__dataclass_fields__ if name != "interval")


def stitched(strategy: Any, loaded: Loaded, parts: Sequence[Result], options: Options, asked: dict[str, Any]) -> Result:
    """Return one result of `parts`, oldest first, each of which began with the equity that the one before ended with.

    Trades that were open at the end of a part are closed there, at the value of its last close; `asked` goes into the
    manifest.
    """
    starts = np.cumsum([0, *(part.time.size for part in parts)])
    fills = _moved(parts, starts, "fill_records", ("bar",))
    trades = _moved(parts, starts, "trade_records", ("entry_bar", "exit_bar"))
    last = parts[-1].trade_records.size
    trades["is_open"][: trades.size - last] = 0
    bars = tuple(_joined([part.bars[i] for part in parts]) for i in range(len(parts[0].bars)))
    time = np.concatenate([part.time for part in parts])
    equity = np.concatenate([part.equity for part in parts])
    exposure = np.concatenate([part.exposure for part in parts])
    benchmark = _benchmark(loaded.benchmark, time, options.cash)
    metrics = _metrics(parts, bars, fills, trades, equity, exposure, benchmark, loaded, options)
    return Result(
        strategy=strategy.name,
        params={},
        channels=parts[0].channels,
        bars=bars,
        time=time,
        equity=equity,
        exposure=exposure,
        fill_records=fills,
        trade_records=trades,
        metrics=metrics,
        manifest=_manifest(loaded, parts, options, asked),
        benchmark=benchmark,
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _moved(parts: Sequence[Result], starts: NDArray[np.int64], name: str, bars: tuple[str, ...]) -> NDArray[Any]:
    moved = [getattr(part, name).copy() for part in parts]
    for start, records in zip(starts, moved, strict=False):
        for each in bars:
            records[each] += start
    return np.concatenate(moved)


def _joined(pieces: Sequence[Bars]) -> Bars:
    columns = {name: [getattr(each, name) for each in pieces] for name in _COLUMNS}
    whole = {name: None if each[0] is None else np.concatenate(each) for name, each in columns.items()}
    return Bars(**whole, interval=pieces[0].interval)  # type: ignore[arg-type]


def _benchmark(bars: Bars | None, time: NDArray[np.int64], cash: float) -> NDArray[np.float64] | None:
    """Return what `cash` is worth at each time, held in the benchmark from the first."""
    if bars is None:
        return None
    known = np.searchsorted(bars.time + bars.interval, time, side="right") - 1
    price = bars.close[np.maximum(known, 0)]
    return np.asarray(cash * price / price[0])


def _metrics(
    parts: Sequence[Result],
    bars: tuple[Bars, ...],
    fills: NDArray[Any],
    trades: NDArray[Any],
    equity: NDArray[np.float64],
    exposure: NDArray[np.float64],
    benchmark: NDArray[np.float64] | None,
    loaded: Loaded,
    options: Options,
) -> dict[str, Any]:
    """Return the metrics by the same kernels as a single run's, of the curves and trades as they are here."""
    from apps.backtest.kernels.scoring import N_SCORES, SCORE_KEYS, Outcome, score
    from apps.backtest.market import prepare
    from apps.backtest.measure import periods_of, with_start
    from trading.metrics import BENCHMARK_KEYS, as_dict, benchmark_metrics

    prepared = prepare(
        dict(zip(parts[0].channels, bars, strict=True)),
        options,
        instruments=loaded.instruments,
        conversion=loaded.conversion or None,
    )
    periods = periods_of(prepared, options)
    values = with_start(options.cash, equity[periods.ends])
    added = ("fees_paid", "swap_paid", "engine_seconds", "compile_seconds")
    summed = {name: sum(part.metrics[name] for part in parts) for name in added}
    scores = np.empty(N_SCORES)
    score(
        prepared.closes,
        prepared.specs(options),
        Outcome(fills, trades, values, summed["fees_paid"]),
        periods,
        scores,
    )
    # The fills alone do not tell that each part begins flat; the exposures do.
    found = as_dict(SCORE_KEYS, scores) | {
        "exposure_pct": 100.0 * float(np.count_nonzero(exposure)) / exposure.size,
        "avg_exposure_pct": 100.0 * float(np.mean(np.nan_to_num(exposure[periods.ends]))),
    }
    if benchmark is not None:
        against = np.empty(len(BENCHMARK_KEYS))
        theirs = with_start(options.cash, benchmark[periods.ends])
        benchmark_metrics(values, theirs, periods.per_year, periods.risk_free, against)
        found |= as_dict(BENCHMARK_KEYS, against)
    return {**found, **summed, "open_trades": int(np.count_nonzero(trades["is_open"])), "bars": int(equity.size)}


def _manifest(loaded: Loaded, parts: Sequence[Result], options: Options, asked: dict[str, Any]) -> dict[str, Any]:
    from apps.backtest.market import prepare
    from apps.backtest.running import data_digest

    whole = prepare(loaded.bars, options, instruments=loaded.instruments, conversion=loaded.conversion or None)
    told = {
        name: asdict(each) if is_dataclass(each) and not isinstance(each, type) else each
        for name, each in asked.items()
    }
    manifest = {
        **parts[0].manifest,
        "data_hash": data_digest(whole),
        "walkforward": told,
        "bars": sum(part.time.size for part in parts),
    }
    manifest["options"] = {**manifest["options"], "cash": options.cash}
    manifest.pop("params", None)
    return manifest
