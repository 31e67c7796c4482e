"""What open orders take of the limits: reserved when they are approved, given back when they are filled or end.

A cell's open orders may all be bought and none sold, or the other way round, so its position may come to lie anywhere
from position + short to position + long. By how much the larger of both is beyond the position is what its orders may
add to gross exposure; a position that is only reduced or turned to no more than its size adds nothing.
"""

from typing import Any

from apps.risk.kernels.arithmetic import billionths_of
from apps.risk.kernels.rates import count_order
from apps.risk.kernels.records import (
    AMOUNT_MAX,
    MINUTE_BUCKET_NS,
    MINUTE_RATE,
    SECOND_BUCKET_NS,
    SECOND_RATE,
    Book,
)
from trading.compiled import inner_kernel, kernel


@inner_kernel
def growth_steps(position: int, long: int, short: int) -> int:
    """Return by how many steps open orders may make a position larger, whichever way."""
    return max(abs(position + long), abs(position + short), abs(position)) - abs(position)


@inner_kernel
def can_reserve(account: Any, cell: Any, long: int, short: int, step_value: int) -> bool:
    """Return whether the amounts that a cell with these open steps reserves are such as are exact."""
    if max(long, -short) > AMOUNT_MAX // step_value:
        return False
    others = account.reserved_long - cell.reserved_long - account.reserved_short + cell.reserved_short
    return others + (long - short) * step_value <= AMOUNT_MAX


@inner_kernel
def renew(account: Any, cell: Any, margin_e9: int) -> None:
    """Make what a cell reserves, and with it the account's sums, follow from its position and its open steps."""
    gross = growth_steps(cell.position, cell.long, cell.short) * cell.step_value
    long = cell.long * cell.step_value
    short = cell.short * cell.step_value
    margin = billionths_of(gross, margin_e9)
    account.reserved_gross += gross - cell.reserved_gross
    account.reserved_long += long - cell.reserved_long
    account.reserved_short += short - cell.reserved_short
    account.reserved_margin += margin - cell.reserved_margin
    cell.reserved_gross = gross
    cell.reserved_long = long
    cell.reserved_short = short
    cell.reserved_margin = margin


@inner_kernel
def add_steps(cell: Any, steps: int) -> None:
    """Add `steps` to the open steps of their side."""
    if steps > 0:
        cell.long += steps
    else:
        cell.short += steps


@inner_kernel
def _take_off(cell: Any, steps: int) -> None:
    """Take `steps` off the open steps of their side."""
    if steps > 0:
        cell.long -= steps
    else:
        cell.short -= steps


@inner_kernel
def _renew_row(book: Book, row: int) -> None:
    cell = book.cells[row]
    account = book.accounts[cell.account]
    renew(account, cell, max(account.margin_e9, book.instruments[cell.instrument].margin_e9))


@kernel
def reserve(book: Book, cells: Any, decisions: Any, steps: Any, step_values: Any, at_ns: int) -> None:
    """Reserve for approved orders (columns int64[n], `cells` rows), and count them as sent at `at_ns`.

    `book.orders` must have a free row for each.
    """
    for i in range(cells.size):
        cell = book.cells[cells[i]]
        at = book.free[0]
        order = book.orders[at]
        book.free[0] = order.next_order
        order.cell = cells[i]
        order.decision = decisions[i]
        order.left = steps[i]
        order.next_order = cell.first_order
        cell.first_order = at
        cell.decision = max(cell.decision, decisions[i])
        cell.step_value = step_values[i]
        add_steps(cell, steps[i])
        _renew_row(book, cells[i])
        rates = book.rates[cell.account]
        count_order(rates, SECOND_RATE, at_ns // SECOND_BUCKET_NS)
        count_order(rates, MINUTE_RATE, at_ns // MINUTE_BUCKET_NS)


@kernel
def pass_decisions(book: Book, cells: Any, decisions: Any) -> None:
    """Remember that orders were refused: their numbers are used up. Cells of -1 are passed over."""
    for i in range(cells.size):
        if cells[i] >= 0:
            cell = book.cells[cells[i]]
            cell.decision = max(cell.decision, decisions[i])


@inner_kernel
def _order_of(book: Book, cell: int, decision: int) -> int:
    """Return an order of a cell, or of the cell for what is held short beside it; -1 where there is none."""
    at = book.cells[cell].first_order
    while at >= 0 and book.orders[at].decision != decision:
        at = book.orders[at].next_order
    if at < 0 and book.cells[cell].beside > 0:
        at = book.cells[book.cells[cell].beside].first_order
        while at >= 0 and book.orders[at].decision != decision:
            at = book.orders[at].next_order
    return at


@kernel
def find_cuts(book: Book, cells: Any, decisions: Any, left: Any, found: Any) -> None:
    """Write into `found`, int64[n], whether a reservation becomes smaller (1), stays (0), or cannot be so (-1)."""
    for i in range(cells.size):
        found[i] = 0
        at = -1 if cells[i] < 0 else _order_of(book, cells[i], decisions[i])
        if at < 0:
            continue
        held = book.orders[at].left
        if (held > 0 and left[i] < 0) or (held < 0 and left[i] > 0):
            found[i] = -1
        elif (held > 0 and left[i] < held) or (held < 0 and left[i] > held):
            found[i] = 1


@kernel
def cut(book: Book, cells: Any, decisions: Any, left: Any) -> None:
    """Make reservations smaller, and drop those with nothing left; what is not reserved any more stays so."""
    for i in range(cells.size):
        if cells[i] < 0:
            continue
        at = _order_of(book, cells[i], decisions[i])
        if at < 0:
            continue
        order = book.orders[at]
        row = order.cell
        if abs(left[i]) < abs(order.left):
            _take_off(book.cells[row], order.left - left[i])
            order.left = left[i]
        if order.left == 0:
            _drop(book, row, at)
        _renew_row(book, row)


@inner_kernel
def _drop(book: Book, cell: int, at: int) -> None:
    before = -1
    each = book.cells[cell].first_order
    while each != at:
        before = each
        each = book.orders[each].next_order
    if before < 0:
        book.cells[cell].first_order = book.orders[at].next_order
    else:
        book.orders[before].next_order = book.orders[at].next_order
    book.orders[at].cell = -1
    book.orders[at].next_order = book.free[0]
    book.free[0] = at


@kernel
def renew_cells(book: Book, cells: Any) -> None:
    """Make what cells reserve follow from the margin that is needed now."""
    for i in range(cells.size):
        _renew_row(book, cells[i])


@kernel
def hold(book: Book, cells: Any, steps: Any) -> None:
    """Make positions (columns int64[n]) what they are."""
    for i in range(cells.size):
        book.cells[cells[i]].position = steps[i]
        _renew_row(book, cells[i])
