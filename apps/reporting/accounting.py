"""What books hold, have paid and have earned, by average cost.

Money is whole millionths. What is realised by a fill is what it brought less the cost of what it closed, so that at any
time realised - cost is all the cash that came for lots, whatever was rounded on the way.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from apps.reporting.kernels.booking import book
from banyan.columns import Ints

_QUARTER_NS = 900 * 10**9
"""Zones change their offset at quarters of an hour, and days turn there."""
_HELD, _OF_A_DAY = 5, 7

BookKey = tuple[int, str, str]


class Booked(NamedTuple):
    """What trades came to: the books that they changed (int64[books, 5]), their days (int64[days, 7])."""

    realised: Ints
    books: Sequence[BookKey]
    held: Ints
    day_books: Ints
    """Which of `books` each day is of."""
    days: Ints
    """Ordinals of dates."""
    of_days: Ints


class Books:
    """Books of accounts as they are after all that was booked into them; columns as in `kernels.booking`."""

    def __init__(self) -> None:
        self._row_of: dict[BookKey, int] = {}
        self._held = np.zeros((64, _HELD), np.int64)

    def put(self, key: BookKey, held: Sequence[int]) -> None:
        """Take a book as it was before."""
        row = self._row(key)  # first, since it may put larger arrays in place of these
        self._held[row] = held

    def book(self, keys: Sequence[BookKey], of: Ints, days: Ints, traded: Ints) -> Booked:
        """Book trades in their order: trade k into book `keys[of[k]]` on the day with ordinal `days[k]`.

        `traded` is int64[3, trades]: lot steps, amount, fee.
        """
        rows = np.array([self._row(key) for key in keys], np.int64)
        first = int(days.min())
        codes, of_day = np.unique(of * (int(days.max()) - first + 1) + days - first, return_inverse=True)
        day_books, day = np.divmod(codes, int(days.max()) - first + 1)
        made, realised = np.zeros((codes.size, _OF_A_DAY), np.int64), np.zeros(of.size, np.int64)
        book(self._held, made, np.stack([rows[of], of_day.reshape(-1)]), traded, realised)
        return Booked(realised, keys, self._held[rows], day_books, day + first, made)

    def _row(self, key: BookKey) -> int:
        row = self._row_of.get(key)
        if row is None:
            row = self._row_of[key] = len(self._row_of)
            if row == len(self._held):
                self._held = np.concatenate([self._held, np.zeros_like(self._held)])
        return row


def days_of(zones: Sequence[str], zone: Ints, at_ns: Ints) -> Ints:
    """Return the ordinal of the date that each time is on in `zones[zone]`."""
    quarters, which = np.unique(at_ns // _QUARTER_NS * len(zones) + zone, return_inverse=True)
    days = [_day(zones[each % len(zones)], each // len(zones)).toordinal() for each in quarters.tolist()]
    return np.array(days, np.int64)[which.reshape(-1)]


@lru_cache(maxsize=4096)
def _day(zone: str, quarter: int) -> date:
    return datetime.fromtimestamp(quarter * 900, UTC).astimezone(ZoneInfo(zone)).date()


def parts_of_fills(amount: Ints, fee: Ints, of: Ints, steps: Ints, whole: Ints) -> tuple[Ints, Ints, Ints]:
    """Return part number, amount and fee of parts of fills, the rest of a unit to the later.

    Part k has `steps[k]` of the fill `of[k]`, rising; fills have `whole` steps, and amount and fee.
    """
    begins = np.flatnonzero(np.diff(of, prepend=-1))
    sizes = np.diff(begins, append=of.size)
    total = np.cumsum(np.abs(steps))
    before_fill = np.repeat(total[begins] - np.abs(steps[begins]), sizes)
    after = total - before_fill
    done = after - np.abs(steps)
    part = np.arange(of.size) - np.repeat(begins, sizes)
    all_of_it = np.maximum(np.abs(whole[of]), 1)
    amounts, fees = (_share(each[of], after, all_of_it) - _share(each[of], done, all_of_it) for each in (amount, fee))
    return part, amounts, fees


def _share(total: Ints, done: Ints, whole: Ints) -> Ints:
    shared: Ints = total // whole * done + total % whole * done // whole
    return shared


def unique_rows(*columns: Ints) -> tuple[Ints, Ints]:
    """Return what rows of columns (not negative) there are (int64[columns, n]), and which of them each row is."""
    code = columns[0]
    for column in columns[1:]:
        numbers, code = np.unique(code, return_inverse=True)
        width = int(column.max()) + 1
        assert numbers.size * width < 2**63, "too many different rows in one piece"
        code = code.reshape(-1) * width + column
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    return np.stack([column[first] for column in columns]), which.reshape(-1)
