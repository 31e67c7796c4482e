"""Intervals of the calendar, in UTC, and the grid of ranges they lay over time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

# TimescaleDB's origin for buckets of days and weeks: a Monday.
ORIGIN: Final = datetime(2000, 1, 3, tzinfo=UTC)
_ORIGIN_MONTH = 2000 * 12
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}


class IntervalError(ValueError):
    """An interval is not written as a whole number of days, weeks, months or years."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A number of days, or a number of calendar months; the other is 0."""

    days: int
    months: int

    @classmethod
    def parse(cls, text: str) -> "Interval":
        """Return the interval that `text` spells, such as "1 year", "3 months" or "7 days"."""
        match = re.fullmatch(r"\s*([1-9]\d{0,3})\s+(day|week|month|year)s?\s*", text)
        if match is None:
            raise IntervalError(
                f"{text!r} is not a number of days, weeks, months or years, such as '1 year' or '7 days'"
            )
        count, unit = int(match[1]), match[2]
        return cls(days=count * _DAYS.get(unit, 0), months=count * _MONTHS.get(unit, 0))

    def floor(self, moment: datetime) -> datetime:
        """Return the beginning of the range that holds `moment`, an aware datetime, in UTC."""
        moment = moment.astimezone(UTC)
        if self.days:
            width = timedelta(days=self.days)
            return ORIGIN + (moment - ORIGIN) // width * width
        return _first_of_month(_ORIGIN_MONTH + (_month_number(moment) - _ORIGIN_MONTH) // self.months * self.months)

    def following(self, beginning: datetime) -> datetime:
        """Return the beginning of the range after the one that begins at `beginning`."""
        if self.days:
            return beginning + timedelta(days=self.days)
        return _first_of_month(_month_number(beginning) + self.months)

    def ranges(self, first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield (beginning, end) of each range from the one that holds `first` to the one that holds `last`."""
        beginning = self.floor(first)
        while beginning <= last:
            end = self.following(beginning)
            yield beginning, end
            beginning = end


def _month_number(moment: datetime) -> int:
    return moment.year * 12 + moment.month - 1


def _first_of_month(number: int) -> datetime:
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)
