"""From a target to lots."""

from typing import NamedTuple

import numpy as np

from trading.compiled import inlined_kernel, inner_kernel
from trading.costs import Costs
from trading.money import to_step
from trading.targets import LOTS

# How a weight is read.
ALL_IN = 0
WEIGHTS = 1
EQUAL = 2
PERCENT = 3
FIXED_LOTS = 4
RISK = 5
VOLATILITY = 6
KELLY = 7


class Sizing(NamedTuple):
    """How weights become lots. `number` is what the rule takes, as a share where it is a percentage."""

    rule: int
    number: float
    channels: int  # among which EQUAL divides


class Holding(NamedTuple):
    """What a sizing starts from, at the price it is sized at."""

    equity: float  # account currency
    held: float  # lots, signed
    lot_value: float  # account currency per lot at the sizing price
    stop_value: float  # account currency lost per lot at the stop loss; nan: there is none
    volatility: float  # of the channel, a year, as a share; nan: not known
    kelly: float  # Kelly share of the closed trades, in 0..1


@inlined_kernel
def desired_lots(sizing: Sizing, costs: Costs, holding: Holding, mode: int, value: float, unit_fee: float) -> float:
    """Return the lots to hold, signed, before rounding to lot steps; nan if the rule cannot size this target.

    `unit_fee` is the fee per lot that does not depend on price. ALL_IN solves q v = w E' for q, with E' the equity left
    after the fee of getting there, so that from flat a weight of 1 buys cash / (price x (1 + fee)). Without equity a
    weight comes to nothing.
    """
    if mode == LOTS or value == 0.0:
        return value
    rule = sizing.rule
    if rule == FIXED_LOTS:
        return value * sizing.number
    if rule == ALL_IN:
        wanted = _all_in(costs, holding, value, unit_fee)
    elif rule == RISK:
        if not holding.stop_value > 0.0:
            return np.nan
        wanted = value * sizing.number * holding.equity / holding.stop_value
    else:
        share = share_of_equity(sizing, value, holding.volatility, holding.kelly)
        wanted = share * holding.equity / holding.lot_value
    return 0.0 if wanted * value < 0.0 else wanted


@inner_kernel
def share_of_equity(sizing: Sizing, value: float, volatility: float, kelly: float) -> float:
    """Return the share of equity, signed, that a weight comes to; nan where the rule takes none, or cannot tell.

    `volatility` and `kelly` are as in Holding.
    """
    rule = sizing.rule
    if rule == EQUAL:
        return value / sizing.channels
    if rule == PERCENT:
        return value * sizing.number
    if rule == VOLATILITY:
        return value * sizing.number / volatility if volatility > 0.0 else np.nan
    if rule == KELLY:
        return value * min(1.0, sizing.number * kelly)
    return np.nan if rule in (FIXED_LOTS, RISK) else value


@inlined_kernel
def _all_in(costs: Costs, holding: Holding, weight: float, unit_fee: float) -> float:
    rate, value, held = costs.fee_rate, holding.lot_value, holding.held
    cost = rate * value + unit_fee
    bought = weight * (holding.equity + cost * held) / (value * (1.0 + weight * rate) + weight * unit_fee)
    if bought >= held:
        wanted = bought
    else:
        wanted = weight * (holding.equity - cost * held) / (value * (1.0 - weight * rate) - weight * unit_fee)
    if abs(wanted - held) * cost < costs.fee_minimum:
        paid_for = weight * (holding.equity - costs.fee_minimum) / value
        # Where the fee alone would turn a purchase into a sale, or a sale into a purchase, nothing is worth trading.
        return held if (paid_for - held) * (wanted - held) <= 0.0 else paid_for
    return wanted


@inlined_kernel
def affordable_lots(
    wanted: float, holding: Holding, other_margin: float, margin_rate: float, lot_fee: float, fee_minimum: float
) -> float:
    """Return `wanted`, or the most lots of its sign whose margin the equity left after the fee still covers.

    `other_margin` is the margin of everything else held, `lot_fee` the whole fee per lot traded. A position that is
    only being reduced is always affordable.
    """
    held, value = holding.held, holding.lot_value
    if wanted * held >= 0.0 and abs(wanted) <= abs(held):
        return wanted
    traded = abs(wanted - held)
    free = holding.equity - other_margin
    need = abs(wanted) * value * margin_rate + max(traded * lot_fee, fee_minimum)
    if need <= free * (1.0 + 1e-9) + 1e-9:
        return wanted
    same_side = held if wanted * held > 0.0 else 0.0
    closing = abs(held - same_side) * lot_fee
    most = (free - closing + abs(same_side) * lot_fee) / (value * margin_rate + lot_fee)
    if closing + (most - abs(same_side)) * lot_fee < fee_minimum:
        most = (free - fee_minimum) / (value * margin_rate)
    if most - abs(same_side) <= 1e-12 * abs(wanted):  # nothing but the rounding of what is free
        most = abs(same_side)
    return np.copysign(min(most, abs(wanted)), wanted)


@inner_kernel
def whole_lots(lots: float, lot_step: float, lot_min: float) -> float:
    """Return signed `lots` rounded toward zero to whole lot steps; 0 if that is under `lot_min`."""
    rounded = to_step(abs(lots), lot_step)
    if rounded < lot_min:
        return 0.0
    return np.copysign(rounded, lots)
