"""Holds a trend with as much weight as keeps the position's volatility at a target."""

from typing import NamedTuple

import numpy as np

from apps.signals.interface import Choice, Float, Int, strategy
from trading.bars import Bar, Floats
from trading.indicators import rolling_std, rolling_std_state, sma, sma_state


class Params(NamedTuple):
    trend: int
    window: int
    volatility: float
    bars_per_year: float
    weight_max: float
    step: float
    side: int


class State(NamedTuple):
    trend: Floats
    deviation: Floats
    last: Floats


@strategy(
    parameters=(
        Int("trend", 100, low=1, high=5000, sweep=range(50, 251, 50), doc="bars in the average that tells the trend"),
        Int("window", 20, low=2, high=5000, sweep=(10, 20, 40, 60), doc="returns in the volatility"),
        Float("volatility", 0.15, low=0.001, high=5.0, sweep=(0.10, 0.15, 0.20), doc="wanted, per year"),
        Float("bars_per_year", 252.0, low=1.0, high=1e7, doc="252 for daily bars, 6240 for hourly ones of currencies"),
        Float("weight_max", 2.0, low=0.0, high=20.0, doc="never more than this times equity"),
        Float(
            "step",
            0.1,
            low=0.001,
            high=1.0,
            doc="weights are rounded to multiples of this, so that not every bar trades",
        ),
        Choice("side", "long", ("long", "both"), doc="below the average: flat (long), or short (both)"),
    ),
    state=lambda params: State(sma_state(params.trend), rolling_std_state(params.window, 1), np.full(1, np.nan)),
    warmup=lambda params: max(params.trend, params.window + 1),
    sizing="weights",
)
def vol_target_trend(state: State, bar: Bar, params: Params) -> float:
    """Hold volatility / realised volatility times equity while the close is above SMA(trend).

    Realised is the standard deviation (ddof 1) of `window` log returns times sqrt(bars_per_year). No opinion while the
    price does not move at all.
    """
    average = sma(state.trend, bar.close)
    realised = rolling_std(state.deviation, np.log(bar.close / state.last[0])) * np.sqrt(params.bars_per_year)
    if not np.isnan(bar.close):
        state.last[0] = bar.close
    if np.isnan(average) or not realised > 0.0:
        return np.nan
    steps = np.floor(min(params.volatility / realised, params.weight_max) / params.step + 0.5)
    size: float = steps * params.step
    if bar.close > average:
        return size
    return -size if params.side else 0.0
