"""Arrays that grow, and an index of ids over one: what the edge and the paper broker keep their orders in."""

import mmap
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.execution.kernels.id_chains import Chains, fill_table, link, look_up
from apps.execution.kernels.id_index import find, insert, write_decimals
from banyan.columns import Ints
from banyan.records import whole

ID_BYTES = 24
"""How long an id is, in ASCII; shorter ones are followed by zeros."""

Ids = NDArray[np.bytes_]
_LINKED_AT_ONCE = 4_096


class Growing:
    """An array that is appended to: doubling its room, so that appending costs what the new rows cost."""

    def __init__(self, dtype: Any, room: int = 1024) -> None:
        self._room: NDArray[Any] = np.zeros(room, dtype)
        self.size = 0

    @property
    def rows(self) -> NDArray[Any]:
        """The rows there are, not copied: writing to them changes them here."""
        return self._room[: self.size]

    def append(self, rows: NDArray[Any]) -> Ints:
        """Add rows at the end and return their numbers."""
        first, self.size = self.size, self.size + rows.size
        if self.size > self._room.size:
            larger = np.zeros(max(self.size, 2 * self._room.size), self._room.dtype)
            _put(larger, 0, self._room[:first])
            self._room = larger
        _put(self._room, first, rows)
        return np.arange(first, self.size)

    def become(self, rows: NDArray[Any]) -> None:
        """Have these rows alone, and all the room there was: those that come next need not wait for more."""
        self.size = 0
        self.append(rows)


def _put(room: NDArray[Any], first: int, rows: NDArray[Any]) -> None:
    if room.dtype.names is not None:
        assert rows.dtype == room.dtype, f"{rows.dtype} is not {room.dtype}"
        room, rows = whole(room), whole(rows)
    room[first : first + rows.size] = rows


