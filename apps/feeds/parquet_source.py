"""Parquet files as columns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.feeds.arrow_columns import to_array
from apps.feeds.clock_times import find_time_form, read_time, to_utc
from apps.feeds.layouts import IGNORED, LayoutError, find_layout
from apps.feeds.records import COLUMNS, Kind, Reason, Records, Reject, Source


def read_parquet(
    path: Path,
    kinds: Sequence[Kind],
    zones: tuple[str, str],
    columns: Sequence[str] | None,
) -> Source:
    """Return the records of a Parquet file; `zones` are for local times and for dates. Raises LayoutError."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise LayoutError(f"{path}: not a Parquet file that can be read ({error}).") from error
    names = list(columns) if columns is not None else table.column_names
    layout = find_layout([*names, *[IGNORED] * (table.num_columns - len(names))], str(path), kinds)
    line = np.arange(1, table.num_rows + 1)
    rejects: list[Reject] = []
    time, utc, dates_only = _parquet_times(table.column(layout.time[0]), path, rejects)
    values = np.full((len(COLUMNS[layout.kind]), table.num_rows), np.nan)
    for row, name in enumerate(COLUMNS[layout.kind]):
        if name in layout.values:
            try:
                values[row] = to_array(table.column(layout.values[name]).cast(pa.float64(), safe=False), np.float64)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise LayoutError(f"{path}: the column {name} does not hold numbers ({error}).") from error
    zone = zones[1] if dates_only else zones[0]
    time, readable = to_utc(time, utc, line, zone, dates_only, rejects)
    for reject in rejects:
        readable[reject.line - 1] = False
    records = Records(layout.kind, time, values, line).select(readable)
    return Source(records, rejects, table.num_rows, tuple(layout.values))


def _parquet_times(column: Any, path: Path, rejects: list[Reject]) -> tuple[NDArray[np.int64], NDArray[np.bool_], bool]:
    """Return times in ns, which are UTC, and whether they are dates; empty ones are added to `rejects`."""
    import pyarrow as pa

    kind = column.type
    dates_only = bool(pa.types.is_date(kind))
    empty = np.array(column.is_null().to_pylist(), np.bool_) if column.null_count else np.zeros(len(column), np.bool_)
    if pa.types.is_timestamp(kind) or dates_only:
        time = to_array(column.cast(pa.timestamp("ns", tz=getattr(kind, "tz", None))), np.int64)
        utc = np.full(time.size, getattr(kind, "tz", None) is not None)
    else:
        texts = [str(value) if value is not None else "" for value in column.to_pylist()]
        form = find_time_form(texts[:100])
        if form is None:
            raise LayoutError(f"{path}: cannot read the times of the column of type {kind}.")
        read = [read_time(text, form) for text in texts]
        empty = np.array([value is None for value in read], np.bool_)
        time = np.array([value[0] if value else 0 for value in read], np.int64)
        utc = np.array([value[1] if value else True for value in read], np.bool_)
        dates_only = form.dates_only
    for row in np.flatnonzero(empty):
        rejects.append(Reject(int(row) + 1, Reason.UNREADABLE, "no time that can be read"))
    return np.where(empty, 0, time), utc | empty, dates_only
