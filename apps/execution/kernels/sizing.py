"""From a target to what each book wants to hold, over all accounts that follow it."""

from typing import Any

import numpy as np

from apps.execution.kernels.reasons import (
    BELOW_MIN,
    CLOSE_ONLY,
    FLATTENED,
    FROZEN,
    NO_CONVERSION,
    NO_EQUITY,
    NO_PRICE,
    NO_TERMS,
    NONE,
    NOT_ALLOWED,
    NOT_RECONCILED,
    NOT_SIZED,
    OF_ACCOUNT,
    OF_NOTHING,
    OF_SUBSCRIPTION,
    UNCHANGED,
    WAITS_FOR_CHANGE,
)
from apps.execution.kernels.records import Shard
from trading.books import kelly_share
from trading.compiled import inner_kernel, kernel
from trading.costs import Costs, taker_price
from trading.money import MILLIONTHS, multiple, to_step
from trading.sizing import KELLY, Holding, Sizing, desired_lots, share_of_equity, whole_lots
from trading.targets import LOTS, MARKET


@kernel
def size_lines(shard: Shard, targets: Any, picked: Any, wanted: Any, out: Any) -> None:
    """Write for each line `picked[k]`, which follows `targets[wanted[k]]`, what it wants to hold from here on.

    `out` is int64[3, k]: working lot steps, and where the line gets no order of this target the SkipReason and the
    SettingLevel of what decided that. A line that is skipped keeps the working steps that it has.
    """
    for k in range(picked.size):
        working, reason, level = _size(shard, targets[wanted[k]], shard.lines[picked[k]])
        out[0, k] = working
        out[1, k] = reason
        out[2, k] = level


@inner_kernel
def _size(shard: Shard, target: Any, line: Any) -> tuple[int, int, int]:
    reason, level = _obstacle(shard, target, line)
    if reason != NONE:
        return line.working, reason, level
    instrument = shard.instruments[line.instrument]
    repeated = target.version == line.seen_version
    if repeated and not _has_drifted(shard, target, line, instrument):
        return line.working, WAITS_FOR_CHANGE if line.waits else UNCHANGED, OF_NOTHING
    goal, reason, level = _goal(shard, target, line, instrument)
    if reason != NONE:
        return line.working, reason, level
    bounded, reason, level = _bounded(shard.accounts[line.account], line, goal)
    if bounded == line.working:
        return bounded, UNCHANGED if reason == NONE else reason, level
    return bounded, NONE, OF_NOTHING


@inner_kernel
def _obstacle(shard: Shard, target: Any, line: Any) -> tuple[int, int]:
    account = shard.accounts[line.account]
    cell = shard.cells[line.cell]
    if not account.ready:
        return NOT_RECONCILED, OF_ACCOUNT
    if account.flattened or cell.flattened:
        return FLATTENED, OF_ACCOUNT
    if cell.frozen > 0:
        return FROZEN, OF_ACCOUNT
    instrument = shard.instruments[line.instrument]
    if (not target.bid > 0.0 or not target.ask > 0.0) and (target.value != 0.0 or instrument.bid_ticks == 0):
        return NO_PRICE, OF_NOTHING
    if instrument.currency < 0:
        return NO_TERMS, OF_NOTHING
    if not rate_of(shard, instrument, account) > 0.0:
        return NO_CONVERSION, OF_ACCOUNT
    return NONE, OF_NOTHING


@inner_kernel
def _goal(shard: Shard, target: Any, line: Any, instrument: Any) -> tuple[int, int, int]:
    """Return the signed lot steps that a target comes to, before what only may be closed is taken off."""
    value = target.value * line.multiplier
    if line.reverse:
        value = -value
    if value == 0.0:
        return 0, NONE, OF_NOTHING
    step = instrument.lot_step_e9 / 1e9
    held = multiple(float(line.held), step)
    costs = costs_of(shard.accounts[line.account].fee_rate)
    tick = instrument.tick_e9 / 1e9
    paid = target.price if target.entry != MARKET else taker_price(costs, target.ask, 1, 0.0, tick)
    lots, equity = _lots(shard, target, line, instrument, value, paid)
    if lots < held and target.entry == MARKET:
        paid = taker_price(costs, target.bid, -1, 0.0, tick)
        lots, equity = _lots(shard, target, line, instrument, value, paid)
        lots = min(held, lots)
    if np.isnan(lots):
        return 0, NOT_SIZED, OF_NOTHING
    goal = int(np.rint(lots / step))
    if goal == 0 and line.held == 0:
        if target.mode != LOTS and not equity > 0.0:
            return 0, NO_EQUITY, OF_ACCOUNT
        return 0, BELOW_MIN, line.min_level
    return goal, NONE, OF_NOTHING


