"""The database of one context, through one connection."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.pq import Format

from banyan import crash
from banyan.compression import compress, expand
from banyan.store.arrays import array_of
from banyan.store.batch import Batch, Step
from banyan.store.connection import SOON, connect
from banyan.store.nearby import Nearby
from banyan.store.notices import CHANNEL, Notice, notice_of, payloads
from banyan.store.prepared import Prepared, prepared_on
from banyan.store.seeding import Seed, plant


class KeyRow(NamedTuple):
    """A key as its owner finds it."""

    key: str
    epoch: int
    number: int
    parked_because: str
    parked_id: str
    is_leading: bool


class SnapshotRow(NamedTuple):
    """A snapshot: the state after log `number`, written under schema `version`."""

    number: int
    version: int
    digest: str
    state: bytes


class Outgoing(NamedTuple):
    """An event in the outbox, with what its receiver needs; `header` is the envelope of the input that caused it."""

    receiver: str
    receiver_key: str
    key: str
    position: int
    previous: int
    epoch: int
    written_at: datetime
    received_at_ns: int
    header: bytes
    events: bytes


_RELAYED_AGAIN = 200
FETCH_MOST = 500
"""How many messages are read at a time where some were missed."""
_WAKE = f"{SOON} SELECT pg_notify('{CHANNEL}', payload) FROM unnest($1::text[]) AS p(payload), soon"  # noqa: S608  (names of ours)
_SEEN = (
    "SELECT s.key, s.id FROM banyan_seen AS s "
    "JOIN unnest($1::text[], $2::text[]) AS v(key, id) ON s.key = v.key AND s.id = v.id"
)
_REQUESTS = (
    "SELECT r.key, f.id, f.header, f.body, "  # noqa: S608  (names of ours)
    "EXISTS (SELECT FROM banyan_seen AS s WHERE s.key = r.key AND s.id = f.id) "
    "FROM unnest($1::text[]) AS r(key) CROSS JOIN LATERAL "
    f"(SELECT id, header, body FROM banyan_request WHERE key = r.key ORDER BY place LIMIT {FETCH_MOST}) AS f"
)


class Store:
    """A context's log, outbox, marks, timers and snapshots. Not for several threads at once.

    Keys that have had no owner before are led from the first on where `leads_new` says so, else they follow. It opens a
    connection of its own, unless it is `lent` one (see `lent`), which it leaves open.
    """

    def __init__(
        self, alias: str, *, lease_seconds: float = 5.0, leads_new: bool = True,
        lent: "psycopg.Connection[Any] | None" = None,
    ) -> None:  # fmt: skip
        self.alias = alias
        self.lease_seconds = lease_seconds
        self._leads_new = leads_new
        self._lent = lent
        self._connection = lent
        self._prepared: Prepared | None = None
        self._nearby: Nearby | None = None

    @property
    def connection(self) -> "psycopg.Connection[Any]":
        """The connection, opened when it is first needed or was lost; every statement is a transaction of its own."""
        if self._connection is None or self._connection.closed:
            self._connection = connect(self.alias)
        return self._connection

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            if self._connection is not self._lent:
                self._connection.close()
            self._connection = None
        if self._nearby is not None:
            self._nearby.close()
            self._nearby = None

    def commit(self, batch: Batch) -> set[str]:
        """Commit a batch and return the keys that moved; the others belong to somebody else now.

        Raises psycopg.Error where nobody knows whether it was committed: the caller then forgets what it holds in
        memory, and reads it back.
        """
        statement, parameters = batch.statement(self.lease_seconds)
        return {key.decode() for (key,) in self._statements().rows(statement, parameters)}

    def take(self, keys: Sequence[str], owner: str) -> dict[str, KeyRow]:
        """Take the leases of `keys` that are free, run out, or held by `owner`; return those that were taken.

        Each is in a new epoch, so that nothing that a former owner still does can commit.
        """
        with self.connection.transaction():
            self.connection.execute(
                "INSERT INTO banyan_key (key, epoch, is_leading, number, owner, parked_because, parked_id) "
                "SELECT key, 0, %s, 0, '', '', '' FROM unnest(%s::text[]) AS r(key) ON CONFLICT DO NOTHING",
                [self._leads_new, list(keys)],
            )
            rows = self.connection.execute(
                "UPDATE banyan_key SET epoch = epoch + 1, owner = %s, "
                "lease_until = now() + make_interval(secs => %s) WHERE key = ANY(%s) "
                "AND (owner IN ('', %s) OR lease_until < now()) "
                "RETURNING key, epoch, number, parked_because, parked_id, is_leading",
                [owner, self.lease_seconds, list(keys), owner],
            ).fetchall()
        return {row[0]: KeyRow(*row) for row in rows}

    def all_keys(self) -> list[str]:
        """Return every key of the context, those too for which only a command waits so far."""
        return [key for (key,) in self._rows("SELECT key FROM banyan_key UNION SELECT key FROM banyan_request", [])]

    def owners(self, keys: Sequence[str]) -> set[str]:
        """Return who holds `keys`."""
        rows = self._rows("SELECT DISTINCT owner FROM banyan_key WHERE key = ANY(%s) AND owner <> ''", [list(keys)])
        return {owner for (owner,) in rows}

    def free(self, owner: str) -> None:
        """Free what an owner holds that is known to be gone, so that nobody need wait for its leases to run out."""
        self.connection.execute("UPDATE banyan_key SET owner = '', lease_until = NULL WHERE owner = %s", [owner])

    def renew(self, epochs: Mapping[str, int]) -> dict[str, str]:
        """Make the leases of keys last longer; return why each takes no input ("": it does) of those still held.

        Nobody waits for the disk: a server that goes down forgets at most that a lease lasts longer, and each commit
        asks whether the key is still held.
        """
        rows = self.connection.execute(
            f"{SOON} UPDATE banyan_key AS k SET lease_until = now() + make_interval(secs => %s) "  # noqa: S608  (names of ours)
            "FROM unnest(%s::text[], %s::bigint[]) AS v(key, epoch), soon WHERE k.key = v.key AND k.epoch = v.epoch "
            "RETURNING k.key, k.parked_because",
            [self.lease_seconds, list(epochs), list(epochs.values())],
        )
        return dict(rows.fetchall())

    def release(self, epochs: Mapping[str, int]) -> None:
        """Give keys back, so that another owner need not wait for their leases to run out."""
        self.connection.execute(
            "UPDATE banyan_key AS k SET owner = '', lease_until = NULL "
            "FROM unnest(%s::text[], %s::bigint[]) AS v(key, epoch) WHERE k.key = v.key AND k.epoch = v.epoch",
            [list(epochs), list(epochs.values())],
        )

    def park(self, key: str, reason: str, message_id: str) -> None:
        """Make a key take no input, because of a message, until a person has looked at it."""
        self.connection.execute(
            "UPDATE banyan_key SET parked_because = %s, parked_id = %s WHERE key = %s", [reason, message_id, key]
        )

    def unpark(self, key: str) -> None:
        """Let a key go on; its owner makes a dead letter of the message that it stopped at."""
        self.connection.execute("UPDATE banyan_key SET parked_because = '' WHERE key = %s", [key])

    def steps(self, key: str, after: int, upto: int | None = None) -> Iterable[Step]:
        """Yield the log of a key in order, from the number after `after` up to `upto`, both included."""
        with self.connection.transaction(), self.connection.cursor("steps", binary=True) as cursor:
            cursor.itersize = 500
            cursor.execute(
                "SELECT key, number, received_at_ns, header, body, events, epoch FROM banyan_log "
                "WHERE key = %s AND number > %s AND number <= %s ORDER BY number",
                [key, after, upto if upto is not None else 2**62],
            )
            for row in cursor:
                step = Step(*row)
                yield step._replace(body=expand(step.body), events=expand(step.events))

    def events_asked_for(self, after: Mapping[str, int], names: Sequence[str]) -> list[tuple[str, bytes]]:
        """Return (key, events) of the records whose input is a message of one of `names`, in order by key and number.

        `after` gives by key the number after which to look. Of a long log only the headers are read.
        """
        found = self._rows(
            "SELECT l.key, l.events FROM unnest(%s::text[], %s::bigint[]) AS r(key, number) "
            "JOIN banyan_log AS l ON l.key = r.key AND l.number > r.number "
            "WHERE EXISTS (SELECT FROM unnest(%s::text[]) AS n(name) "
            "WHERE position(convert_to(n.name, 'UTF8') IN l.header) > 0) ORDER BY l.key, l.number",
            [list(after), list(after.values()), [f'"name":"{name}"' for name in names]],
        )
        return [(key, expand(events)) for key, events in found]

    def newest_snapshot(self, key: str, upto: int, version: int | None = None) -> SnapshotRow | None:
        """Return the last snapshot of a key at or before number `upto`, of a `version` that is not newer."""
        row = self._rows(
            "SELECT number, version, digest, state FROM banyan_snapshot WHERE key = %s AND number <= %s "
            "AND version <= %s ORDER BY number DESC LIMIT 1",
            [key, upto, version if version is not None else 2**31 - 1],
        )
        return _snapshot(row[0]) if row else None

    def snapshots(self, key: str) -> list[SnapshotRow]:
        """Return all snapshots of a key, oldest first."""
        rows = self._rows(
            "SELECT number, version, digest, state FROM banyan_snapshot WHERE key = %s ORDER BY number", [key]
        )
        return [_snapshot(row) for row in rows]

    def mark_verified(self, key: str, number: int) -> None:
        """Remember that replay has given the state of a snapshot."""
        self.connection.execute(
            "UPDATE banyan_snapshot SET is_verified = true WHERE key = %s AND number = %s", [key, number]
        )

    def first_number(self, key: str) -> int:
        """Return the number of the first record that a key's log still has, 1 where it has none."""
        return int(self._rows("SELECT COALESCE(min(number), 1) FROM banyan_log WHERE key = %s", [key])[0][0])

    def keep_snapshot(self, key: str, snapshot: SnapshotRow) -> None:
        """Keep a snapshot; one of the same number is there already when a key was rebuilt.

        Nobody waits for the disk: without it the state is as it was, from the log and the snapshot before.
        """
        self.connection.execute(
            f"{SOON} INSERT INTO banyan_snapshot (key, number, version, made_at, digest, state, is_verified) "  # noqa: S608  (names of ours)
            "SELECT %s, %s, %s, now(), %s, %b, false FROM soon ON CONFLICT DO NOTHING",
            [key, snapshot.number, snapshot.version, snapshot.digest, compress(snapshot.state)],
        )

    def plant(self, key: str, epoch: int, seed: Seed, place: tuple[str, int, int] | None) -> None:
        """Begin a key anew that follows here; of Kafka it has read up to `place`. Raises NotFollowingError."""
        with self.connection.transaction():
            plant(self.connection, key, epoch, seed)
            if place is not None:
                topic, partition, offset = place
                self.connection.execute(
                    "INSERT INTO banyan_place AS s (key, topic, partition, next_offset) VALUES (%s, %s, %s, %s) "
                    "ON CONFLICT (key, topic, partition) DO UPDATE SET next_offset = EXCLUDED.next_offset",
                    [key, topic, partition, offset + 1],
                )

    def lead(self, context: str, key: str, epoch: int, ended: int) -> int | None:
        """Lead a key from now on that follows here in `epoch`, after another side's epoch `ended`; return the new one.

        None: it does not follow in that epoch any more. Of what its leader had sent Kafka is given the last records
        again, in case it has not got them all; receivers know them.
        """
        crash.point(f"{context}.before-lead")
        with self.connection.transaction():
            row = self.connection.execute(
                "UPDATE banyan_key SET is_leading = true, epoch = GREATEST(epoch, %s) + 1 "
                "WHERE key = %s AND epoch = %s AND NOT is_leading RETURNING epoch, number",
                [ended, key, epoch],
            ).fetchone()
            if row is None:
                return None
            self.connection.execute(
                "INSERT INTO banyan_relayed (key, receiver, receiver_key, position) "
                "SELECT key, receiver, receiver_key, LEAST(position, GREATEST(0, %s)) FROM banyan_stream "
                "WHERE key = %s UNION ALL SELECT %s, %s, %s, %s "
                "ON CONFLICT (key, receiver, receiver_key) DO UPDATE SET position = EXCLUDED.position",
                [(row[1] - _RELAYED_AGAIN) * 4096, key, key, context, key, row[1]],
            )
        crash.point(f"{context}.after-lead")
        return int(row[0])

    def last_seen(self, key: str, most: int) -> list[str]:
        """Return the ids of the last inputs without number that a key has applied."""
        rows = self._rows("SELECT id FROM banyan_seen WHERE key = %s ORDER BY seen_at DESC LIMIT %s", [key, most])
        return sorted(each for (each,) in rows)

    def marks(self, key: str) -> dict[tuple[str, str], tuple[int, int]]:
        """Return (epoch, position) by (sender, its key): how far `key` has applied each stream."""
        rows = self._rows("SELECT sender, sender_key, epoch, position FROM banyan_mark WHERE key = %s", [key])
        return {(sender, sender_key): (epoch, position) for sender, sender_key, epoch, position in rows}

    def streams(self, key: str) -> dict[tuple[str, str], int]:
        """Return the last position that `key` has sent, by (receiver, its key)."""
        rows = self._rows("SELECT receiver, receiver_key, position FROM banyan_stream WHERE key = %s", [key])
        return {(receiver, receiver_key): position for receiver, receiver_key, position in rows}

    def places(self, keys: Sequence[str]) -> dict[tuple[str, str, int], int]:
        """Return from which offset on keys read Kafka, by (key, topic, partition)."""
        rows = self._rows(
            "SELECT key, topic, partition, next_offset FROM banyan_place WHERE key = ANY(%s)", [list(keys)]
        )
        return {(key, topic, partition): next_offset for key, topic, partition, next_offset in rows}

    def relayed(self, keys: Sequence[str], receivers: Sequence[str]) -> list[tuple[str, str, str, int, int]]:
        """Return (receiver, its key, our key, position that Kafka has, last one) of streams that it has not whole."""
        return self._rows(
            "SELECT s.receiver, s.receiver_key, s.key, COALESCE(r.position, 0), s.position FROM banyan_stream AS s "
            "LEFT JOIN banyan_relayed AS r USING (key, receiver, receiver_key) "
            "WHERE s.key = ANY(%s) AND s.receiver = ANY(%s) AND s.position > COALESCE(r.position, 0)",
            [list(keys), list(receivers)],
        )

    def relayed_log(self, context: str, keys: Sequence[str]) -> list[tuple[str, str, str, int, int]]:
        """Return the same of the log of a context, which is a stream from each key to itself: of all its keys."""
        return self._rows(
            "SELECT %s::text, k.key, k.key, COALESCE(r.position, 0), k.number FROM banyan_key AS k "
            "LEFT JOIN banyan_relayed AS r ON r.key = k.key AND r.receiver_key = k.key AND r.receiver = %s "
            "WHERE k.key = ANY(%s)",
            [context, context, list(keys)],
        )

    def begin_relaying(self, context: str, receivers: Sequence[str]) -> None:
        """Let Kafka have what streams of `context` that it had nothing of before say from now on."""
        self.connection.execute(
            "INSERT INTO banyan_relayed (key, receiver, receiver_key, position) "
            "SELECT key, receiver, receiver_key, position FROM banyan_stream WHERE receiver = ANY(%s) UNION ALL "
            "SELECT key, %s::text, key, number FROM banyan_key WHERE %s = ANY(%s) ON CONFLICT DO NOTHING",
            [list(receivers), context, context, list(receivers)],
        )

    def end_relaying(self, receivers: Sequence[str]) -> None:
        """Forget what Kafka has of streams to receivers, because nobody reads it there any more."""
        self.connection.execute("DELETE FROM banyan_relayed WHERE receiver = ANY(%s)", [list(receivers)])

    def keep_relayed(self, positions: Mapping[tuple[str, str, str], int]) -> None:
        """Remember up to which position Kafka has streams, by (receiver, its key, our key); it never goes back."""
        rows = [(*stream, position) for stream, position in positions.items()]
        self.connection.execute(
            "INSERT INTO banyan_relayed AS s (receiver, receiver_key, key, position) "
            "SELECT r.* FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[]) AS r "
            "ON CONFLICT (key, receiver, receiver_key) "
            "DO UPDATE SET position = GREATEST(s.position, EXCLUDED.position)",
            [list(column) for column in zip(*rows, strict=True)],
        )

    def timers(self, key: str) -> dict[str, int]:
        """Return when each timer of a key is due, in ns since 1970 UTC."""
        return dict(self._rows("SELECT name, due_ns FROM banyan_timer WHERE key = %s", [key]))

    def seen(self, pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those of (key, id) that were applied before."""
        keys, ids = [key for key, _ in pairs], [each for _, each in pairs]
        rows = self._statements().rows(_SEEN, [array_of("text", keys), array_of("text", ids)])
        return {(key.decode(), each.decode()) for key, each in rows}

    def outgoing(self, receiver: str, after: Mapping[str, Mapping[str, int]]) -> list[Outgoing]:
        """Return what the outbox holds for keys of a receiver after their marks (position by our key), in order.

        At most FETCH_MOST rows of each stream. Streams that have nothing new cost no look into the outbox.
        """
        marks = [(theirs, ours, position) for theirs, held in after.items() for ours, position in held.items()]
        rows = self._rows(
            "SELECT o.receiver, o.receiver_key, o.key, o.position, o.previous, o.epoch, o.written_at, "
            "l.received_at_ns, l.header, l.events FROM banyan_stream AS s "
            "LEFT JOIN unnest(%s::text[], %s::text[], %s::bigint[]) AS m(receiver_key, key, position) "
            "ON m.receiver_key = s.receiver_key AND m.key = s.key CROSS JOIN LATERAL ("
            "SELECT * FROM banyan_outbox AS f WHERE f.receiver = s.receiver AND f.receiver_key = s.receiver_key "
            "AND f.key = s.key AND f.position > COALESCE(m.position, 0) ORDER BY f.position LIMIT %s) AS o "
            "JOIN banyan_log AS l ON l.key = o.key AND l.number = o.position / 4096 AND l.written_at = o.written_at "
            "WHERE s.receiver = %s AND s.receiver_key = ANY(%s) AND s.position > COALESCE(m.position, 0) "
            "ORDER BY o.key, o.position",
            [*([mark[at] for mark in marks] for at in range(3)), FETCH_MOST, receiver, list(after)],
        )
        found = [Outgoing(*row) for row in rows]
        return [each._replace(events=expand(each.events)) for each in found]

    def outgoing_of(self, streams: Mapping[tuple[str, str, str], int]) -> list[Outgoing]:
        """Return what the outbox holds of streams, (receiver, its key, our key), after a position of each, in order.

        At most FETCH_MOST rows for each stream.
        """
        rows = self._rows(
            "SELECT f.* FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[]) "
            "AS r(receiver, receiver_key, key, position) CROSS JOIN LATERAL ("
            "SELECT o.receiver, o.receiver_key, o.key, o.position, o.previous, o.epoch, o.written_at, "
            "l.received_at_ns, l.header, l.events FROM banyan_outbox AS o "
            "JOIN banyan_log AS l ON l.key = o.key AND l.number = o.position / 4096 AND l.written_at = o.written_at "
            "WHERE o.receiver = r.receiver AND o.receiver_key = r.receiver_key AND o.key = r.key "
            "AND o.position > r.position ORDER BY o.position LIMIT %s) AS f",
            [*([stream[at] for stream in streams] for at in range(3)), list(streams.values()), FETCH_MOST],
        )
        found = [Outgoing(*row) for row in rows]
        return [each._replace(events=expand(each.events)) for each in found]

    def ask(self, commands: Sequence[tuple[str, str, bytes, bytes]]) -> int:
        """Keep commands, (id, key, envelope, message), until their keys have applied them; return how many are new."""
        ids, keys, headers, bodies = (list(column) for column in zip(*commands, strict=True))
        cursor = psycopg.Cursor(self.connection)  # which those of a connection that was lent may not be
        cursor.execute(
            "INSERT INTO banyan_request (id, key, header, body, asked_at) SELECT r.id, r.key, r.header, r.body, now() "
            "FROM unnest(%s::text[], %s::text[], %b::bytea[], %b::bytea[]) WITH ORDINALITY "
            "AS r(id, key, header, body, place) "
            "WHERE NOT EXISTS (SELECT FROM banyan_seen AS s WHERE s.key = r.key AND s.id = r.id) "
            "ORDER BY r.place ON CONFLICT DO NOTHING",
            [ids, keys, headers, bodies],
        )
        with suppress(psycopg.OperationalError):  # they are kept: who is not told finds them
            self.wake([Notice("", sorted(set(keys)))])
        return cursor.rowcount

    def wake(self, notices: Iterable[Notice]) -> None:
        """Tell whoever holds keys of this context, in whatever process, what there is for them.

        Nobody waits for the disk: nothing is written that could be lost.
        """
        texts, nearby = payloads(notices), self._near()
        told = nearby.tell(texts)
        if nearby.has_others():
            told = 0
        if told < len(texts):
            self._statements().rows(_WAKE, [array_of("text", [each.decode() for each in texts[told:]])])

    def woken(self, seconds: float) -> list[Notice]:
        """Wait until keys are woken, `seconds` at most; return what there is for them. The first call does not wait."""
        return [notice_of(each) for each in self._near().heard(seconds)]

    def is_woken(self) -> bool:
        """Tell whether keys have been woken meanwhile."""
        return self._near().has_more()

    def requests(self, keys: Sequence[str]) -> list[tuple[str, bytes, bytes]]:
        """Return (key, envelope, message) of the commands that wait for keys, oldest first, so many of each at most.

        One that was asked again just when it was applied is taken away: nothing else would.
        """
        rows = self._statements().rows(_REQUESTS, [array_of("text", keys)])
        applied = [each.decode() for _, each, _, _, is_applied in rows if is_applied == b"\x01"]
        if applied:
            self.connection.execute("DELETE FROM banyan_request WHERE id = ANY(%s)", [applied])
        return [(key.decode(), header, body) for key, _, header, body, is_applied in rows if is_applied == b"\x00"]

    def has_requests(self) -> bool:
        """Tell whether a command waits for any key."""
        return bool(self._rows("SELECT EXISTS (SELECT FROM banyan_request)", [])[0][0])

    def has_timers_due(self, now_ns: int) -> bool:
        """Tell whether a timer of any key is due by `now_ns`, and its `TimerDue` has not been applied."""
        return bool(self._rows("SELECT EXISTS (SELECT FROM banyan_timer WHERE due_ns <= %s)", [now_ns])[0][0])

    def numbers(self, keys: Sequence[str]) -> dict[str, int]:
        """Return the last number of the log of each key that there is."""
        return dict(self._rows("SELECT key, number FROM banyan_key WHERE key = ANY(%s)", [list(keys)]))

    def leading(self, keys: Sequence[str]) -> dict[str, bool]:
        """Return of each key that there is whether it is led here."""
        return dict(self._rows("SELECT key, is_leading FROM banyan_key WHERE key = ANY(%s)", [list(keys)]))

    def applied(self) -> int:
        """Return how many records the logs of all keys have had."""
        return int(self._rows("SELECT COALESCE(sum(number), 0)::bigint FROM banyan_key", [])[0][0])

    def sent_to(self, receiver: str) -> dict[tuple[str, str], int]:
        """Return the last position on each stream to a receiving context, by (our key, its key)."""
        rows = self._rows("SELECT key, receiver_key, position FROM banyan_stream WHERE receiver = %s", [receiver])
        return {(key, receiver_key): position for key, receiver_key, position in rows}

    def applied_from(self, sender: str) -> dict[tuple[str, str], int]:
        """Return how far each stream from a sending context has been applied, by (its key, our key)."""
        rows = self._rows("SELECT sender_key, key, position FROM banyan_mark WHERE sender = %s", [sender])
        return {(sender_key, key): position for sender_key, key, position in rows}

    def _statements(self) -> Prepared:
        self._prepared = prepared_on(self.connection, self._prepared)
        return self._prepared

    def _near(self) -> Nearby:
        if self._nearby is None or self._nearby.connection is not self.connection:
            if self._nearby is not None:
                self._nearby.close()
            self._nearby = Nearby(self.connection)
        return self._nearby

    def _rows(self, statement: str, parameters: Sequence[Any]) -> list[Any]:
        with psycopg.Cursor(self.connection) as cursor:  # as in `ask`
            cursor.format = Format.BINARY
            return cursor.execute(statement, parameters).fetchall()


def _snapshot(row: Sequence[Any]) -> SnapshotRow:
    found = SnapshotRow(*row)
    return found._replace(state=expand(found.state))
