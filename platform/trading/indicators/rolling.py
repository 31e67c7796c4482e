"""Statistics of the last `window` values: maximum, minimum, mean and deviation, z-score, correlation.

None of them ever takes a value out of an aggregate, so nothing drifts over millions of values, nothing is left behind
by an outlier, and nothing cancels where the deviation is tiny beside the mean. Values go into a ring. When it turns,
each place gets the aggregate of its value and all later ones; until it turns again, the window is that aggregate one
place further on, merged with the aggregate of the values since the turn (van Herk, Gil and Werman for the maximum;
Chan, Golub and LeVeque, 1983, for merging moments). That is amortised constant time.
"""

from typing import NamedTuple

import numpy as np

from trading.bars import Floats
from trading.compiled import kernel

_NEXT = np.uint64(1)
_EXTREME_HEAD = np.uint64(4)
_MOMENTS_HEAD = np.uint64(6)
_PAIR_HEAD = np.uint64(8)
_PAIR_FIELDS = np.uint64(5)


class Moments(NamedTuple):
    """Mean and standard deviation of a window."""

    mean: float
    std: float


def rolling_max_state(window: int) -> Floats:
    """Return the state of a maximum over `window` values: [missing, slot, maximum since the turn, window, ring]."""
    return np.array([window, 0.0, -np.inf, window, *[-np.inf] * (window + 1)])


@kernel
def rolling_max(state: Floats, x: float) -> float:
    """Take in `x` and return the largest of the last `window` values."""
    if np.isnan(x):
        return np.nan
    slot = state[1]
    place = np.uint64(np.int64(slot)) + _EXTREME_HEAD
    if slot == 0.0:
        for each in range(state.size - 3, 3, -1):
            state[each] = max(state[each], state[each + 1])
        largest = x
    else:
        largest = max(state[2], x)
    state[place] = x
    state[2] = largest
    slot += 1.0
    state[1] = slot if slot < state[3] else 0.0
    if state[0] > 1.0:
        state[0] -= 1.0
        return np.nan
    rest: float = state[place + _NEXT]
    return max(largest, rest)


def rolling_min_state(window: int) -> Floats:
    """Return the state of a minimum over `window` values: that of the maximum of the negated ones."""
    return rolling_max_state(window)


@kernel
def rolling_min(state: Floats, x: float) -> float:
    """Take in `x` and return the smallest of the last `window` values."""
    largest: float = rolling_max(state, -x)
    return -largest


def rolling_moments_state(window: int, ddof: int = 0) -> Floats:
    """Return the state of mean and deviation over `window` values, the squares divided by window - ddof.

    [missing, slot, mean and sum of squares since the turn, window, divisor, ring of (mean, sum of squares)].
    """
    if window <= ddof:
        raise ValueError(f"a deviation with ddof={ddof} needs a window of more than {ddof} values, not {window}")
    state = np.zeros(6 + 2 * (window + 1))
    state[0] = state[4] = window
    state[5] = window - ddof
    return state


@kernel
def rolling_moments(state: Floats, x: float) -> Moments:
    """Take in `x` and return mean and standard deviation of the last `window` values."""
    if np.isnan(x):
        return Moments(np.nan, np.nan)
    slot, window = state[1], state[4]
    place = (np.uint64(np.int64(slot)) << _NEXT) + _MOMENTS_HEAD
    if slot == 0.0:
        _fold_moments(state)
    slot += 1.0
    away = x - state[2]
    mean = state[2] + away * (1.0 / slot)
    squares = state[3] + away * (x - mean)
    state[1] = slot if slot < window else 0.0
    state[2] = mean
    state[3] = squares
    state[place] = x
    state[place + _NEXT] = 0.0
    if state[0] > 1.0:
        state[0] -= 1.0
        return Moments(np.nan, np.nan)
    following = place + _NEXT + _NEXT
    share = (window - slot) / window
    apart = state[following] - mean
    squares += state[following + _NEXT] + apart * apart * share * slot
    return Moments(mean + apart * share, np.sqrt(squares / state[5]))


