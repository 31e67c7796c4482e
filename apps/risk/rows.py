"""Columns of messages: read as they are, written as short as they can be."""

import numpy as np

from apps.risk.contracts import TradingState, TradingStateChanged
from apps.risk.state import RiskState
from banyan.columns import ColumnError, Ints, ints
from banyan.messages import Message, RowsParked

NO_COLUMN = ints()


def full(column: Ints, rows: int) -> Ints:
    """Return a column with all its rows: an empty one holds zeros. Raises ColumnError for any other length."""
    if column.size == rows:
        return column
    if column.size:
        raise ColumnError(f"a column has {column.size} rows where the message has {rows}")
    return np.zeros(rows, np.int64)


def short(column: Ints) -> Ints:
    """Return a column as a message carries it: nothing where it is all zeros."""
    return column if column.any() else NO_COLUMN


def named_rows(state: RiskState, names: list[str], index: Ints) -> Ints:
    """Return the rows of instruments by their index into `names`, -1 for those that are not known or not listed."""
    known = np.array([*(state.instrument_names.known(name) for name in names), -1], np.int64)
    return known[np.where((index >= 0) & (index < len(names)), index, len(names))]


def parked(state: RiskState, reason: str, rows: Ints, accounts: Ints) -> list[Message]:
    """Return what follows from rows that cannot be: they are kept aside, and their accounts only reduce."""
    events: list[Message] = [RowsParked(reason=reason, rows=rows, accounts=accounts)]
    known = np.unique(accounts)
    of = state.rows_of(known)
    active = known[of >= 0][state.accounts.rows["state"][of[of >= 0]] == TradingState.ACTIVE]
    if active.size:
        events.append(
            TradingStateChanged(state=TradingState.REDUCING, accounts=active, reason=f"parked: {reason}")
        )  # fmt: skip
    return events
