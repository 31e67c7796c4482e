"""Buys below the lower Bollinger band, and sells at the average."""

from typing import NamedTuple

import numpy as np

from apps.signals.interface import Choice, Float, Int, strategy
from trading.bars import Bar, Floats
from trading.indicators import bollinger, bollinger_state


class Params(NamedTuple):
    window: int
    width: float
    side: int


class State(NamedTuple):
    bands: Floats
    held: Floats


@strategy(
    parameters=(
        Int("window", 20, low=2, high=5000, sweep=range(10, 61, 10), doc="bars in average and deviation"),
        Float("width", 2.0, low=0.1, high=10.0, sweep=(1.0, 1.5, 2.0, 2.5, 3.0), doc="deviations from average to band"),
        Choice("side", "long", ("long", "both"), doc="trade only the lower band (long), or both"),
    ),
    state=lambda params: State(bollinger_state(params.window), np.zeros(1)),
    warmup=lambda params: params.window,
    settles="never",
)
def bollinger_reversion(state: State, bar: Bar, params: Params) -> float:
    """Long from a close below the lower band until one at the average; side=both: short from above the upper too."""
    band = bollinger(state.bands, bar.close, params.width)
    if np.isnan(band.middle):
        return np.nan
    held: float = state.held[0]
    if (held > 0.0 and bar.close >= band.middle) or (held < 0.0 and bar.close <= band.middle):
        held = 0.0
    if bar.close < band.lower:
        held = 1.0
    elif params.side and bar.close > band.upper:
        held = -1.0
    state.held[0] = held
    return held
