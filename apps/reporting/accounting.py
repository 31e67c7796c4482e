"""What books hold, have paid and have earned, by average cost: the arithmetic of execution's own books.

Money is whole millionths. What is realised by a fill is what it brought less the cost of what it closed, so that at any
time realised - cost is all the cash that came for lots, whatever was rounded on the way.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.reporting.news import Trade

_QUARTER_NS = 900 * 10**9
"""Zones change their offset at quarters of an hour, and days turn there."""

BookKey = tuple[int, str, str]


@dataclass(slots=True)
class Held:
    """What a book of an account holds of an instrument; `cost_micro` is of what is held."""

    steps: int = 0
    cost_micro: int = 0
    realised_micro: int = 0
    fee_micro: int = 0
    fills: int = 0

    def book(self, steps: int, amount_micro: int, fee_micro: int) -> int:
        """Book lots for which an amount came in (a purchase's is negative); return what that realised."""
        before = self.cost_micro
        if self.steps * steps >= 0:
            self.cost_micro -= amount_micro
        elif abs(steps) <= abs(self.steps):
            self.cost_micro -= part_of(before, abs(steps), abs(self.steps))
        else:
            self.cost_micro = part_of(amount_micro, abs(self.steps), abs(steps)) - amount_micro
        realised = amount_micro + self.cost_micro - before
        self.steps += steps
        self.realised_micro += realised
        self.fee_micro += fee_micro
        self.fills += 1
        return realised


@dataclass(slots=True)
class DayOfBook:
    """A day of a book: what it earned then, and what it holds at the end."""

    realised_micro: int = 0
    fee_micro: int = 0
    fills: int = 0
    bought_steps: int = 0
    sold_steps: int = 0
    steps: int = 0
    cost_micro: int = 0


class Booked(NamedTuple):
    """A trade in its book, on its day, with what it realised."""

    trade: Trade
    book: str
    day: date
    realised_micro: int


class Books:
    """Books with trades booked into them; `held` begins as they were before."""

    def __init__(self, held: dict[BookKey, Held]) -> None:
        self.held = held
        self.days: dict[tuple[int, str, str, date], DayOfBook] = {}

    def book(self, trades: Iterable[tuple[Trade, str, str]]) -> list[Booked]:
        """Book trades, each with its book and the zone of its account, in order."""
        return [self._book(trade, book, zone) for trade, book, zone in trades]

    def _book(self, trade: Trade, book: str, zone: str) -> Booked:
        key = trade.account, trade.instrument, book
        held = self.held.get(key)
        if held is None:
            held = self.held[key] = Held()
        realised = held.book(trade.steps, trade.amount_micro, trade.fee_micro)
        day = day_of(zone, trade.at_ns)
        of_day = self.days.get((*key, day))
        if of_day is None:
            of_day = self.days[*key, day] = DayOfBook()
        of_day.realised_micro += realised
        of_day.fee_micro += trade.fee_micro
        of_day.fills += 1
        of_day.bought_steps += max(trade.steps, 0)
        of_day.sold_steps += max(-trade.steps, 0)
        of_day.steps, of_day.cost_micro = held.steps, held.cost_micro
        return Booked(trade, book, day, realised)


def part_of(total: int, done: int, whole: int) -> int:
    """Return total x done / whole, rounded down; 0 <= done <= whole."""
    return total * done // whole


def day_of(zone: str, at_ns: int) -> date:
    """Return which day a time is on in a zone."""
    return _day(zone, at_ns // _QUARTER_NS)


@lru_cache(maxsize=4096)
def _day(zone: str, quarter: int) -> date:
    return datetime.fromtimestamp(quarter * 900, UTC).astimezone(ZoneInfo(zone)).date()
