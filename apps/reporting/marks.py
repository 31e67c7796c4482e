"""How far logs were read, kept where what was read is kept."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from apps.reporting.copying import copy_rows


class MarkMove(NamedTuple):
    """A mark that is to move from record `old` to `number`, which was received at `received_at_ns`."""

    source: str
    key: str
    old: int
    number: int
    received_at_ns: int


class MarksMovedError(RuntimeError):
    """Another process has taken these records already: forget what is in memory, and look at the marks again."""


def move_marks(cursor: Any, reader: str, marks: Sequence[MarkMove]) -> None:
    """Move marks by compare-and-set. Raises MarksMovedError where one is not where it was."""
    columns = [list(column) for column in zip(*marks, strict=True)]
    cursor.execute(
        "INSERT INTO reporting_mark AS m (reader, source, key, number, received_at_ns) "
        "SELECT %s, v.source, v.key, v.number, v.received_at_ns "
        "FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[]) "
        "AS v(source, key, old, number, received_at_ns) "
        "WHERE v.old = 0 OR EXISTS "
        "(SELECT FROM reporting_mark AS k WHERE k.reader = %s AND k.source = v.source AND k.key = v.key) "
        "ORDER BY v.source, v.key "
        "ON CONFLICT (reader, source, key) DO UPDATE "
        "SET number = EXCLUDED.number, received_at_ns = EXCLUDED.received_at_ns "
        "WHERE (m.source, m.key, m.number) IN "
        "(SELECT v.source, v.key, v.old FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS v(source, key, old))",
        [reader, *columns, reader, *columns[:3]],
    )
    if cursor.rowcount != len(marks):
        raise MarksMovedError(f"{reader}: another process has read the same logs meanwhile")


def put_marks(cursor: Any, reader: str, marks: Mapping[tuple[str, str], tuple[int, int]]) -> None:
    """Let a reader's marks be (number, received_at_ns) by (source, key), and no others."""
    cursor.execute("DELETE FROM reporting_mark WHERE reader = %s", [reader])
    rows = [(reader, *place, *mark) for place, mark in marks.items()]
    copy_rows(cursor, "reporting_mark", ("reader", "source", "key", "number", "received_at_ns"), rows)
