"""Cash: what fills have brought, and what follows from payments, swap and dividends, which come without one."""

import numpy as np
from msgspec.structs import replace

from apps.execution.book_contracts import EXTERNAL
from apps.execution.contracts import AccountValued, CashBooked, CashKind, OrdersReported
from apps.execution.evolving import full
from apps.execution.kernels.values import amounts_of
from apps.execution.state import ShardState
from apps.execution.valued import no_changes, value_of
from banyan.columns import Ints, ints
from banyan.messages import Message, Received

_NO_BOOK = -1


def decide_cash(state: ShardState, received: Received, report: OrdersReported) -> list[Message]:
    """Return what the rows of a report, all of cash, come to for accounts that are open here."""
    owners = state.rows_of(report.account)
    rows = np.flatnonzero(owners >= 0)
    if not rows.size:
        return []
    owners = owners[rows]
    kinds, amounts = full(report.steps, report.account)[rows], full(report.amount_micro, report.account)[rows]
    row, book, amount = _parts(state, report, rows, owners)
    names = ["" if kinds[each] == CashKind.PAYMENT else EXTERNAL for each in row[book == _NO_BOOK].tolist()]
    used = np.unique(book[book != _NO_BOOK])
    books = sorted({*names, *(state.books.names[each] for each in used.tolist())})
    number = np.zeros(book.size, np.int64)
    number[book == _NO_BOOK] = [books.index(name) for name in names]
    number[book != _NO_BOOK] = ints([books.index(state.books.names[each]) for each in used.tolist()])[
        np.searchsorted(used, book[book != _NO_BOOK])
    ]
    chosen = rows[row]
    booked = CashBooked(
        books=books,
        instruments=report.instruments,
        account=report.account[chosen],
        kind=kinds[row],
        amount_micro=amount,
        at_ns=full(report.at_ns, report.account)[chosen],
        book=number,
        instrument=full(report.instrument, report.account)[chosen],
        reference=[report.execution_id[each] for each in chosen.tolist()] if report.execution_id else [],
    )
    paid = np.where(kinds == CashKind.PAYMENT, amounts, 0)
    return [booked, _valued(state, received, owners, amounts, paid)]


def _parts(state: ShardState, report: OrdersReported, rows: Ints, owners: Ints) -> tuple[Ints, Ints, Ints]:
    """Return parts as (which of `rows`, book, amount): by what each book holds, the rest of a unit to the later.

    A payment, and cash for what nobody holds, is one part of no book.
    """
    instruments = ints([state.instruments.known(name) for name in report.instruments])
    instrument = instruments[full(report.instrument, report.account)[rows]]
    is_of_books = (full(report.steps, report.account)[rows] != CashKind.PAYMENT) & (instrument >= 0)
    cells = np.where(is_of_books, state.cell_rows[np.where(is_of_books, instrument, 0), owners], _NO_BOOK)
    lines = state.lines.columns
    holding = np.flatnonzero(lines["held"] != 0)
    holding = holding[np.argsort(lines["cell"][holding], kind="stable")]
    of_cells = lines["cell"][holding]
    first = np.searchsorted(of_cells, cells, "left")
    count = np.where(cells >= 0, np.searchsorted(of_cells, cells, "right") - first, 0)
    row = np.repeat(np.arange(rows.size), np.maximum(count, 1))
    is_held = count[row] > 0
    nth = np.arange(row.size) - np.searchsorted(row, row)
    line = holding[(first[row] + nth)[is_held]]
    held = np.ones(row.size, np.int64)
    held[is_held] = np.abs(lines["held"][line])
    begins = np.searchsorted(row, np.arange(rows.size))
    whole = np.add.reduceat(held, begins)[row]
    upto = np.cumsum(held)
    upto -= (upto - held)[begins][row]
    total = full(report.amount_micro, report.account)[rows][row]
    book = np.full(row.size, _NO_BOOK)
    book[is_held] = lines["book"][line]
    return row, book, _share(total, upto, whole) - _share(total, upto - held, whole)


def fill_amounts(state: ShardState, report: OrdersReported, rows: Ints, places: tuple[Ints, Ints]) -> Ints:
    """Return the cash that fills in some rows of a report brought; `places` are their accounts' rows and instruments'.

    It is what the broker says where that had to be converted, and else, or where the broker does not say, what follows
    from steps and price.
    """
    owners, instruments = places
    steps, prices = (full(column, report.account)[rows] for column in (report.steps, report.price_e9))
    amounts = amounts_of(state.shard(), instruments, owners, steps, prices)
    if not report.amount_micro.size:
        return amounts
    told = report.amount_micro[rows]
    return np.where(told != 0, told, amounts)


def _share(total: Ints, done: Ints, whole: Ints) -> Ints:
    """Return `kernels.netting.part_of` of rows."""
    shared: Ints = total // whole * done + total % whole * done // whole
    return shared


def _valued(state: ShardState, received: Received, owners: Ints, amounts: Ints, paid: Ints) -> AccountValued:
    """Return what accounts (rows, one for each amount) are worth with what came, and what of it was paid in."""
    accounts = np.unique(owners)
    shard = state.shard()
    changes, flows = no_changes(shard), np.zeros(state.accounts.count, np.int64)
    np.add.at(changes.cash, owners, amounts)
    np.add.at(flows, owners, paid)
    valued = value_of(state, shard, received.event_time_ns, accounts, changes)
    return replace(valued, paid_in_micro=flows[accounts]) if flows.any() else valued
