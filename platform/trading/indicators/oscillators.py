"""Oscillators: RSI, MACD and the stochastic."""

from typing import NamedTuple

import numpy as np

from trading.bars import Floats
from trading.compiled import kernel
from trading.indicators.averages import ema, ema_state, sma, sma_state
from trading.indicators.rolling import rolling_max, rolling_max_state, rolling_min, rolling_min_state


class RsiState(NamedTuple):
    """The state of an RSI: the last value, and Wilder's averages of gains and losses."""

    last: Floats
    gain: Floats
    loss: Floats


def rsi_state(window: int = 14) -> RsiState:
    """Return the state of an RSI over `window` changes."""
    return RsiState(np.array([np.nan]), ema_state(window, 1.0 / window), ema_state(window, 1.0 / window))


@kernel
def rsi(state: RsiState, x: float) -> float:
    """Take in `x` and return Wilder's RSI, 0 to 100, from the (window + 1)-th value on.

    100 * gain / (gain + loss), each Wilder's average over `window` changes (New Concepts in Technical Trading Systems,
    1978). Where nothing has moved it is 50, as neither side is the stronger; TA-Lib says 0.
    """
    if np.isnan(x):
        return np.nan
    change = x - state.last[0]
    state.last[0] = x
    if np.isnan(change):
        return np.nan
    gain = ema(state.gain, max(change, 0.0))
    loss = ema(state.loss, max(-change, 0.0))
    if np.isnan(gain):
        return np.nan
    return 100.0 * gain / (gain + loss) if gain + loss > 0.0 else 50.0


class MacdState(NamedTuple):
    """The state of a MACD: values that the fast average is still to leave out, and the three averages."""

    skip: Floats
    fast: Floats
    slow: Floats
    signal: Floats


class Macd(NamedTuple):
    """MACD line, its signal line, and their difference."""

    line: float
    signal: float
    histogram: float


def macd_state(fast: int = 12, slow: int = 26, signal: int = 9) -> MacdState:
    """Return the state of a MACD. Raises ValueError unless fast < slow."""
    if fast >= slow:
        raise ValueError(f"the fast average ({fast}) must be shorter than the slow one ({slow})")
    return MacdState(np.array([float(slow - fast)]), ema_state(fast), ema_state(slow), ema_state(signal))


@kernel
def macd(state: MacdState, x: float) -> Macd:
    """Take in `x` and return EMA(fast) - EMA(slow), its EMA(signal), and the difference, once all three exist.

    As in TA-Lib both averages start at the same value, so that the fast one is seeded with the last `fast` of the
    first `slow` values.
    """
    if np.isnan(x):
        return Macd(np.nan, np.nan, np.nan)
    slow = ema(state.slow, x)
    if state.skip[0] > 0.0:
        state.skip[0] -= 1.0
        return Macd(np.nan, np.nan, np.nan)
    line = ema(state.fast, x) - slow
    signal = ema(state.signal, line)
    if np.isnan(signal):
        return Macd(np.nan, np.nan, np.nan)
    return Macd(line, signal, line - signal)


class StochasticState(NamedTuple):
    """The state of a stochastic: highest high, lowest low, and the averages for slow %K and slow %D."""

    highest: Floats
    lowest: Floats
    slow_k: Floats
    slow_d: Floats


class Stochastic(NamedTuple):
    """%K and %D, 0 to 100."""

    k: float
    d: float


def stochastic_state(fast_k: int = 5, slow_k: int = 3, slow_d: int = 3) -> StochasticState:
    """Return the state of a stochastic; with slow_k=1 it is the fast one (TA-Lib's STOCHF with fastd=slow_d)."""
    return StochasticState(rolling_max_state(fast_k), rolling_min_state(fast_k), sma_state(slow_k), sma_state(slow_d))


@kernel
def stochastic(state: StochasticState, high: float, low: float, close: float) -> Stochastic:
    """Take in one bar and return the slow stochastic: %K = SMA(slow_k) of fast %K, %D = SMA(slow_d) of %K.

    Fast %K is 100 * (close - lowest low) / (highest high - lowest low) of `fast_k` bars, 0 where they have no range.
    """
    if np.isnan(high) or np.isnan(low) or np.isnan(close):
        return Stochastic(np.nan, np.nan)
    highest = rolling_max(state.highest, high)
    lowest = rolling_min(state.lowest, low)
    reach = highest - lowest
    fast_k = 100.0 * (close - lowest) / reach if reach != 0.0 else 0.0
    slow_k = sma(state.slow_k, fast_k)
    slow_d = sma(state.slow_d, slow_k)
    if np.isnan(slow_d):
        return Stochastic(np.nan, np.nan)
    return Stochastic(slow_k, slow_d)
