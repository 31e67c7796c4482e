"""Technical indicators as incremental kernels: one value in, one value out, in constant time.

Every indicator `name` comes with a plain function `name_state(...)` that makes its state: one float64 array, so that a
copy of the array is a snapshot. `value = name(state, x)` takes in the next value and returns the indicator at it:

- nan while fewer values than the warm-up needs have been taken in;
- nan for an input that is nan, which leaves the state untouched: a missing value is no value. Inputs must not be
  infinite.

Values are those of TA-Lib with its default settings wherever TA-Lib has the indicator; where not, the docstring gives
the formula.
"""

from trading.indicators.averages import ema, ema_columns, ema_state, sma, sma_columns, sma_state

__all__ = ["ema", "ema_columns", "ema_state", "sma", "sma_columns", "sma_state"]
