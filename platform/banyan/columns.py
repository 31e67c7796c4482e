"""Columns: how a message carries a number for each of many rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
"""A column of a message, int64[rows]: on the wire a JSON array of whole numbers under a scale that the field names."""

LARGEST_PLAIN = 2**53 - 1
"""Beyond this a JSON reader that keeps numbers as float64 would lose digits, so such a number travels as a string."""


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


def to_wire(column: Ints) -> list[Any]:
    """Return a column as JSON holds it."""
    listed: list[Any] = column.tolist()
    if listed and (np.maximum.reduce(column) > LARGEST_PLAIN or np.minimum.reduce(column) < -LARGEST_PLAIN):
        return [value if -LARGEST_PLAIN <= value <= LARGEST_PLAIN else str(value) for value in listed]
    return listed


def _whole(value: Any) -> int:
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise ColumnError(f"{value[:40]!r} is not a whole number") from None
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ColumnError(f"{value!r} is not a whole number")
    return int(value)
