"""Holds the strongest of many symbols, ranked anew every few bars (cross-sectional momentum)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.signals.interface import Float, Int, strategy
from trading.bars import Floats, Slice
from trading.compiled import kernel
from trading.targets import Targets, new_targets


class Params(NamedTuple):
    lookback: int
    every: int
    top: int
    invest: float


class State(NamedTuple):
    targets: Targets
    closes: Floats  # of the last `lookback` bars, a row each
    strength: Floats  # close over the close `lookback` bars ago, by channel
    ordered: Floats  # scratch for the selection
    bars: NDArray[np.int64]  # how many so far


def _initial(params: Params, channels: int) -> State:
    return State(
        new_targets(channels),
        np.full((params.lookback, channels), np.nan),
        np.full(channels, np.nan),
        np.full(channels, np.nan),
        np.zeros(1, np.int64),
    )


@kernel
def _nth_largest(values: Floats, n: int) -> float:
    """Return the n-th largest of `values`, which are overwritten.

    Hoare's selection, without branches on the values: a processor cannot guess those.
    """
    size = values.size
    while True:
        first, middle, last = values[0], values[size // 2], values[size - 1]
        pivot: float = max(min(first, middle), min(max(first, middle), last))
        above = equal = kept = 0
        for k in range(size):
            above += values[k] > pivot
            equal += values[k] == pivot
        if above < n <= above + equal:
            return pivot
        wants_above = above >= n
        if not wants_above:
            n -= above + equal
        for k in range(size):
            value = values[k]
            values[kept] = value
            kept += value > pivot if wants_above else value < pivot
        size = kept


@strategy(
    parameters=(
        Int("lookback", 60, low=1, high=5000, sweep=range(20, 241, 20), doc="bars over which the return is ranked"),
        Int("every", 5, low=1, high=1000, sweep=(1, 5, 10, 21), doc="bars from one ranking to the next"),
        Int("top", 50, low=1, high=10_000, sweep=(10, 20, 50), doc="how many symbols are held"),
        Float("invest", 0.998, low=0.0, high=10.0, doc="share of equity invested, in equal parts"),
    ),
    state=_initial,
    warmup=lambda params: -(-(params.lookback + 1) // params.every) * params.every,
    settles="never",
    channels=None,
    sizing="weights",
)
def momentum_rank(state: State, bars: Slice, params: Params) -> Targets:
    """Give the `top` symbols by close[t] / close[t - lookback] the weight invest / top each, and all others none.

    Ranked at the closes of bars t (from 0) with t >= lookback and t % every = every - 1; of equals the earlier symbol
    comes first, and a symbol without both closes last, with weight 0. Every ranking gives all targets a new version, so
    that what is kept is brought back to its weight too.
    """
    t = state.bars[0]
    state.bars[0] = t + 1
    channels = bars.close.size
    past = state.closes[t % params.lookback]
    ranks = t >= params.lookback and t % params.every == params.every - 1
    if ranks:
        for each in range(channels):
            strength = bars.close[each] / past[each]
            state.strength[each] = strength
            state.ordered[each] = -np.inf if np.isnan(strength) else strength
    for each in range(channels):
        past[each] = bars.close[each]
    if not ranks:
        return state.targets
    places = min(params.top, channels)
    threshold = _nth_largest(state.ordered, places)
    weight = params.invest / params.top
    for each in range(channels):
        chosen = state.strength[each] > threshold
        places -= chosen
        state.targets.value[each] = weight if chosen else 0.0
        state.targets.version[each] += 1
    for each in range(channels):
        if places > 0 and state.strength[each] == threshold:
            state.targets.value[each] = weight
            places -= 1
    return state.targets
