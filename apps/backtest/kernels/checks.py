"""Which rows of a user's bars cannot be: a pass that only counts, and one to find the row where there is any."""

from typing import Any

import numpy as np

from trading.compiled import inner_kernel


@inner_kernel
def first_bad_row(opens: Any, highs: Any, lows: Any, closes: Any) -> int:
    """Return the first row whose prices are no bar (nan, infinite, not positive, outside low and high), or -1."""
    bad = 0
    for t in range(closes.size):
        inside = (lows[t] <= opens[t]) & (opens[t] <= highs[t]) & (lows[t] <= closes[t]) & (closes[t] <= highs[t])
        bad += not (inside & (lows[t] > 0.0) & (highs[t] < np.inf))
    if bad == 0:
        return -1
    for t in range(closes.size):
        inside = (lows[t] <= opens[t]) & (opens[t] <= highs[t]) & (lows[t] <= closes[t]) & (closes[t] <= highs[t])
        if not (inside & (lows[t] > 0.0) & (highs[t] < np.inf)):
            return t
    return -1


@inner_kernel
def first_bad_volume(volumes: Any) -> int:
    """Return the first row whose volume is negative or infinite, or -1; nan says that it is not known."""
    bad = 0
    for t in range(volumes.size):
        bad += (volumes[t] < 0.0) | (volumes[t] == np.inf)
    if bad > 0:
        for t in range(volumes.size):
            if volumes[t] < 0.0 or volumes[t] == np.inf:
                return t
    return -1


@inner_kernel
def first_late_row(time: Any) -> int:
    """Return the first row whose time is not after the one before, or -1."""
    bad = 0
    for t in range(1, time.size):
        bad += time[t] <= time[t - 1]
    if bad > 0:
        for t in range(1, time.size):
            if time[t] <= time[t - 1]:
                return t
    return -1


@inner_kernel
def is_same(one: Any, other: Any) -> bool:
    """Tell whether two columns hold the same values."""
    if one.size != other.size:
        return False
    different = 0
    for t in range(one.size):
        different += one[t] != other[t]
    return different == 0
