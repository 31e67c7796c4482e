"""Workers of one service that share its keys: each has a part of them, and stands in for others that are gone."""

import logging
import mmap
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from struct import Struct
from zlib import crc32

import psycopg

from banyan.process import Part
from banyan.store import Store

_LOGGER = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_LOOKS = 3
"""In so many looks in a row a worker must be missing before others stand in for it."""
_SHARE = Struct("=HH")


class Shares:
    """Which share of which part is held for a worker that is gone, by its number: (rank, of how many shares).

    It is seen by processes that were forked after it was made, too.
    """

    def __init__(self, parts: int) -> None:
        self._memory = mmap.mmap(-1, _SHARE.size * parts)
        self._numbers = range(1, parts + 1)

    def put(self, shares: Mapping[int, tuple[int, int]]) -> None:
        """Hold these and no others."""
        for number in self._numbers:
            _SHARE.pack_into(self._memory, _SHARE.size * (number - 1), *shares.get(number, (0, 0)))

    def get(self) -> Mapping[int, tuple[int, int]]:
        """Return those that are held."""
        found = zip(self._numbers, _SHARE.iter_unpack(self._memory[:]), strict=True)
        return {number: (rank, count) for number, (rank, count) in found if count}

    def of(self, parts: int, keys_of: Callable[[Part], Sequence[str]]) -> Sequence[str]:
        """Return the keys that are held for others, `keys_of` giving those of any part."""
        shares = sorted(self.get().items())
        return [key for number, (rank, count) in shares for key in keys_of(Part(number, parts))[rank::count]]


class Presence:
    """Says that a worker of `part` is there, and puts into `shares` what it is to hold for workers that are gone.

    A worker is there while its session holds an advisory lock on the service's database, which ends with its process.
    Who commits is decided by leases alone: this tells who is to try. A second worker of a part that is there waits for
    its keys, and stands in for nobody.
    """

    def __init__(self, context: str, part: Part, shares: Shares) -> None:
        self.name = f"{context}-sharing"
        self.shares = shares
        self._part = part
        self._kind = crc32(f"{context}/{part.count}".encode()) & 0x7FFFFFFF
        self._store = Store(context)
        self._session: psycopg.Connection[object] | None = None  # in which this worker has said that it is there
        self._missing = dict.fromkeys(range(1, part.count + 1), 0)
        self._woken = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Look for the others until `stop` is set."""
        while not stop.is_set():
            try:
                self._look()
            except psycopg.OperationalError as problem:
                _LOGGER.warning("%s: the database is away: %s", self.name, problem)
                self._store.close()
                self.shares.put({})
            self._woken.wait(_LOOK_SECONDS)
        self._store.close()

    def wake(self) -> None:
        """Return from waiting."""
        self._woken.set()

    def _look(self) -> None:
        connection = self._store.connection
        if self._session is not connection:
            locked = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", [self._kind, self._part.number])
            self._session = connection if locked.fetchone() == (True,) else None
        there = {number for (number,) in connection.execute(_THERE, [self._kind]).fetchall()}
        for number in self._missing:
            self._missing[number] = 0 if number in there else self._missing[number] + 1
        gone = [number for number, looks in self._missing.items() if looks >= _LOOKS]
        shares = {}
        if self._session is not None and self._part.number in there:
            rank = sorted(there).index(self._part.number)
            shares = {number: (rank, len(there)) for number in gone}
        if shares != self.shares.get():
            _LOGGER.info("%s: stands in for %s", self.name, ", ".join(map(str, shares)) or "nobody")
            self.shares.put(shares)


class Sharing(Presence):
    """Tells which keys to hold: those of `part`, and a share of those of workers that are gone, until they are back.

    `own` returns the keys of its part, `keys_of` those of any.
    """

    def __init__(
        self, context: str, part: Part, own: Callable[[], Sequence[str]], keys_of: Callable[[Part], Sequence[str]]
    ) -> None:
        super().__init__(context, part, Shares(part.count))
        self._own = own
        self._keys_of = keys_of
        self.others: Collection[str] = ()
        """The keys that are held for others."""

    def __call__(self) -> Sequence[str]:
        """Return the keys to hold now. Raises psycopg.OperationalError where they cannot be asked for."""
        own = self._own()
        self.others = self.shares.of(self._part.count, self._keys_of)
        return [*own, *self.others]


_THERE = """
    SELECT objid::int FROM pg_locks
    WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
