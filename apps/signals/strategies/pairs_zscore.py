"""Buys the cheap one of two related symbols and sells the dear one short, until they are back in line."""

from typing import NamedTuple

import numpy as np

from apps.signals.interface import Float, Int, strategy
from trading.bars import Floats, Slice
from trading.indicators import zscore, zscore_state
from trading.targets import Targets, new_targets, set_weight


class Params(NamedTuple):
    window: int
    entry: float
    exit: float
    weight: float


class State(NamedTuple):
    spread: Floats
    held: Floats
    targets: Targets


@strategy(
    parameters=(
        Int("window", 60, low=3, high=5000, sweep=range(20, 121, 20), doc="bars in the spread's average and deviation"),
        Float("entry", 2.0, low=0.1, high=10.0, sweep=(1.5, 2.0, 2.5, 3.0), doc="deviations from average to enter"),
        Float("exit", 0.5, low=0.0, high=10.0, sweep=(0.0, 0.5, 1.0), doc="deviations from average to leave"),
        Float("weight", 0.5, low=0.0, high=10.0, doc="share of equity in each leg"),
    ),
    state=lambda params, channels: State(zscore_state(params.window), np.zeros(1), new_targets(channels)),
    warmup=lambda params: params.window,
    settles="never",
    channels=2,
    sizing="weights",
    check=lambda params: (
        None if params.exit < params.entry else f"exit={params.exit:g} is not below entry={params.entry:g}"
    ),
)
def pairs_zscore(state: State, bars: Slice, params: Params) -> Targets:
    """Trade z, the z-score of log(first close / second close): short the first and long the second from z > entry on.

    The other way round from z < -entry on; out of both once |z| < exit. Only bars on which both have closed count.
    Both legs get new versions together, when the position changes.
    """
    if bars.fresh[0] == 0 or bars.fresh[1] == 0:
        return state.targets
    z = zscore(state.spread, np.log(bars.close[0] / bars.close[1]))
    if np.isnan(z):
        return state.targets
    held = state.held[0]
    if z > params.entry:
        held = -1.0
    elif z < -params.entry:
        held = 1.0
    elif abs(z) < params.exit:
        held = 0.0
    if held != state.held[0] or state.targets.version[0] == 0:
        state.held[0] = held
        set_weight(state.targets, 0, held * params.weight)
        set_weight(state.targets, 1, -held * params.weight)
    return state.targets
