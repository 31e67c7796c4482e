"""Columns: how a message carries a number for each of many rows."""

from typing import Any

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

Ints = NDArray[np.int64]
"""A column of a message, int64[rows]: on the wire a JSON array of whole numbers under a scale that the field names."""

LARGEST_PLAIN = 2**53 - 1
"""Beyond this a JSON reader that keeps numbers as float64 would lose digits, so such a number travels as a string."""


_LONG = 64  # from so many numbers on, writing them straight from the array is faster than by Python's numbers


class ColumnError(ValueError):
    """A column on the wire holds something that is not a whole number of 64 bits."""


def ints(values: Any = ()) -> Ints:
    """Return `values` as a column. Raises ColumnError for fractions, nan and what does not fit into 64 bits."""
    try:
        found = np.asarray(values)
        if found.size == 0:
            return np.zeros(0, np.int64)
        if found.ndim != 1 or found.dtype.kind not in "ib":
            found = np.array([_whole(value) for value in values], np.int64)
        return found.astype(np.int64, copy=False)
    except (TypeError, OverflowError) as problem:
        raise ColumnError(f"not a column of whole numbers: {problem}") from None


def check_length(column: Ints, rows: int) -> Ints:
    """Return a column of `rows` rows, or of none, which stands for zeros. Raises ColumnError for any other length."""
    if column.size not in (0, rows):
        raise ColumnError(f"a column has {column.size} rows where the message has {rows}")
    return column


def to_wire(column: Ints) -> "list[Any] | msgspec.Raw":
    """Return a column as JSON holds it, written already where it is long."""
    if column.size < _LONG:
        listed: list[Any] = column.tolist()
        if not listed or (min(listed) >= -LARGEST_PLAIN and max(listed) <= LARGEST_PLAIN):
            return listed
        return _quoted(listed)
    lowest, highest = int(np.minimum.reduce(column)), int(np.maximum.reduce(column))
    is_plain = lowest >= -LARGEST_PLAIN and highest <= LARGEST_PLAIN
    if not is_plain and lowest <= LARGEST_PLAIN:
        return _quoted(column.tolist())
    written = orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)
    return msgspec.Raw(written if is_plain else b'["%b"]' % written[1:-1].replace(b",", b'","'))


def _quoted(listed: list[int]) -> list[Any]:
    return [value if -LARGEST_PLAIN <= value <= LARGEST_PLAIN else str(value) for value in listed]


def _whole(value: Any) -> int:
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise ColumnError(f"{value[:40]!r} is not a whole number") from None
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ColumnError(f"{value!r} is not a whole number")
    return int(value)
