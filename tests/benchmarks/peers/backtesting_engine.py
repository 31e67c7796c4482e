"""backtesting.py, in fractions of a unit, with everything of the next bar's open."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import FractionalBacktest

from tests.benchmarks import data
from tests.benchmarks.jobs import Case, Facts, Job, WorkUnsupportedError

warnings.filterwarnings("ignore")
ALL_IN = 1 - 1e-9  # a size of 1 would be one unit


class _Crossing(Strategy):  # type: ignore[misc]
    fast = 20
    slow = 50

    def init(self) -> None:
        close = pd.Series(self.data.Close)
        above = (close.rolling(self.fast).mean() > close.rolling(self.slow).mean()).to_numpy(np.float64)
        self.above = self.I(lambda: above, plot=False)

    def next(self) -> None:
        if self.above[-1]:
            if not self.position:
                self.buy(size=ALL_IN)
        elif self.position:
            self.position.close()


def prepare(case: Case) -> Job:
    """Return the job of `case`. Raises WorkUnsupportedError where backtesting.py has no way to do it."""
    if case.work not in ("W1", "W4b"):
        raise WorkUnsupportedError("has no portfolio" if case.work == "W3" else "runs one pair at a time, in Python")
    bars = data.read(case.arrays)
    frame = pd.DataFrame(
        {name.capitalize(): bars[name] for name in ("open", "high", "low", "close", "volume")},
        index=pd.to_datetime(bars["time"]),
    )

    def run() -> Any:
        test = FractionalBacktest(
            frame, _Crossing, cash=case["cash"], commission=case["fee_bps"] / 10_000, fractional_unit=1e-9
        )
        return test.run(fast=case["fast"], slow=case["slow"])

    return Job(run, _facts, "trades, equity curve, its metrics (of days)")


def _facts(result: Any) -> Facts:
    trades = result["_trades"]
    return {
        "final_equity": float(result["Equity Final [$]"]),
        "n_fills": 2 * len(trades) + len(result["_strategy"].trades),
        "fees_paid": float(result["Commissions [$]"]),
    }
