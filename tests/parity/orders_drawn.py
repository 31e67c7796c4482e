"""A strategy that draws targets of every kind: entries, brackets, times in force, versions that move or close."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.signals.interface import Float, Int, strategy
from trading.bars import Bar
from trading.compiled import kernel
from trading.targets import DAY, FOK, GTC, GTD, IOC, LIMIT, MARKET, STOP, STOP_LIMIT, WEIGHT, Target

HOUR_NS = 3_600_000_000_000


class Params(NamedTuple):
    seed: int
    unit: float


class State(NamedTuple):
    generator: NDArray[np.int64]


@kernel
def _draw(generator: NDArray[np.int64], below: int) -> int:
    generator[0] = (generator[0] * 48_271) % 2_147_483_647
    return generator[0] // 7 % below


@kernel
def _level(generator: NDArray[np.int64], price: float, unit: float) -> float:
    return price + unit * (_draw(generator, 21) - 10) / 4.0


@strategy(
    parameters=(
        Int("seed", 1, low=1, high=2_147_483_646, doc="another seed is another script"),
        Float("unit", 0.001, low=1e-9, high=1e9, doc="how far levels are from the close"),
    ),
    state=lambda params: State(np.full(1, params.seed, np.int64)),
    settles="never",
    sizing="percent:50",
)
def orders_drawn(state: State, bar: Bar, params: Params) -> Target:
    """Give a new target on every third bar, on average."""
    dice, nan, unit = state.generator, np.nan, params.unit
    if _draw(dice, 3) != 0:
        return Target(nan, WEIGHT, MARKET, nan, nan, nan, nan, nan, GTC, 0, 0)
    value = (_draw(dice, 5) - 2) / 2.0
    entry = (MARKET, LIMIT, STOP, STOP_LIMIT)[_draw(dice, 4)]
    time_in_force = (GTC, DAY, IOC, FOK, GTD)[_draw(dice, 5)]
    price = _level(dice, bar.close, unit)
    limit_price = _level(dice, bar.close, unit)
    side = 1.0 if value > 0.0 else -1.0
    stop_loss = bar.close - side * unit * (1 + _draw(dice, 8)) / 4.0 if _draw(dice, 2) == 0 else nan
    take_profit = bar.close + side * unit * (1 + _draw(dice, 8)) / 4.0 if _draw(dice, 2) == 0 else nan
    trail = unit * (1 + _draw(dice, 6)) / 4.0 if _draw(dice, 3) == 0 else nan
    expires = bar.time + HOUR_NS * _draw(dice, 6) if time_in_force == GTD else 0
    return Target(
        value, WEIGHT, entry, price if entry != MARKET else nan, limit_price if entry == STOP_LIMIT else nan,
        stop_loss, take_profit, trail, time_in_force, expires, 0,
    )  # fmt: skip
