"""Rows of bars, quotes and ticks to and from their tables, in PostgreSQL's binary formats.

No column is null, so all rows have one width and NumPy reads and writes them as records. PostgreSQL counts times in
microseconds from 2000-01-01; finer times are rounded down.

Written is by binary COPY. Read is by the same, but with the server gluing the rows of a window of time into one value:
a million rows come out in half the time that a million small messages take.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from django.db import connections, models, transaction
from numpy.typing import NDArray

from apps.feeds.models import Bar, QuoteBar, Series, Tick
from apps.feeds.records import COLUMNS, Kind
from trading.intervals import DAY, MICROSECOND

ALIAS = "feeds"

_WINDOW_ROWS = 2_000_000  # rows of 80 bytes: well below the 1 GB that PostgreSQL allows a value
_WRITE_BYTES = 1 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_US = 946_684_800_000_000  # 2000-01-01 in microseconds since 1970
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_TABLES: dict[Kind, type[models.Model]] = {Kind.BARS: Bar, Kind.QUOTES: QuoteBar, Kind.TICKS: Tick}

Times = NDArray[np.int64]


@dataclass(slots=True)
class Rows:
    """Rows of one series, oldest first: `time` int64[n], ns UTC, and `values` float64[columns, n].

    `sequence` int32[n] counts the ticks of one time from 0; it is None for bars.
    """

    time: Times
    values: NDArray[np.float64]
    sequence: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return self.time.size

    def select(self, rows: Any) -> "Rows":
        """Return the rows at `rows` (a mask, an index array or a slice)."""
        return Rows(self.time[rows], self.values[:, rows], None if self.sequence is None else self.sequence[rows])


def table_of(kind: Kind) -> type[models.Model]:
    """Return the model whose table holds rows of `kind`."""
    return _TABLES[kind]


def to_moment(time: int) -> datetime:
    """Return a time in ns UTC as an aware datetime, rounded down to microseconds."""
    return _EPOCH + timedelta(microseconds=int(time) // MICROSECOND)


def to_time(moment: datetime) -> int:
    """Return an aware datetime in ns UTC."""
    since = moment - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * MICROSECOND


def write_rows(kind: Kind, series_id: int, rows: Rows) -> None:
    """Add rows to the table of `kind`; call it in a transaction. Raises IntegrityError where one is there already."""
    names = ["series_id", "time", *(["sequence"] if rows.sequence is not None else []), *COLUMNS[kind]]
    block = _copy_block(kind, series_id, rows, names)
    view = block.data
    statement = f"COPY {_TABLES[kind]._meta.db_table} ({', '.join(names)}) FROM STDIN (FORMAT BINARY)"
    with connections[ALIAS].cursor() as cursor:
        _announce(cursor)
        with cursor.copy(statement) as copy:
            copy.write(_HEADER)
            for start in range(0, len(view), _WRITE_BYTES):
                copy.write(view[start : start + _WRITE_BYTES])
            copy.write(_TRAILER)


def delete_rows(kind: Kind, series_id: int, rows: Rows) -> None:
    """Delete the rows of a series that have these times (and sequence numbers); call it in a transaction."""
    table = _TABLES[kind]._meta.db_table
    moments = [to_moment(time) for time in rows.time.tolist()]
    with connections[ALIAS].cursor() as cursor:
        _announce(cursor)
        if rows.sequence is None:
            query = f"DELETE FROM {table} WHERE series_id = %s AND time = ANY(%s)"  # noqa: S608  (names of ours)
            cursor.execute(query, [series_id, moments])
        else:
            query = (
                f"DELETE FROM {table} t USING unnest(%s::timestamptz[], %s::int[]) AS given(time, sequence) "  # noqa: S608  (names of ours)
                f"WHERE t.series_id = %s AND t.time = given.time AND t.sequence = given.sequence"
            )
            cursor.execute(query, [moments, rows.sequence.tolist(), series_id])


def read_rows(series: Series, start: int | None = None, end: int | None = None, *, enough: int | None = None) -> Rows:
    """Return the rows of a series whose time is in [start, end) (ns UTC; None: no bound), oldest first.

    With `enough` it stops once there are as many, at the end of a window of time.
    """
    kind = Kind(series.kind)
    names = ["time", *(["sequence"] if kind is Kind.TICKS else []), *COLUMNS[kind]]
    dtype = np.dtype([(name, _RECEIVED.get(name, (">f8", ""))[0]) for name in names])
    packed = " || ".join(_RECEIVED.get(name, ("", "float8send"))[1] + f"({name})" for name in names)
    query = (
        f"COPY (SELECT string_agg({packed}, '') FROM {_TABLES[kind]._meta.db_table} WHERE series_id = {series.pk} "  # noqa: S608  (names of ours)
        f"AND time >= '{{}}' AND time < '{{}}') TO STDOUT (FORMAT BINARY)"
    )
    blocks = []
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        # A series lies together in its table, so its index is the way to it even where it is a good part of the table.
        cursor.execute("SET LOCAL random_page_cost = 1.1")
        for first, last in _windows(series, start, end):
            with cursor.copy(query.format(to_moment(first).isoformat(), to_moment(last).isoformat())) as copy:
                # One row of one value: header, number of fields (2 bytes), length of the value (4; -1 for none), value.
                row, *_ = copy
            blocks.append(np.frombuffer(row, dtype, offset=len(_HEADER) + 6))
            if enough is not None and sum(block.size for block in blocks) >= enough:
                break
    return _to_rows(kind, blocks)


_RECEIVED = {"time": (">i8", "timestamptz_send"), "sequence": (">i4", "int4send")}


def _copy_block(kind: Kind, series_id: int, rows: Rows, names: list[str]) -> NDArray[Any]:
    """Return the rows as COPY wants them: the number of fields, then the length and the value of each."""
    widths = {"series_id": ">i4", "time": ">i8", "sequence": ">i4"}
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name in names:
        fields += [(f"{name} length", ">i4"), (name, widths.get(name, ">f8"))]
    dtype = np.dtype(fields)
    template = np.zeros(1, dtype)
    template["fields"] = len(names)
    template["series_id"] = series_id
    for name in names:
        template[f"{name} length"] = dtype[name].itemsize
    block = np.repeat(template, len(rows))
    block["time"] = rows.time // MICROSECOND - _EPOCH_US
    if rows.sequence is not None:
        block["sequence"] = rows.sequence
    for name, column in zip(COLUMNS[kind], rows.values, strict=True):
        block[name] = column
    return block.view(np.uint8)


def _announce(cursor: Any) -> None:
    """Tell the trigger on the tables that the series' version is looked after."""
    cursor.execute("SET LOCAL banyan.feeds_writer = 'on'")


