"""What events change: lots and cash of books, and the orders on their way. The fold of execution's own log."""

from typing import Any

import numpy as np

from apps.execution.kernels.netting import part_of
from apps.execution.kernels.reasons import STATE_NEW, STATE_PARTIALLY_FILLED, STATE_UNKNOWN
from apps.execution.kernels.records import Shard
from apps.execution.kernels.sizing import lots_of, rate_of
from trading.books import count_close
from trading.compiled import inner_kernel, kernel
from trading.money import MILLIONTHS


@kernel
def book_lots(shard: Shard, lines: Any, steps: Any, amounts: Any, fees: Any, prices_e9: Any) -> None:
    """Book lots and the cash that came for them, row by row."""
    for k in range(lines.size):
        book(shard, lines[k], steps[k], amounts[k], fees[k], prices_e9[k] / 1e9)


@inner_kernel
def book(shard: Shard, at: int, steps: int, amount: int, fee: int, price: float) -> None:
    """Book `steps` in a line, for which `amount` came in as cash (negative: was paid) and `fee` was paid.

    What is closed takes its part of what was paid for all that was held, by average cost.
    """
    line = shard.lines[at]
    cell = shard.cells[line.cell]
    _follow_entry(shard, line, steps, fee / MILLIONTHS, price)
    line.cost_micro = _cost_after(line.cost_micro, line.held, steps, amount)
    line.held += steps
    line.cash_micro += amount - fee
    line.fees_micro += fee
    cell.held += steps
    shard.accounts[line.account].balance_micro += amount - fee


@inner_kernel
def _cost_after(cost: int, held: int, steps: int, amount: int) -> int:
    """Return what was paid for what is held once `steps` are added to `held`, which had cost `cost`."""
    if held * steps >= 0:
        return cost - amount
    if abs(steps) <= abs(held):
        return cost - part_of(cost, abs(steps), abs(held))
    return part_of(amount, abs(held), abs(steps)) - amount


@inner_kernel
def _follow_entry(shard: Shard, line: Any, steps: int, fee: float, price: float) -> None:
    """Take a fill into the average price of what is held, and count what it closes as a backtest does."""
    instrument = shard.instruments[line.instrument]
    before, lots = lots_of(instrument, line.held), lots_of(instrument, steps)
    after = lots_of(instrument, line.held + steps)
    if before * lots < 0.0 and line.entry_price > 0.0:
        per_price = instrument.contract_e9 / 1e9 * rate_of(shard, instrument, shard.accounts[line.account])
        closed = min(abs(lots), abs(before)) * per_price
        if closed > 0.0:
            count_close(shard.lines[line.returns], line.entry_price, before, closed, price, fee)
    if before * lots >= 0.0 and after != 0.0:
        line.entry_price = (line.entry_price * before + price * lots) / after
    elif before * after < 0.0:
        line.entry_price = price


@kernel
def open_orders(
    shard: Shard, cells: Any, decisions: Any, steps: Any, reduce_only: Any, resting: Any, states: Any
) -> Any:  # fmt: skip
    """Take up orders, whose rows are returned (int64[k]); free rows must be there. Shares are given by `share_out`."""
    rows = np.empty(cells.size, np.int64)
    for k in range(cells.size):
        at = shard.free[0]
        order = shard.orders[at]
        shard.free[0] = order.next_order
        shard.free[2] -= 1
        cell = shard.cells[cells[k]]
        order.cell = cells[k]
        order.decision = decisions[k]
        order.state = states[k]
        order.steps = steps[k]
        order.filled = 0
        order.first_share = -1
        order.n_shares = 0
        order.reduce_only = reduce_only[k]
        order.resting = resting[k] != 0
        order.next_order = cell.first_order
        cell.first_order = at
        cell.decision = max(cell.decision, decisions[k])
        if states[k] == STATE_UNKNOWN:
            cell.frozen += 1
        _add_coming(cell, order, steps[k])
        rows[k] = at
    return rows


@kernel
def share_out(shard: Shard, orders: Any, lines: Any, steps: Any) -> None:
    """Freeze the shares that books have in orders, row by row."""
    for k in range(orders.size):
        at = shard.free[1]
        share = shard.shares[at]
        shard.free[1] = share.next_share
        shard.free[3] -= 1
        order = shard.orders[orders[k]]
        share.line = lines[k]
        share.steps = steps[k]
        share.filled = 0
        share.next_share = order.first_share
        order.first_share = at
        order.n_shares += 1
        line = shard.lines[lines[k]]
        if order.state == STATE_UNKNOWN:
            line.unknown += steps[k]
        else:
            line.open += steps[k]


