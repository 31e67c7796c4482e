"""Columns to text: a line for each row, field after field, written as bytes."""

from typing import Any

from trading.compiled import inner_kernel, kernel

TEXT, CHOSEN, WHOLE, FIXED, LOTS, HEX, TIME = range(7)
NOTHING = -(2**63)
"""A whole number that is not there: written as COPY knows it."""

_MINUS, _POINT, _ZERO = ord("-"), ord("."), ord("0")
_NULL, _STEPS = b"\\N", b" steps"
_BILLION = 10**9
_DAY = 86_400


@kernel
def write_rows(fields: Any, columns: Any, pool: Any, starts: Any, out: Any, ends: Any) -> int:
    r"""Write a line for each row into `out` (uint8[room]) and its end into `ends` (int64[rows]); return the last end.

    `fields` is int64[k, 3]: what a field is, and two numbers that say of what.

        TEXT    s, -       string s of the pool
        CHOSEN  c, s       string s + columns[c] of the pool
        WHOLE   c, -       columns[c], `\\N` where it is NOTHING
        FIXED   c, d       columns[c] / 10**d, exactly, without zeros at the end
        LOTS    c, l       columns[c] lot steps of columns[l] billionths each; 0: nobody has said how large they are
        HEX     c, d       the last d hexadecimal digits of columns[c]
        TIME    c, -       columns[c] ns since 1970 as UTC, nothing for 0

    `columns` is int64[c, rows]; string s of the pool (uint8) is between `starts[s]` and `starts[s + 1]`.
    """
    at = 0
    for row in range(columns.shape[1]):
        for k in range(fields.shape[0]):
            kind, first, second = fields[k, 0], fields[k, 1], fields[k, 2]
            if kind == TEXT:
                at = _string(out, at, pool, starts[first], starts[first + 1])
            elif kind == CHOSEN:
                which = second + columns[first, row]
                at = _string(out, at, pool, starts[which], starts[which + 1])
            elif kind == WHOLE:
                at = _whole(out, at, columns[first, row])
            elif kind == FIXED:
                at = _fixed(out, at, columns[first, row], second)
            elif kind == LOTS:
                at = _lots(out, at, columns[first, row], columns[second, row])
            elif kind == HEX:
                at = _hex(out, at, columns[first, row], second)
            elif columns[first, row] != 0:
                at = _time(out, at, columns[first, row])
        ends[row] = at
    return at


@kernel
def gather(text: Any, begins: Any, ends: Any, order: Any, out: Any, out_ends: Any) -> None:
    """Copy the lines of `text` that begin and end where these say into `out`, in `order`, and their ends there."""
    at = 0
    for k in range(order.size):
        line = order[k]
        at = _string(out, at, text, begins[line], ends[line])
        out_ends[k] = at


@inner_kernel
def _string(out: Any, at: int, text: Any, begin: int, end: int) -> int:
    for place in range(begin, end):
        out[at] = text[place]
        at += 1
    return at


@inner_kernel
def _whole(out: Any, at: int, value: int) -> int:
    if value == NOTHING:
        out[at], out[at + 1] = _NULL[0], _NULL[1]
        return at + 2
    if value < 0:
        out[at] = _MINUS
        return _digits(out, at + 1, -value, 1)
    return _digits(out, at, value, 1)


@inner_kernel
def _digits(out: Any, at: int, value: int, least: int) -> int:
    """Write a number that is not negative with at least so many digits."""
    count, rest = 1, value // 10
    while rest > 0:
        count += 1
        rest //= 10
    count = max(count, least)
    for place in range(count - 1, -1, -1):
        out[at + place] = _ZERO + value % 10
        value //= 10
    return at + count


@inner_kernel
def _fraction(out: Any, at: int, rest: int, digits: int) -> int:
    """Write what comes after the point, and the point, without zeros at the end."""
    if rest == 0:
        return at
    while rest % 10 == 0:
        rest //= 10
        digits -= 1
    out[at] = _POINT
    return _digits(out, at + 1, rest, digits)


@inner_kernel
def _fixed(out: Any, at: int, value: int, digits: int) -> int:
    unit = 1
    for _ in range(digits):
        unit *= 10
    if value < 0:
        out[at] = _MINUS
        at, value = at + 1, -value
    at = _digits(out, at, value // unit, 1)
    return _fraction(out, at, value % unit, digits)


@inner_kernel
def _lots(out: Any, at: int, steps: int, lot_step_e9: int) -> int:
    """Write steps x lot step without the product, which may not fit."""
    if steps < 0:
        out[at] = _MINUS
        at, steps = at + 1, -steps
    if lot_step_e9 <= 0:
        at = _digits(out, at, steps, 1)
        for place in range(len(_STEPS)):
            out[at + place] = _STEPS[place]
        return at + len(_STEPS)
    whole, part = lot_step_e9 // _BILLION, lot_step_e9 % _BILLION
    many, few = steps // _BILLION, steps % _BILLION
    at = _digits(out, at, steps * whole + many * part + few * part // _BILLION, 1)
    return _fraction(out, at, few * part % _BILLION, 9)


@inner_kernel
def _hex(out: Any, at: int, value: int, digits: int) -> int:
    for place in range(digits):
        digit = (value >> (4 * (digits - 1 - place))) & 15
        out[at + place] = digit + (_ZERO if digit < 10 else ord("a") - 10)
    return at + digits


@inner_kernel
def _time(out: Any, at: int, at_ns: int) -> int:
    """Write a time as 2026-03-02T00:00:00.000000000Z. Days to dates: Howard Hinnant, chrono-compatible algorithms."""
    second, nanosecond = at_ns // _BILLION, at_ns % _BILLION
    days, second = second // _DAY + 719_468, second % _DAY
    era, of_era = days // 146_097, days % 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    year += era * 400 + (1 if month <= 2 else 0)
    at = _part(out, _digits(out, at, year, 4), ord("-"), month)
    at = _part(out, _part(out, at, ord("-"), day), ord("T"), second // 3600)
    at = _part(out, _part(out, at, ord(":"), second // 60 % 60), ord(":"), second % 60)
    out[at] = _POINT
    at = _digits(out, at + 1, nanosecond, 9)
    out[at] = ord("Z")
    return at + 1


@inner_kernel
def _part(out: Any, at: int, before: int, number: int) -> int:
    out[at] = before
    return _digits(out, at + 1, number, 2)
