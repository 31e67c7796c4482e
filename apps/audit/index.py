"""All orders of some facts, each once, and which of them each row of each table is about."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from apps.audit.facts import NOBODYS, ORDER, Facts, Table
from banyan.columns import Ints

_ABOUT_ORDERS = (
    "requested", "approved", "released", "told", "adopted", "sizings", "open", "reserved", "sent", "unwritten",
    "never_arrived", "recalled", "placed", "trades", "crossed",
)  # fmt: skip


class Orders:
    """The orders of `facts`, numbered; `of[table]` is the number of each row's, -1 where it is none of ours."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        tables: list[Table] = [getattr(facts, name) for name in _ABOUT_ORDERS]
        keys = [np.concatenate([table[name] for table in tables]) for name in ORDER]
        is_ours = keys[2] != NOBODYS
        codes, code = np.unique(_coded([column[is_ours] for column in keys]), return_inverse=True)
        code = code.reshape(-1)
        numbers = np.full(is_ours.size, -1, np.int64)
        numbers[is_ours] = code
        self.count = codes.size
        self._first = np.zeros(self.count, np.int64)
        self._first[code[::-1]] = np.flatnonzero(is_ours)[::-1]
        self._keys = keys
        ends = np.cumsum([len(table) for table in tables])
        self.of = dict(zip(_ABOUT_ORDERS, np.split(numbers, ends[:-1]), strict=True))

    def name(self, order: int) -> str:
        """Return an order in words."""
        account, instrument, decision = (int(column[self._first[order]]) for column in self._keys)
        return f"account {account}, {self._facts.names[instrument]}, order {decision}"

    def times(self, table: str) -> Ints:
        """Return how many rows of a table are about each order."""
        of = self.of[table]
        return np.bincount(of[of >= 0], minlength=self.count)

    def has(self, table: str) -> NDArray[np.bool_]:
        """Return which orders a table has."""
        return self.times(table) > 0

    def last(self, table: str, column: str, chosen: NDArray[np.bool_] | None = None) -> Ints:
        """Return what the last row about each order says, of all rows or of some; 0 where there is none."""
        rows = self._rows(table, chosen)
        found = np.zeros(self.count, np.int64)
        found[self.of[table][rows]] = getattr(self._facts, table)[column][rows]
        return found

    def sum(self, table: str, column: str, chosen: NDArray[np.bool_] | None = None) -> Ints:
        """Return the sum of a column over the rows about each order, of all rows or of some."""
        rows = self._rows(table, chosen)
        found = np.zeros(self.count, np.int64)
        np.add.at(found, self.of[table][rows], getattr(self._facts, table)[column][rows])
        return found

    def some(self, table: str, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which orders chosen rows of a table are about."""
        found = np.zeros(self.count, np.bool_)
        found[self.of[table][self._rows(table, chosen)]] = True
        return found

    @cached_property
    def restored(self) -> NDArray[np.bool_]:
        """Orders whose approval a sender may have forgotten in a restore, having taken them back since."""
        is_back = self.has("recalled") | self.has("adopted")
        return is_back & ~self.has("approved") if self._facts.restored_ns else np.zeros(self.count, np.bool_)

    def _rows(self, table: str, chosen: NDArray[np.bool_] | None) -> Ints:
        is_ours = self.of[table] >= 0
        return np.flatnonzero(is_ours if chosen is None else is_ours & chosen)


def _coded(columns: list[Ints]) -> Ints:
    """Return one number for each row, the same for the same rows alone."""
    code = np.zeros(columns[0].size, np.int64)
    if not code.size:
        return code
    for column in columns:
        first, last = int(column.min()), int(column.max())
        if (int(code.max()) + 1) * (last - first + 1) >= 2**63:
            code = np.unique(code, return_inverse=True)[1].reshape(-1)
        code = code * (last - first + 1) + (column - first)
    return code