@inner_kernel
def _lots(
    shard: Shard, target: Any, line: Any, instrument: Any, value: float, price: float
) -> tuple[float, float]:  # fmt: skip
    """Return (lots, the equity that they were sized on) at a taker's price, in whole steps; nan lots: not sized."""
    step = instrument.lot_step_e9 / 1e9
    account = shard.accounts[line.account]
    per_price = instrument.contract_e9 / 1e9 * rate_of(shard, instrument, account)
    own = price if line.channels == 1 else (target.bid + target.ask) / 2.0
    equity = line.allocation * equity_of(shard, account, line.cell, own)
    stop_value = abs(price - (target.take_profit if line.reverse else target.stop_loss)) * per_price
    held = multiple(float(line.held), step)
    kelly = kelly_share(shard.lines[line.returns]) if line.rule == KELLY else 1.0
    holding = Holding(equity, held, price * per_price, stop_value, target.volatility, kelly)
    sizing = Sizing(line.rule, line.number, line.channels)
    lots = desired_lots(sizing, costs_of(account.fee_rate), holding, target.mode, value, 0.0)
    if np.isnan(lots):
        return lots, equity
    if line.lots_max > 0.0 and abs(lots) > line.lots_max:
        lots = np.copysign(to_step(line.lots_max, step), lots)
    lot_min = multiple(float(instrument.lot_min_steps), step)
    whole = whole_lots(lots, step, lot_min)
    least = max(lot_min, step)
    if whole == 0.0 and lots != 0.0 and line.round_up and not 0.0 < line.lots_max < least:
        whole = np.copysign(least, lots)
    return whole, equity


@inner_kernel
def _bounded(account: Any, line: Any, goal: int) -> tuple[int, int, int]:
    """Return `goal`, or as much of it as closes what is held, where nothing may be opened; and why."""
    if _only_reduces(line.held, goal):
        return goal, NONE, OF_NOTHING
    if account.close_only:
        reason, level = CLOSE_ONLY, OF_ACCOUNT
    elif line.close_only:
        reason, level = CLOSE_ONLY, line.close_level
    elif not line.active:
        reason, level = CLOSE_ONLY, OF_SUBSCRIPTION
    elif not line.allowed:
        reason, level = NOT_ALLOWED, line.allowed_level
    else:
        return goal, NONE, OF_NOTHING
    return (line.held if goal * line.held > 0 else 0), reason, level


@inner_kernel
def _only_reduces(held: int, goal: int) -> bool:
    return goal * held >= 0 and abs(goal) <= abs(held)


@inner_kernel
def _has_drifted(shard: Shard, target: Any, line: Any, instrument: Any) -> bool:
    """Tell whether a book that got what it wanted holds a share of equity that has left the band around its weight."""
    if not target.band == target.band or line.waits or line.unfilled or target.mode == LOTS:
        return False
    if line.open != 0 or line.unknown != 0 or line.held != line.working:
        return False
    account = shard.accounts[line.account]
    middle = (target.bid + target.ask) / 2.0
    equity = line.allocation * equity_of(shard, account, line.cell, middle)
    if not equity > 0.0:
        return False
    value = target.value * line.multiplier
    if line.reverse:
        value = -value
    kelly = kelly_share(shard.lines[line.returns]) if line.rule == KELLY else 1.0
    weight = share_of_equity(Sizing(line.rule, line.number, line.channels), value, target.volatility, kelly)
    held = multiple(float(line.held), instrument.lot_step_e9 / 1e9)
    per_price = instrument.contract_e9 / 1e9 * rate_of(shard, instrument, account)
    return bool(abs(held * (middle * per_price) / equity - weight) > target.band)


@inner_kernel
def costs_of(fee_rate: float) -> Costs:
    """Return the costs of an account as sizing takes them."""
    return Costs(fee_rate, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@inner_kernel
def equity_of(shard: Shard, account: Any, own_cell: int, own_price: float) -> float:
    """Return an account's cash and what it holds, `own_cell` at `own_price`, the rest at the last closes.

    What has had no price yet, or nobody can convert, counts for nothing.
    """
    equity = account.balance_micro / MILLIONTHS
    at = account.first_cell
    while at >= 0:
        cell = shard.cells[at]
        if cell.held != 0:
            instrument = shard.instruments[cell.instrument]
            price = own_price if at == own_cell else middle_of(instrument)
            per_price = instrument.contract_e9 / 1e9 * rate_of(shard, instrument, account)
            equity += lots_of(instrument, cell.held) * (price * per_price)
        at = cell.next_cell
    return equity


@inner_kernel
def rate_of(shard: Shard, instrument: Any, account: Any) -> float:
    """Return what one unit of an instrument's quote currency is worth to an account, 0 where nobody knows."""
    if instrument.currency == account.currency or instrument.currency < 0:
        return 1.0
    rate = shard.rates[instrument.currency, account.currency]
    if rate == 0.0 and account.via > 0:
        rate = shard.rates[instrument.currency, account.via - 1] * shard.rates[account.via - 1, account.currency]
    return float(rate)


@inner_kernel
def middle_of(instrument: Any) -> float:
    """Return the middle of an instrument's last quote, 0 where there was none."""
    if instrument.bid_ticks == 0:
        return 0.0
    tick = instrument.tick_e9 / 1e9
    return (multiple(float(instrument.bid_ticks), tick) + multiple(float(instrument.ask_ticks), tick)) / 2.0


@inner_kernel
def lots_of(instrument: Any, steps: int) -> float:
    """Return lot steps as lots; 0 of an instrument whose terms are not known."""
    if instrument.lot_step_e9 == 0:
        return 0.0
    return multiple(float(steps), instrument.lot_step_e9 / 1e9)
