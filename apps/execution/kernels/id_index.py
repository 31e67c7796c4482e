"""A hash table from ids of 24 bytes to rows: open addressing, no object per id.

Ids are seen as three words of 64 bits, uint64[n, 3]. `table` is int64[2**k] and holds a row + 1, or 0 where it is free;
it must never be full.
"""

from typing import Any

import numpy as np

from trading.compiled import inner_kernel, kernel

_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


@inner_kernel
def _slot(table: Any, ids: Any, id_words: Any) -> int:
    """Return where the id is in the table, or the free place where it belongs."""
    word = (id_words[0] * _MIX) ^ (id_words[0] >> _HALF)
    word = (word ^ id_words[1]) * _MIX
    word = (word ^ (word >> _HALF) ^ id_words[2]) * _MIX
    last = table.size - 1
    at = np.int64(word >> _HALF) & last
    while table[at] != 0:
        known = ids[table[at] - 1]
        if known[0] == id_words[0] and known[1] == id_words[1] and known[2] == id_words[2]:
            return at
        at = (at + 1) & last
    return at


@kernel
def insert(table: Any, ids: Any, first: int, last: int) -> None:
    """Put rows `first` to `last` (excluded) of `ids` into the table; of equal ids the first row stays."""
    for row in range(first, last):
        at = _slot(table, ids, ids[row])
        if table[at] == 0:
            table[at] = row + 1


@kernel
def find(table: Any, ids: Any, wanted: Any, rows: Any) -> None:
    """Write the row of each id of `wanted` into `rows`, int64[m]; -1 where there is none."""
    for k in range(rows.size):
        rows[k] = table[_slot(table, ids, wanted[k])] - 1


@kernel
def write_decimals(numbers: Any, ids: Any) -> None:
    """Write positive numbers (int64[n]) in decimal, ASCII, into the rows of `ids`, uint8[n, width] of zeros.

    Numbers that are not positive leave their rows as they are; `width` must be 19 at least.
    """
    for row in range(numbers.size):
        digits = 0
        rest = numbers[row]
        while rest > 0:
            digits += 1
            rest //= 10
        rest = numbers[row]
        for place in range(digits - 1, -1, -1):
            ids[row, place] = 48 + rest % 10
            rest //= 10
