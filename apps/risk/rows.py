"""Columns of messages: read as they are, written as short as they can be."""

import numpy as np

from apps.risk.contracts import TradingState, TradingStateChanged
from apps.risk.state import RiskState
from banyan.columns import Ints, check_length, ints
from banyan.messages import Message, RowsParked

NO_COLUMN = ints()


def full(column: Ints, rows: int) -> Ints:
    """Return a column with all its rows: an empty one holds zeros. Raises ColumnError for any other length."""
    return check_length(column, rows) if column.size else np.zeros(rows, np.int64)


def short(column: Ints) -> Ints:
    """Return a column as a message carries it: nothing where it is all zeros."""
    return column if np.count_nonzero(column) else NO_COLUMN  # a fifth of what `any` takes


def chosen_rows(column: Ints, chosen: Ints) -> Ints:
    """Return some rows of a column, nothing where they are all zeros."""
    return short(column[chosen]) if column.size else NO_COLUMN


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
