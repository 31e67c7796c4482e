"""A strategy for measuring the pipeline: it changes its mind at every bar."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.signals.interface import strategy
from trading.bars import Bar


class Params(NamedTuple):
    pass


class State(NamedTuple):
    turn: NDArray[np.int64]


def _initial(_params: Params) -> State:
    return State(np.zeros(1, np.int64))


@strategy(parameters=(), state=_initial, settles="never")
def flip(state: State, _bar: Bar, _params: Params) -> float:
    """Hold 0.3 and 0.6 of equity in turn."""
    state.turn[0] = 1 - state.turn[0]
    return 0.3 if state.turn[0] else 0.6
