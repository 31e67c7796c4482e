"""What every peer is told: where the crossing is above, as arrays of booleans."""

import numpy as np
from numpy.typing import NDArray

Booleans = NDArray[np.bool_]


def next_bar(above: Booleans) -> tuple[Booleans, Booleans]:
    """Return entries and exits of `above` (bars first), a bar later, for engines that fill on the bar of the signal."""
    entries, exits = np.zeros_like(above), np.zeros_like(above)
    entries[1:] = above[:-1]
    np.logical_not(above[:-1], out=exits[1:])
    return entries, exits


def rebalance_bars(days: int, lookback: int, every: int) -> NDArray[np.int64]:
    """Return the bars at whose close the momentum rank decides, those that can still be traded."""
    decided: NDArray[np.int64] = np.arange(lookback, days - 1)
    return decided[decided % every == every - 1]


def momentum_weights(
    close: NDArray[np.float64], lookback: int, every: int, top: int, invest: float
) -> NDArray[np.float64]:
    """Return target weights to be filled on their own row: shape (days, symbols), nan where nothing is decided.

    `close` has shape (days, symbols).
    """
    weights = np.full(close.shape, np.nan)
    decided = rebalance_bars(close.shape[0], lookback, every)
    momentum = close[decided] / close[decided - lookback]
    best = np.argsort(-momentum, axis=1, kind="stable")[:, :top]
    rows = np.zeros(momentum.shape)
    np.put_along_axis(rows, best, invest / top, axis=1)
    weights[decided + 1] = rows
    return weights
