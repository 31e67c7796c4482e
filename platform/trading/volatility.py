"""How much an instrument moves, as volatility sizing takes it."""

from typing import Any

import numpy as np

from trading.compiled import inner_kernel, kernel

VOLATILITY_BARS = 60  # how many log returns, bar to bar, are looked at; half of them must be known


@kernel
def volatility_of(closes: Any, bars_per_year: float) -> float:
    """Return the yearly standard deviation of the log returns between closes, float64[n], oldest first; nan if unknown.

    Only the last VOLATILITY_BARS returns count, and those that are no numbers do not.
    """
    count, total, squares = 0, 0.0, 0.0
    for bar in range(max(1, closes.size - VOLATILITY_BARS), closes.size):
        step = np.log(closes[bar] / closes[bar - 1])
        if step == step:
            count += 1
            total += step
            squares += step * step
    return yearly(count, total, squares, bars_per_year)


@inner_kernel
def yearly(count: int, total: float, squares: float, bars_per_year: float) -> float:
    """Return the yearly standard deviation of `count` returns by their sum and sum of squares; nan if too few."""
    if count < VOLATILITY_BARS // 2:
        return np.nan
    variance = (squares - total * total / count) / (count - 1)
    return np.sqrt(max(variance, 0.0) * bars_per_year)
