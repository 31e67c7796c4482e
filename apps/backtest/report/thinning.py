"""Fewer points that look the same: what is kept is exact, and no extreme is lost."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from trading.bars import Bars

_MINUTE: Final = 60_000_000_000
_STEPS: Final = tuple(_MINUTE * minutes for minutes in (1, 2, 3, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 10080))


def extreme_rows(curves: list[NDArray[np.float64]], buckets: int) -> NDArray[np.int64]:
    """Choose rows of curves of one length n: all, or in each of `buckets` the first row and every curve's extremes.

    Gives int64 rows in rising order, the first and the last row among them, at most (2 × curves + 1) × `buckets` + 1.
    """
    n = curves[0].size
    if n <= buckets * (2 * len(curves) + 1):
        return np.arange(n)
    edges = np.linspace(0, n, buckets + 1).astype(np.int64)[:-1]
    chosen = [edges, np.array([n - 1])]
    bucket_of = np.searchsorted(edges, np.arange(n), side="right") - 1
    for curve in curves:
        order = np.lexsort((np.where(np.isnan(curve), np.inf, curve), bucket_of))
        ends = np.append(edges[1:], n) - 1
        chosen += [order[edges], order[ends]]
    return np.unique(np.concatenate(chosen))


def coarser(bars: Bars, limit: int) -> Bars:
    """Aggregate bars until at most `limit` are left, into whole minutes, hours or days where that is enough.

    Mid prices only: quotes and volume are dropped. Each bar keeps the open time of its first part.
    """
    n = len(bars)
    if n <= limit:
        return bars
    for step in _STEPS:
        if bars.interval and step % bars.interval:
            continue
        starts = _starts(bars.time // step)
        if starts.size <= limit and step > bars.interval:
            return _merge(bars, starts, step)
    return _merge(bars, np.arange(0, n, -(-n // limit)), 0)


def _starts(group: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.flatnonzero(np.append(True, group[1:] != group[:-1]))


def _merge(bars: Bars, starts: NDArray[np.int64], interval: int) -> Bars:
    last = np.append(starts[1:], len(bars)) - 1
    return Bars(
        time=bars.time[starts],
        open=bars.open[starts],
        high=np.maximum.reduceat(bars.high, starts),
        low=np.minimum.reduceat(bars.low, starts),
        close=bars.close[last],
        interval=interval,
    )
