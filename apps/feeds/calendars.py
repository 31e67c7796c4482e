"""Session calendars: when an instrument trades, and which bars are missing."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.feeds.records import Kind, Reason, Records, Reject
from trading.instruments import Instrument
from trading.intervals import DAY, HOUR, SECOND, WEEK
from trading.sessions import local_to_utc, session_days

Times = NDArray[np.int64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CalendarError(LookupError):
    """There is no session calendar of that name."""

    exit_code = 2  # of a command: wrong usage


def find_gaps(records: Records, interval: int, instrument: Instrument) -> list[Reject]:
    """Return one note for each stretch of bars that the calendar expects and `records` do not have.

    The note has the line of the record after the gap. Bars before the first and after the last are not missed.
    """
    if records.kind is Kind.TICKS or interval <= 0 or len(records) < 2:
        return []
    wide = np.flatnonzero(np.diff(records.time) != interval)
    if wide.size == 0:
        return []
    before, after = records.time[wide], records.time[wide + 1]
    missing = count_missing(before, after, interval, instrument)
    return [
        Reject(
            int(records.line[wide[place] + 1]),
            Reason.GAP,
            f"{missing[place]:,} bars missing between {_text(before[place])} and {_text(after[place])}",
            time=int(after[place]),
        )
        for place in np.flatnonzero(missing > 0)
    ]


def count_missing(before: Times, after: Times, interval: int, instrument: Instrument) -> Times:
    """Return how many bars the calendar has strictly between the open times `before` and `after`, pair by pair.

    Bars are expected wherever the grid on which `before` lies (every full hour, or every half past) meets a session.
    """
    missing: Times
    if interval >= WEEK:
        missing = np.maximum((after - before + interval // 2) // interval - 1, 0)
        return missing
    if interval >= DAY:
        first, last = session_days(before, instrument), session_days(after, instrument)
        days = trading_days(int(first.min()), int(last.max()), instrument.calendar)
        between = np.searchsorted(days, last, "left") - np.searchsorted(days, first, "right")
        missing = np.maximum(between, 0) // (interval // DAY)
        return missing
    opens, closes = sessions(int(before.min()), int(after.max()), instrument.calendar)
    phases, counts = np.unique(before % interval, return_counts=True)
    opens = opens - (opens - phases[np.argmax(counts)]) % interval
    bars_before = np.concatenate([[0], np.cumsum(-((opens - closes) // interval))])
    from_start = [_count_before(times, opens, closes, bars_before, interval) for times in (before + 1, after)]
    missing = np.maximum(from_start[1] - from_start[0], 0)
    return missing


def _count_before(times: Times, opens: Times, closes: Times, bars_before: Times, interval: int) -> Times:
    """Return how many expected bars open before each of `times`."""
    session = np.searchsorted(opens, times, side="right") - 1
    inside = np.maximum(session, 0)
    into = -((opens[inside] - np.minimum(times, closes[inside])) // interval)
    counts: Times = np.where(session < 0, 0, bars_before[inside] + into)
    return counts


def sessions(start: int, end: int, calendar: str) -> tuple[Times, Times]:
    """Return open and close (ns UTC) of the sessions around the times from `start` to `end` (ns UTC), oldest first.

    "24x7" is one session, "24x5" runs from Sunday 17:00 to Friday 17:00 in New York; every other name is looked up
    in exchange_calendars, such as XNYS. Raises CalendarError.
    """
    if calendar == "24x7":
        return np.array([start - WEEK]), np.array([end + WEEK])
    if calendar == "24x5":
        monday = (start // DAY + 3) // 7 * 7 - 3 - 7
        sundays = (np.arange(monday, end // DAY + 14, 7) - 1) * DAY + 17 * HOUR
        opens, _ = local_to_utc(sundays, "America/New_York")
        closes, _ = local_to_utc(sundays + 5 * DAY, "America/New_York")
        return opens, closes
    schedule = _exchange(calendar, _year(start // DAY - 7), _year(end // DAY + 7))
    return _stamps(schedule.opens), _stamps(schedule.closes)


def trading_days(first: int, last: int, calendar: str) -> Times:
    """Return the session days from `first` to `last` (days since 1970-01-01) on which the calendar trades."""
    days = np.arange(first, last + 1, dtype=np.int64)
    if calendar == "24x7":
        return days
    if calendar == "24x5":
        return days[(days + 3) % 7 < 5]
    labels = _stamps(_exchange(calendar, _year(first), _year(last)).sessions) // DAY
    return labels[(labels >= first) & (labels <= last)]


def check_calendar(calendar: str) -> None:
    """Raise CalendarError unless there is a session calendar of that name."""
    if calendar not in ("24x7", "24x5"):
        _exchange(calendar, 2020, 2020)


def regular_hours(times: Times, instrument: Instrument) -> NDArray[np.bool_]:
    """Return which of the bar open times lie in a session of the instrument's calendar."""
    if times.size == 0:
        return np.zeros(0, np.bool_)
    opens, closes = sessions(int(times.min()), int(times.max()), instrument.calendar)
    session = np.searchsorted(opens, times, side="right") - 1
    inside: NDArray[np.bool_] = (session >= 0) & (times < closes[np.maximum(session, 0)])
    return inside


@lru_cache(maxsize=8)
def _exchange(calendar: str, first_year: int, last_year: int) -> Any:
    import exchange_calendars  # type: ignore[import-untyped]
    from exchange_calendars.errors import InvalidCalendarName  # type: ignore[import-untyped]

    try:
        return exchange_calendars.get_calendar(calendar, start=f"{first_year}-01-01", end=f"{last_year}-12-31")
    except InvalidCalendarName as error:
        raise CalendarError(
            f"there is no session calendar {calendar!r}: use 24x7, 24x5 or an exchange's ISO 10383 code such as XNYS."
        ) from error
    except ValueError as error:
        raise CalendarError(f"the session calendar {calendar!r} does not reach: {error}") from error


def _stamps(moments: Any) -> Times:
    import pandas as pd

    stamps: Times = pd.DatetimeIndex(moments).tz_localize(None).to_numpy().astype("datetime64[ns]").view(np.int64)
    return stamps


def _year(day: int) -> int:
    return (_EPOCH + timedelta(days=day)).year


def _text(time: Any) -> str:
    return (_EPOCH + timedelta(seconds=int(time) // SECOND)).strftime("%Y-%m-%d %H:%M")
