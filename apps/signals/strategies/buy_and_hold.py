"""Long from the first bar on, always."""

from typing import NamedTuple

from apps.signals.interface import Float, strategy
from trading.bars import Bar


class Params(NamedTuple):
    weight: float


class State(NamedTuple):
    pass


@strategy(
    parameters=(Float("weight", 1.0, low=-10.0, high=10.0, doc="share of equity to hold; below 0 is short"),),
    state=lambda params, channels: State(),
)
def buy_and_hold(state: State, bar: Bar, params: Params) -> float:
    """Hold `weight` times equity, bought at the first opportunity and kept."""
    return params.weight
