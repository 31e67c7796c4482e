"""The edge's ledger in PostgreSQL: one statement for everything that becomes true together.

The statement moves each shard's lease by compare-and-set on (epoch, last entry) and writes only what belongs to leases
that moved: an edge that lost one cannot write a line for it, and so cannot send.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg

from apps.execution.edge.entries import EntryKind, Line, decode
from banyan.compression import compress, expand
from banyan.store import SOON, Prepared, array_of, connect, double_of, prepared_on

ALIAS = "edge"

_COMMIT = """WITH moved AS (
    UPDATE edge_lease AS l
    SET number = v.number, reported = v.reported, lease_until = now() + make_interval(secs => $1)
    FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
        AS v(key, epoch, old, number, reported)
    WHERE l.key = v.key AND l.epoch = v.epoch AND l.number = v.old RETURNING l.key
), entries AS (
    INSERT INTO edge_entry (key, number, kind, previous, id, at_ns, body, written_at)
    SELECT r.*, now() FROM unnest($7::text[], $8::bigint[], $9::smallint[], $10::bigint[], $11::text[], $12::bigint[],
        $13::bytea[]) AS r(key, number, kind, previous, id, at_ns, body) JOIN moved ON moved.key = r.key
), streams AS (
    INSERT INTO edge_stream AS s (key, sender, sender_key, epoch, position)
    SELECT r.* FROM unnest($14::text[], $15::text[], $16::text[], $17::bigint[], $18::bigint[])
        AS r(key, sender, sender_key, epoch, position) JOIN moved ON moved.key = r.key
    ON CONFLICT (key, sender, sender_key) DO UPDATE SET epoch = EXCLUDED.epoch, position = EXCLUDED.position
) SELECT key FROM moved"""

_MOVED = ("text", "bigint", "bigint", "bigint", "bigint")
_ENTRIES = ("text", "bigint", "smallint", "bigint", "text", "bigint", "bytea")
_STREAMS = ("text", "text", "text", "bigint", "bigint")


class LeaseRow(NamedTuple):
    """A lease as its owner finds it: `number` of the last entry, `reported` that of the last report."""

    key: str
    epoch: int
    number: int
    reported: int


class Moved(NamedTuple):
    """A lease to move: from entry `old` to `number`."""

    key: str
    epoch: int
    old: int
    number: int
    reported: int


class Incarnation(NamedTuple):
    """A life of the ledger."""

    number: int
    began_at_ns: int


class Ledger:
    """The ledger through one connection. Not for several threads at once."""

    def __init__(self, alias: str = ALIAS, *, lease_seconds: float = 5.0) -> None:
        self.alias = alias
        self.lease_seconds = lease_seconds
        self._connection: psycopg.Connection[Any] | None = None
        self._prepared: Prepared | None = None

    @property
    def connection(self) -> "psycopg.Connection[Any]":
        """The connection, opened when it is first needed or was lost; every statement is a transaction of its own."""
        if self._connection is None or self._connection.closed:
            self._connection = connect(self.alias)
        return self._connection

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def commit(
        self, moved: Sequence[Moved], lines: Sequence[Line], streams: Mapping[tuple[str, str, str], tuple[int, int]]
    ) -> set[str]:
        """Commit lines and stream marks and return the keys whose leases moved; the others belong to somebody else.

        Raises psycopg.Error where nobody knows whether it was committed.
        """
        rows = [
            (each.key, each.number, each.kind, each.previous, each.id, each.at_ns, compress(each.body))
            for each in lines
        ]
        marks = [(*stream, *mark) for stream, mark in streams.items()]
        parameters = [
            double_of(self.lease_seconds),
            *_arrays(_MOVED, moved),
            *_arrays(_ENTRIES, rows),
            *_arrays(_STREAMS, marks),
        ]
        return {key.decode() for (key,) in self._statements().rows(_COMMIT, parameters)}

    def take(
        self, keys: Sequence[str], owner: str, is_gone: Callable[[str], bool] = lambda _: False
    ) -> list[LeaseRow]:  # fmt: skip
        """Take the leases of `keys` that are free, run out, or of an owner that is gone, each in a new epoch."""
        held = "SELECT DISTINCT owner FROM edge_lease WHERE key = ANY(%s) AND owner <> ''"
        owners = [each for (each,) in self.connection.execute(held, [list(keys)]) if each == owner or is_gone(each)]
        with self.connection.transaction():
            self.connection.execute(
                "INSERT INTO edge_lease (key, epoch, number, reported, owner) "
                "SELECT key, 0, 0, 0, '' FROM unnest(%s::text[]) AS r(key) ON CONFLICT DO NOTHING",
                [list(keys)],
            )
            rows = self.connection.execute(
                "UPDATE edge_lease SET epoch = epoch + 1, owner = %s, "
                "lease_until = now() + make_interval(secs => %s) WHERE key = ANY(%s) "
                "AND (owner = ANY(%s) OR lease_until < now()) RETURNING key, epoch, number, reported",
                [owner, self.lease_seconds, list(keys), ["", *owners]],
            ).fetchall()
        return [LeaseRow(*row) for row in rows]

    def renew(self, epochs: Mapping[str, int]) -> set[str]:
        """Make leases last longer; return the keys of those that are still held.

        Nobody waits for the disk: what is sent is sent under a lease that the commit of SENT has made last longer.
        """
        rows = self.connection.execute(
            f"{SOON} UPDATE edge_lease AS l SET lease_until = now() + make_interval(secs => %s) "  # noqa: S608  (names of ours)
            "FROM unnest(%s::text[], %s::bigint[]) AS v(key, epoch), soon WHERE l.key = v.key AND l.epoch = v.epoch "
            "RETURNING l.key",
            [self.lease_seconds, list(epochs), list(epochs.values())],
        )
        return {key for (key,) in rows}

    def release(self, epochs: Mapping[str, int]) -> None:
        """Give leases back, so that another edge need not wait for them to run out."""
        self.connection.execute(
            "UPDATE edge_lease AS l SET owner = '', lease_until = NULL "
            "FROM unnest(%s::text[], %s::bigint[]) AS v(key, epoch) WHERE l.key = v.key AND l.epoch = v.epoch",
            [list(epochs), list(epochs.values())],
        )

    def incarnation(self, now_ns: int) -> Incarnation:
        """Return the life that the ledger is in; the first begins when it is first asked for."""
        newest = "SELECT number, began_at_ns FROM edge_incarnation ORDER BY number DESC LIMIT 1"
        row = self.connection.execute(newest).fetchone()
        if row is None:
            self.connection.execute(
                "INSERT INTO edge_incarnation (number, began_at_ns, reason) VALUES (1, %s, 'first') "
                "ON CONFLICT DO NOTHING",
                [now_ns],
            )
            row = self.connection.execute(newest).fetchone()
        assert row is not None
        return Incarnation(*row)

    def begin_incarnation(self, now_ns: int, reason: str) -> Incarnation:
        """Begin the next life after a restore. No edge may be running.

        It is numbered by the time, since lives that a restore has made this ledger forget must not come again.
        """
        number = max(self.incarnation(now_ns).number + 1, now_ns // 1_000_000_000)
        self.connection.execute(
            "INSERT INTO edge_incarnation (number, began_at_ns, reason) VALUES (%s, %s, %s)", [number, now_ns, reason]
        )
        return Incarnation(number, now_ns)

    def lines(self, key: str, after: int, *, kinds: Sequence[int] = (), most: int = 2**31 - 1) -> Iterable[Line]:
        """Yield the entries of a key after a number, in order: all, or those of some kinds."""
        with self.connection.transaction(), self.connection.cursor("lines", binary=True) as cursor:
            cursor.itersize = 500
            cursor.execute(
                "SELECT number, kind, previous, id, at_ns, body FROM edge_entry WHERE key = %s AND number > %s "
                "AND (%s::int[] = '{}' OR kind = ANY(%s)) ORDER BY number LIMIT %s",
                [key, after, list(kinds), list(kinds), most],
            )
            for number, kind, previous, line_id, at_ns, stored in cursor:
                body = expand(stored)
                what = decode(EntryKind(kind), body)
                yield Line(
                    key=key, number=number, kind=EntryKind(kind), previous=previous, id=line_id, at_ns=at_ns,
                    what=what, body=body,
                )  # fmt: skip

    def first(self, key: str) -> int:
        """Return the number of the first entry of a key that is still there, 0 where there is none."""
        query = "SELECT COALESCE(min(number), 0) FROM edge_entry WHERE key = %s"
        (number,) = self.connection.execute(query, [key]).fetchone() or (0,)
        return int(number)

    def streams(self, key: str) -> dict[tuple[str, str], tuple[int, int]]:
        """Return (epoch, position) by (sender, its key): how far the key has taken each stream."""
        rows = self.connection.execute(
            "SELECT sender, sender_key, epoch, position FROM edge_stream WHERE key = %s", [key]
        )
        return {(sender, sender_key): (epoch, position) for sender, sender_key, epoch, position in rows}

    def ends(self) -> dict[str, tuple[int, int]]:
        """Return (number of the last entry, that of the last report) by key."""
        rows = self.connection.execute("SELECT key, number, reported FROM edge_lease")
        return {key: (number, reported) for key, number, reported in rows}

    def newest_snapshot(self, key: str) -> tuple[int, int, bytes] | None:
        """Return (number, version, state) of the last snapshot of a key."""
        with self.connection.cursor(binary=True) as cursor:
            row = cursor.execute(
                "SELECT number, version, state FROM edge_snapshot WHERE key = %s ORDER BY number DESC LIMIT 1", [key]
            ).fetchone()
        return (row[0], row[1], expand(row[2])) if row is not None else None

    def keep_snapshot(self, key: str, number: int, version: int, state: bytes) -> None:
        """Keep a snapshot, and of those before it the last one. Nobody waits for the disk: the lines are there."""
        self.connection.execute(
            f"{SOON}, gone AS (DELETE FROM edge_snapshot WHERE key = %s AND number < "  # noqa: S608  (names of ours)
            "(SELECT max(number) FROM edge_snapshot WHERE key = %s)) "
            "INSERT INTO edge_snapshot (key, number, version, made_at, state) SELECT %s, %s, %s, now(), %b FROM soon "
            "ON CONFLICT DO NOTHING",
            [key, key, key, number, version, compress(state)],
        )

    def _statements(self) -> Prepared:
        self._prepared = prepared_on(self.connection, self._prepared)
        return self._prepared


def _arrays(kinds: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[bytes]:
    columns = zip(*rows, strict=True) if rows else [()] * len(kinds)
    return [array_of(kind, column) for kind, column in zip(kinds, columns, strict=True)]
