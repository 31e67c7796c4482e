"""Where one moving average crosses another, found in one pass that writes neither of them down.

A kernel writes each row at which "fast is above slow" changes into `rows` (int64), and what holds from there on into
`values`: 1 above, `below` elsewhere. The first row on which both averages exist is a change. It returns how many there
are. `close` is float64[T] without nan; `rows` and `values` have room for T.
"""

from typing import Any

from trading.bars import Floats
from trading.compiled import inner_kernel

# Quotients that differ by more than this, relative to their size, differ after rounding too. Beneath TINY there are
# fewer digits.
_MORE, _LESS = 1.0 + 1e-14, 1.0 - 1e-14
_TINY = 1e-290


@inner_kernel
def sma_crossings(close: Floats, fast: int, slow: int, below: float, rows: Any, values: Any) -> int:
    """Find the crossings of two SMAs, those of `sma_columns` to the bit.

    Only where the means are almost equal they are divided out: elsewhere products of the totals tell that nothing has
    changed.
    """
    start = max(fast, slow)
    if start > close.size:
        return 0
    fast_total, slow_total = _total(close, fast, start), _total(close, slow, start)
    newest, fast_oldest, slow_oldest = close[start:], close[start - fast :], close[start - slow :]
    times, less, more = fast * 1.0, slow * _LESS, slow * _MORE
    is_above = fast_total / fast > slow_total / slow
    rows[0], values[0] = start - 1, 1.0 if is_above else below
    count, at, size = 1, -1, newest.size
    while at < size:
        first, at = at + 1, size
        if is_above:
            for t in range(first, size):
                fast_total += newest[t] - fast_oldest[t]
                slow_total += newest[t] - slow_oldest[t]
                if fast_total * less <= slow_total * times + _TINY and fast_total / fast <= slow_total / slow:
                    at = t
                    break
        else:
            for t in range(first, size):
                fast_total += newest[t] - fast_oldest[t]
                slow_total += newest[t] - slow_oldest[t]
                if fast_total * more + _TINY >= slow_total * times and fast_total / fast > slow_total / slow:
                    at = t
                    break
        if at < size:
            is_above = not is_above
            rows[count], values[count] = start + at, 1.0 if is_above else below
            count += 1
    return count


@inner_kernel
def _total(close: Floats, window: int, count: int) -> float:
    """Return the running total over `window` values after the first `count`, added up as `sma` does."""
    total = 0.0
    for t in range(window):
        total += close[t] - 0.0
    for t in range(window, count):
        total += close[t] - close[t - window]
    return total


@inner_kernel
def ema_crossings(close: Floats, fast: int, slow: int, below: float, rows: Any, values: Any) -> int:
    """Find the crossings of two EMAs, those of `ema_columns` to the bit."""
    start = max(fast, slow)
    if start > close.size:
        return 0
    fast_smoothing, slow_smoothing = 2.0 / (fast + 1.0), 2.0 / (slow + 1.0)
    fast_value, slow_value = _smoothed(close, fast, start), _smoothed(close, slow, start)
    was_above = fast_value > slow_value
    rows[0], values[0] = start - 1, 1.0 if was_above else below
    count = 1
    for t in range(start, close.size):
        fast_value = (close[t] - fast_value) * fast_smoothing + fast_value
        slow_value = (close[t] - slow_value) * slow_smoothing + slow_value
        is_above = fast_value > slow_value
        if is_above != was_above:
            rows[count], values[count] = t, 1.0 if is_above else below
            count += 1
            was_above = is_above
    return count


@inner_kernel
def _smoothed(close: Floats, window: int, count: int) -> float:
    """Return the EMA after the first `count` values, seeded as `ema` does."""
    smoothing = 2.0 / (window + 1.0)
    value = 0.0
    for t in range(window):
        value += close[t]
    value /= window
    for t in range(window, count):
        value = (close[t] - value) * smoothing + value
    return value
