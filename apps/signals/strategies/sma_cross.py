"""Long while the fast simple moving average of the close is above the slow one."""

from typing import NamedTuple

import numpy as np

from apps.signals.interface import Choice, CrossingLines, Int, strategy
from trading.bars import Bar, Floats
from trading.indicators import sma, sma_columns, sma_crossings, sma_state


class Params(NamedTuple):
    fast: int
    slow: int
    side: int


class State(NamedTuple):
    fast: Floats
    slow: Floats


@strategy(
    parameters=(
        Int("fast", 20, low=1, high=5000, sweep=range(5, 46, 5), doc="bars in the fast average"),
        Int("slow", 50, low=1, high=5000, sweep=range(50, 251, 25), doc="bars in the slow average"),
        Choice("side", "long", ("long", "both"), doc="below the slow average: flat (long), or short (both)"),
    ),
    state=lambda params: State(sma_state(params.fast), sma_state(params.slow)),
    warmup=lambda params: max(params.fast, params.slow),
    lines=CrossingLines(sma_columns, fast="fast", slow="slow", side="side", crossings=sma_crossings),
)
def sma_cross(state: State, bar: Bar, params: Params) -> float:
    """Long while SMA(fast) > SMA(slow), decided at the close, from the first bar on which both exist."""
    fast = sma(state.fast, bar.close)
    slow = sma(state.slow, bar.close)
    if np.isnan(fast) or np.isnan(slow):
        return np.nan
    if fast > slow:
        return 1.0
    return -1.0 if params.side else 0.0
