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
    closes: Floats  # of the last `lookback` bars, a row of all channels each
    strength: Floats  # close over the close `lookback` bars ago, by channel
    best: Floats  # heap of the `top` largest, the smallest of them first
    bars: NDArray[np.int64]  # how many so far


def _initial(params: Params, channels: int) -> State:
    return State(
        new_targets(channels),
        np.full(params.lookback * channels, np.nan),
        np.full(channels, np.nan),
        np.empty(min(params.top, channels)),
        np.zeros(1, np.int64),
    )


@kernel
def _threshold(strength: Floats, best: Floats) -> float:
    """Return the smallest of the best.size largest, or -inf where not so many are ranked."""
    best[:] = -np.inf
    for value in strength:
        if value > best[0]:
            parent = 0
            child = 1
            while child < best.size:
                if child + 1 < best.size and best[child + 1] < best[child]:
                    child += 1
                if value <= best[child]:
                    break
                best[parent] = best[child]
                parent = child
                child = 2 * parent + 1
            best[parent] = value
    smallest: float = best[0]
    return smallest


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
    oldest = t % params.lookback * channels
    ranks = t >= params.lookback and t % params.every == params.every - 1
    if ranks:
        for each in range(channels):
            state.strength[each] = bars.close[each] / state.closes[oldest + each]
    for each in range(channels):
        state.closes[oldest + each] = bars.close[each]
    if not ranks:
        return state.targets
    threshold = _threshold(state.strength, state.best)
    places = state.best.size
    for each in range(channels):
        if state.strength[each] > threshold:
            places -= 1
    for each in range(channels):
        chosen = state.strength[each] > threshold
        if state.strength[each] == threshold and places > 0:
            chosen = True
            places -= 1
        state.targets.value[each] = params.invest / params.top if chosen else 0.0
        state.targets.version[each] += 1
    return state.targets
