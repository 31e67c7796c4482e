"""Time zones and session days, over whole arrays of times.

Times are int64 nanoseconds since the epoch, UTC. A local time is written the same way, as the nanoseconds that the
wall clock shows. A session day is written as its date: int64 days since 1970-01-01.

A session day begins at the first instant at which the wall clock shows its turn, or a time after it: a turn that the
clock jumps over is where the clock lands, and a clock that goes back over the turn does not go back to the day before.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from trading.instruments import Instrument
from trading.intervals import DAY, MINUTE, SECOND

Times = NDArray[np.int64]
Indices = NDArray[np.int64]

EXISTS, MISSING, AMBIGUOUS = 0, 1, 2

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6  # where Monday is 0
_PROBE = 7 * 86_400  # seconds: no zone has changed its offset and back within a week


class ZoneError(ValueError):
    """The text is not the name of a time zone."""

    exit_code = 2  # of a command: wrong usage


def find_zone(name: str) -> ZoneInfo:
    """Return the IANA time zone `name`. Raises ZoneError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ZoneError(f"{name!r} is not a time zone: use an IANA name such as UTC or America/New_York.") from error


def utc_to_local(times: Times, zone: str) -> Times:
    """Return what the wall clock in `zone` shows at each of `times`, in nanoseconds."""
    if zone == "UTC" or times.size == 0:
        return times
    starts, offsets = _offsets(zone, times)
    local: Times = times + offsets[np.searchsorted(starts, times, side="right") - 1]
    return local


def local_to_utc(local: Times, zone: str) -> tuple[Times, NDArray[np.int8]]:
    """Return the UTC times at which the wall clock in `zone` shows `local`, and whether there is such a time.

    The second array holds EXISTS, MISSING (the clock was put forward over it: the moment of that is returned) or
    AMBIGUOUS (the clock showed it twice: the first of the two is returned).
    """
    status = np.zeros(local.size, np.int8)
    if zone == "UTC" or local.size == 0:
        return local, status
    starts, offsets = _offsets(zone, local)
    first = _first_stretch(local, starts, offsets)
    utc: Times = local - offsets[first]
    status[utc < starts[first]] = MISSING
    utc = np.maximum(utc, starts[first])
    following = np.minimum(first + 1, offsets.size - 1)
    again = (following > first) & (local - offsets[following] >= starts[following])
    status[again & (status == EXISTS)] = AMBIGUOUS
    return utc, status


def session_days(times: Times, instrument: Instrument) -> Times:
    """Return the session day to which each of `times` belongs, as days since 1970-01-01.

    The day turns `day_turn_minutes` after midnight in the instrument's zone: a 17:00 New York turn (-420) gives Sunday
    evening to Monday. For the close of a bar pass the close minus one nanosecond.
    """
    return _shown_days(times, instrument.time_zone, instrument.day_turn_minutes)


def session_starts(days: Times, instrument: Instrument) -> Times:
    """Return the UTC time at which each session day begins; where the clock skips that minute, the skip's end."""
    return _starts(days, instrument.time_zone, instrument.day_turn_minutes)


def session_day_ends(time: Times, zone: str, turn_minutes: int = 0) -> Indices:
    """Return the index of the last bar of each session day: int64[m], increasing, its last element n - 1.

    `time` is int64[n], the bars' OPEN times in ns UTC, increasing; a bar belongs to the day in which it opens, and days
    without bars have no element. The day turns `turn_minutes` after midnight in the IANA `zone`. No bar is converted:
    the few turns between the first and the last bar are looked up in the times. Raises ZoneError.
    """
    return _ends(time, _starts(_days_after(time, zone, turn_minutes), zone, turn_minutes))


def calendar_of_days(days: Times) -> str:
    """Return the session calendar that an unknown instrument seems to follow: "24x7", "24x5" or "weekdays".

    `days` (days since 1970-01-01) are the session days that have bars. At least a tenth of them are Saturdays on
    "24x7"; Sundays, but no Saturdays, on "24x5" (foreign exchange opens on Sunday evening), Fridays being among them
    too. Everything else is taken for an exchange.
    """
    if _are_common(days, _SATURDAY):
        return "24x7"
    return "24x5" if _are_common(days, _SUNDAY) and _are_common(days, _FRIDAY) else "weekdays"


