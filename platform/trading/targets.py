"""What a strategy wants to hold: the target, its fields and its constructors.

A target is sized once, when its version changes. Version 0 leaves that to the reader of the target: a new version is
one whose content differs from the last. A strategy that wants an equal target to count as new gives versions itself.
"""

from typing import Any, NamedTuple

import numpy as np

from trading.compiled import inner_kernel, kernel

# mode: what `value` measures
WEIGHT = 0  # share of equity, signed
LOTS = 1  # lots, signed

# entry: how the difference to the target is traded
MARKET = 0
LIMIT = 1  # at `price` or better
STOP = 2  # at market, once `price` is touched
STOP_LIMIT = 3  # once `price` is touched, at `limit_price` or better

# time_in_force
GTC = 0  # until cancelled by the next version
DAY = 1  # until the session day ends
IOC = 2  # what fills at once; the rest is cancelled
FOK = 3  # all at once, or nothing
GTD = 4  # until `expires`


class Target(NamedTuple):
    """One channel's target. Prices are absolute, in quote currency; nan means "none".

    `value` nan is "no opinion": what is held and what is working stay as they are. `stop_loss`, `take_profit` and
    `trail` (a distance in price) travel with the entry as one bracket, live from the entry's fill. `expires` is ns UTC.
    """

    value: Any
    mode: Any
    entry: Any
    price: Any
    limit_price: Any
    stop_loss: Any
    take_profit: Any
    trail: Any
    time_in_force: Any
    expires: Any
    version: Any


class Targets(NamedTuple):
    """The targets of all channels as columns, for strategies with several channels: the fields of `Target`, arrays."""

    value: Any
    mode: Any
    entry: Any
    price: Any
    limit_price: Any
    stop_loss: Any
    take_profit: Any
    trail: Any
    time_in_force: Any
    expires: Any
    version: Any


# What a field of a target that cannot be should hold, by the number that `impossible_field` gives it.
POSSIBLE = {
    1: ("value", "a finite number"),
    2: ("mode", "WEIGHT (0) or LOTS (1)"),
    3: ("entry", "MARKET (0), LIMIT (1), STOP (2) or STOP_LIMIT (3)"),
    4: ("time_in_force", "GTC (0), DAY (1), IOC (2), FOK (3) or GTD (4)"),
    5: ("price", "a price above 0, for an entry by limit or stop"),
    6: ("limit_price", "a price above 0, for an entry by stop-limit"),
}


@inner_kernel
def impossible_field(target: Target) -> int:
    """Return which field of the target (a key of POSSIBLE) no order can be made of, 0 where all can be."""
    if not abs(target.value) < np.inf:
        return 1
    if not (target.mode == WEIGHT or target.mode == LOTS):
        return 2
    if not MARKET <= target.entry <= STOP_LIMIT:
        return 3
    if not GTC <= target.time_in_force <= GTD:
        return 4
    if target.entry != MARKET and not target.price > 0.0:
        return 5
    if target.entry == STOP_LIMIT and not target.limit_price > 0.0:
        return 6
    return 0


def new_targets(channels: int) -> Targets:
    """Return targets of `channels` channels without an opinion: value nan, market, no bracket, version 0."""
    none = [np.full(channels, np.nan) for _ in range(6)]
    kinds = [np.zeros(channels, np.int64) for _ in range(5)]
    value, price, limit_price, stop_loss, take_profit, trail = none
    mode, entry, time_in_force, expires, version = kinds
    return Targets(
        value, mode, entry, price, limit_price, stop_loss, take_profit, trail, time_in_force, expires, version
    )


@kernel
def weight(value: float, stop_loss: float = np.nan, take_profit: float = np.nan, trail: float = np.nan) -> Target:
    """Return a target of `value` times equity, entered at market, with an optional bracket."""
    return Target(value, WEIGHT, MARKET, np.nan, np.nan, stop_loss, take_profit, trail, GTC, 0, 0)


@kernel
def lots(value: float, stop_loss: float = np.nan, take_profit: float = np.nan, trail: float = np.nan) -> Target:
    """Return a target of `value` lots, entered at market, with an optional bracket."""
    return Target(value, LOTS, MARKET, np.nan, np.nan, stop_loss, take_profit, trail, GTC, 0, 0)


@kernel
def at_limit(target: Target, price: float, time_in_force: int = GTC, expires: int = 0) -> Target:
    """Return `target` entered by a limit order at `price` (`expires`: ns UTC, for GTD)."""
    return Target(
        target.value, target.mode, LIMIT, price, np.nan, target.stop_loss, target.take_profit, target.trail,
        time_in_force, expires, target.version,
    )  # fmt: skip


@kernel
def at_stop(
    target: Target, price: float, limit_price: float = np.nan, time_in_force: int = GTC, expires: int = 0
) -> Target:
    """Return `target` entered by a stop order at `price`; with `limit_price`, a stop-limit order."""
    entry = STOP if np.isnan(limit_price) else STOP_LIMIT
    return Target(
        target.value, target.mode, entry, price, limit_price, target.stop_loss, target.take_profit, target.trail,
        time_in_force, expires, target.version,
    )  # fmt: skip


@kernel
def set_weight(targets: Targets, channel: int, value: float) -> None:
    """Give `channel` a new version: `value` times equity, at market, without a bracket."""
    targets.value[channel] = value
    targets.mode[channel] = WEIGHT
    targets.entry[channel] = MARKET
    targets.stop_loss[channel] = np.nan
    targets.take_profit[channel] = np.nan
    targets.trail[channel] = np.nan
    targets.time_in_force[channel] = GTC
    targets.version[channel] += 1
