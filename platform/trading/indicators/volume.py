"""Volume-weighted average price, since the session's start or over a window."""

import numpy as np

from trading.bars import Floats
from trading.compiled import kernel

_NEXT = np.uint64(1)
_HEAD = np.uint64(5)


def vwap_state() -> Floats:
    """Return the state of a session VWAP: [session, sum of price * volume, sum of volume]."""
    return np.array([np.nan, 0.0, 0.0])


@kernel
def vwap(state: Floats, price: float, volume: float, session: float) -> float:
    """Take in a price with its volume and return the VWAP since `session` last changed; nan before any volume.

    `session` is any number that changes with the session: for UTC days bar.time // 86_400_000_000_000. The price is
    customarily the typical price (high + low + close) / 3.
    """
    if np.isnan(price) or np.isnan(volume):
        return np.nan
    if session != state[0]:
        state[0] = session
        state[1] = state[2] = 0.0
    state[1] += price * volume
    state[2] += volume
    return state[1] / state[2] if state[2] > 0.0 else np.nan


def rolling_vwap_state(window: int) -> Floats:
    """Return the state of a VWAP over `window` values.

    [missing, slot, since the ring's turn: sum of price * volume, sum of volume; window; ring of both sums].
    """
    state = np.zeros(5 + 2 * (window + 1))
    state[0] = state[4] = window
    return state


@kernel
def rolling_vwap(state: Floats, price: float, volume: float) -> float:
    """Take in a price with its volume and return the VWAP of the last `window`; nan where they have no volume."""
    if np.isnan(price) or np.isnan(volume):
        return np.nan
    slot = state[1]
    place = (np.uint64(np.int64(slot)) << _NEXT) + _HEAD
    if slot == 0.0:
        for each in range(state.size - 5, 4, -1):
            state[each] += state[each + 2]
        state[2] = state[3] = 0.0
    value = state[2] + price * volume
    traded = state[3] + volume
    state[place] = price * volume
    state[place + _NEXT] = volume
    state[2] = value
    state[3] = traded
    slot += 1.0
    state[1] = slot if slot < state[4] else 0.0
    if state[0] > 1.0:
        state[0] -= 1.0
        return np.nan
    following = place + _NEXT + _NEXT
    value += state[following]
    traded += state[following + _NEXT]
    return value / traded if traded > 0.0 else np.nan
