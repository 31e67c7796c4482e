"""Buys a close above an ATR channel, protected by a stop loss and a trailing stop in ATRs."""

from typing import NamedTuple

import numpy as np

from apps.signals.interface import Choice, Float, Int, strategy
from trading.bars import Bar, Floats
from trading.indicators import AtrState, atr, atr_state, ema, ema_state
from trading.targets import Target, weight


class Params(NamedTuple):
    window: int
    width: float
    stop: float
    trail: float
    side: int


class State(NamedTuple):
    middle: Floats
    range: AtrState
    held: Floats


@strategy(
    parameters=(
        Int("window", 20, low=1, high=2000, sweep=range(10, 61, 10), doc="bars in the average and in the ATR"),
        Float("width", 2.0, low=0.0, high=20.0, sweep=(1.0, 1.5, 2.0, 2.5, 3.0), doc="ATRs from average to channel"),
        Float(
            "stop", 2.0, low=0.1, high=50.0, sweep=(1.0, 2.0, 3.0), doc="ATRs from the deciding close to the stop loss"
        ),
        Float("trail", 4.0, low=0.1, high=50.0, sweep=(3.0, 4.0, 6.0), doc="ATRs that the trailing stop stays behind"),
        Choice("side", "long", ("long", "both"), doc="trade only breakouts upwards (long), or both"),
    ),
    state=lambda params: State(ema_state(params.window), atr_state(params.window), np.zeros(1)),
    warmup=lambda params: params.window + 1,
    settles="never",
)
def atr_channel(state: State, bar: Bar, params: Params) -> Target:
    """Long from a close above EMA + width ATRs until one below EMA, with both stops; side=both: short likewise.

    The stops are set once, by the target that enters; later bars have no opinion until the exit. After a stop has
    closed the position it is entered again only when the close has been back beyond the average first.
    """
    middle = ema(state.middle, bar.close)
    reach = atr(state.range, bar.high, bar.low, bar.close)
    held = state.held[0]
    target: Target = weight(np.nan)
    if np.isnan(middle) or np.isnan(reach):
        return target
    if bar.close > middle + params.width * reach and held <= 0.0:
        state.held[0] = 1.0
        target = weight(1.0, bar.close - params.stop * reach, np.nan, params.trail * reach)
    elif params.side and bar.close < middle - params.width * reach and held >= 0.0:
        state.held[0] = -1.0
        target = weight(-1.0, bar.close + params.stop * reach, np.nan, params.trail * reach)
    elif (held > 0.0 and bar.close < middle) or (held < 0.0 and bar.close > middle):
        state.held[0] = 0.0
        target = weight(0.0)
    return target
