"""Bar intervals: their names ("1h") and their length in nanoseconds."""

import re

NANOSECOND = 1
MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

_UNITS = {"ms": MILLISECOND, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_WORDS = {"min": "m", "t": "m", "sec": "s", "hour": "h", "day": "d", "week": "w"}
_PATTERN = re.compile(r"(\d+)\s*([a-z]+)")


class IntervalError(ValueError):
    """The text is not the name of a bar interval."""

    exit_code = 2  # of a command: wrong usage


def parse_interval(text: str) -> int:
    """Return the length in nanoseconds of an interval such as "1s", "5m", "1h", "4h", "1d" or "1w".

    `min`, `hour`, `day` and `week` are understood too. Months have no fixed length and are not bar intervals. Raises
    IntervalError.
    """
    match = _PATTERN.fullmatch(text.strip().lower())
    unit = match and _WORDS.get(match[2], match[2])
    if match is None or unit not in _UNITS or int(match[1]) == 0:
        raise IntervalError(
            f"{text!r} is not an interval: write a number and s, m, h, d or w, such as 1m, 5m, 1h or 1d."
        )
    return int(match[1]) * _UNITS[unit]


def format_interval(interval: int) -> str:
    """Return the shortest name of an interval in nanoseconds: 3_600_000_000_000 is "1h", 0 is "tick"."""
    if interval == 0:
        return "tick"
    for unit in ("w", "d", "h", "m", "s", "ms"):
        if interval % _UNITS[unit] == 0:
            return f"{interval // _UNITS[unit]}{unit}"
    return f"{interval}ns"