@kernel
def find_orders(shard: Shard, cells: Any, decisions: Any) -> Any:
    """Return the rows of open orders, int64[k]; -1 where there is no such order, or no such cell (-1)."""
    rows = np.empty(cells.size, np.int64)
    for k in range(cells.size):
        rows[k] = find_order(shard, cells[k], decisions[k])
    return rows


@inner_kernel
def find_order(shard: Shard, cell: int, decision: int) -> int:
    """Return the row of an open order, -1 where there is none."""
    at = shard.cells[cell].first_order if cell >= 0 else -1
    while at >= 0 and shard.orders[at].decision != decision:
        at = shard.orders[at].next_order
    return at


@kernel
def fill_orders(
    shard: Shard, orders: Any, steps: Any, amounts: Any, fees: Any, prices_e9: Any, splits: Any
) -> None:  # fmt: skip
    """Book fills row by row: of open orders, and of ended ones (-1), whose splits are booked and nothing else.

    `splits` is (rows int64[s] rising, lines int64[s], steps int64[s]); a fill without one is of its order's one share.
    """
    at = 0
    for k in range(orders.size):
        done = 0
        if at == splits[0].size or splits[0][at] != k:
            line = shard.shares[shard.orders[orders[k]].first_share].line
            _fill(shard, orders[k], line, steps[k], (amounts[k], fees[k]), prices_e9[k] / 1e9)
            done = steps[k]
        while at < splits[0].size and splits[0][at] == k:
            part = splits[2][at]
            paid = part_of_fill(amounts[k], fees[k], done, part, steps[k])
            _fill(shard, orders[k], splits[1][at], part, paid, prices_e9[k] / 1e9)
            done += part
            at += 1
        if orders[k] >= 0:
            _count_filled(shard, orders[k], done)


@kernel
def pay_for_fills(
    shard: Shard, orders: Any, steps: Any, amounts: Any, splits: Any, held: Any, cost: Any, paid: Any
) -> None:  # fmt: skip
    """Add to `paid`, int64[accounts], what fills of open orders change in what was paid for what is held.

    Nothing is booked. Fills and splits are those of `fill_orders`. Scratch: `held` and `cost`, int64[lines], what each
    line has and what was paid for it.
    """
    at = 0
    for k in range(orders.size):
        if at == splits[0].size or splits[0][at] != k:
            line = shard.shares[shard.orders[orders[k]].first_share].line
            _pay(shard, line, steps[k], amounts[k], held, cost, paid)
        done = 0
        while at < splits[0].size and splits[0][at] == k:
            part = splits[2][at]
            amount, _ = part_of_fill(amounts[k], 0, done, part, steps[k])
            _pay(shard, splits[1][at], part, amount, held, cost, paid)
            done += part
            at += 1


@kernel
def pay_for_lots(shard: Shard, lines: Any, steps: Any, amounts: Any, held: Any, cost: Any, paid: Any) -> None:
    """Do as `pay_for_fills` does, for lots as `book_lots` books them."""
    for k in range(lines.size):
        _pay(shard, lines[k], steps[k], amounts[k], held, cost, paid)


@inner_kernel
def _pay(shard: Shard, line: int, steps: int, amount: int, held: Any, cost: Any, paid: Any) -> None:
    after = _cost_after(cost[line], held[line], steps, amount)
    paid[shard.lines[line].account] += after - cost[line]
    cost[line] = after
    held[line] += steps


@inner_kernel
def part_of_fill(amount: int, fee: int, done: int, part: int, whole: int) -> tuple[int, int]:
    """Return amount and fee of `part` of a fill of `whole` steps of which `done` have had theirs."""
    before, after, all_of_it = abs(done), abs(done + part), abs(whole)
    return (
        part_of(amount, after, all_of_it) - part_of(amount, before, all_of_it),
        part_of(fee, after, all_of_it) - part_of(fee, before, all_of_it),
    )


@inner_kernel
def _fill(shard: Shard, order: int, line_at: int, steps: int, paid: tuple[int, int], price: float) -> None:
    book(shard, line_at, steps, paid[0], paid[1], price)
    if order < 0:
        return
    line = shard.lines[line_at]
    if shard.orders[order].state == STATE_UNKNOWN:
        line.unknown -= steps
    else:
        line.open -= steps
    share = shard.orders[order].first_share
    while shard.shares[share].line != line_at:
        share = shard.shares[share].next_share
    shard.shares[share].filled += steps


