"""Moving averages: simple, exponential and weighted."""

import numpy as np

from trading.bars import Floats
from trading.compiled import kernel

_NEXT = np.uint64(1)
_WMA_HEAD = np.uint64(5)


def sma_state(window: int) -> Floats:
    """Return the state of an SMA over `window` values: [missing, slot, total, end, window, ring of `window` values]."""
    state = np.zeros(5 + window)
    state[:5] = window, 5, 0, 5 + window, window
    return state


@kernel
def sma(state: Floats, x: float) -> float:
    """Take in `x` and return the mean of the last `window` values: total / window, where total += x - oldest."""
    if np.isnan(x):
        return np.nan
    slot = state[1]
    place = np.uint64(np.int64(slot))  # unsigned: an index that cannot be negative needs no wrap-around
    oldest = state[place]
    state[place] = x
    total: float = state[2] + (x - oldest)
    state[2] = total
    slot += 1.0
    state[1] = slot if slot < state[3] else 5.0
    if state[0] > 1.0:
        state[0] -= 1.0
        return np.nan
    window: float = state[4]
    return total / window


@kernel
def sma_columns(close: Floats, window: int, out: Floats) -> None:
    """Write `sma` of every value of `close` to `out`, bit for bit what the incremental kernel returns."""
    total = 0.0
    for t in range(min(window, close.size)):
        total += close[t] - 0.0
        out[t] = np.nan
    if window <= close.size:
        out[window - 1] = total / window
    for t in range(window, close.size):
        total += close[t] - close[t - window]
        out[t] = total / window
    if np.isnan(total):  # there is a nan among the values: once more, leaving it out
        _sma_columns_with_gaps(close, window, out)


@kernel
def _sma_columns_with_gaps(close: Floats, window: int, out: Floats) -> None:
    total, seen, oldest = 0.0, 0, 0
    for t in range(close.size):
        out[t] = np.nan
        if np.isnan(close[t]):
            continue
        if seen < window:
            seen += 1
            total += close[t] - 0.0
        else:
            while np.isnan(close[oldest]):
                oldest += 1
            total += close[t] - close[oldest]
            oldest += 1
        if seen == window:
            out[t] = total / window


def ema_state(window: int, smoothing: float | None = None) -> Floats:
    """Return the state of an EMA: [missing, value, smoothing, window].

    `smoothing` is 2 / (window + 1) unless given; 1 / window makes it Wilder's average.
    """
    return np.array([window, 0.0, 2.0 / (window + 1.0) if smoothing is None else smoothing, window])


@kernel
def ema(state: Floats, x: float) -> float:
    """Take in `x` and return (x - previous) * smoothing + previous, seeded with the mean of the first window."""
    if np.isnan(x):
        return np.nan
    value: float = state[1]
    if state[0] > 0.0:
        state[0] -= 1.0
        value += x
        if state[0] > 0.0:
            state[1] = value
            return np.nan
        value /= state[3]
    else:
        value = (x - value) * state[2] + value
    state[1] = value
    return value


@kernel
def ema_columns(close: Floats, window: int, out: Floats) -> None:
    """Write `ema` of every value of `close` to `out`, bit for bit what the incremental kernel returns."""
    smoothing = 2.0 / (window + 1.0)
    value, seen, t = 0.0, 0, 0
    while t < close.size and seen < window:
        out[t] = np.nan
        if not np.isnan(close[t]):
            seen += 1
            value += close[t]
            if seen == window:
                value /= window
                out[t] = value
        t += 1
    for later in range(t, close.size):
        x = close[later]
        if np.isnan(x):
            out[later] = np.nan
        else:
            value = (x - value) * smoothing + value
            out[later] = value


def wma_state(window: int) -> Floats:
    """Return the state of a WMA over `window` values: [missing, slot, sum, weighted sum, window, ring of sums]."""
    state = np.zeros(6 + window)
    state[0] = state[4] = window
    return state


@kernel
def wma(state: Floats, x: float) -> float:
    """Take in `x` and return the mean of the last `window` values weighted 1, 2, … window, the newest most.

    Nothing is ever subtracted, so nothing drifts: the sums of the values since the ring's start are added to those of
    what is left of the turn before, which are made when the ring turns.
    """
    if np.isnan(x):
        return np.nan
    slot: float = state[1]
    window: float = state[4]
    place = np.uint64(np.int64(slot)) + _WMA_HEAD
    if slot == 0.0:
        _fold_weighted(state)
    slot += 1.0
    total: float = state[2] + x
    weighted: float = state[3] + slot * x
    state[place] = x
    state[1] = slot if slot < window else 0.0
    state[2] = total
    state[3] = weighted
    if state[0] > 1.0:
        state[0] -= 1.0
        return np.nan
    rest: float = state[place + _NEXT]
    return (weighted + (window - slot) * total + rest) / (0.5 * window * (window + 1.0))


@kernel
def _fold_weighted(state: Floats) -> None:
    """Replace each value in the ring by the sum of it and all later ones, weighted 1, 2, …; the element beyond is 0."""
    total, weighted = 0.0, 0.0
    for place in range(state.size - 2, 4, -1):
        total += state[place]
        weighted += total
        state[place] = weighted
    state[2] = state[3] = 0.0
