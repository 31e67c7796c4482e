"""Buys new highs and gets out at new lows (the turtles' rule, on closes)."""

from typing import NamedTuple

import numpy as np

from apps.signals.interface import Choice, Int, strategy
from trading.bars import Bar, Floats
from trading.indicators import DonchianState, donchian, donchian_state


class Params(NamedTuple):
    entry: int
    exit: int
    side: int


class State(NamedTuple):
    entry: DonchianState
    exit: DonchianState
    before: Floats  # the channels as of the bar before: entry's low and high, exit's low and high
    held: Floats


@strategy(
    parameters=(
        Int("entry", 20, low=1, high=5000, sweep=range(10, 101, 10), doc="bars whose high must be broken to enter"),
        Int("exit", 10, low=1, high=5000, sweep=range(5, 51, 5), doc="bars whose low must be broken to leave"),
        Choice("side", "long", ("long", "both"), doc="trade only breakouts upwards (long), or both"),
    ),
    state=lambda params: State(
        donchian_state(params.entry), donchian_state(params.exit), np.full(4, np.nan), np.zeros(1)
    ),
    warmup=lambda params: max(params.entry, params.exit) + 1,
    settles="never",
)
def donchian_breakout(state: State, bar: Bar, params: Params) -> float:
    """Long from a close above the high of the `entry` bars before, until one below the low of the `exit` bars before.

    With side=both likewise short. Orders are at market after the close that broke the channel, not stops resting at its
    edge: a bar that only pierces it does not count.
    """
    low, high, exit_low, exit_high = state.before[0], state.before[1], state.before[2], state.before[3]
    entry, leave = donchian(state.entry, bar.high, bar.low), donchian(state.exit, bar.high, bar.low)
    if np.isnan(bar.high) or np.isnan(bar.low):
        return np.nan
    state.before[0] = entry.lower
    state.before[1] = entry.upper
    state.before[2] = leave.lower
    state.before[3] = leave.upper
    if np.isnan(high) or np.isnan(exit_high):
        return np.nan
    held: float = state.held[0]
    if (held > 0.0 and bar.close < exit_low) or (held < 0.0 and bar.close > exit_high):
        held = 0.0
    if bar.close > high:
        held = 1.0
    elif params.side and bar.close < low:
        held = -1.0
    state.held[0] = held
    return held
