"""Changes its position by chance: the yardstick that a strategy should beat."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.signals.interface import Choice, Int, strategy
from trading.bars import Bar
from trading.compiled import kernel

_MODULUS = 2_147_483_647


class Params(NamedTuple):
    seed: int
    hold: int
    side: int


class State(NamedTuple):
    generator: NDArray[np.int64]
    held: NDArray[np.float64]


@kernel
def _draw(generator: NDArray[np.int64], choices: int) -> int:
    """Return one of 0 … choices - 1 by Lehmer's generator with multiplier 48271 (Park, Miller and Stockmeyer, 1993)."""
    number: int = generator[0] * 48_271 % _MODULUS
    generator[0] = number
    return number * choices // _MODULUS


def _initial(params: Params) -> State:
    state = State(np.array([params.seed]), np.full(1, np.nan))
    for _ in range(10):  # the first numbers of small seeds are small too
        _draw(state.generator, 1)
    return state


@strategy(
    parameters=(
        Int("seed", 1, low=1, high=_MODULUS - 1, sweep=range(1, 101), doc="another seed is another path"),
        Int("hold", 20, low=1, high=100_000, sweep=(5, 10, 20, 50), doc="bars between draws, on average"),
        Choice("side", "long", ("long", "both"), doc="draw from long and flat, or from long, flat and short (both)"),
    ),
    state=_initial,
    settles="never",
)
def random(state: State, _bar: Bar, params: Params) -> float:
    """Draw a position on the first bar, and on later ones with probability 1 / hold each; the seed decides it all."""
    held: float = state.held[0]
    if np.isnan(held) or _draw(state.generator, params.hold) == 0:
        held = 1.0 - _draw(state.generator, 3 if params.side else 2)
        state.held[0] = held
    return held
