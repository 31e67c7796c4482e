"""Wilder's directional movement: ADX and the directional indicators."""

from typing import NamedTuple

import numpy as np

from trading.bars import Floats
from trading.compiled import kernel


class DirectionalMovement(NamedTuple):
    """ADX, +DI and -DI, each 0 to 100."""

    adx: float
    plus: float
    minus: float


def adx_state(window: int = 14) -> Floats:
    """Return the state of an ADX: [bars, last high, low, close; smoothed range, +DM, -DM; ADX, window].

    Raises ValueError for a window below 2.
    """
    if window < 2:
        raise ValueError(f"an ADX needs a window of 2 bars or more, not {window}")
    return np.array([0.0, np.nan, np.nan, np.nan, 0.0, 0.0, 0.0, 0.0, window])


@kernel
def adx(state: Floats, high: float, low: float, close: float) -> DirectionalMovement:
    """Take in one bar and return ADX (from bar 2 * window on) with +DI and -DI (from bar window + 1 on).

    Range, +DM and -DM are summed over the first window - 1 changes and then smoothed by Wilder's s += new - s / window;
    DX = 100 * |+DI - -DI| / (+DI + -DI) is averaged over `window` bars and then smoothed likewise (New Concepts in
    Technical Trading Systems, 1978). Where there is no movement at all DX counts as 0 in the first average and is left
    out of later ones, as in TA-Lib.
    """
    if np.isnan(high) or np.isnan(low) or np.isnan(close):
        return DirectionalMovement(np.nan, np.nan, np.nan)
    bars = state[0]
    state[0] = bars + 1.0
    up, down, last = high - state[1], state[2] - low, state[3]
    state[1] = high
    state[2] = low
    state[3] = close
    if bars == 0.0:
        return DirectionalMovement(np.nan, np.nan, np.nan)
    window = state[8]
    keep = 1.0 - 1.0 / window if bars >= window else 1.0
    reach = state[4] * keep + (max(high, last) - min(low, last))
    plus = state[5] * keep + (up if up > 0.0 and up > down else 0.0)
    minus = state[6] * keep + (down if down > 0.0 and down > up else 0.0)
    state[4] = reach
    state[5] = plus
    state[6] = minus
    if bars < window:
        return DirectionalMovement(np.nan, np.nan, np.nan)
    average = _average_index(state, bars, plus, minus)
    share = 100.0 / reach if reach > 0.0 else 0.0
    return DirectionalMovement(average, plus * share, minus * share)


@kernel
def _average_index(state: Floats, bars: float, plus: float, minus: float) -> float:
    window = state[8]
    both = plus + minus
    index = 100.0 * abs(plus - minus) / both if both > 0.0 else np.nan
    if bars < 2.0 * window:
        state[7] += index / window if both > 0.0 else 0.0
    elif both > 0.0:
        state[7] += (index - state[7]) / window
    average: float = state[7]
    return average if bars >= 2.0 * window - 1.0 else np.nan
