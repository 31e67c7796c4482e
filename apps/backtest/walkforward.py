"""Walk-forward: parameters chosen on one span of time and traded on the next, over and over."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from apps.backtest.cli_grid import GridError, Span
from apps.backtest.options import Options
from apps.backtest.request import Loaded, between, iso, rows
from apps.backtest.result import Result
from trading.bars import Bars


@dataclass(frozen=True, slots=True)
class Window:
    """Spans of opening times, ns UTC, starts included and ends left out: where parameters are chosen, and traded."""

    train: tuple[int, int]
    test: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Trained:
    """One window when it is done. `params` is None where nothing in the grid had a score: then nothing is traded."""

    window: Window
    params: dict[str, Any] | None
    train_score: float
    test_score: float
    metrics: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WalkForward:
    """A walk-forward: its windows, oldest first, and the out-of-sample run stitched from them."""

    windows: tuple[Trained, ...]
    result: Result
    rank: str


def windows_of(
    first: int, last: int, train: Span, test: Span, *, step: Span | None = None, anchored: bool = False
) -> list[Window]:
    """Return the windows of bars that open from `first` to `last`, ns UTC.

    The first begins on the first bar's day. Each lies one `step` (default: `test`) after the one before; with
    `anchored` the training spans all begin on the first day. The last test span may end early. Raises GridError where
    not even one fits, or where the step would have bars traded twice.
    """
    hop = step or test
    day = np.datetime64(first, "ns").astype("datetime64[D]").astype("datetime64[ns]")
    if hop.after(day) < test.after(day):
        raise GridError("--step is shorter than --test: bars would be traded twice")
    windows: list[Window] = []
    while True:
        begin = Span(hop.months * len(windows), hop.days * len(windows)).after(day)
        middle = train.after(begin)
        if int(middle.astype(np.int64)) > last:
            break
        end = test.after(middle)
        start = day if anchored else begin
        moments = [int(each.astype(np.int64)) for each in (start, middle, end)]
        windows.append(Window((moments[0], moments[1]), (moments[1], min(moments[2], last + 1))))
    if not windows:
        raise GridError(f"the bars, {iso(first)} to {iso(last)}, end before the first training does: shorten --train")
    return windows


def walk_forward(
    strategy: str,
    loaded: Loaded,
    *,
    grid: Mapping[str, Any],
    train: Span,
    test: Span,
    step: Span | None = None,
    anchored: bool = False,
    rank: str = "sharpe",
    params: Mapping[str, Any] | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> WalkForward:
    """Sweep `grid` on each training span, trade the best on the test span after it, and stitch the test spans.

    Each test span starts flat with the equity that the last one ended with; before its first bar stand exactly the
    strategy's warm-up bars, in which it cannot trade. What is held at its end is valued at its last close.
    """
    first = max(int(bars.time[0]) for bars in loaded.bars.values())
    last = max(int(bars.time[-1]) for bars in loaded.bars.values())
    windows = windows_of(first, last, train, test, step=step, anchored=anchored)
    checked = Options.of(options)
    equity, trained, parts = checked.cash, [], []
    for number, window in enumerate(windows):
        chosen, score = _train(strategy, loaded, window, dict(grid), rank, dict(params or {}), workers, options)
        part = None
        if chosen is not None and equity > 0.0:
            part = _test(strategy, loaded, window, chosen, {**options, "cash": equity})
        if part is None:
            trained.append(Trained(window, None, math.nan, math.nan))
        else:
            parts.append(part)
            equity = part.final_equity
            value = part.metrics.get(rank)
            trained.append(Trained(window, chosen, score, math.nan if value is None else float(value), part.metrics))
        if progress:
            progress(number + 1, len(windows))
    if not parts:
        raise GridError(f"no window had parameters with a {rank}: train longer, or widen --grid")
    return WalkForward(tuple(trained), stitched(strategy, parts, checked), rank)


def _train(
    strategy: str,
    loaded: Loaded,
    window: Window,
    grid: dict[str, Any],
    rank: str,
    params: dict[str, Any],
    workers: int | None,
    options: dict[str, Any],
) -> tuple[dict[str, Any] | None, float]:
    from apps.backtest.interface import sweep

    bars = {name: between(each, *window.train) for name, each in loaded.bars.items()}
    if any(len(each) < 2 for each in bars.values()):
        return None, math.nan
    around = {**loaded.surroundings(), "benchmark": None}
    swept = sweep(strategy, bars, grid=grid, params=params, rank=rank, workers=workers, **around, **options)
    score = float(swept.table[rank].iloc[0]) if len(swept.table) else math.nan
    return (None, math.nan) if math.isnan(score) else ({**params, **swept.best}, score)


def _test(
    strategy: str, loaded: Loaded, window: Window, params: dict[str, Any], options: dict[str, Any]
) -> Result | None:
    from apps.backtest.interface import run
    from apps.signals.interface import get_strategy

    declared = get_strategy(strategy)
    warmup = int(declared.warmup(declared.bind(**params)))
    ahead = warmup - 1 if options.get("fill") == "close" else warmup
    start, end = window.test
    from_time = _rows_before(loaded.bars, start, ahead)
    bars = {name: between(each, from_time, end) for name, each in loaded.bars.items()}
    if any(not len(between(each, start, end)) for each in bars.values()):
        return None
    result = run(strategy, bars, params=params, **loaded.surroundings(), **options)
    return without_rows_until(result, start)


def _rows_before(bars: Mapping[str, Bars], start: int, count: int) -> int:
    """Return the opening time from which `count` opening times, of all channels, lie before `start`."""
    opens = np.unique(np.concatenate([each.time[: np.searchsorted(each.time, start)] for each in bars.values()]))
    return int(opens[max(0, opens.size - count)]) if count and opens.size else start


def without_rows_until(result: Result, start: int) -> Result:
    """Return `result` without what closed at or before `start`: the warm-up, in which nothing was traded."""
    skip = int(np.searchsorted(result.time, start, side="right"))
    fills = result.fill_records[result.fill_records["bar"] >= skip].copy()
    trades = result.trade_records[result.trade_records["entry_bar"] >= skip].copy()
    fills["bar"] -= skip
    trades["entry_bar"] -= skip
    trades["exit_bar"] -= skip
    return replace(
        result,
        bars=tuple(rows(each, int(np.searchsorted(each.time, start)), len(each)) for each in result.bars),
        time=result.time[skip:],
        equity=result.equity[skip:],
        exposure=result.exposure[skip:],
        fill_records=fills,
        trade_records=trades,
        benchmark=None if result.benchmark is None else result.benchmark[skip:],
    )
