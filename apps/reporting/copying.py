"""Columns into tables by COPY: rows are never made by Python, but where there are few."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from apps.reporting.written import Lines
from banyan.columns import Ints


class Texts(NamedTuple):
    """A column of texts: which of `texts` each row has, -1 for none."""

    number: Ints
    texts: Sequence[str]


Column = Ints | Texts | int | str
Columns = Mapping[str, Column]
"""By name, in the order of a table's; what is no array holds in every row."""


def copy_columns(cursor: Any, table: str, rows: int, columns: Columns) -> None:
    """Add rows to a table."""
    if not rows:
        return
    lines = Lines(rows)
    for at, column in enumerate(columns.values()):
        if at:
            lines.text("\t")
        match column:
            case str():
                lines.text(_escaped(column))
            case Texts():
                lines.chosen(column.number + 1, [b"\\N", *(_escaped(each).encode() for each in column.texts)])
            case _:
                lines.whole(column)
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        copy.write(lines.text("\n").write().text.data)


def copy_rows(cursor: Any, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Add a few rows to a table."""
    kept = list(rows)
    if not kept:
        return
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in kept:
            copy.write_row(row)


def array(column: Ints) -> str:
    """Return numbers as an array of PostgreSQL's."""
    return "{" + orjson.dumps(column, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].decode() + "}"


def stage(cursor: Any, table: str, rows: int, columns: Columns) -> str:
    """Put rows aside until the end of the transaction, for a statement that takes them; return the name of where."""
    listed = ", ".join(columns)
    staged = f"{table}_{'_'.join(each[:2] for each in columns)}"[:60]
    cursor.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {staged} ON COMMIT DELETE ROWS AS SELECT {listed} FROM {table} "  # noqa: S608  (names of ours)
        "WITH NO DATA"
    )
    copy_columns(cursor, staged, rows, columns)
    return staged


def upsert(cursor: Any, table: str, key: Sequence[str], rows: int, columns: Columns, sets: str) -> None:
    """Insert rows, or change those that are there as `sets` says (`t` is the row, EXCLUDED what comes to it)."""
    if not rows:
        return
    _merge(cursor, stage(cursor, table, rows, columns), table, key, tuple(columns), sets)


def upsert_rows(
    cursor: Any, table: str, key: Sequence[str], names: Sequence[str], rows: Sequence[Sequence[Any]], sets: str
) -> None:
    """Insert a few rows, or change those that are there as `sets` says."""
    if not rows:
        return
    staged, columns = f"{table}_few", (*key, *names)
    cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {staged} (LIKE {table}) ON COMMIT DELETE ROWS")
    copy_rows(cursor, staged, columns, rows)
    _merge(cursor, staged, table, key, columns, sets)


def replaced(names: Sequence[str]) -> str:
    """Return what lets columns be those that come."""
    return ", ".join(f"{name} = EXCLUDED.{name}" for name in names)


def _merge(cursor: Any, staged: str, table: str, key: Sequence[str], columns: Sequence[str], sets: str) -> None:
    listed, order = ", ".join(columns), ", ".join(key)
    cursor.execute(
        f"INSERT INTO {table} AS t ({listed}) SELECT {listed} FROM {staged} ORDER BY {order} "  # noqa: S608  (names of ours)
        f"ON CONFLICT ({order}) DO UPDATE SET {sets}"
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
