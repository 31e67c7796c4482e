"""Columns of many channels side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.native import address_of


def table_of(columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return columns of equal length as float64[N, T].

    They are not copied where they lie in memory as the table would: rows of one, one after the other.
    """
    first = columns[0]
    if len(columns) == 1:
        return first.reshape(1, -1)
    if _are_rows(columns):
        return np.lib.stride_tricks.as_strided(first, (len(columns), first.size), (first.nbytes, first.itemsize))
    return np.concatenate(columns).reshape(len(columns), -1)


def _are_rows(columns: Sequence[NDArray[Any]]) -> bool:
    first = columns[0]
    owner = first.base
    if owner is None or not first.flags.writeable:
        return False
    start, step = address_of(first), first.nbytes
    return all(column.base is owner and address_of(column) == start + i * step for i, column in enumerate(columns))
