"""How figures are written: thin grouping, a real minus sign, sensible digits, times in UTC."""

import math
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

THIN: Final = "\u202f"
MINUS: Final = "\u2212"
NOTHING: Final = "\u2013"

_SECOND = 1_000_000_000
_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def number(value: float | None, decimals: int = 2, *, signed: bool = False) -> str:
    """Write a figure with thin spaces between thousands: `−1 234.50`; "–" for None and nan."""
    if value is None or math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return f"{MINUS}∞" if value < 0 else "∞"
    text = f"{abs(value):,.{decimals}f}".replace(",", THIN)
    if not float(text.replace(THIN, "")):
        return text
    if value < 0:
        return MINUS + text
    return f"+{text}" if signed else text


def axis_unit(most: float) -> tuple[float, str]:
    """Return what to divide labels of an axis by so that there is room for them, and the letter that says so."""
    return (1e9, "B") if most >= 1e10 else (1e6, "M") if most >= 1e7 else (1.0, "")


def axis_label(value: float, decimals: int, unit: tuple[float, str] = (1.0, "")) -> str:
    """Write a label of an axis in its unit: `12.5 M`; zero has none."""
    divisor, letter = unit
    text = number(value / divisor, decimals)
    return f"{text}{THIN}{letter}" if letter and value else text


def percent(value: float | None, decimals: int = 2, *, signed: bool = True) -> str:
    """Write a figure that is in percent already, with its sign: `+12.34 %`; "–" for None and nan."""
    text = number(value, decimals, signed=signed)
    return text if text == NOTHING else f"{text}{THIN}%"


def significant(value: float, digits: int = 4) -> str:
    """Write a figure of unknown size with at most about `digits` significant digits, without zeros at its end."""
    if value == 0 or not math.isfinite(value):
        return number(value, 0)
    if float(value).is_integer() and abs(value) < 1e15:
        return number(value, 0)
    whole = math.floor(math.log10(abs(value))) + 1
    text = number(value, min(max(digits - whole, 0), 10))
    return text.rstrip("0").rstrip(".") if "." in text else text


def moment(time_ns: int, *, seconds: bool = False) -> str:
    """Write a time (ns since the epoch) as `2007-01-01 21:00` in UTC."""
    when = datetime.fromtimestamp(time_ns // _SECOND, tz=UTC)
    return when.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def day(time_ns: int) -> str:
    """Write the UTC date of a time (ns since the epoch)."""
    return moment(time_ns)[:10]


def duration(span_ns: int) -> str:
    """Write a span of time with its two largest units: `3 d 4 h`."""
    rest = int(span_ns) // _SECOND
    parts: list[str] = []
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count or (parts and len(parts) < 2):
            parts.append(f"{number(count, 0)}{THIN}{unit}")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0")) or f"0{THIN}s"


def decimals_of(values: NDArray[np.float64], most: int = 8) -> int:
    """How many decimals prices need to be written exactly, at most what six significant digits after rounding need."""
    known = values[np.isfinite(values)]
    if known.size == 0:
        return 2
    sample = known[:: max(1, known.size // 2000)]
    for decimals in range(2, most + 1):
        scaled = sample * 10.0**decimals
        if np.all(np.abs(scaled - np.rint(scaled)) < 1e-4):
            return decimals
    whole = math.floor(math.log10(max(float(np.max(np.abs(known))), 1e-12))) + 1
    return min(max(6 - whole, 2), most)
