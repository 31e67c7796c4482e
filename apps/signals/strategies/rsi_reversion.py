"""Buys what has fallen too fast by the RSI, and sells it when the RSI is back."""

from typing import NamedTuple

import numpy as np

from apps.signals.interface import Choice, Float, Int, strategy
from trading.bars import Bar, Floats
from trading.indicators import RsiState, rsi, rsi_state


class Params(NamedTuple):
    window: int
    oversold: float
    exit: float
    overbought: float
    side: int


class State(NamedTuple):
    rsi: RsiState
    held: Floats


def _complaint(params: Params) -> str | None:
    if params.oversold < params.exit < params.overbought:
        return None
    return f"oversold={params.oversold:g} < exit={params.exit:g} < overbought={params.overbought:g} does not hold"


@strategy(
    parameters=(
        Int("window", 14, low=2, high=1000, sweep=range(2, 31, 4), doc="bars in the RSI"),
        Float("oversold", 30.0, low=0.0, high=100.0, sweep=range(15, 41, 5), doc="buy below this RSI"),
        Float("exit", 50.0, low=0.0, high=100.0, sweep=range(45, 61, 5), doc="close at or beyond this RSI"),
        Float("overbought", 70.0, low=0.0, high=100.0, sweep=range(65, 86, 5), doc="sell short above this RSI (both)"),
        Choice("side", "long", ("long", "both"), doc="trade only oversold markets (long), or both sides"),
    ),
    state=lambda params: State(rsi_state(params.window), np.zeros(1)),
    warmup=lambda params: params.window + 1,
    settles="never",
    check=_complaint,
)
def rsi_reversion(state: State, bar: Bar, params: Params) -> float:
    """Long from RSI < oversold until RSI >= exit; with side=both also short from RSI > overbought until RSI <= exit."""
    value = rsi(state.rsi, bar.close)
    if np.isnan(value):
        return np.nan
    held: float = state.held[0]
    if (held > 0.0 and value >= params.exit) or (held < 0.0 and value <= params.exit):
        held = 0.0
    if value < params.oversold:
        held = 1.0
    elif params.side and value > params.overbought:
        held = -1.0
    state.held[0] = held
    return held