def _windows(series: Series, start: int | None, end: int | None) -> Iterator[tuple[int, int]]:
    """Yield stretches of time that together hold the asked rows, none with too many of them."""
    if series.first is None or series.last is None:
        return
    first = max(to_time(series.first), to_time(series.first) if start is None else start)
    stop = to_time(series.last) + MICROSECOND
    stop = stop if end is None else min(stop, end)
    width = _WINDOW_ROWS * series.interval if series.interval else DAY
    while first < stop:
        yield first, min(first + width, stop)
        first += width


def _to_rows(kind: Kind, blocks: list[NDArray[Any]]) -> Rows:
    """Return the rows of consecutive blocks, each put in order: a table gives them in that of its pages."""
    n = sum(block.size for block in blocks)
    time, values = np.empty(n, np.int64), np.empty((len(COLUMNS[kind]), n))
    sequence = np.empty(n, np.int32) if kind is Kind.TICKS else None
    at = 0
    for block in blocks:
        into = slice(at, at + block.size)
        at += block.size
        times = block["time"].astype(np.int64)
        order: Any = slice(None)
        if sequence is not None:
            order = np.lexsort((block["sequence"], times))
            sequence[into] = block["sequence"][order]
        elif not (times[1:] > times[:-1]).all():
            order = np.argsort(times, kind="stable")
        time[into] = times[order]
        for column, name in enumerate(COLUMNS[kind]):
            values[column, into] = block[name][order]
    time += _EPOCH_US
    time *= MICROSECOND
    return Rows(time, values, sequence)
