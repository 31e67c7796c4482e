"""Growing arrays of numbers and records: what the state of a hot context is kept in, and written to snapshots from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Table:
    """Rows that are only added, all zeros or `fill` until they are written to.

    A row is a record of `dtype`, or an array of `shape` numbers of it. `rows` is a view of the rows that there are, and
    holds until one is added; `columns` is the same as a plain array, whose fields are at hand ten times as fast.
    """

    __slots__ = ("_fill", "_room", "columns", "count", "rows")

    def __init__(self, dtype: Any, shape: tuple[int, ...] = (), fill: int = 0) -> None:
        self._fill = fill
        self._room: NDArray[Any] = _filled((16, *shape), fill, np.dtype(dtype))
        self.count = 0
        self.rows: Any = self._room[:0]
        self.columns: Any = self.rows.view(np.ndarray)

    def extend(self, rows: int) -> int:
        """Add `rows` rows; return the number of the first."""
        first, self.count = self.count, self.count + rows
        if self.count > len(self._room):
            size = max(self.count, 2 * len(self._room))
            larger = _filled((size, *self._room.shape[1:]), self._fill, self._room.dtype)
            larger[:first] = self._room[:first]
            self._room = larger
        self.rows = self._room[: self.count]
        self.columns = self.rows.view(np.ndarray)
        return first

    def to_bytes(self) -> dict[str, bytes]:
        """Return the rows as little-endian columns by name; "" is the name of what is no record."""
        rows = self.rows.view(np.ndarray)
        columns = {name: rows[name] for name in rows.dtype.names or ()} or {"": rows}
        return {name: column.astype(_little(column.dtype)).tobytes() for name, column in columns.items()}

    def restore(self, columns: dict[str, bytes], rows: int) -> None:
        """Become the `rows` rows that `to_bytes` wrote."""
        self.count = 0
        self.extend(rows)
        for name, written in columns.items():
            column = self.rows[name] if name else self.rows
            column[:] = np.frombuffer(written, _little(column.dtype)).reshape(column.shape)


def _filled(shape: tuple[int, ...], fill: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    made = np.full(shape, fill, dtype)
    return made.view(np.recarray) if dtype.names else made


def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("<")


def whole(records: NDArray[Any]) -> NDArray[Any]:
    """Return records as pieces of memory, in a view: NumPy copies a record field by field, and a piece at once."""
    return records.view(np.ndarray).view(f"V{records.dtype.itemsize}")


def picked(records: NDArray[Any], chosen: NDArray[Any]) -> Any:
    """Return a copy of some records, by their numbers or by a column of whether each is wanted."""
    return whole(records)[chosen].view(records.dtype)


def copied(records: NDArray[Any]) -> Any:
    """Return a copy of all records, of the kind of array that they are in."""
    return whole(records).copy().view(records.dtype).view(type(records))


class NameIndex:
    """Names and their numbers, in the order of their first use."""

    __slots__ = ("names", "numbers")

    def __init__(self, names: list[str] | None = None) -> None:
        self.names: list[str] = list(names or ())
        self.numbers = {name: number for number, name in enumerate(self.names)}

    def known(self, name: str) -> int:
        """Return the number of a name, -1 if it has none."""
        return self.numbers.get(name, -1)

    def of(self, name: str) -> int:
        """Return the number of a name, a new one if it has none."""
        number = self.numbers.setdefault(name, len(self.names))
        if number == len(self.names):
            self.names.append(name)
        return number
