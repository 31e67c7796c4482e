"""A strategy for measuring sets: it changes its mind on all of its instruments at every bar."""

from typing import NamedTuple

from apps.signals.interface import strategy
from trading.bars import Slice
from trading.targets import Targets, new_targets, set_weight


class Params(NamedTuple):
    pass


class State(NamedTuple):
    targets: Targets


def _initial(_params: Params, channels: int) -> State:
    return State(new_targets(channels))


@strategy(parameters=(), state=_initial, channels=None, sizing="weights", settles="never")
def flip_all(state: State, bars: Slice, _params: Params) -> Targets:
    """Hold 0.01 and 0.02 of equity in each in turn."""
    for channel in range(bars.close.size):
        set_weight(state.targets, channel, 0.02 if state.targets.value[channel] == 0.01 else 0.01)
    return state.targets
