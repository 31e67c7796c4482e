"""What a curve did by day, month and year, as arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.instruments import Instrument
from trading.metrics import drawdowns
from trading.sessions import session_days

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DailyCurve:
    """The last value of each session day: `day` (datetime64[D]), `time` (int64, ns UTC) and `value`, length n each."""

    day: NDArray[np.datetime64]
    time: Integers
    value: Floats
    start: float

    @property
    def curve(self) -> Floats:
        """The starting value, then the value at each close: n + 1 values, as the metrics take them."""
        return np.concatenate(([self.start], self.value))


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One fall from a peak: rows of the peak, the trough and the recovery (None while under water), and its depth."""

    peak: int
    trough: int
    recovery: int | None
    depth: float


def daily_curve(time: Integers, value: Floats, session: Instrument, start: float | None = None) -> DailyCurve:
    """Take the last value of each session day; `time` holds closes (int64, ns UTC), the turn of the day ending a day.

    `session` says in which zone and at which minute the day turns. `start` is the value before the first close, by
    default the first value. Raises ZoneError for a zone that does not exist.
    """
    days = session_days(time - 1, session).astype("datetime64[D]")
    last = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    first = float(value[0]) if start is None else start
    return DailyCurve(days[last], time[last], value[last], first)


def monthly_returns(daily: DailyCurve) -> dict[tuple[int, int], float]:
    """Return of each (year, month), a fraction, from the last close of the month before."""
    return _grouped(daily, daily.day.astype("datetime64[M]"))


def yearly_returns(daily: DailyCurve) -> dict[int, float]:
    """Return of each calendar year, a fraction."""
    return {year: value for (year, _), value in _grouped(daily, daily.day.astype("datetime64[Y]")).items()}


def _grouped(daily: DailyCurve, period: NDArray[np.datetime64]) -> dict[tuple[int, int], float]:
    last = np.flatnonzero(np.append(period[1:] != period[:-1], True))
    base = np.concatenate(([daily.start], daily.value[last][:-1]))
    found: dict[tuple[int, int], float] = {}
    for row, before in zip(last, base, strict=True):
        year, month = str(daily.day[row]).split("-")[:2]
        found[int(year), int(month)] = float(daily.value[row] / before - 1.0) if before > 0 else float("nan")
    return found


def worst_drawdowns(value: Floats, count: int) -> list[Drawdown]:
    """The `count` deepest falls from a peak that do not overlap, deepest first."""
    below = np.nan_to_num(drawdowns(value), nan=0.0)
    wet = below < 0
    change = np.diff(np.concatenate(([False], wet, [False])).astype(np.int8))
    falls = []
    for begin, end in zip(np.flatnonzero(change == 1), np.flatnonzero(change == -1), strict=True):
        trough = int(begin + np.argmin(below[begin:end]))
        recovery = int(end) if end < value.size else None
        falls.append(Drawdown(int(begin) - 1, trough, recovery, float(below[trough])))
    return sorted(falls, key=lambda fall: fall.depth)[:count]
