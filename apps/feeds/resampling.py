"""Bars of a coarser interval out of finer bars or ticks."""

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.feeds.calendars import regular_hours
from apps.feeds.kernels.aggregate import Stretches, aggregate, stretches
from apps.feeds.records import Kind
from trading.instruments import Instrument
from trading.intervals import DAY, format_interval
from trading.sessions import session_days, session_starts

Times = NDArray[np.int64]
Values = NDArray[np.float64]


class ResampleError(ValueError):
    """Bars of the one interval cannot be made into the other."""

    exit_code: ClassVar = 2  # of a command: wrong usage


def resample(
    kind: Kind,
    time: Times,
    values: Values,
    source: int,
    target: int,
    instrument: Instrument,
    *,
    all_hours: bool = False,
) -> tuple[Kind, Times, Values]:
    """Return kind, open times and columns of the bars at `target` (ns) that the rows at `source` (ns; 0: ticks) make.

    `time` is int64[n], rising; `values` float64[columns, n]. Intervals below a day are cut by the UTC clock. Days are
    the instrument's session days, weeks begin with Monday's; on an exchange's calendar days are made of its regular
    hours unless `all_hours`. Bid and ask are aggregated each on its own side. A bar stands where there is at least one
    row; the last may be of a period that is not over. Raises ResampleError.
    """
    check_intervals(source, target)
    if source < DAY and not all_hours:
        time, values = in_hours(time, values, target, instrument)
    if kind is Kind.TICKS:
        kind, time, values = tick_columns(time, values, is_quotes=bool(np.isfinite(values[:2]).all(axis=0).any()))
    if time.size == 0:
        return kind, time, values
    periods = periods_of(time, target, instrument)
    return kind, periods.opens, aggregate(values, periods.rows)


class Periods(NamedTuple):
    """The bars into which rows fall: their rows, when each opens (ns UTC), and when its period is over."""

    rows: Stretches
    opens: Times
    overs: Times


def periods_of(time: Times, target: int, instrument: Instrument) -> Periods:
    """Return the periods of length `target` (ns) that rows belong to; `time` is int64[n], rising, n > 0.

    Intervals below a day are cut by the UTC clock; days are the instrument's session days, weeks begin with Monday's.
    """
    if target < DAY:
        keys = time // target * target
        rows = stretches(keys)
        opens = keys[rows.starts]
        return Periods(rows, opens, opens + target)
    width = target // DAY
    keys = (session_days(time, instrument) + 3) // width * width - 3  # day -3 was a Monday
    rows = stretches(keys)
    days = keys[rows.starts]
    return Periods(rows, session_starts(days, instrument), session_starts(days + width, instrument))


def in_hours(time: Times, values: Values, target: int, instrument: Instrument) -> tuple[Times, Values]:
    """Return the rows that bars at `target` are made of: from a day on, those in the regular hours of an exchange."""
    if target < DAY or instrument.calendar.startswith("24x"):
        return time, values
    inside = regular_hours(time, instrument)
    return time[inside], values[:, inside]


def check_intervals(source: int, target: int) -> None:
    """Raise ResampleError unless bars at `target` can be made of rows at `source` (ns; 0: ticks)."""
    if target <= source:
        raise ResampleError(f"{format_interval(target)} is not coarser than {format_interval(source)}.")
    if source and target % source:
        raise ResampleError(f"{format_interval(target)} is not a multiple of {format_interval(source)}.")
    if target > DAY and target % DAY:
        raise ResampleError(f"{format_interval(target)} is more than a day, but not whole days.")


def tick_columns(time: Times, values: Values, *, is_quotes: bool) -> tuple[Kind, Times, Values]:
    """Return ticks as bars of one tick each, of the quotes or of the trades among them: kind, times, columns."""
    bid, ask, last, size = values
    if is_quotes:
        quoted = np.isfinite(bid) & np.isfinite(ask)
        none = np.full(int(quoted.sum()), np.nan)
        return Kind.QUOTES, time[quoted], np.array([*[bid[quoted]] * 4, *[ask[quoted]] * 4, none])
    traded = np.isfinite(last)
    return Kind.BARS, time[traded], np.array([*[last[traded]] * 4, size[traded]])
