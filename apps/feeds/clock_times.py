"""Times as files write them: which form a file uses, and one time read on its own."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from apps.feeds.records import Reason, Reject
from trading.intervals import MICROSECOND, MILLISECOND, SECOND
from trading.sessions import AMBIGUOUS, EXISTS, MISSING, local_to_utc

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = r"(\d{4})([-./]?)(\d\d)\2(\d\d)"
_CLOCK = r"(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,9})\d*)?)?"
_WRITTEN = re.compile(rf"{_DATE}(?:[T ]+{_CLOCK}\s*(Z|UTC|[+-]\d\d:?(?:\d\d)?)?)?", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")


@dataclass(frozen=True, slots=True)
class TimeForm:
    """How a file writes its times.

    `kind` is "iso", "iso-zone" (with an offset or Z), "epoch", "epoch-fraction" or "other" (`pattern` is then its
    strptime pattern); `unit` is the epoch's unit in nanoseconds.
    """

    kind: str
    unit: int = 0
    pattern: str = ""
    dates_only: bool = False


def read_time(text: str, form: TimeForm) -> tuple[int, bool] | None:
    """Return the time in nanoseconds and whether it is UTC (False: a local time), or None where it is not a time."""
    text = text.strip().strip('"')
    if form.kind.startswith("epoch"):
        return (_scaled(text, form.unit), True) if _NUMBER.fullmatch(text) else None
    match = _WRITTEN.fullmatch(text)
    if match is None:
        return None
    year, _, month, day, hour, minute, second, fraction, zone = match.groups()
    clock = (int(hour or 0), int(minute or 0), int(second or 0))
    try:
        moment = datetime(int(year), int(month), int(day), *clock, tzinfo=UTC)
    except ValueError:
        return None
    if not 1678 <= moment.year <= 2261:
        return None
    since = moment - _EPOCH
    nanoseconds = (since.days * 86_400 + since.seconds) * SECOND + int((fraction or "").ljust(9, "0"))
    return (nanoseconds - _zone_offset(zone), True) if zone else (nanoseconds, False)


def find_time_form(texts: list[str]) -> TimeForm | None:
    """Return the form in which the first readable of `texts` writes its time, or None where none can be read."""
    for text in (text.strip().strip('"') for text in texts):
        if _NUMBER.fullmatch(text) and not _is_written_date(text):
            return TimeForm("epoch-fraction" if "." in text else "epoch", unit=_epoch_unit(float(text)))
        if read_time(text, TimeForm("iso")) is not None:
            return _written_form(text)
    return None


def to_utc(
    time: NDArray[np.int64],
    utc: NDArray[np.bool_],
    line: NDArray[np.int64],
    zone: str,
    dates_only: bool,
    rejects: list[Reject],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the times in UTC and which rows have one; the others are added to `rejects`."""
    if utc.all() or zone == "UTC":
        return time, np.ones(time.size, np.bool_)
    local = np.flatnonzero(~utc)
    converted, status = local_to_utc(time[local], zone)
    time = time.copy()
    time[local] = converted
    readable = np.ones(time.size, np.bool_)
    if not dates_only:
        readable[local] = status == EXISTS
        wrong = {MISSING: (Reason.MISSING_TIME, "does not exist"), AMBIGUOUS: (Reason.AMBIGUOUS_TIME, "exists twice")}
        for row in np.flatnonzero(status != EXISTS):
            reason, what = wrong[int(status[row])]
            detail = f"this time {what} in {zone}, where the clock is changed; write times in UTC"
            rejects.append(Reject(int(line[local[row]]), reason, detail))
    return time, readable


def _is_written_date(text: str) -> bool:
    return len(text) == 8 and "1900" <= text[:4] <= "2199" and read_time(text, TimeForm("iso")) is not None


def _epoch_unit(value: float) -> int:
    for limit, unit in ((1e11, SECOND), (1e14, MILLISECOND), (1e17, MICROSECOND)):
        if abs(value) < limit:
            return unit
    return 1


def _written_form(text: str) -> TimeForm:
    match = _WRITTEN.fullmatch(text)
    assert match is not None
    _, separator, _, _, hour, _, second, fraction, zone = match.groups()
    dates_only = hour is None
    if separator == "-" and (dates_only or ":" in text) and not (zone or "").upper() == "UTC" and "  " not in text:
        return TimeForm("iso-zone" if zone else "iso", dates_only=dates_only)
    if zone or fraction:
        return TimeForm("other", dates_only=False)
    colon = ":" if ":" in text else ""
    clock = "" if dates_only else f"%H{colon}%M" + (f"{colon}%S" if second else "")
    between = "" if dates_only else re.sub(r"[\d:]", "", text[8 + 2 * len(separator) :])
    return TimeForm("other", pattern=f"%Y{separator}%m{separator}%d{between}{clock}", dates_only=dates_only)


def _scaled(text: str, unit: int) -> int:
    whole, _, fraction = text.partition(".")
    sign = -1 if text.startswith("-") else 1
    return int(whole) * unit + (sign * int(fraction) * unit // 10 ** len(fraction) if fraction else 0)


def _zone_offset(zone: str) -> int:
    if zone.upper() in ("Z", "UTC"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = (int(digits[:2]) * 60 + int(digits[2:])) * 60
    return (-seconds if zone[0] == "-" else seconds) * SECOND
