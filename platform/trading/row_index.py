"""Finding rows: of accounts by number, and of cells (account x instrument) by account number and instrument."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.compiled import inner_kernel, kernel

NOWHERE = -1


def in_order(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return numbers in rising order, and the row of each: what `find_rows` and `find_cells` take."""
    rows = np.argsort(numbers, kind="stable")
    return numbers[rows], rows


@kernel
def find_rows(known: Any, rows: Any, numbers: Any) -> Any:
    """Return the row of each of `numbers` (int64[k]), NOWHERE where it is not known.

    `known` are all numbers in rising order (int64[n]), `rows` the row of each.
    """
    found = np.empty(numbers.size, np.int64)
    at = 0
    for k in range(numbers.size):
        at = _place(known, numbers[k], at)
        found[k] = rows[at] if at < known.size and known[at] == numbers[k] else NOWHERE
    return found


@kernel
def find_cells(cell_rows: Any, known: Any, rows: Any, numbers: Any, instruments: Any, index: Any) -> Any:
    """Return the cell of each account and instrument (int64[k]), NOWHERE where there is none.

    `cell_rows` is int32[instruments, accounts]; `known` and `rows` are as `find_rows` takes them. Row k is of account
    `numbers[k]` and of the instrument whose row is `instruments[index[k]]`; an empty `index` stands for zeros.
    """
    found = np.empty(numbers.size, np.int64)
    at = 0
    for k in range(numbers.size):
        at = _place(known, numbers[k], at)
        found[k] = NOWHERE
        place = index[k] if index.size else 0
        if at < known.size and known[at] == numbers[k] and 0 <= place < instruments.size and instruments[place] >= 0:
            found[k] = cell_rows[instruments[place], rows[at]]
    return found


@inner_kernel
def _place(known: Any, number: int, last: int) -> int:
    """Return the first place in `known` whose number is not below `number`: often the one after the last."""
    if last + 1 < known.size and known[last] < number <= known[last + 1]:
        return last + 1
    low, high = 0, known.size
    while low < high:
        middle = (low + high) // 2
        if known[middle] < number:
            low = middle + 1
        else:
            high = middle
    return low
