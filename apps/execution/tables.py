"""Growing arrays of records: what the state of a shard is kept in."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

NULL = -1


class Table:
    """Records that are only added.

    `rows` has all of them, in the order in which they were added, as a record array, and `columns` as a plain one,
    whose fields are at hand ten times as fast; both hold until one is added.
    """

    __slots__ = ("_room", "columns", "count", "rows")

    _room: NDArray[Any]

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.restore(np.zeros(0, dtype))

    def add(self, **values: float) -> int:
        """Add a record, zero where `values` says nothing; return its row."""
        at = self.count
        if at == self._room.size:
            larger = np.zeros(2 * at, self._room.dtype).view(np.recarray)
            larger[:at] = self._room
            self._room = larger
        self._show(at + 1)
        for name, value in values.items():
            self.columns[name][at] = value
        return at

    def restore(self, rows: NDArray[Any]) -> None:
        """Become exactly `rows`."""
        self._room = rows.view(np.recarray) if rows.size else np.zeros(16, rows.dtype).view(np.recarray)
        self._show(rows.size)

    def _show(self, count: int) -> None:
        self.count = count
        self.rows: Any = self._room[:count]
        self.columns: Any = self.rows.view(np.ndarray)


class Pool:
    """Records that come and go. Free ones form a list, by the field `link`; a record that is free has -1 as `owner`.

    `free` is a view of int64[2], the first free row and how many there are, which kernels keep too.
    """

    __slots__ = ("_first", "_left", "_link", "_owner", "rows")

    def __init__(self, dtype: np.dtype[Any], owner: str, link: str, free: tuple[Any, Any]) -> None:
        self.rows: Any = np.zeros(0, dtype).view(np.recarray)
        self._owner, self._link = owner, link
        self._first, self._left = free
        self._first[0] = NULL

    @property
    def columns(self) -> Any:
        """The records as a plain array, whose columns are at hand ten times as fast."""
        return self.rows.view(np.ndarray)

    def reserve(self, count: int) -> None:
        """Have at least `count` free records."""
        if self._left[0] >= count:
            return
        old = self.rows.size
        size = max(64, 2 * old, old + count)
        larger = np.zeros(size, self.rows.dtype).view(np.recarray)
        larger[:old] = self.rows
        larger[self._owner][old:] = NULL
        larger[self._link][old:] = np.arange(old + 1, size + 1)
        larger[self._link][size - 1] = self._first[0]
        self._first[0] = old
        self._left[0] += size - old
        self.rows = larger


def columns_of(rows: NDArray[Any]) -> dict[str, bytes]:
    """Return records as little-endian columns by name, for a snapshot."""
    return {name: rows[name].astype(_little(rows.dtype, name)).tobytes() for name in names(rows.dtype)}


def from_columns(columns: dict[str, bytes], dtype: np.dtype[Any]) -> Any:
    """Return the records that `columns_of` wrote; fields that it did not know are 0."""
    lengths = {len(column) // 8 for column in columns.values()}
    rows = np.zeros(lengths.pop() if lengths else 0, dtype)
    for name, column in columns.items():
        rows[name] = np.frombuffer(column, _little(dtype, name))
    return rows.view(np.recarray)


def names(dtype: np.dtype[Any]) -> tuple[str, ...]:
    """Return the names of a record's fields."""
    return dtype.names or ()


def _little(dtype: np.dtype[Any], name: str) -> np.dtype[Any]:
    return dtype[name].newbyteorder("<")
