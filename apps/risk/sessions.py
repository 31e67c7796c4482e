"""Wall clocks: when instruments may be traded, and which day, week and month it is for an account."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from apps.risk.state import RiskState
from banyan.columns import Ints
from trading.sessions import ZoneError, find_zone

WEEK_MINUTES = 7 * 24 * 60
_SECOND_NS = 1_000_000_000


def session_at(state: RiskState, instrument: str, at_ns: int) -> tuple[int, int]:
    """Return 1 if an instrument may be traded at a time, else 0, and the minute of the week in its session's zone."""
    sessions = state.sessions.get(instrument)
    if sessions is None:
        return 1, 0
    local = _local(at_ns, sessions.time_zone)
    minute = (local.weekday() * 24 + local.hour) * 60 + local.minute
    for window in sessions.windows:
        if window.opens_minute < window.closes_minute:
            is_open = window.opens_minute <= minute < window.closes_minute
        else:
            is_open = minute >= window.opens_minute or minute < window.closes_minute
        if is_open:
            return 1, minute
    return 0, minute


def day_at(at_ns: int, zone: str) -> int:
    """Return the day in a zone, counted from 0001-01-01 as 1."""
    return _local(at_ns, zone).toordinal()


def periods_of(days: Ints) -> Ints:
    """Return the number of each day, of its week (from Monday) and of its month, int64[days, 3]; all from 1 up."""
    return np.array([_periods(day) for day in days.tolist()], np.int64).reshape(-1, 3)


@lru_cache(maxsize=64)
def _periods(day: int) -> tuple[int, int, int]:
    found = date.fromordinal(day)
    return day, (day - 1) // 7 + 1, 12 * found.year + found.month


def next_midnight_ns(at_ns: int, zone: str) -> int:
    """Return when the next day begins in a zone."""
    tomorrow = date.fromordinal(day_at(at_ns, zone)) + timedelta(days=1)
    begins = datetime.combine(tomorrow, time(0), find_zone(zone))
    return int(begins.timestamp()) * _SECOND_NS


def is_zone(name: str) -> bool:
    """Return whether `name` is the name of a time zone."""
    try:
        find_zone(name)
    except ZoneError:
        return False
    return True


def _local(at_ns: int, zone: str) -> datetime:
    place = UTC if zone == "UTC" else ZoneInfo(zone)
    return datetime.fromtimestamp(at_ns // _SECOND_NS, place)
