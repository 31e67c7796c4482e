"""Rows into bars: open, high, low and close of stretches of rows."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Values = NDArray[np.float64]
Indices = NDArray[np.int64]


class Stretches(NamedTuple):
    """Rows that belong together: `starts` and `ends` int64[m], the first and the last row of each."""

    starts: Indices
    ends: Indices


def stretches(keys: Times) -> Stretches:
    """Return the stretches of equal `keys`, int64[n], n > 0, equal ones side by side."""
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return Stretches(starts, np.append(starts[1:], keys.size) - 1)


def aggregate(values: Values, rows: Stretches) -> Values:
    """Return one bar for each stretch of rows: float64[columns, m].

    `values` is float64[columns, n]: open, high, low and close of one side or, one after the other, of two, and at last
    the volume, which is added up; nan stays nan.
    """
    bars = np.empty((values.shape[0], rows.starts.size))
    for side in range(0, values.shape[0] - 1, 4):
        opened, high, low, close = values[side : side + 4]
        bars[side] = opened[rows.starts]
        bars[side + 1] = np.maximum.reduceat(high, rows.starts)
        bars[side + 2] = np.minimum.reduceat(low, rows.starts)
        bars[side + 3] = close[rows.ends]
    bars[-1] = np.add.reduceat(values[-1], rows.starts)
    return bars


def merge(bar: Values, other: Values, *, is_before: bool, is_after: bool) -> Values:
    """Return two parts of one bar as one, float64[columns]: `other` begins before `bar`, or ends after it, or neither.

    All of it is exact where the values are whole numbers, so the order of merging does not matter.
    """
    merged = bar.copy()
    for side in range(0, bar.size - 1, 4):
        if is_before:
            merged[side] = other[side]
        merged[side + 1] = max(bar[side + 1], other[side + 1])
        merged[side + 2] = min(bar[side + 2], other[side + 2])
        if is_after:
            merged[side + 3] = other[side + 3]
    merged[-1] = bar[-1] + other[-1]
    return merged
