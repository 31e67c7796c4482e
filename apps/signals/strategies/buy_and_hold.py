"""Long from the first bar on, always."""

from typing import NamedTuple

from apps.signals.interface import Float, NoState, strategy
from trading.bars import Bar


class Params(NamedTuple):
    weight: float


@strategy(parameters=(Float("weight", 1.0, low=-10.0, high=10.0, doc="share of equity to hold; below 0 is short"),))
def buy_and_hold(_state: NoState, _bar: Bar, params: Params) -> float:
    """Hold `weight` times equity, bought at the first opportunity and kept."""
    return params.weight