@inner_kernel
def _count_filled(shard: Shard, at: int, steps: int) -> None:
    order = shard.orders[at]
    cell = shard.cells[order.cell]
    _add_coming(cell, order, -steps)
    order.filled += steps
    if order.filled == order.steps:
        drop(shard, at)
    else:
        set_state(shard, at, STATE_PARTIALLY_FILLED)


@kernel
def set_states(shard: Shard, orders: Any, state: int) -> None:
    """Move open orders (int64[k]) to a state in which they are still open; with -1 as the state after an acceptance."""
    for k in range(orders.size):
        if orders[k] >= 0:
            after = state
            if state < 0:
                after = STATE_NEW if shard.orders[orders[k]].filled == 0 else STATE_PARTIALLY_FILLED
            set_state(shard, orders[k], after)


@inner_kernel
def set_state(shard: Shard, at: int, state: int) -> None:
    """Move an open order to a state in which it is still open; what is unknown freezes its cell."""
    order = shard.orders[at]
    was, now = order.state == STATE_UNKNOWN, state == STATE_UNKNOWN
    if was != now:
        shard.cells[order.cell].frozen += 1 if now else -1
        share_at = order.first_share
        while share_at >= 0:
            share = shard.shares[share_at]
            left = share.steps - share.filled
            line = shard.lines[share.line]
            line.open += -left if now else left
            line.unknown += left if now else -left
            share_at = share.next_share
    order.state = state


@kernel
def end_orders(shard: Shard, orders: Any) -> None:
    """End orders that are not filled, row by row: their books want no more than they have and is on its way.

    So nothing that was refused is asked for again, and what was wanted less since stays wanted less.
    """
    for k in range(orders.size):
        if orders[k] >= 0:
            _end(shard, orders[k])


@inner_kernel
def _end(shard: Shard, at: int) -> None:
    order = shard.orders[at]
    is_unknown = order.state == STATE_UNKNOWN
    _add_coming(shard.cells[order.cell], order, order.filled - order.steps)
    share_at = order.first_share
    while share_at >= 0:
        share = shard.shares[share_at]
        line = shard.lines[share.line]
        left = share.steps - share.filled
        if is_unknown:
            line.unknown -= left
        else:
            line.open -= left
        has = line.held + line.open + line.unknown
        if left > 0:
            line.working = min(line.working, has)
        elif left < 0:
            line.working = max(line.working, has)
        line.unfilled = 1
        share_at = share.next_share
    drop(shard, at)


@inner_kernel
def drop(shard: Shard, at: int) -> None:
    """Give back the rows of an order that has ended."""
    order = shard.orders[at]
    cell = shard.cells[order.cell]
    if order.state == STATE_UNKNOWN:
        cell.frozen -= 1
    if cell.first_order == at:
        cell.first_order = order.next_order
    else:
        before = cell.first_order
        while shard.orders[before].next_order != at:
            before = shard.orders[before].next_order
        shard.orders[before].next_order = order.next_order
    share_at = order.first_share
    while share_at >= 0:
        share = shard.shares[share_at]
        following = share.next_share
        share.line = -1
        share.next_share = shard.free[1]
        shard.free[1] = share_at
        shard.free[3] += 1
        share_at = following
    order.cell = -1
    order.next_order = shard.free[0]
    shard.free[0] = at
    shard.free[2] += 1


@inner_kernel
def _add_coming(cell: Any, order: Any, steps: int) -> None:
    if order.resting:
        return
    if order.steps > 0:
        cell.buying += steps
    else:
        cell.selling += steps


@kernel
def see_versions(shard: Shard, lines: Any, versions: Any) -> None:
    """Note that lines (int64[k]) have taken up the last targets of what they follow.

    `versions` is int64[instruments]: the version of each one's target, -1 where there is none.
    """
    for at in lines:
        line = shard.lines[at]
        version = versions[line.source]
        if version >= 0 and version != line.seen_version:
            line.seen_version = version
            line.waits = 0
            line.unfilled = 0


@kernel
def find_lines(shard: Shard, cells: Any, books: Any) -> Any:
    """Return the lines of books in cells, int64[k]; -1 where there is none, or no cell (-1)."""
    found = np.full(cells.size, -1, np.int64)
    for k in range(cells.size):
        at = shard.cells[cells[k]].first_line if cells[k] >= 0 else -1
        while at >= 0 and shard.lines[at].book != books[k]:
            at = shard.lines[at].next_line
        found[k] = at
    return found
