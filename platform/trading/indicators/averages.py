"""Moving averages: simple, exponential and weighted."""

import numpy as np

from trading.bars import Floats
from trading.compiled import kernel


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
    total = state[2] + (x - oldest)
    state[2] = total
    slot += 1.0
    state[1] = slot if slot < state[3] else 5.0
    if state[0] > 1.0:
        state[0] -= 1.0
        return np.nan
    return total / state[4]


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


def ema_state(window: int) -> Floats:
    """Return the state of an EMA with smoothing 2 / (window + 1): [missing, value, smoothing, window]."""
    return np.array([window, 0.0, 2.0 / (window + 1.0), window])


@kernel
def ema(state: Floats, x: float) -> float:
    """Take in `x` and return (x - previous) * 2 / (window + 1) + previous, seeded with the mean of the first window."""
    if np.isnan(x):
        return np.nan
    value = state[1]
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
