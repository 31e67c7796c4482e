"""A strategy on several instruments that changes its mind about one of them at a time."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.signals.interface import Int, strategy
from trading.bars import Slice
from trading.targets import Targets, new_targets, set_weight


class Params(NamedTuple):
    seed: int


class State(NamedTuple):
    generator: NDArray[np.int64]
    targets: Targets


@strategy(
    parameters=(Int("seed", 1, low=1, high=2_147_483_646, doc="another seed is another script"),),
    state=lambda params, channels: State(np.full(1, params.seed, np.int64), new_targets(channels)),
    settles="never",
    channels=None,
    sizing="weights",
)
def weights_drawn(state: State, bars: Slice, params: Params) -> Targets:
    """Give one instrument a weight from -0.5 to 0.5 at each close."""
    state.generator[0] = (state.generator[0] * 48_271) % 2_147_483_647
    drawn = state.generator[0] // 7
    set_weight(state.targets, drawn % bars.close.size, (drawn // 64 % 5 - 2) / 4.0)
    return state.targets
