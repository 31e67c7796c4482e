"""Lines of events, gathered by the file that they belong to."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from apps.reporting.books.files import BookFiles
from apps.reporting.books.form import Portion
from apps.reporting.books.lines import Chunk
from apps.reporting.books.register import Register
from apps.reporting.kernels.text import gather
from apps.reporting.written import joined
from banyan.columns import Ints

_FILES_AT_A_TIME = 16


class Sheaf:
    """Lines on their way to `files`; of the accounts in `only`, or of all. Each register's come in their order.

    `give_way` is called every few files.
    """

    def __init__(
        self, files: BookFiles, only: frozenset[str] = frozenset(), give_way: Callable[[], None] = lambda: None
    ) -> None:
        self._files = files
        self._only = only
        self._give_way = give_way
        self._chunks: dict[tuple[int, str], tuple[Register, list[Chunk]]] = {}
        self.size = 0
        """Of all that was added, in bytes."""

    def add(self, register: Register, chunks: Iterable[Chunk]) -> None:
        """Take lines that come after those before."""
        for chunk in chunks:
            self._chunks.setdefault((id(register), chunk.file), (register, []))[1].append(chunk)
            self.size += chunk.written.text.size

    def append(self) -> None:
        """Append everything to the files; nothing is left."""
        for register, chunks in self._chunks.values():
            self._files.append(self._chosen(portions_of(register, chunks)))
        self._chunks.clear()
        self.size = 0

    def _chosen(self, portions: Iterable[Portion]) -> Iterator[Portion]:
        for number, each in enumerate(portions):
            if number % _FILES_AT_A_TIME == 0:
                self._give_way()
            if not self._only or each.owner.account in self._only:
                yield each


def portions_of(register: Register, chunks: list[Chunk]) -> Iterator[Portion]:
    """Yield lines of one kind of file by account."""
    text = joined([each.written.text for each in chunks])
    offsets = np.cumsum([0, *(each.written.text.size for each in chunks[:-1])])
    ends = joined([each.written.ends + offset for each, offset in zip(chunks, offsets.tolist(), strict=True)])
    begins = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
    owners = joined([each.owners for each in chunks])
    order = np.argsort(owners, kind="stable")
    gathered, gathered_ends = np.empty(text.size, np.uint8), np.empty(ends.size, np.int64)
    gather(text, begins, ends, order, gathered, gathered_ends)
    positions = joined([_positions(each) for each in chunks])[order]
    firsts = np.flatnonzero(np.diff(owners[order], prepend=-1))
    bounds = [*firsts.tolist(), order.size]
    whose = owners[order[firsts]].tolist()
    begin = 0
    for owner, first, last in zip(whose, bounds[:-1], bounds[1:], strict=True):
        end = int(gathered_ends[last - 1])
        yield Portion(
            register.owners[owner], chunks[0].file, gathered[begin:end], gathered_ends[first:last] - begin,
            positions[first:last],
        )  # fmt: skip
        begin = end


def _positions(chunk: Chunk) -> Ints:
    positions = np.empty((chunk.owners.size, 3), np.int64)
    positions[:, 0], positions[:, 1], positions[:, 2] = chunk.number, chunk.event, np.arange(chunk.owners.size)
    return positions
