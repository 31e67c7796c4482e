"""What follows from cash that a broker has booked without a fill: payments, swap, dividends."""

from collections.abc import Iterator

import numpy as np

from apps.execution.book_contracts import EXTERNAL
from apps.execution.contracts import AccountValued, CashBooked, CashKind, OrdersReported
from apps.execution.evolving import full
from apps.execution.kernels.netting import part_of
from apps.execution.kernels.values import value_accounts
from apps.execution.state import ShardState
from banyan.columns import Ints, ints
from banyan.messages import Message, Received

Part = tuple[int, int]
"""(row of a report, amount of a book)."""


def decide_cash(state: ShardState, received: Received, report: OrdersReported) -> list[Message]:
    """Return what the rows of a report, all of cash, come to for accounts that are open here."""
    rows = np.flatnonzero(state.rows_of(report.account) >= 0)
    if not rows.size:
        return []
    kinds, amounts = full(report.steps, report.account), full(report.amount_micro, report.account)
    found = [(row, book, amount) for row in rows.tolist() for book, amount in _parts(state, report, row)]
    books = sorted({book for _, book, _ in found})
    chosen = ints([row for row, _, _ in found])
    owners, paid = state.rows_of(report.account[rows]), np.where(kinds[rows] == CashKind.PAYMENT, amounts[rows], 0)
    booked = CashBooked(
        books=books,
        instruments=report.instruments,
        account=report.account[chosen],
        kind=kinds[chosen],
        amount_micro=ints([amount for _, _, amount in found]),
        at_ns=full(report.at_ns, report.account)[chosen],
        book=ints([books.index(book) for _, book, _ in found]),
        instrument=full(report.instrument, report.account)[chosen],
        reference=[report.execution_id[row] for row in chosen.tolist()] if report.execution_id else [],
    )
    return [booked, _valued(state, received, owners, amounts[rows], paid)]


def _parts(state: ShardState, report: OrdersReported, row: int) -> Iterator[tuple[str, int]]:
    """Yield (book, amount) of a row: by what each book holds, the rest of a unit to the later."""
    amount = int(full(report.amount_micro, report.account)[row])
    kind = int(full(report.steps, report.account)[row])
    if kind == CashKind.PAYMENT:
        yield "", amount
        return
    name = report.instruments[int(full(report.instrument, report.account)[row])]
    instrument = state.instruments.known(name)
    cell = int(state.cell_rows[instrument, state.row_of[int(report.account[row])]]) if instrument >= 0 else -1
    lines = state.lines.rows[(state.lines.rows["cell"] == cell) & (state.lines.rows["held"] != 0)]
    whole = int(np.abs(lines["held"]).sum())
    if not whole:
        yield EXTERNAL, amount
        return
    done = 0
    for line in lines:
        upto = done + abs(int(line.held))
        yield state.books.names[line.book], int(part_of(amount, upto, whole)) - int(part_of(amount, done, whole))
        done = upto


def _valued(state: ShardState, received: Received, owners: Ints, amounts: Ints, paid: Ints) -> AccountValued:
    """Return what accounts (rows, one for each amount) are worth with what came, and what of it was paid in."""
    accounts = np.unique(owners)
    cash, flows = np.zeros((2, state.accounts.count), np.int64)
    np.add.at(cash, owners, amounts)
    np.add.at(flows, owners, paid)
    values = np.zeros((5, accounts.size), np.int64)
    value_accounts(state.shard(), accounts, np.zeros(state.cells.count, np.int64), cash, values)
    return AccountValued(
        valued_at_ns=received.event_time_ns,
        account=state.accounts.columns["number"][accounts],
        balance_micro=values[0],
        equity_micro=values[1],
        margin_micro=values[2],
        gross_micro=values[3],
        net_micro=values[4],
        paid_in_micro=flows[accounts] if flows.any() else ints(),
    )
