"""hftbacktest's compiled callback: one trade a bar comes in, the strategy decides on it and sends nothing.

That is less than we do per bar (no order, no fill, no equity curve), so it is the most that its loop could reach.
"""

from typing import Any

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    EXCH_EVENT,
    LOCAL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    ROIVectorMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit

from tests.benchmarks import data
from tests.benchmarks.jobs import Case, Facts, Job, WorkUnsupportedError

NEVER_NS = 1 << 60


def prepare(case: Case) -> Job:
    """Return the job of `case`. Raises WorkUnsupportedError but for the crossing in the event loop."""
    if case.work != "W4a":
        raise WorkUnsupportedError("is for order books")
    bars = data.read(case.arrays)
    events = np.zeros(bars["close"].size, event_dtype)
    events["ev"] = TRADE_EVENT | EXCH_EVENT | LOCAL_EVENT | BUY_EVENT
    events["exch_ts"] = events["local_ts"] = bars["time"] + data.MINUTE_NS - 1
    events["px"] = bars["close"]
    events["qty"] = 1.0
    top = float(bars["close"].max()) * 2

    def run() -> Any:
        asset = (
            BacktestAsset()
            .data(events)
            .linear_asset(1.0)
            .constant_order_latency(0, 0)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(case["fee_bps"] / 10_000, case["fee_bps"] / 10_000)
            .tick_size(0.01)
            .lot_size(1e-6)
            .roi_lb(0.0)
            .roi_ub(top)
            .last_trades_capacity(4)
        )
        market = ROIVectorMarketDepthBacktest([asset])
        try:
            return _decide(market, case["fast"], case["slow"])
        finally:
            market.close()

    return Job(run, _facts, "decisions only: no order, fill or curve")


@njit
def _decide(market: Any, fast: int, slow: int) -> Any:
    closes = np.zeros(slow)
    fast_sum = slow_sum = 0.0
    seen = flips = 0
    above = False
    while market.wait_next_feed(False, NEVER_NS) != 1:
        trades = market.last_trades(0)
        close = trades[len(trades) - 1].px
        market.clear_last_trades(0)
        place = seen % slow
        fast_sum += close - (closes[(seen - fast) % slow] if seen >= fast else 0.0)
        slow_sum += close - (closes[place] if seen >= slow else 0.0)
        closes[place] = close
        seen += 1
        if seen >= slow:
            flips += (fast_sum / fast > slow_sum / slow) != above
            above = fast_sum / fast > slow_sum / slow
    return seen, flips


def _facts(result: Any) -> Facts:
    return {"bars": result[0], "flips": result[1]}
