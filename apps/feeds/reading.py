"""Bars out of the database: found, read through the local copy, cut to the asked time, adjusted."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from django.db import ProgrammingError

from apps.feeds.adjustments import ADJUST, Adjust, Factors, adjust_bars
from apps.feeds.cache import cached_rows
from apps.feeds.models import Factor, Instrument, Series
from apps.feeds.records import Kind, NoData, to_bars
from apps.feeds.rows import Rows, read_rows
from apps.feeds.series import find_instrument
from trading.bars import Bars
from trading.intervals import format_interval, parse_interval

Moment = str | int | date | datetime | np.datetime64 | None


class MomentError(ValueError):
    """The text is not a time."""

    exit_code = 2  # of a command: wrong usage


def read_stored_bars(
    instrument_id: str, interval: str | int, start: Moment, end: Moment, adjust: Adjust, most: int | None = None
) -> Bars:  # fmt: skip
    """Return the stored bars with open times in [start, end); see `apps.feeds.interface.read_bars`."""
    if adjust not in ADJUST:
        raise ValueError(f"adjust is one of {', '.join(ADJUST)}, not {adjust!r}.")
    series, rows = _find(instrument_id, interval, start, end)
    rows = rows if most is None else rows.select(slice(0, most))
    bars = to_bars(Kind(series.kind), rows.time, rows.values, series.interval)
    if adjust == "none":
        return bars
    return adjust_bars(bars, stored_factors(series.instrument), series.instrument.as_instrument(), adjust)


def find_rows(instrument_id: str, interval: str | int, start: Moment, end: Moment) -> tuple[Kind, Rows]:
    """Return the kind and the stored rows with times in [start, end), as they were traded; "tick" is for ticks.

    Raises InstrumentNotFound, NoData and MomentError.
    """
    series, rows = _find(instrument_id, interval, start, end)
    return Kind(series.kind), rows


def _find(instrument_id: str, interval: str | int, start: Moment, end: Moment) -> tuple[Series, Rows]:
    first, stop = parse_moment(start), parse_moment(end)
    ticks = interval in ("tick", 0)
    nanoseconds = 0 if ticks else parse_interval(interval) if isinstance(interval, str) else int(interval)
    try:
        instrument = find_instrument(instrument_id)
        series = (
            Series.objects.select_related("instrument")
            .filter(instrument=instrument, interval=nanoseconds, rows__gt=0)
            .order_by("-kind")  # quotes before bars
            .first()
        )
    except ProgrammingError as error:
        raise NoData("the database has no tables yet: run `manage.py migrate`, then import data.") from error
    if series is None:
        raise _no_series(instrument, nanoseconds)
    if ticks:
        rows = read_rows(series, first, stop)
    else:
        rows = cached_rows(series)
        low = 0 if first is None else int(np.searchsorted(rows.time, first))
        high = len(rows) if stop is None else int(np.searchsorted(rows.time, stop))
        rows = rows.select(slice(low, max(low, high)))
    if not len(rows):
        raise NoData(
            f"no {series} from {_said(first, 'the first')} to {_said(stop, 'the last')}: they are stored from "
            f"{series.first:%Y-%m-%d %H:%M} to {series.last:%Y-%m-%d %H:%M} UTC."
        )
    return series, rows


def _said(time_ns: int | None, otherwise: str) -> str:
    return otherwise if time_ns is None else f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%d %H:%M}"


def stored_factors(instrument: Instrument) -> Factors:
    """Return the instrument's adjustment factors, oldest first."""
    rows = list(
        Factor.objects.filter(instrument=instrument)
        .order_by("date")
        .values_list("date", "price_factor", "split_factor")
    )
    return Factors(
        np.array([day for day, _, _ in rows], "datetime64[D]").astype(np.int64),
        np.array([price for _, price, _ in rows], np.float64),
        np.array([split for _, _, split in rows], np.float64),
    )


def parse_moment(moment: Moment) -> int | None:
    """Return a moment in ns UTC, None for None: ISO text, a date, a datetime (naive: UTC) or ns. Raises MomentError."""
    if moment is None or isinstance(moment, int):
        return moment
    value: Any = moment
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise MomentError(f"{moment!r} is not a time: write 2015-01-31 or 2015-01-31T21:00.") from error
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return int(np.datetime64(value, "ns").astype(np.int64))


def _no_series(instrument: Instrument, interval: int) -> NoData:
    name = format_interval(interval)
    stored = list(Series.objects.filter(instrument=instrument, rows__gt=0).order_by("interval"))
    if not stored:
        return NoData(
            f"nothing is stored for {instrument}. Import a file with `manage.py import_bars FILE --instrument "
            f"{instrument} --interval {name}`, or the shipped data with `manage.py load_sample_data`."
        )
    held = ", ".join(f"{series} ({series.first:%Y-%m-%d} to {series.last:%Y-%m-%d})" for series in stored)
    finer = [series for series in stored if series.interval < interval]
    if finer:
        source = format_interval(finer[-1].interval)
        how = f"Make them with `manage.py resample {instrument} --from {source} --to {name}`."
    else:
        how = f"Import them with `manage.py import_bars FILE --instrument {instrument} --interval {name}`."
    return NoData(f"no {name} bars are stored for {instrument}, but {held}. {how}")
