"""What reports of the edge come to, before anything is changed: a trial fold over copies of the open orders."""

from typing import Any, NamedTuple

import numpy as np

from apps.execution.kernels.booking import find_order
from apps.execution.kernels.reasons import (
    ACCEPTED,
    FILLED,
    STATE_FILLED,
    STATE_LAST_OPEN,
    STATE_UNKNOWN,
    UNKNOWN,
)
from apps.execution.kernels.records import BOOK_EXTERNAL, Shard
from trading.compiled import inner_kernel, kernel

NOTHING = -1  # a report that says nothing new
NO_ORDER = -2  # of an order that is not open: its memory, if any, is elsewhere
RANK_ACCEPTED, RANK_FILLED, RANK_ENDED, RANK_UNKNOWN = 0, 1, 2, 3


class Reports(NamedTuple):
    """Rows of reports: int64[k] each. `cell` is -1 where there is none."""

    cell: Any
    decision: Any
    kind: Any
    steps: Any


class Folded(NamedTuple):
    """What reports come to, row by row; `counts` is int64[2]: splits, and 1 where something waits to be netted.

    Rows of one cell take effect in their order if all rows of a lower `group` do first, and in a group those of lower
    `rank`.
    """

    counts: Any
    rank: Any  # RANK_…, NOTHING or NO_ORDER
    group: Any
    taken: Any  # of a fill: steps that the order takes; the rest is none of it
    left: Any  # of the order after the row
    split_row: Any
    split_line: Any
    split_steps: Any


@kernel
def fold_reports(shard: Shard, table: Any, reports: Reports, lasts: Any, out: Folded) -> None:
    """Write what each report comes to. `shard.orders` and `shard.shares` are copies, which are changed.

    `table` is `order_states.transitions()`, `lasts` int64[2, cells], zeros: the group and rank of a cell's last row.
    """
    for k in range(reports.cell.size):
        cell = reports.cell[k]
        at = find_order(shard, cell, reports.decision[k])
        if at < 0:
            out.rank[k] = NO_ORDER
            continue
        rank = _fold(shard, table, reports, k, at, out)
        out.rank[k] = rank
        if rank >= 0:
            if rank < lasts[1, cell]:
                lasts[0, cell] += 1
            lasts[1, cell] = rank
            out.group[k] = lasts[0, cell]


@inner_kernel
def _fold(shard: Shard, table: Any, reports: Reports, k: int, at: int, out: Folded) -> int:
    order = shard.orders[at]
    kind = reports.kind[k]
    left = order.steps - order.filled
    taken = 0
    if kind == FILLED:
        taken = reports.steps[k]
        if taken * order.steps <= 0:
            return NO_ORDER
        if abs(taken) > abs(left):
            taken = left
        left -= taken
    before = order.state
    after = table[before, kind, int(order.filled != 0), int(left != 0)]
    is_late = kind == FILLED and before > STATE_FILLED
    if is_late:
        after = before
    if after < 0 or (kind == FILLED and taken == 0):
        return NO_ORDER if kind == FILLED else NOTHING
    out.taken[k] = taken
    out.left[k] = left
    if taken != 0:
        order.filled += taken
        _attribute(shard, order, k, taken, is_late, out)
    order.state = after
    is_answered = before == STATE_UNKNOWN and after != STATE_UNKNOWN
    if is_late or is_answered or (after > STATE_LAST_OPEN and has_gap(shard, shard.cells[order.cell])):
        out.counts[1] = 1
    if kind == FILLED:
        return RANK_FILLED
    if kind == ACCEPTED:
        return RANK_ACCEPTED
    return RANK_UNKNOWN if kind == UNKNOWN else RANK_ENDED


@inner_kernel
def _attribute(shard: Shard, order: Any, k: int, taken: int, is_late: bool, out: Folded) -> None:
    """Give each lot step of a fill to the book furthest behind its share of what is filled by then."""
    if order.n_shares == 1:
        share = shard.shares[order.first_share]
        share.filled += taken
        if is_late:
            _add_split(out, k, share.line, taken)
        return
    side = 1 if taken > 0 else -1
    filled, total = abs(order.filled), abs(order.steps)
    rest = abs(taken)
    first = out.counts[0]
    at = order.first_share
    while at >= 0:
        share = shard.shares[at]
        due = abs(share.steps) // total * filled + abs(share.steps) % total * filled // total
        part = min(max(due - abs(share.filled), 0), rest)
        _add_split(out, k, share.line, part * side)
        share.filled += part * side
        rest -= part
        at = share.next_share
    while rest > 0:
        best, split, place = -1, first, first
        most = 0.0
        at = order.first_share
        while at >= 0:
            share = shard.shares[at]
            if abs(share.filled) < abs(share.steps):
                behind = abs(share.steps) * (filled / total) - abs(share.filled)
                if best < 0 or behind >= most:
                    best, most, place = at, behind, split
            split += 1
            at = share.next_share
        shard.shares[best].filled += side
        out.split_steps[place] += side
        rest -= 1


@inner_kernel
def _add_split(out: Folded, row: int, line: int, steps: int) -> None:
    at = out.counts[0]
    out.split_row[at] = row
    out.split_line[at] = line
    out.split_steps[at] = steps
    out.counts[0] += 1


@inner_kernel
def has_gap(shard: Shard, cell: Any) -> bool:
    """Tell whether a book of the cell has, with what is on its way, something else than it wants."""
    at = cell.first_line
    while at >= 0:
        line = shard.lines[at]
        if line.book != BOOK_EXTERNAL and line.working != line.held + line.open + line.unknown:
            return True
        at = line.next_line
    return False


@kernel
def any_gap(shard: Shard, cells: Any) -> bool:
    """Tell whether a book of one of these cells (int64[k]) has something else than it wants."""
    for at in cells:
        if has_gap(shard, shard.cells[at]):
            return True
    return False


@kernel
def waiting_cells(shard: Shard, versions: Any) -> Any:
    """Return the cells (int64[n]) with something to be ordered, or a target not taken up, and nothing in its way.

    `versions` is int64[lines]: the version of each line's target, as far as it is to be followed.
    """
    found = np.empty(shard.cells.size, np.int64)
    count = 0
    for c in range(shard.cells.size):
        cell = shard.cells[c]
        if cell.frozen > 0 or not shard.accounts[cell.account].ready:
            continue
        is_waiting = has_gap(shard, cell)
        at = cell.first_line
        while at >= 0 and not is_waiting:
            is_waiting = versions[at] != shard.lines[at].seen_version
            at = shard.lines[at].next_line
        if is_waiting:
            found[count] = c
            count += 1
    return found[:count]
