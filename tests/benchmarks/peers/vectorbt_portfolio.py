"""vectorbt by `Portfolio`, its documented front, with the Rust engine and its cache off."""

from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt

from tests.benchmarks import data
from tests.benchmarks.jobs import Case, Facts, Job, WorkUnsupportedError
from tests.benchmarks.peers.signals import momentum_weights, next_bar

vbt.settings["engine"] = "rust"
vbt.settings.caching["enabled"] = False


def prepare(case: Case) -> Job:
    """Return the job of `case`. Raises WorkUnsupportedError where vectorbt has no way to do it."""
    jobs = {"W1": _crossing, "W3": _momentum}
    if case.work not in jobs:
        raise WorkUnsupportedError(
            "measured by its kernels" if case.work == "W2" else "calls no strategy per bar in Rust"
        )
    return jobs[case.work](case)


def _crossing(case: Case) -> Job:
    bars = data.read(case.arrays)
    index = pd.to_datetime(bars["time"])
    open_, close = pd.Series(bars["open"], index), pd.Series(bars["close"], index)

    def run() -> tuple[Any, Any, Any]:
        fast, slow = (vbt.MA.run(close, window).ma.to_numpy() for window in (case["fast"], case["slow"]))
        entries, exits = next_bar(fast > slow)
        books = vbt.Portfolio.from_signals(
            close,
            entries,
            exits,
            price=open_,
            fees=case["fee_bps"] / 10_000,
            init_cash=case["cash"],
            freq="1min",
            max_orders=close.size // 8 + 16,
        )
        return books.orders.values, books.exit_trades.values, books.value()

    return Job(run, _facts, "orders, trades, equity curve; no metrics")


def _facts(result: tuple[Any, Any, Any]) -> Facts:
    orders, _, equity = result
    return {
        "final_equity": float(equity.iloc[-1]),
        "n_fills": len(orders),
        "fees_paid": float(orders["fees"].sum()),
    }


def _momentum(case: Case) -> Job:
    bars = data.read(case.arrays)
    index = pd.to_datetime(bars["time"][0])
    open_, close = (pd.DataFrame(np.ascontiguousarray(bars[name].T), index) for name in ("open", "close"))
    rule = {name: case[name] for name in ("lookback", "every", "top", "invest")}

    def run() -> tuple[Any, Any, Any]:
        books = vbt.Portfolio.from_orders(
            close,
            momentum_weights(close.to_numpy(), **rule),
            size_type="targetpercent",
            price=open_,
            fees=case["fee_bps"] / 10_000,
            init_cash=case["cash"],
            group_by=True,
            cash_sharing=True,
            call_seq="auto",
            freq="1D",
            max_orders=close.size // 4,
        )
        return books.orders.values, books.exit_trades.values, books.value()

    return Job(run, _facts, "orders, trades, equity curve; no metrics")
