"""Rows as lines of text, made column by column."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from apps.reporting.kernels import text as kernels
from banyan.columns import Ints

Bytes = NDArray[np.uint8]
_ROOM = {kernels.WHOLE: 20, kernels.FIXED: 22, kernels.LOTS: 40, kernels.HEX: 16, kernels.TIME: 40}


class Written(NamedTuple):
    """Lines one after the other, and where each ends."""

    text: Bytes
    ends: Ints


class Lines:
    """A line for each of some rows; call what writes its fields in their order. Columns are int64[rows] or a number."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._fields: list[tuple[int, int, int]] = []
        self._columns: list[Ints] = [np.zeros(rows, np.int64)]
        self._strings: list[bytes] = []
        self._pending: list[str] = []
        self._room = 0

    def text(self, *texts: str) -> Self:
        """Write the same in every row."""
        self._pending += texts
        return self

    def chosen(self, index: Ints | int, strings: Sequence[bytes]) -> Self:
        """Write one of some strings."""
        if not strings:
            return self
        self._field(kernels.CHOSEN, index, len(self._strings) + bool(self._pending), max(map(len, strings)))
        self._strings += strings
        return self

    def whole(self, column: Ints | int) -> Self:
        """Write whole numbers, NOTHING as null."""
        return self._field(kernels.WHOLE, column)

    def fixed(self, column: Ints | int, digits: int) -> Self:
        """Write numbers that are in units of 10**-digits."""
        return self._field(kernels.FIXED, column, digits)

    def lots(self, steps: Ints | int, lot_step_e9: Ints | int) -> Self:
        """Write lot steps as lots, or as steps where the size of one is 0: not known."""
        self._columns.append(self._full(lot_step_e9))
        return self._field(kernels.LOTS, steps, len(self._columns) - 1)

    def hexadecimal(self, column: Ints | int, digits: int) -> Self:
        """Write the last digits of numbers to the base of 16."""
        return self._field(kernels.HEX, column, digits)

    def time(self, at_ns: Ints | int) -> Self:
        """Write times in UTC, nothing for 0."""
        return self._field(kernels.TIME, at_ns)

    def write(self) -> Written:
        """Return what was written."""
        self._flush()
        starts = np.zeros(len(self._strings) + 1, np.int64)
        np.cumsum([len(each) for each in self._strings], out=starts[1:])
        pool = np.frombuffer(b"".join(self._strings) or b" ", np.uint8).copy()
        out, ends = np.empty(max(1, self._room * self._rows), np.uint8), np.zeros(self._rows, np.int64)
        fields = np.array(self._fields, np.int64).reshape(-1, 3)
        size = kernels.write_rows(fields, np.array(self._columns), pool, starts, out, ends)
        return Written(out[:size].copy(), ends)

    def _field(self, kind: int, column: Ints | int, second: int = 0, room: int | None = None) -> Self:
        self._flush()
        self._columns.append(self._full(column))
        self._fields.append((kind, len(self._columns) - 1, second))
        self._room += _ROOM[kind] if room is None else room
        return self

    def _flush(self) -> None:
        if self._pending:
            joined = "".join(self._pending).encode("utf-8", "surrogatepass")
            self._pending.clear()
            self._fields.append((kernels.TEXT, len(self._strings), 0))
            self._strings.append(joined)
            self._room += len(joined)

    def _full(self, column: Ints | int) -> Ints:
        if isinstance(column, np.ndarray):
            assert column.size == self._rows, f"a column has {column.size} rows where there are {self._rows}"
            return column
        return np.full(self._rows, column, np.int64)


def joined(parts: Sequence[Any]) -> Any:
    """Return arrays one after the other."""
    return np.concatenate(parts) if len(parts) != 1 else parts[0]
