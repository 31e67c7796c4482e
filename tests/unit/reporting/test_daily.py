"""What days have earned, of many accounts at once, against each account by itself."""

from collections import defaultdict
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from apps.reporting.daily import Turn, days_of, days_of_alike, value_of
from apps.reporting.rates import Rate
from tests.profiles import examples

MONDAY = date(2026, 3, 2)
DAYS = st.integers(0, 12).map(lambda day: MONDAY + timedelta(days=day))
OF_A_DAY = st.tuples(
    st.integers(1, 2), st.integers(-50, 50), st.integers(0, 9), st.sampled_from([-3, 0, 2, 7]), st.integers(-400, 400)
)
ACCOUNTS = st.lists(st.dictionaries(DAYS, OF_A_DAY, min_size=1, max_size=5), min_size=1, max_size=6)
CLOSES = st.dictionaries(DAYS, st.tuples(st.integers(1, 40), st.integers(1, 40)), max_size=8)
RATES = st.dictionaries(DAYS, st.integers(1, 9), max_size=4)


def turns_of(accounts):
    """Return the turns of accounts, as the database counts and sums them."""
    found = defaultdict(list)
    for days in accounts:
        old_day, old_steps, old_cost = None, 0, 0
        for day, (fills, realised, fees, steps, cost) in sorted(days.items()):
            found[day, old_day, old_steps, steps].append((fills, realised, fees, cost, old_cost))
            old_day, old_steps, old_cost = day, steps, cost
    return [Turn(*key, len(rows), *map(sum, zip(*rows, strict=True))) for key, rows in found.items()]


@examples(3.0)
@given(ACCOUNTS, CLOSES, RATES, st.booleans())
def test_days_of_books_that_went_the_same_way_are_the_sums_of_each_by_itself(accounts, closes, rates, has_terms):
    closes = [(day, *quote) for day, quote in sorted(closes.items())]

    def rate_of(day):
        known = [each for each in rates if each <= day]
        return Rate(rates[max(known)], 7) if known else None

    def worth(steps, quote, rate):  # rounded, so that it cannot be told of a sum of steps
        return steps * sum(quote) * rate.top // (2 * rate.bottom)

    value = value_of(worth if has_terms else None, closes, rate_of)
    wanted = {}
    for days in accounts:
        for day, *sums, change in days_of(days, closes, value):
            known = wanted.setdefault(day, [0, 0, 0, 0])
            for at, each in enumerate(sums):
                known[at] += each
            known[3] = None if change is None or known[3] is None else known[3] + change
    found = {day: sums for day, *sums in days_of_alike(turns_of(accounts), closes, value)}
    empty = [0, 0, 0, 0]
    for day in wanted.keys() | found.keys():
        assert found.get(day, empty) == wanted.get(day, empty), day


def test_a_day_without_a_change_is_left_out():
    closes = [(MONDAY + timedelta(days=day), 10, 10) for day in range(5)]
    value = value_of(lambda steps, quote, rate: steps * quote[0], closes, lambda _: Rate(1, 1))
    days = {MONDAY: (1, 0, 0, 5, 50), MONDAY + timedelta(days=3): (1, 7, 0, 0, 0)}
    told = [each.day for each in days_of(days, closes, value)]
    assert told == [MONDAY, MONDAY + timedelta(days=3)]
    assert [each.day for each in days_of_alike(turns_of([days, days]), closes, value)] == told
