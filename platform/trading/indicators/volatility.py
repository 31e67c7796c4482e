"""Ranges and bands: true range, ATR, Bollinger bands and the Donchian channel."""

from typing import NamedTuple

import numpy as np

from trading.bars import Floats
from trading.compiled import kernel
from trading.indicators.averages import ema, ema_state
from trading.indicators.rolling import (
    rolling_max,
    rolling_max_state,
    rolling_min,
    rolling_min_state,
    rolling_moments,
    rolling_moments_state,
)


class Band(NamedTuple):
    """A lower and an upper line, and the one between."""

    lower: float
    middle: float
    upper: float


def true_range_state() -> Floats:
    """Return the state of a true range: [last close]."""
    return np.array([np.nan])


@kernel
def true_range(state: Floats, high: float, low: float, close: float) -> float:
    """Take in one bar and return max(high, last close) - min(low, last close), from the second bar on."""
    if np.isnan(high) or np.isnan(low) or np.isnan(close):
        return np.nan
    last = state[0]
    state[0] = close
    return np.nan if np.isnan(last) else max(high, last) - min(low, last)


class AtrState(NamedTuple):
    """The state of an ATR: the last close, and Wilder's average of true ranges."""

    last: Floats
    average: Floats


def atr_state(window: int = 14) -> AtrState:
    """Return the state of an ATR over `window` true ranges."""
    return AtrState(true_range_state(), ema_state(window, 1.0 / window))


@kernel
def atr(state: AtrState, high: float, low: float, close: float) -> float:
    """Take in one bar and return Wilder's average of `window` true ranges, from the (window + 1)-th bar on."""
    average: float = ema(state.average, true_range(state.last, high, low, close))
    return average


def bollinger_state(window: int = 20) -> Floats:
    """Return the state of Bollinger bands over `window` values."""
    return rolling_moments_state(window)


@kernel
def bollinger(state: Floats, x: float, width: float = 2.0) -> Band:
    """Take in `x` and return the mean of the window and the lines `width` standard deviations (ddof 0) around it."""
    moments = rolling_moments(state, x)
    return Band(moments.mean - width * moments.std, moments.mean, moments.mean + width * moments.std)


class DonchianState(NamedTuple):
    """The state of a Donchian channel: highest high and lowest low."""

    highest: Floats
    lowest: Floats


def donchian_state(window: int = 20) -> DonchianState:
    """Return the state of a Donchian channel over `window` bars."""
    return DonchianState(rolling_max_state(window), rolling_min_state(window))


@kernel
def donchian(state: DonchianState, high: float, low: float) -> Band:
    """Take in one bar and return lowest low, highest high and their mean over `window` bars, this one included."""
    if np.isnan(high) or np.isnan(low):
        return Band(np.nan, np.nan, np.nan)
    highest = rolling_max(state.highest, high)
    lowest = rolling_min(state.lowest, low)
    return Band(lowest, 0.5 * (lowest + highest), highest)
