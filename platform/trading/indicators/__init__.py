"""Technical indicators as incremental kernels: one value in, one value out, in constant time.

Every indicator `name` comes with a plain function `name_state(...)` that makes its state: a float64 array, or a
NamedTuple of them, so that copies of the arrays are a snapshot. `value = name(state, x)` takes in the next value and
returns the indicator at it:

- nan while fewer values than the warm-up needs have been taken in;
- nan for an input that is nan, which leaves the state untouched: a missing value is no value. Inputs must not be
  infinite.

Values are those of TA-Lib with its default settings wherever TA-Lib has the indicator; where not, or where TA-Lib is
imprecise, the docstring says so.
"""

from trading.indicators.averages import ema, ema_columns, ema_state, sma, sma_columns, sma_state, wma, wma_state
from trading.indicators.crossings import ema_crossings, sma_crossings
from trading.indicators.direction import DirectionalMovement, adx, adx_state
from trading.indicators.oscillators import (
    Macd,
    MacdState,
    RsiState,
    Stochastic,
    StochasticState,
    macd,
    macd_state,
    rsi,
    rsi_state,
    stochastic,
    stochastic_state,
)
from trading.indicators.rolling import (
    Moments,
    correlation,
    correlation_state,
    rolling_max,
    rolling_max_state,
    rolling_min,
    rolling_min_state,
    rolling_moments,
    rolling_moments_state,
    rolling_std,
    rolling_std_state,
    zscore,
    zscore_state,
)
from trading.indicators.volatility import (
    AtrState,
    Band,
    DonchianState,
    atr,
    atr_state,
    bollinger,
    bollinger_state,
    donchian,
    donchian_state,
    true_range,
    true_range_state,
)
from trading.indicators.volume import rolling_vwap, rolling_vwap_state, vwap, vwap_state

__all__ = [
    "AtrState",
    "Band",
    "DirectionalMovement",
    "DonchianState",
    "Macd",
    "MacdState",
    "Moments",
    "RsiState",
    "Stochastic",
    "StochasticState",
    "adx",
    "adx_state",
    "atr",
    "atr_state",
    "bollinger",
    "bollinger_state",
    "correlation",
    "correlation_state",
    "donchian",
    "donchian_state",
    "ema",
    "ema_columns",
    "ema_crossings",
    "ema_state",
    "macd",
    "macd_state",
    "rolling_max",
    "rolling_max_state",
    "rolling_min",
    "rolling_min_state",
    "rolling_moments",
    "rolling_moments_state",
    "rolling_std",
    "rolling_std_state",
    "rolling_vwap",
    "rolling_vwap_state",
    "rsi",
    "rsi_state",
    "sma",
    "sma_columns",
    "sma_crossings",
    "sma_state",
    "stochastic",
    "stochastic_state",
    "true_range",
    "true_range_state",
    "vwap",
    "vwap_state",
    "wma",
    "wma_state",
    "zscore",
    "zscore_state",
]
