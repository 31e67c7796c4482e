"""What is told of a curve value by value."""

import numpy as np

from trading.metrics.kernels import Floats, write_drawdowns, write_returns, write_rolling_sharpe


def drawdowns(values: Floats) -> Floats:
    """Return the fall of each value from the highest one so far, as a fraction <= 0 of it; float64[m] like `values`."""
    out = np.empty(values.size)
    write_drawdowns(values, out)
    return out


def rolling_sharpe(values: Floats, window: int, periods_per_year: float, risk_free: float) -> Floats:
    """Return the Sharpe ratio of the last `window` returns at each of m values: float64[m], nan before the first."""
    out = np.empty(values.size)
    write_rolling_sharpe(period_returns(values), window, periods_per_year, risk_free, out)
    return out


def period_returns(values: Floats) -> Floats:
    """Return v[i] / v[i-1] - 1 for the m values of a curve: float64[m - 1], cut after the first value that is <= 0."""
    out = np.empty(values.size)
    return out[: write_returns(values, out)]
