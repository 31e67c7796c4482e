"""What a key is begun anew with, in the database of a side that follows."""

from typing import Any

import msgspec
import psycopg

from banyan.compression import compress


class Seed(msgspec.Struct, frozen=True):
    """A key after log `number` of its leader: state, marks of what it read, positions of what it sent, and timers."""

    number: int
    epoch: int
    version: int
    digest: str
    state: bytes
    marks: dict[tuple[str, str], tuple[int, int]]
    streams: dict[tuple[str, str], int]
    timers: dict[str, int]
    seen: list[str]


class NotFollowingError(RuntimeError):
    """A key cannot be begun anew here: it leads, or somebody else holds it."""


def plant(connection: "psycopg.Connection[Any]", key: str, epoch: int, seed: Seed) -> None:
    """Begin a key anew that follows here in `epoch`. Raises NotFollowingError."""
    moved = connection.execute(
        "UPDATE banyan_key SET number = %s, parked_because = '', parked_id = '' "
        "WHERE key = %s AND epoch = %s AND NOT is_leading",
        [seed.number, key, epoch],
    )
    if not moved.rowcount:
        raise NotFollowingError(f"{key} does not follow here any more: it is not begun anew")
    for table in ("mark", "stream", "timer"):
        connection.execute(f"DELETE FROM banyan_{table} WHERE key = %s", [key])  # noqa: S608  (names of ours)
    for table in ("log", "snapshot"):
        connection.execute(f"DELETE FROM banyan_{table} WHERE key = %s AND number > %s", [key, seed.number])  # noqa: S608  (names of ours)
    connection.execute("DELETE FROM banyan_snapshot WHERE key = %s AND number = %s", [key, seed.number])
    connection.execute(
        "INSERT INTO banyan_snapshot (key, number, version, made_at, digest, state, is_verified) "
        "VALUES (%s, %s, %s, now(), %s, %b, false)",
        [key, seed.number, seed.version, seed.digest, compress(seed.state)],
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO banyan_mark (key, sender, sender_key, epoch, position) VALUES (%s, %s, %s, %s, %s)",
            [(key, *stream, *mark) for stream, mark in seed.marks.items()],
        )
        cursor.executemany(
            "INSERT INTO banyan_stream (key, receiver, receiver_key, position) VALUES (%s, %s, %s, %s)",
            [(key, *stream, position) for stream, position in seed.streams.items()],
        )
        cursor.executemany(
            "INSERT INTO banyan_timer (key, name, due_ns) VALUES (%s, %s, %s)",
            [(key, *timer) for timer in seed.timers.items()],
        )
    connection.execute(
        "INSERT INTO banyan_seen (key, id, seen_at) SELECT %s, r.id, now() FROM unnest(%s::text[]) AS r(id) "
        "WHERE NOT EXISTS (SELECT FROM banyan_seen AS s WHERE s.key = %s AND s.id = r.id)",
        [key, seed.seen, key],
    )
