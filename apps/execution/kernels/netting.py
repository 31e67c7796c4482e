"""From what the books of an account want to the one order that goes out, and what crosses between them before."""

from typing import Any, NamedTuple

import numpy as np

from apps.execution.kernels.reasons import BELOW_MIN, CROSSED, NONE, UNCHANGED, WAITS_FOR_ORDER
from apps.execution.kernels.records import BOOK_EXTERNAL, Shard
from apps.execution.kernels.sizing import middle_of, rate_of
from trading.compiled import inner_kernel, kernel
from trading.money import MILLIONTHS, multiple


class Netted(NamedTuple):
    """What netting writes. `counts` is int64[3]: how many orders, shares and crosses there are."""

    counts: Any
    status: Any  # int64[cells]: a SkipReason for cells without an order, 0 for those with one
    order_cell: Any
    order_steps: Any
    share_order: Any
    share_line: Any
    share_steps: Any
    cross_line: Any
    cross_steps: Any
    cross_amount: Any  # micro units of cash that the book gets


def room_for(cells: int, lines: int) -> Netted:
    """Return buffers for so many cells and lines."""
    made = [np.zeros(cells, np.int64) for _ in range(3)] + [np.zeros(lines, np.int64) for _ in range(6)]
    return Netted(np.zeros(3, np.int64), *made)


@kernel
def net_cells(shard: Shard, working: Any, touched: Any, flattens: bool, reduces: bool, out: Netted) -> None:
    """Net the books of each cell of `touched` (int64, each once) into at most one order.

    `working` is int64[lines]: what every line wants to hold. Where what is left is too little for an order, the lines'
    working steps become what they have. An order never goes out against one that is on its way; but with `flattens`,
    when all that is held is closed, whatever is wanted and whatever is on its way to open more. With `reduces` it is no
    larger than what closes the position, outside trades included: more would turn it, and be refused whole.
    """
    for k in range(touched.size):
        out.status[k] = _net(shard, working, touched[k], flattens, reduces, out)


@inner_kernel
def _net(shard: Shard, working: Any, at: int, flattens: bool, reduces: bool, out: Netted) -> int:
    cell = shard.cells[at]
    buys, sells = _gaps(shard, working, cell, flattens)
    if buys == 0 and sells == 0:
        return UNCHANGED
    crossed = min(buys, -sells)
    net = buys + sells
    if crossed > 0:
        _cross(shard, working, cell, crossed, flattens, out)
    if net == 0:
        return CROSSED
    if reduces:
        net = _within_position(shard, cell, net)
        if net == 0:
            return CROSSED if crossed > 0 else UNCHANGED
    if not flattens and ((net > 0 and cell.selling < 0) or (net < 0 and cell.buying > 0)):
        return WAITS_FOR_ORDER
    after = cell.held + cell.buying + cell.selling + net
    if abs(net) < shard.instruments[cell.instrument].lot_min_steps and after != 0:
        if not flattens:
            _give_up(shard, working, cell, out, 1 if net > 0 else -1)
        return BELOW_MIN
    order = out.counts[0]
    out.order_cell[order] = at
    out.order_steps[order] = net
    out.counts[0] += 1
    left_to_cross, left = crossed, abs(net)
    line_at = cell.first_line
    while line_at >= 0 and left > 0:
        line = shard.lines[line_at]
        gap = _gap(line, working[line_at], flattens)
        if gap * net > 0:
            part = min(abs(gap), left_to_cross)
            left_to_cross -= part
            rest = min(abs(gap) - part, left)
            if rest > 0:
                left -= rest
                share = out.counts[1]
                out.share_order[share] = order
                out.share_line[share] = line_at
                out.share_steps[share] = rest if gap > 0 else -rest
                out.counts[1] += 1
        line_at = line.next_line
    return NONE


@inner_kernel
def _within_position(shard: Shard, cell: Any, net: int) -> int:
    """Return as much of an order as closes what is held, but for what open orders of its side may close of it."""
    room = -cell.held
    at = cell.first_order
    while at >= 0:
        order = shard.orders[at]
        if order.steps * net > 0:
            room -= order.steps - order.filled
        at = order.next_order
    return min(net, max(0, room)) if net > 0 else max(net, min(0, room))


@inner_kernel
def _gaps(shard: Shard, working: Any, cell: Any, flattens: bool) -> tuple[int, int]:
    buys = sells = 0
    line_at = cell.first_line
    while line_at >= 0:
        line = shard.lines[line_at]
        gap = _gap(line, working[line_at], flattens)
        if gap > 0:
            buys += gap
        else:
            sells += gap
        line_at = line.next_line
    return buys, sells


@inner_kernel
def _gap(line: Any, working: int, flattens: bool) -> int:
    """Return the steps that a book is short of what it wants; when all is closed, of closing what it holds."""
    if line.book == BOOK_EXTERNAL:
        return 0
    coming = line.open + line.unknown
    if not flattens:
        return working - line.held - coming
    if coming * line.held >= 0:
        return -line.held
    return 0 if abs(coming) >= abs(line.held) else -line.held - coming


@inner_kernel
def _cross(shard: Shard, working: Any, cell: Any, crossed: int, flattens: bool, out: Netted) -> None:
    """Let books that want more buy from those that want less, in the order of their lines, at the quote's middle."""
    instrument = shard.instruments[cell.instrument]
    lots = multiple(float(crossed), instrument.lot_step_e9 / 1e9)
    per_price = instrument.contract_e9 / 1e9 * rate_of(shard, instrument, shard.accounts[cell.account])
    value = lots * (middle_of(instrument) * per_price)
    amount = int(np.rint(value * MILLIONTHS))
    for side in (1, -1):
        done = 0
        line_at = cell.first_line
        while line_at >= 0 and done < crossed:
            line = shard.lines[line_at]
            gap = _gap(line, working[line_at], flattens) * side
            if gap > 0:
                part = min(gap, crossed - done)
                paid = part_of(amount, done + part, crossed) - part_of(amount, done, crossed)
                at = out.counts[2]
                out.cross_line[at] = line_at
                out.cross_steps[at] = part * side
                out.cross_amount[at] = -paid * side
                out.counts[2] += 1
                done += part
            line_at = line.next_line


@inner_kernel
def _give_up(shard: Shard, working: Any, cell: Any, out: Netted, side: int) -> None:
    """Let lines that want more on `side` than can be ordered want what they have, crosses included."""
    line_at = cell.first_line
    while line_at >= 0:
        line = shard.lines[line_at]
        if _gap(line, working[line_at], False) * side > 0:
            working[line_at] = line.held + line.open + line.unknown
            for k in range(out.counts[2]):
                if out.cross_line[k] == line_at:
                    working[line_at] += out.cross_steps[k]
        line_at = line.next_line


@inner_kernel
def part_of(total: int, done: int, whole: int) -> int:
    """Return total x done / whole, rounded down, without the product that may not fit; 0 <= done <= whole."""
    return total // whole * done + total % whole * done // whole
