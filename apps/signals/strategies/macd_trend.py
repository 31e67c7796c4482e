"""Long while the MACD line is above its signal line (Appel, 1979)."""

from typing import NamedTuple

import numpy as np

from apps.signals.interface import Choice, Int, strategy
from trading.bars import Bar
from trading.indicators import MacdState, macd, macd_state


class Params(NamedTuple):
    fast: int
    slow: int
    signal: int
    side: int


class State(NamedTuple):
    macd: MacdState


@strategy(
    parameters=(
        Int("fast", 12, low=1, high=2000, sweep=range(6, 21, 2), doc="bars in the fast average"),
        Int("slow", 26, low=2, high=5000, sweep=range(20, 61, 5), doc="bars in the slow average"),
        Int("signal", 9, low=1, high=2000, sweep=range(5, 16, 2), doc="values in the signal line, an average of MACD"),
        Choice("side", "long", ("long", "both"), doc="below the signal line: flat (long), or short (both)"),
    ),
    state=lambda params: State(macd_state(params.fast, params.slow, params.signal)),
    warmup=lambda params: params.slow + params.signal - 1,
    settles=lambda params: 15 * (params.slow + params.signal),
    check=lambda params: None if params.fast < params.slow else f"fast={params.fast} is not below slow={params.slow}",
)
def macd_trend(state: State, bar: Bar, params: Params) -> float:
    """Long while MACD = EMA(fast) - EMA(slow) of the close is above its own EMA(signal), decided at the close."""
    found = macd(state.macd, bar.close)
    if np.isnan(found.signal):
        return np.nan
    if found.line > found.signal:
        return 1.0
    return -1.0 if params.side else 0.0
