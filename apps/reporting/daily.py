"""What a book's days have earned: for one account, and for all accounts whose books have gone the same way.

A book is valued on the days on which it was traded, and on those that its instrument has a close of. What is unknown is
unknown before the first close, or the first rate, and never after.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import NamedTuple

from apps.reporting.rates import Rate

Close = tuple[date, int, int]
"""(day, bid, ask)"""
ValueOf = Callable[[int, date], int | None]
"""What lot steps are worth on a day, in micro units; None: nobody knows."""


class Earned(NamedTuple):
    """What a day has earned; `change` is that of unrealised profit, None where a price is missing."""

    day: date
    fills: int
    realised: int
    fees: int
    change: int | None


class Turn(NamedTuple):
    """So many `accounts` were traded on a day whose books had held the same since the same day, and do again.

    `old_day` is when they were traded before, None: never. Sums are of all of them.
    """

    day: date
    old_day: date | None
    old_steps: int
    steps: int
    accounts: int
    fills: int
    realised: int
    fees: int
    cost: int
    old_cost: int


def value_of(
    worth: Callable[[int, tuple[int, int], Rate], int] | None,
    closes: Sequence[Close],
    rate_of: Callable[[date], Rate | None],
) -> ValueOf:
    """Return what values steps by the last close of a day and its rate; `worth` is None where no terms are known."""
    days = [day for day, _, _ in closes]

    @cache
    def price_of(day: date) -> tuple[tuple[int, int], Rate] | None:
        at = bisect_right(days, day)
        rate = rate_of(day)
        return (closes[at - 1][1:], rate) if at and rate else None

    @cache
    def value(steps: int, day: date) -> int | None:
        if not steps:
            return 0
        price = price_of(day)
        return None if worth is None or price is None else worth(steps, *price)

    return value


def days_of(days: Mapping[date, tuple[int, ...]], closes: Sequence[Close], value: ValueOf) -> Iterator[Earned]:
    """Yield the days of one book, those without change left out. `days`: (fills, realised, fees, steps, cost)."""
    first = min(days)
    steps = cost = before = 0
    for day in sorted({*days, *(each for each, _, _ in closes if each >= first)}):
        fills, realised, fees, steps, cost = days.get(day, (0, 0, 0, steps, cost))
        worth = value(steps, day)
        if worth is None:
            yield Earned(day, fills, realised, fees, None)
            continue
        now = worth - cost if steps else 0
        if fills or now != before:
            yield Earned(day, fills, realised, fees, now - before)
        before = now


def days_of_alike(turns: Sequence[Turn], closes: Sequence[Close], value: ValueOf) -> Iterator[Earned]:
    """Yield the sums of what `days_of` yields of each of the books that turns are of, day by day."""
    by_day: dict[date, list[Turn]] = {}
    for turn in turns:
        by_day.setdefault(turn.day, []).append(turn)
    first, close_days = min(by_day), {day for day, _, _ in closes}
    held = _Held(value)
    for day in sorted({*by_day, *(each for each in close_days if each >= first)}):
        today = by_day.get(day, [])
        changes = [held.turned(turn) for turn in today]
        if day in close_days:
            changes += held.valued(day)
        for turn in today:
            held.take(turn)
        told = [each for each in changes if each != 0]
        if told or any(turn.fills for turn in today):
            known = [each for each in told if each is not None]
            change = sum(known) if len(known) == len(told) else None
            fills, realised = sum(turn.fills for turn in today), sum(turn.realised for turn in today)
            yield Earned(day, fills, realised, sum(turn.fees for turn in today), change)


@dataclass(slots=True)
class _Sum:
    count: int = 0
    cost: int = 0


class _Held:
    """What accounts hold: how many of them as much, valued on the same day last."""

    def __init__(self, value: ValueOf) -> None:
        self._value = value
        self._sums: dict[int, dict[date, _Sum]] = {}
        self._valued_on: date | None = None

    def turned(self, turn: Turn) -> int | None:
        """Let go of what accounts held before a turn; return by how much unrealised profit changes, None: unknown."""
        before = 0
        if turn.old_day is not None and turn.old_steps:
            valued_on = max(turn.old_day, self._valued_on or turn.old_day)
            of_old = self._sums[turn.old_steps][valued_on]
            of_old.count -= turn.accounts
            of_old.cost -= turn.old_cost
            before = self._unrealised(turn.old_steps, valued_on, _Sum(turn.accounts, turn.old_cost)) or 0
        now = self._unrealised(turn.steps, turn.day, _Sum(turn.accounts, turn.cost))
        return None if now is None else now - before

    def valued(self, day: date) -> list[int | None]:
        """Value on the day of a close what is held; return the changes."""
        changes: list[int | None] = []
        for steps, by_day in self._sums.items():
            there = _Sum()
            for valued_on, each in by_day.items():
                if each.count:
                    now, before = self._unrealised(steps, day, each), self._unrealised(steps, valued_on, each)
                    changes.append(None if now is None else now - (before or 0))
                    there.count += each.count
                    there.cost += each.cost
            self._sums[steps] = {day: there}
        self._valued_on = day
        return changes

    def take(self, turn: Turn) -> None:
        """Take up what accounts hold after a turn."""
        if turn.steps:
            there = self._sums.setdefault(turn.steps, {}).setdefault(turn.day, _Sum())
            there.count += turn.accounts
            there.cost += turn.cost

    def _unrealised(self, steps: int, day: date, of: _Sum) -> int | None:
        worth = self._value(steps, day)
        return None if worth is None else of.count * worth - of.cost if steps else 0
