"""Whole amounts, whole ticks and whole lot steps.

A money amount is rounded once, half-even, to a millionth of its currency, and is a whole number of millionths from then
on: float64 tells those apart below 2**51 (above, dividing by a million and multiplying again may lose one), so adding
them loses nothing. Where an instrument has no lot step (a research run), nothing is rounded and amounts are plain
float64.
"""

import numpy as np

from trading.compiled import inner_kernel

MILLIONTHS = 1_000_000.0
LARGEST = 2.0**51 / MILLIONTHS  # the largest amount of money that is held exactly

_SNAP = 1e-9  # share of a step within which a number counts as whole,
_ROUNDING = 1e-15  # and of the number itself, for steps that are small against it


@inner_kernel
def whole_amount(amount: float) -> float:
    """Return `amount` rounded half-even to a millionth of its currency, as money that sums exactly.

    The result is the float64 next to a whole number of millionths; `add_amounts` keeps it so.
    """
    return np.rint(amount * MILLIONTHS) / MILLIONTHS


@inner_kernel
def add_amounts(a: float, b: float) -> float:
    """Return a + b for two whole amounts, exactly: they are added as whole millionths."""
    return (np.rint(a * MILLIONTHS) + np.rint(b * MILLIONTHS)) / MILLIONTHS


@inner_kernel
def to_step(number: float, step: float) -> float:
    """Return `number` (not negative) rounded down to a multiple of `step`; unchanged if `step` is 0."""
    if step <= 0.0:
        return number
    steps = number / step
    return multiple(np.floor(steps + (_SNAP + _ROUNDING * steps)), step)


@inner_kernel
def on_step(number: float, step: float) -> float:
    """Return `number`, which is a multiple of `step` but for rounding errors, as exactly that multiple."""
    if step <= 0.0:
        return number
    return multiple(np.rint(number / step), step)


@inner_kernel
def to_tick(price: float, tick: float, side: int) -> float:
    """Return `price` on a whole tick, rounded against the taker: up for side 1 (buy), down for -1, nearest for 0."""
    if tick <= 0.0:
        return price
    ticks = price / tick
    if side > 0:
        return multiple(np.ceil(ticks - (_SNAP + _ROUNDING * ticks)), tick)
    if side < 0:
        return multiple(np.floor(ticks + (_SNAP + _ROUNDING * ticks)), tick)
    return multiple(np.rint(ticks), tick)


@inner_kernel
def multiple(count: float, step: float) -> float:
    """Return count x step as the float64 nearest to the decimal value: 3 x 0.1 is 0.3, not 0.30000000000000004."""
    per_unit = np.rint(1.0 / step)
    if per_unit >= 1.0 and abs(per_unit * step - 1.0) < _SNAP:
        return count / per_unit
    return count * step