def days_per_week(days: Times) -> int:
    """Return how many session days a week of "24x5" has: 5, or 6 where Sunday's evening is a day of its own.

    `days` (days since 1970-01-01) are the session days that have bars.
    """
    return 6 if _are_common(days, _SUNDAY) else 5


def _are_common(days: Times, weekday: int) -> bool:
    """Tell whether at least a tenth of `days` are such a weekday (a sixth or a seventh where each week has one)."""
    found = np.count_nonzero((days + 3) % 7 == weekday)  # 1970-01-01 was a Thursday
    return bool(10 * found >= days.size > 0)


def _ends(time: Times, starts: Times) -> Indices:
    if time.size == 0:
        return np.empty(0, np.int64)
    ends = _firsts(time, starts) - 1
    ends = np.append(ends[(ends >= 0) & (ends < time.size - 1)], time.size - 1)
    distinct: Indices = ends[np.append(True, ends[1:] != ends[:-1])]
    return distinct


def _firsts(time: Times, starts: Times) -> Indices:
    """Return the first index of `time` (increasing) that is at or after each of `starts`.

    Bars mostly follow one another at one distance, so that it is known where to look: a search goes through a million
    times in steps that are all far apart in memory.
    """
    size, step = time.size, max(1, int(time[1] - time[0])) if time.size > 1 else 1
    guess: Indices = np.clip(-((time[0] - starts) // step), 0, size)
    before = time[np.maximum(guess - 1, 0)] < starts
    after = time[np.minimum(guess, size - 1)] >= starts
    if np.all((before | (guess == 0)) & (after | (guess == size))):
        return guess
    return np.searchsorted(time, starts)


def _days_after(time: Times, zone: str, turn_minutes: int) -> Times:
    """Return the days that may begin after the first and up to the last of `time`."""
    if time.size == 0:
        return time
    first, last = _shown_days(time[[0, -1]], zone, turn_minutes)
    # The clock may have gone back over the turn at either end, so that a day more has begun than it shows.
    return np.arange(first + 1, last + 2)


def _shown_days(times: Times, zone: str, turn_minutes: int) -> Times:
    days: Times = (utc_to_local(times, zone) - turn_minutes * MINUTE) // DAY
    return days


def _starts(days: Times, zone: str, turn_minutes: int) -> Times:
    return local_to_utc(days * DAY + turn_minutes * MINUTE, zone)[0]


def _first_stretch(local: Times, starts: Times, offsets: Times) -> Indices:
    """Return the first stretch of one offset whose end, by its own clock, is after each local time."""
    return np.searchsorted(starts[1:] + offsets[:-1], local, side="right")


def _offsets(zone: str, times: Times) -> tuple[Times, Times]:
    """Return the starts (ns UTC) of the stretches of one UTC offset around `times`, and those offsets (ns)."""
    first = _EPOCH + timedelta(seconds=int(times.min()) // SECOND - 2 * 86_400)
    last = _EPOCH + timedelta(seconds=int(times.max()) // SECOND + 2 * 86_400)
    changes = [change for year in range(first.year, last.year + 1) for change in _year_of_offsets(zone, year)]
    starts, offsets = np.array(changes, np.int64).T
    return starts, offsets


@lru_cache(maxsize=8192)
def _year_of_offsets(zone: str, year: int) -> tuple[tuple[int, int], ...]:
    """Return (ns UTC, offset ns) at the begin of the year in UTC and at each change of the offset within it."""
    info = find_zone(zone)
    low, stop = _second(year), _second(year + 1)
    offset = _offset(info, low)
    changes = [(low, offset)]
    for probe in (*range(low + _PROBE, stop, _PROBE), stop - 1):
        while _offset(info, probe) != offset:
            low = _first_change(info, low, probe, offset)
            offset = _offset(info, low)
            changes.append((low, offset))
        low = probe
    return tuple((second * SECOND, difference * SECOND) for second, difference in changes)


def _first_change(info: ZoneInfo, low: int, high: int, offset: int) -> int:
    """Return the first second in (low, high] at which the zone's offset is no longer `offset`."""
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(info, middle) == offset:
            low = middle
        else:
            high = middle
    return high


def _offset(info: ZoneInfo, second: int) -> int:
    difference = datetime.fromtimestamp(second, info).utcoffset()
    assert difference is not None
    return difference.days * 86_400 + difference.seconds


def _second(year: int) -> int:
    return (datetime(year, 1, 1, tzinfo=UTC) - _EPOCH).days * 86_400
