"""Chains of ids with one beginning: what is new is told from what is known without looking at what is old.

Ids are seen as three words of 64 bits, uint64[n, 3]; the first two are their beginning, the third their end. Whoever
counts in the end of its ids, as orders of an account and instrument do, has each new one above all that were before.
"""

from typing import Any, NamedTuple

import numpy as np

from trading.compiled import inner_kernel, kernel

_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_BYTE = np.uint64(8)
_LOW = np.uint64(0xFF)


class Chains(NamedTuple):
    """Ids by their beginnings, each of which has a place."""

    table: Any  # int64[2**k], a hash table: a place + 1, 0 where it is free; never full
    newest: Any  # int64[places], the last row of a chain
    top: Any  # int64[places], the row of its highest id
    before: Any  # int64[rows], the row before in its chain; -1 at its beginning, and for an id that was there already


@inner_kernel
def _slot(chains: Any, ids: Any, id_words: Any) -> int:
    """Return where the beginning of an id is in the table, or the free slot where it belongs."""
    word = (id_words[0] * _MIX) ^ (id_words[0] >> _HALF)
    word = (word ^ id_words[1]) * _MIX
    last = chains.table.size - 1
    at = np.int64(word >> _HALF) & last
    while chains.table[at] != 0:
        known = ids[chains.newest[chains.table[at] - 1]]
        if known[0] == id_words[0] and known[1] == id_words[1]:
            return at
        at = (at + 1) & last
    return at


@inner_kernel
def _rank(word: Any) -> Any:
    """Return a number that is higher where the eight bytes of a word are."""
    rank = word & _LOW
    for _ in range(7):
        word = word >> _BYTE
        rank = (rank << _BYTE) | (word & _LOW)
    return rank


@inner_kernel
def _row_of(chains: Any, ids: Any, place: int, id_words: Any) -> int:
    """Return the first row of an id whose beginning is at `place`, -1 where it is not known."""
    top = chains.top[place]
    if ids[top, 2] == id_words[2]:
        return top
    if _rank(id_words[2]) > _rank(ids[top, 2]):
        return -1
    row = chains.newest[place]
    while row >= 0 and ids[row, 2] != id_words[2]:
        row = chains.before[row]
    return row


@kernel
def link(chains: Any, ids: Any, first: int, last: int, places: int) -> int:
    """Put rows `first` to `last` (excluded) of `ids` into chains; return how many places there are now."""
    for row in range(first, last):
        chains.before[row] = -1
        at = _slot(chains, ids, ids[row])
        place = chains.table[at] - 1
        if place < 0:
            chains.table[at] = places + 1
            chains.newest[places] = row
            chains.top[places] = row
            places += 1
        elif _row_of(chains, ids, place, ids[row]) < 0:
            chains.before[row] = chains.newest[place]
            chains.newest[place] = row
            if _rank(ids[row, 2]) > _rank(ids[chains.top[place], 2]):
                chains.top[place] = row
    return places


@kernel
def look_up(chains: Any, ids: Any, wanted: Any, rows: Any) -> None:
    """Write the row of each id of `wanted` into `rows`, int64[m]; -1 where there is none."""
    for k in range(rows.size):
        place = chains.table[_slot(chains, ids, wanted[k])] - 1
        rows[k] = -1 if place < 0 else _row_of(chains, ids, place, wanted[k])


@kernel
def fill_table(chains: Any, ids: Any, places: int) -> None:
    """Put places into a table that is empty."""
    for place in range(places):
        chains.table[_slot(chains, ids, ids[chains.newest[place]])] = place + 1
