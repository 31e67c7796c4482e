"""Bars of a coarser interval out of finer bars or ticks."""

import numpy as np
from numpy.typing import NDArray

from apps.feeds.calendars import regular_hours
from apps.feeds.records import Kind
from trading.instruments import Instrument
from trading.intervals import DAY, format_interval
from trading.sessions import session_days, session_starts

Times = NDArray[np.int64]
Values = NDArray[np.float64]


class ResampleError(ValueError):
    """Bars of the one interval cannot be made into the other."""


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
    _check_intervals(source, target)
    if target >= DAY > source and not all_hours and not instrument.calendar.startswith("24x"):
        inside = regular_hours(time, instrument)
        time, values = time[inside], values[:, inside]
    if kind is Kind.TICKS:
        kind, time, values = _tick_columns(time, values)
    if time.size == 0:
        return kind, time, values
    keys = _bucket_keys(time, target, instrument)
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    ends = np.append(starts[1:], time.size) - 1
    opens = keys[starts] if target < DAY else session_starts(keys[starts], instrument)
    return kind, opens, _aggregate(kind, values, starts, ends)


def _check_intervals(source: int, target: int) -> None:
    if target <= source:
        raise ResampleError(f"{format_interval(target)} is not coarser than {format_interval(source)}.")
    if source and target % source:
        raise ResampleError(f"{format_interval(target)} is not a multiple of {format_interval(source)}.")
    if target > DAY and target % DAY:
        raise ResampleError(f"{format_interval(target)} is more than a day, but not whole days.")


def _bucket_keys(time: Times, target: int, instrument: Instrument) -> Times:
    """Return each row's bar: its open time (ns UTC), or from a day on the session day that it begins with."""
    if target < DAY:
        return time // target * target
    days = session_days(time, instrument)
    width = target // DAY
    return (days + 3) // width * width - 3  # day -3 was a Monday


def _aggregate(kind: Kind, values: Values, starts: Times, ends: Times) -> Values:
    bars = np.empty((values.shape[0], starts.size))
    for side in range(0, 8 if kind is Kind.QUOTES else 4, 4):
        opened, high, low, close = values[side : side + 4]
        bars[side] = opened[starts]
        bars[side + 1] = np.maximum.reduceat(high, starts)
        bars[side + 2] = np.minimum.reduceat(low, starts)
        bars[side + 3] = close[ends]
    bars[-1] = np.add.reduceat(values[-1], starts)
    return bars


def _tick_columns(time: Times, values: Values) -> tuple[Kind, Times, Values]:
    """Return ticks as bars of one tick each: of the quotes where there are any, else of the trades."""
    bid, ask, last, size = values
    quoted = np.isfinite(bid) & np.isfinite(ask)
    if quoted.any():
        none = np.full(int(quoted.sum()), np.nan)
        return Kind.QUOTES, time[quoted], np.array([*[bid[quoted]] * 4, *[ask[quoted]] * 4, none])
    traded = np.isfinite(last)
    return Kind.BARS, time[traded], np.array([*[last[traded]] * 4, size[traded]])
