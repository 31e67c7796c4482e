"""Workers of one service that share its keys: each has a part of them, and stands in for others that are gone."""

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from zlib import crc32

import psycopg

from banyan.process import Part
from banyan.store import Store

_LOGGER = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_LOOKS = 3
"""In so many looks in a row a worker must be missing before others stand in for it."""


class Sharing:
    """Tells which keys to hold: those of `part`, and a share of those of workers that are gone, until they are back.

    `own` returns the keys of its part, `keys_of` those of any. A worker is there while its session holds an advisory
    lock on the service's database, which ends with its process. Who commits is decided by leases alone: this tells who
    is to try. A second worker of a part that is there waits for its keys, and stands in for nobody.
    """

    def __init__(
        self, context: str, part: Part, own: Callable[[], Sequence[str]], keys_of: Callable[[Part], Sequence[str]]
    ) -> None:
        self.name = f"{context}-sharing"
        self._part = part
        self._own = own
        self._keys_of = keys_of
        self._kind = crc32(f"{context}/{part.count}".encode()) & 0x7FFFFFFF
        self._store = Store(context)
        self._session: psycopg.Connection[object] | None = None  # in which this worker has said that it is there
        self._missing = dict.fromkeys(range(1, part.count + 1), 0)
        self._shares: dict[int, tuple[int, int]] = {}  # by part that is gone: which of how many shares of it is ours
        self._woken = threading.Event()
        self.others: Collection[str] = ()
        """The keys that are held for others."""

    def __call__(self) -> Sequence[str]:
        """Return the keys to hold now. Raises psycopg.OperationalError where they cannot be asked for."""
        own, shares = self._own(), dict(self._shares)
        self.others = [
            key
            for number, (rank, count) in sorted(shares.items())
            for key in self._keys_of(Part(number, self._part.count))[rank::count]
        ]
        return [*own, *self.others]

    def run(self, stop: threading.Event) -> None:
        """Look for the others until `stop` is set."""
        while not stop.is_set():
            try:
                self._look()
            except psycopg.OperationalError as problem:
                _LOGGER.warning("%s: the database is away: %s", self.name, problem)
                self._store.close()
                self._shares = {}
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
        if shares != self._shares:
            _LOGGER.info("%s: stands in for %s", self.name, ", ".join(map(str, shares)) or "nobody")
        self._shares = shares


_THERE = """
    SELECT objid::int FROM pg_locks
    WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
