"""Stored ticks: a page of them by place, or all of a stretch of time in columns."""

from datetime import timedelta
from typing import NamedTuple

import numpy as np
from django.db import connections
from numpy.typing import NDArray

from apps.feeds.models import Instrument, Series
from apps.feeds.records import Kind, NoData
from apps.feeds.rows import ALIAS, read_rows, to_moment, to_time
from apps.feeds.series import find_instrument

TickPlace = tuple[int, int]
"""Where a tick stands: its time in ns UTC, and its number among those of that time."""


class Ticks(NamedTuple):
    """Ticks in columns, oldest first: quotes (bid, ask) or trades (last, size), nan in the other two."""

    time: NDArray[np.int64]
    sequence: NDArray[np.int32]
    bid: NDArray[np.float64]
    ask: NDArray[np.float64]
    last: NDArray[np.float64]
    size: NDArray[np.float64]


def ticks_page(
    instrument_id: str, start: int | None, end: int | None, after: TickPlace | None, most: int
) -> list[tuple[TickPlace, tuple[float, float, float, float]]]:
    """Return (place, (bid, ask, last, size)) of ticks in [start, end), those after a place, oldest first.

    Raises InstrumentNotFound and NoData.
    """
    series = _series(instrument_id)
    assert series.first is not None
    assert series.last is not None
    first = series.first if start is None else to_moment(start)
    before = series.last + timedelta(microseconds=1) if end is None else to_moment(end)
    at, number = (first, -1) if after is None else (to_moment(after[0]), after[1])
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT time, sequence, bid, ask, last, size FROM feeds_tick WHERE series_id = %s AND time >= %s "
            "AND time < %s AND (time, sequence) > (%s, %s) ORDER BY time, sequence LIMIT %s",
            [series.pk, max(first, at), before, at, number, most],
        )
        return [((to_time(time), sequence), tuple(prices)) for time, sequence, *prices in cursor.fetchall()]


def read_ticks(instrument_id: str, start: int | None, end: int | None, most: int) -> Ticks:
    """Return ticks in [start, end), the first `most` of them. Raises InstrumentNotFound and NoData."""
    rows = read_rows(_series(instrument_id), start, end, enough=most).select(slice(0, most))
    assert rows.sequence is not None
    return Ticks(rows.time, rows.sequence, *rows.values)


def _series(instrument_id: str) -> Series:
    instrument: Instrument = find_instrument(instrument_id)
    found = Series.objects.filter(instrument=instrument, kind=Kind.TICKS.value, interval=0, rows__gt=0).first()
    if found is None:
        raise NoData(f"no ticks are stored for {instrument}: `manage.py import_ticks FILE --instrument {instrument}`.")
    return found