@kernel
def _fold_moments(state: Floats) -> None:
    """Replace each value in the ring by the mean and sum of squares of it and all later ones, and start anew."""
    mean, squares, count = 0.0, 0.0, 0.0
    for place in range(state.size - 4, 5, -2):
        count += 1.0
        away = state[place] - mean
        mean += away * (1.0 / count)
        squares += away * (state[place] - mean)
        state[place] = mean
        state[place + 1] = squares
    state[2] = state[3] = 0.0


def rolling_std_state(window: int, ddof: int = 0) -> Floats:
    """Return the state of a standard deviation over `window` values, the squares divided by window - ddof."""
    return rolling_moments_state(window, ddof)


@kernel
def rolling_std(state: Floats, x: float) -> float:
    """Take in `x` and return the standard deviation of the last `window` values."""
    moments: Moments = rolling_moments(state, x)
    return moments.std


def zscore_state(window: int, ddof: int = 0) -> Floats:
    """Return the state of a z-score over `window` values, the squares divided by window - ddof."""
    return rolling_moments_state(window, ddof)


@kernel
def zscore(state: Floats, x: float) -> float:
    """Take in `x` and return (x - mean) / deviation of the last `window` values; nan where they are all equal."""
    moments: Moments = rolling_moments(state, x)
    if moments.std > 0.0:
        return (x - moments.mean) / moments.std
    return np.nan


def correlation_state(window: int) -> Floats:
    """Return the state of a correlation over `window` pairs of values.

    [missing, slot, since the turn: mean x, mean y, sums of squares xx, yy, xy; window; ring of those five].
    """
    state = np.zeros(8 + 5 * (window + 1))
    state[0] = state[7] = window
    return state


@kernel
def correlation(state: Floats, x: float, y: float) -> float:
    """Take in the pair and return Pearson's correlation of the last `window` pairs; nan where one side is constant."""
    if np.isnan(x) or np.isnan(y):
        return np.nan
    slot, window = state[1], state[7]
    place = np.uint64(np.int64(slot)) * _PAIR_FIELDS + _PAIR_HEAD
    if slot == 0.0:
        _fold_pairs(state)
    slot += 1.0
    away_x, away_y = x - state[2], y - state[3]
    state[2] += away_x * (1.0 / slot)
    state[3] += away_y * (1.0 / slot)
    state[4] += away_x * (x - state[2])
    state[5] += away_y * (y - state[3])
    state[6] += away_x * (y - state[3])
    state[place] = x
    state[place + _NEXT] = y
    state[1] = slot if slot < window else 0.0
    if state[0] > 1.0:
        state[0] -= 1.0
        return np.nan
    rest = np.int64(place + _PAIR_FIELDS)
    weight = (window - slot) / window * slot
    apart_x, apart_y = state[rest] - state[2], state[rest + 1] - state[3]
    xx = state[4] + state[rest + 2] + apart_x * apart_x * weight
    yy = state[5] + state[rest + 3] + apart_y * apart_y * weight
    xy = state[6] + state[rest + 4] + apart_x * apart_y * weight
    found: float = xy / (np.sqrt(xx) * np.sqrt(yy)) if xx > 0.0 and yy > 0.0 else np.nan
    return found


@kernel
def _fold_pairs(state: Floats) -> None:
    """Replace each pair in the ring by the moments of it and all later ones, and start anew."""
    mean_x, mean_y, xx, yy, xy, count = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for place in range(state.size - 10, 7, -5):
        count += 1.0
        away_x, away_y = state[place] - mean_x, state[place + 1] - mean_y
        mean_x += away_x * (1.0 / count)
        mean_y += away_y * (1.0 / count)
        xx += away_x * (state[place] - mean_x)
        yy += away_y * (state[place + 1] - mean_y)
        xy += away_x * (state[place + 1] - mean_y)
        state[place] = mean_x
        state[place + 1] = mean_y
        state[place + 2] = xx
        state[place + 3] = yy
        state[place + 4] = xy
    for each in range(2, 7):
        state[each] = 0.0
