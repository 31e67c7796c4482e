"""What many events say of orders, put together: one row for each order."""

from collections.abc import Sequence

import numpy as np

from apps.reporting.accounting import unique_rows
from apps.reporting.kernels.text import NOTHING
from apps.reporting.news import Said
from apps.reporting.written import joined
from banyan.columns import Ints

TEXTS = ("set", "book", "end_text", "answer")
LATEST = ("last_fill_ns", "is_unknown", "answered_at_ns", "answer")
"""Columns of an order in which the last word counts; in all others, but for ADDED, the first does."""
ADDED = ("filled_steps", "fills", "amount_micro", "fee_micro")
COLUMNS = (
    "set", "book", "steps", "order_type", "reduce_only", "bid_ticks", "ask_ticks", "decided_at_ns", "signalled_at_ns",
    "requested_at_ns", "requested_number", "approved_at_ns", "sent_at_ns", "accepted_at_ns", "unknown_at_ns",
    "first_fill_ns", "last_fill_ns", "ended_at_ns", "is_unknown", "end_kind", "end_code", "end_text",
    "answered_at_ns", "answer", *ADDED,
)  # fmt: skip


class Merged:
    """Orders, each once. Columns hold NOTHING where nothing was said; texts and instruments are numbers."""

    def __init__(self, said: Sequence[Said]) -> None:
        keys, self.row = unique_rows(
            *(joined([getattr(each, name) for each in said]) for name in ("instrument", "account", "decision"))
        )
        self.instrument, self.account, self.decision = keys
        self.columns = {name: np.full(self.account.size, 0 if name in ADDED else NOTHING) for name in COLUMNS}
        self.begins = np.cumsum([0, *(each.account.size for each in said)]).tolist()
        """Where in `row` each of what was said begins: the row of the order that each of its rows is about."""
        for at, each in enumerate(said):
            for name, value in each.columns.items():
                self._put(name, value, self.row[self.begins[at] : self.begins[at + 1]])

    def _put(self, name: str, value: Ints | int, rows: Ints) -> None:
        column = self.columns[name]
        if name in ADDED:
            np.add.at(column, rows, value)
        elif name in LATEST:
            column[rows] = value
        else:
            values = np.broadcast_to(np.asarray(value, np.int64), rows.shape)
            is_first = column[rows] == NOTHING
            column[rows[is_first][::-1]] = values[is_first][::-1]  # of the same order, the first is put last
