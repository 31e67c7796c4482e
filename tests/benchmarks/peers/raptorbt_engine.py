"""raptorbt by its array runner, its batch runner and its strategy class."""

from typing import Any

import numpy as np
import raptorbt

from tests.benchmarks import data
from tests.benchmarks.jobs import Case, Facts, Job, WorkUnsupportedError

LONG = 1


def prepare(case: Case) -> Job:
    """Return the job of `case`. Raises WorkUnsupportedError where raptorbt has no way to do it."""
    jobs = {"W1": _crossing, "W2": _sweep, "W4b": _class_form}
    if case.work not in jobs:
        raise WorkUnsupportedError("trades no target weights" if case.work == "W3" else "compiles no strategy")
    return jobs[case.work](case)


def _config(case: Case) -> Any:
    return raptorbt.BacktestConfig(
        initial_capital=case["cash"], fees=case["fee_bps"] / 10_000, fill_timing="next_bar_open"
    )


def _columns(bars: data.Columns) -> tuple[Any, ...]:
    return tuple(bars[name] for name in ("time", "open", "high", "low", "close", "volume"))


def _crossing(case: Case) -> Job:
    bars = data.read(case.arrays)
    columns, config = _columns(bars), _config(case)

    def run() -> tuple[Any, Any, Any]:
        above = raptorbt.sma(bars["close"], case["fast"]) > raptorbt.sma(bars["close"], case["slow"])
        result = raptorbt.run_single_backtest(*columns, above, ~above, LONG, 1.0, "X", config)
        return result.metrics, result.equity_curve(), result.trades()

    return Job(run, _facts, "trades, equity curve, its metrics (of bars)")


def _facts(result: tuple[Any, Any, Any]) -> Facts:
    metrics, equity, trades = result
    return {
        "final_equity": float(equity[-1]),
        "n_fills": 2 * len(trades) - metrics.total_open_trades,
        "fees_paid": metrics.total_fees_paid,
    }


def _sweep(case: Case) -> Job:
    bars = data.read(case.arrays)
    columns, config, close = _columns(bars), _config(case), bars["close"]
    fasts, slows = list(case["fast"]), list(case["slow"])

    def run() -> Any:
        means = {window: raptorbt.sma(close, window) for window in {*fasts, *slows}}
        items = []
        for fast in fasts:
            for slow in slows:
                above = means[fast] > means[slow]
                items.append(raptorbt.BatchSingleItem(f"{fast}-{slow}", above, ~above, config=config))
        return raptorbt.batch_single_backtest(*columns, items, config)

    return Job(run, _sweep_facts, "its metrics and books of every pair")


def _sweep_facts(results: Any) -> Facts:
    metrics = [result.metrics for _, result in results]
    return {
        "final_equity": [each.end_value for each in metrics],
        "n_fills": [2 * each.total_trades - each.total_open_trades for each in metrics],
    }


class _Crossing(raptorbt.Strategy):  # type: ignore[misc]
    def __init__(self, fast: int, slow: int) -> None:
        super().__init__()
        self.windows = fast, slow

    def on_start(self, ctx: Any) -> None:
        fast, slow = (raptorbt.sma(ctx.close, window) for window in self.windows)
        self.above = (fast > slow).tolist()
        self.known = (~np.isnan(slow)).tolist()
        self.held = False

    def on_bar(self, ctx: Any) -> None:
        above = self.above[ctx.idx]
        if above != self.held and self.known[ctx.idx]:
            self.held = above
            if above:
                self.enter()
            else:
                self.close_position()


def _class_form(case: Case) -> Job:
    columns, config = _columns(data.read(case.arrays)), _config(case)

    def run() -> tuple[Any, Any, Any]:
        strategy = _Crossing(case["fast"], case["slow"])
        result = raptorbt.run_strategy_backtest(strategy, *columns, symbol="X", config=config)
        return result.metrics, result.equity_curve(), result.trades()

    return Job(run, _facts, "trades, equity curve, its metrics; averages computed before the run")