class Spilled(Growing):
    """A growing array in a file without a name in `folder`: what is not touched for long leaves memory.

    It comes back when it is touched. The file is no record of anything; its room on the disk is taken before it is
    written to. Raises OSError where there is none.
    """

    def __init__(self, dtype: Any, folder: Path, *, kept: int = 2**15) -> None:
        super().__init__(dtype, 0)
        self._kept_bytes = kept * self._room.dtype.itemsize
        self._spilled = 0  # rows up to which memory was given back
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (as long as this)
        self._memory: mmap.mmap | None = None

    def append(self, rows: NDArray[Any]) -> Ints:
        """Add rows at the end and return their numbers."""
        needed = self.size + rows.size
        if needed > self._room.size:
            self._grow(needed)
        added = super().append(rows)
        self._spill()
        return added

    def _grow(self, needed: int) -> None:
        room = max(needed + needed // 4, 2**12) * self._room.dtype.itemsize
        if sys.platform == "linux":
            os.posix_fallocate(self._file.fileno(), 0, room)
        else:
            self._file.truncate(room)
        self._memory = mmap.mmap(self._file.fileno(), room)
        self._room = np.frombuffer(self._memory, self._room.dtype, room // self._room.dtype.itemsize)

    def _spill(self) -> None:
        """Give back the memory of all but the last rows, whenever as many have been added again."""
        end = self.size * self._room.dtype.itemsize - self._kept_bytes
        if self._memory is not None and end - self._spilled >= self._kept_bytes:
            self._spilled = end
            self._memory.madvise(mmap.MADV_DONTNEED, 0, end // mmap.PAGESIZE * mmap.PAGESIZE)


class IdIndex:
    """Ids in the order in which they came, and the row of each; of equal ids the first counts."""

    def __init__(self) -> None:
        self._ids = Growing(f"S{ID_BYTES}")
        self._table = np.zeros(4096, np.int64)
        self._indexed = 0

    @property
    def ids(self) -> Ids:
        """All ids by row."""
        return self._ids.rows

    def append(self, ids: Ids) -> Ints:
        """Add ids and return their rows. They are put into the index when one is looked for."""
        return self._ids.append(ids)

    def become(self, ids: Ids) -> None:
        """Know these ids alone, which are indexed at once."""
        self._ids.become(ids)
        self._table[:] = 0
        self._indexed = 0
        self._index()

    def find(self, ids: Ids) -> Ints:
        """Return the row of each id, -1 where it is not known."""
        self._index()
        rows = np.full(ids.size, -1, np.int64)
        find(self._table, _words(self._ids.rows), _words(ids), rows)
        return rows

    def _index(self) -> None:
        if self._indexed == self._ids.size:
            return
        if 2 * self._ids.size > self._table.size:
            self._table = np.zeros(4 * (1 << (self._ids.size - 1).bit_length()), np.int64)
            self._indexed = 0
        insert(self._table, _words(self._ids.rows), self._indexed, self._ids.size)
        self._indexed = self._ids.size


class ChainedIds:
    """Ids as in an IdIndex, of which no end is forgotten: with a `folder`, those of long ago are out of memory.

    What stays there grows with the beginnings of ids (16 bytes). An id above all others of its beginning is known to be
    new without looking further; the older a known one is among those of its beginning, the longer it is looked for.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._ids = Growing(f"S{ID_BYTES}") if folder is None else Spilled(f"S{ID_BYTES}", folder)
        self._before = Growing(np.int64) if folder is None else Spilled(np.int64, folder)
        self._table = np.zeros(4 * _LINKED_AT_ONCE, np.int64)
        self._newest, self._top = Growing(np.int64), Growing(np.int64)
        self._places = self._linked = 0

    @property
    def ids(self) -> Ids:
        """All ids by row."""
        return self._ids.rows

    def append(self, ids: Ids) -> Ints:
        """Add ids and return their rows."""
        self._before.append(np.full(ids.size, -1, np.int64))
        return self._ids.append(ids)

    def become(self, ids: Ids) -> None:
        """Know these ids alone, which are linked at once."""
        for each in (self._newest, self._top, self._before, self._ids):
            each.size = 0
        self._table[:] = 0
        self._places = self._linked = 0
        self.append(ids)
        self._link_all()

    def find(self, ids: Ids) -> Ints:
        """Return the row of each id, -1 where it is not known; of equal ids the first counts."""
        self._link_all()
        rows = np.full(ids.size, -1, np.int64)
        look_up(self._chains(), _words(self._ids.rows), _words(ids), rows)
        return rows

    def _link_all(self) -> None:
        while self._linked < self._ids.size:
            self._link(min(self._ids.size, self._linked + _LINKED_AT_ONCE))

    def _link(self, last: int) -> None:
        for each in (self._newest, self._top):
            each.append(np.zeros(max(0, self._places + last - self._linked - each.size), np.int64))
        if 2 * self._newest.size > self._table.size:
            self._table = np.zeros(2 * self._table.size, np.int64)
            fill_table(self._chains(), _words(self._ids.rows), self._places)
        self._places = link(self._chains(), _words(self._ids.rows), self._linked, last, self._places)
        self._linked = last

    def _chains(self) -> Chains:
        return Chains(self._table, self._newest.rows, self._top.rows, self._before.rows)


def decimal_ids(numbers: Ints) -> Ids:
    """Return positive numbers as ids, in decimal; an empty id for any other number."""
    written = np.zeros((numbers.size, ID_BYTES), np.uint8)
    write_decimals(numbers, written)
    return written.reshape(-1).view(f"S{ID_BYTES}")


def texts_of(ids: Ids) -> list[str]:
    """Return ids as texts."""
    return b"\n".join(ids.tolist()).decode("ascii").split("\n") if ids.size else []


def first_of_each(ids: Ids) -> NDArray[np.bool_]:
    """Return which rows are the first of their id."""
    index = IdIndex()
    return index.append(ids) == index.find(ids)


def _words(ids: Ids) -> NDArray[np.uint64]:
    return np.ascontiguousarray(ids).view(np.uint64).reshape(-1, 3)
