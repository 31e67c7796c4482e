"""Lots into books, one after the other, by average cost: the arithmetic of execution's own books."""

from typing import Any

from trading.compiled import inner_kernel, kernel

STEPS, COST, REALISED, FEES, FILLS = range(5)
"""What a book holds, in columns: lot steps, what they have cost, what was earned and paid so far, and fills."""
DAY_REALISED, DAY_FEES, DAY_FILLS, DAY_BOUGHT, DAY_SOLD, DAY_STEPS, DAY_COST = range(7)
"""What a book has done on a day, and what it holds at the day's end."""


@kernel
def book(held: Any, days: Any, at: Any, traded: Any, realised: Any) -> None:
    """Book trades in their order into `held` (int64[books, 5]) and `days` (int64[days, 7]).

    `at` is int64[2, trades], the rows of a trade's book and day; `traded` int64[3, trades]: lot steps, the amount that
    came in for them (a purchase's is negative), and the fee. What each realised goes to `realised` (int64[trades]).
    """
    for k in range(at.shape[1]):
        of_book, of_day = held[at[0, k]], days[at[1, k]]
        steps, amount, fee = traded[0, k], traded[1, k], traded[2, k]
        before = of_book[COST]
        if (of_book[STEPS] >= 0 and steps >= 0) or (of_book[STEPS] <= 0 and steps <= 0):
            of_book[COST] -= amount
        elif abs(steps) <= abs(of_book[STEPS]):
            of_book[COST] -= part_of(before, abs(steps), abs(of_book[STEPS]))
        else:
            of_book[COST] = part_of(amount, abs(of_book[STEPS]), abs(steps)) - amount
        realised[k] = amount + of_book[COST] - before
        of_book[STEPS] += steps
        of_book[REALISED] += realised[k]
        of_book[FEES] += fee
        of_book[FILLS] += 1
        of_day[DAY_REALISED] += realised[k]
        of_day[DAY_FEES] += fee
        of_day[DAY_FILLS] += 1
        of_day[DAY_BOUGHT] += max(steps, 0)
        of_day[DAY_SOLD] += max(-steps, 0)
        of_day[DAY_STEPS], of_day[DAY_COST] = of_book[STEPS], of_book[COST]


@inner_kernel
def part_of(total: int, done: int, whole: int) -> int:
    """Return total x done / whole, rounded down, without the product that may not fit; 0 <= done <= whole."""
    return total // whole * done + total % whole * done // whole
