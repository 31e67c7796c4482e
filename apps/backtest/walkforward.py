"""Walk-forward: parameters chosen on one span of time and traded on the next, over and over."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from apps.backtest.cli_grid import GridError, Span, parse_span
from apps.backtest.options import Options
from apps.backtest.report.inputs import WalkForwardOutcome, WalkForwardWindow
from apps.backtest.request import Loaded, RunRequest, iso, rows
from apps.backtest.result import Result
from apps.backtest.stitching import stitched
from trading.bars import Bars


class WarmupError(ValueError):
    """A strategy trades before the end of the warm-up that it declares."""


@dataclass(frozen=True, slots=True)
class Window:
    """Spans of closes, ns UTC, after their start and until their end: where parameters are chosen, and traded."""

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

    def outcome(self) -> WalkForwardOutcome:
        """Return what the report draws."""
        done = [each for each in self.windows if each.params is not None]
        return WalkForwardOutcome(
            strategy=self.result.strategy,
            windows=[
                WalkForwardWindow(
                    train=each.window.train, test=each.window.test, params=each.params or {},
                    train_score=each.train_score, test_score=each.test_score, test_metrics=each.metrics,
                )
                for each in done
            ],
            rank=self.rank,
            time=self.result.time,
            equity=self.result.equity,
            result=self.result,
            manifest=self.result.manifest,
        )  # fmt: skip


def windows_of(
    first: int, last: int, train: Span, test: Span, *, step: Span | None = None, anchored: bool = False
) -> list[Window]:
    """Return the windows of bars from the first open, `first`, to the last close, `last`, ns UTC.

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
        # Every moment is counted from the first day, so that test spans meet whatever the lengths of months.
        begin = hop.times(len(windows))
        moments = [int(span.after(day).astype(np.int64)) for span in (begin, begin + train, begin + train + test)]
        if moments[1] >= last:
            break
        start = int(day.astype(np.int64)) if anchored else moments[0]
        windows.append(Window((start, moments[1]), (moments[1], min(moments[2], last))))
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
    from apps.signals.interface import get_strategy

    first = max(int(bars.time[0]) for bars in loaded.bars.values())
    last = max(int(bars.time[-1]) + bars.interval for bars in loaded.bars.values())
    windows = windows_of(first, last, train, test, step=step, anchored=anchored)
    checked, declared = Options.of(options), get_strategy(strategy)
    equity = checked.cash
    trained: list[Trained] = []
    parts: list[Result] = []
    for number, window in enumerate(windows):
        chosen, score = _train(strategy, loaded, window, dict(grid), rank, dict(params or {}), workers, options)
        part = None
        if chosen is not None and equity > 0.0:
            part = _test(declared, loaded, window, chosen, {**options, "cash": equity})
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
    asked = {"train": train, "test": test, "step": step, "anchored": anchored, "rank": rank, "grid": dict(grid)}
    return WalkForward(tuple(trained), stitched(declared, loaded, parts, checked, asked), rank)


def walk_as_asked(
    request: RunRequest,
    loaded: Loaded,
    asked: Mapping[str, Any],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WalkForward:
    """Walk forward as the command was asked to and a stored run remembers it: spans as they are typed, rank and grid.

    Equal requests on equal bars give equal bits. Raises GridError, and what `walk_forward` raises.
    """
    walk = walk_forward(
        request.strategy,
        loaded,
        grid=asked["grid"],
        train=parse_span(asked["train"]),
        test=parse_span(asked["test"]),
        step=parse_span(asked["step"]) if asked["step"] else None,
        anchored=asked["anchored"],
        rank=asked["rank"],
        params=request.params,
        workers=workers,
        progress=progress,
        **request.options,
    )
    manifest = {**walk.result.manifest, "command": request.command("walkforward", _flags(asked))}
    return replace(walk, result=replace(walk.result, manifest=manifest, notes=(*loaded.notes, *walk.result.notes)))


def _flags(asked: Mapping[str, Any]) -> Iterator[str]:
    for name in ("train", "test", "step", "rank"):
        if asked[name]:
            yield from (f"--{name}", asked[name])
    if asked["anchored"]:
        yield "--anchored"
    for name, values in asked["grid"].items():
        yield from ("--grid", f"{name}={','.join(map(str, values))}")


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

    bars = {name: closing(each, *window.train) for name, each in loaded.bars.items()}
    if any(len(each) < 2 for each in bars.values()):
        return None, math.nan
    swept = sweep(
        strategy,
        bars,
        grid=grid,
        params=params,
        rank=rank,
        workers=workers,
        instruments=loaded.instruments,
        conversion=loaded.conversion or None,
        **options,
    )
    score = float(swept.table[rank].iloc[0]) if len(swept.table) else math.nan
    return (None, math.nan) if math.isnan(score) else ({**params, **swept.best}, score)


def _test(
    strategy: Any, loaded: Loaded, window: Window, params: dict[str, Any], options: dict[str, Any]
) -> Result | None:
    from apps.backtest.interface import run

    warmup = int(strategy.warmup(strategy.bind(**params)))
    start, end = window.test
    begin = _closes_before(loaded.bars, start, warmup - 1 if options.get("fill") == "close" else warmup)
    bars = {name: closing(each, begin, end) for name, each in loaded.bars.items()}
    if any(not len(closing(each, start, end)) for each in bars.values()):
        return None
    result = run(strategy, bars, params=params, **loaded.surroundings(), **options)
    return without_warmup(result, start)


def closing(bars: Bars, start: int, end: int) -> Bars:
    """Return the bars that close after `start` and not after `end` (ns UTC), as views."""
    first, last = np.searchsorted(bars.time, (start - bars.interval, end - bars.interval), side="right")
    return rows(bars, slice(int(first), int(last)))


def _closes_before(bars: Mapping[str, Bars], start: int, count: int) -> int:
    """Return the moment after which `count` closes, of all channels, lie until `start`."""
    closes = np.unique(np.concatenate([each.time + each.interval for each in bars.values()]))
    place = int(np.searchsorted(closes, start, side="right"))
    return int(closes[max(0, place - count)]) - 1 if count and place else start


def without_warmup(result: Result, start: int) -> Result:
    """Return `result` without what closed until `start`: the warm-up. Raises WarmupError if it traded there."""
    skip = int(np.searchsorted(result.time, start, side="right"))
    fills, trades = result.fill_records.copy(), result.trade_records.copy()
    if fills.size and int(fills["bar"].min()) < skip:
        raise WarmupError(
            f"{result.strategy} traded {skip - int(fills['bar'].min())} bars before the end of its declared warm-up: "
            "correct warmup= in its @strategy(...)"
        )
    fills["bar"] -= skip
    trades["entry_bar"] -= skip
    trades["exit_bar"] -= skip
    return replace(
        result,
        bars=tuple(closing(each, start, int(result.time[-1])) for each in result.bars),
        time=result.time[skip:],
        equity=result.equity[skip:],
        exposure=result.exposure[skip:],
        fill_records=fills,
        trade_records=trades,
        benchmark=None if result.benchmark is None else result.benchmark[skip:],
    )
