"""What follows from reports of protective orders: their books' fills, and that they have ended."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.execution.cash import fill_amounts
from apps.execution.contracts import (
    OrdersAccepted,
    OrdersEnded,
    OrdersFilled,
    OrdersReported,
    OrdersUnknown,
    ReportKind,
)
from apps.execution.evolving import full
from apps.execution.netted_orders import column
from apps.execution.state import ShardState
from banyan.columns import Ints, ints
from banyan.messages import Message

_OPEN = (ReportKind.ACCEPTED, ReportKind.FILLED, ReportKind.UNKNOWN, ReportKind.CANCEL_REJECTED)
_COLUMNS = (
    "account",
    "instrument",
    "decision",
    "kind",
    "steps",
    "price_e9",
    "fee_micro",
    "amount_micro",
    "at_ns",
    "code",
)


def protective_rows(state: ShardState, report: OrdersReported) -> NDArray[np.bool_]:
    """Return which rows of a report are of protective orders."""
    cells = state.cells_named(report.instruments, report.account, report.instrument)
    pairs = zip(cells.tolist(), report.decision.tolist(), strict=True)
    return np.array([pair in state.apart.guards for pair in pairs], bool)


def taken(report: OrdersReported, rows: NDArray[np.bool_]) -> OrdersReported:
    """Return some rows of a report."""
    columns: dict[str, Any] = {}
    for name in _COLUMNS:
        values = getattr(report, name)
        columns[name] = values[rows] if values.size else values
    ids = [each for each, is_wanted in zip(report.execution_id, rows.tolist(), strict=False) if is_wanted]
    return OrdersReported(instruments=report.instruments, execution_id=ids, texts=report.texts, **columns)


def protected(state: ShardState, report: OrdersReported) -> Iterator[Message]:
    """Yield what a report gives whose rows are all of protective orders."""
    kinds = report.kind
    for kind, event in ((ReportKind.ACCEPTED, OrdersAccepted), (ReportKind.UNKNOWN, OrdersUnknown)):
        rows = np.flatnonzero(kinds == kind)
        if rows.size:
            yield event(**named(report, rows))
    filled = np.flatnonzero(kinds == ReportKind.FILLED)
    if filled.size:
        yield _fills(state, report, filled)
    ended = np.flatnonzero(~np.isin(kinds, _OPEN))
    if ended.size:
        yield OrdersEnded(
            **named(report, ended),
            left_steps=_left(state, report)[ended],
            kind=kinds[ended],
            code=column(full(report.code, kinds)[ended]),
            texts=report.texts,
        )


def _fills(state: ShardState, report: OrdersReported, rows: Ints) -> OrdersFilled:
    cells = state.cells_named(report.instruments, report.account, report.instrument)[rows]
    guards = [state.apart.guards[pair] for pair in zip(cells.tolist(), report.decision[rows].tolist(), strict=True)]
    lines = state.lines.rows[[guard.line for guard in guards]]
    books = sorted({int(each) for each in lines["book"]})
    steps, price = full(report.steps, report.account)[rows], full(report.price_e9, report.account)[rows]
    return OrdersFilled(
        **named(report, rows),
        steps=steps,
        left_steps=column(_left(state, report)[rows]),
        price_e9=price,
        fee_micro=column(full(report.fee_micro, report.account)[rows]),
        filled_at_ns=full(report.at_ns, report.account)[rows],
        execution_id=[report.execution_id[at] for at in rows] if report.execution_id else [],
        amount_micro=fill_amounts(state, report, rows, (np.array(lines["account"]), np.array(lines["instrument"]))),
        books=[state.books.names[book] for book in books],
        split_fill=np.arange(rows.size),
        split_book=ints([books.index(int(each)) for each in lines["book"]]),
        split_steps=steps,
    )


def _left(state: ShardState, report: OrdersReported) -> Ints:
    """Return what is open of each row's order after it."""
    cells = state.cells_named(report.instruments, report.account, report.instrument)
    steps = full(report.steps, report.account)
    filled: dict[tuple[int, int], int] = {}
    left = np.zeros(cells.size, np.int64)
    for at, pair in enumerate(zip(cells.tolist(), report.decision.tolist(), strict=True)):
        guard = state.apart.guards[pair]
        if report.kind[at] == ReportKind.FILLED:
            filled[pair] = filled.get(pair, 0) + int(steps[at])
        left[at] = guard.steps - guard.filled - filled.get(pair, 0)
    return left


def named(report: OrdersReported, rows: Ints) -> dict[str, Any]:
    """Return the columns by which some rows of a report say what they are about."""
    return {
        "instruments": report.instruments,
        "account": report.account[rows],
        "instrument": column(report.instrument[rows]) if report.instrument.size else report.instrument,
        "decision": report.decision[rows],
    }
