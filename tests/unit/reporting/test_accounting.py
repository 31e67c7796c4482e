"""Trades in books, against plain Python with numbers of any size."""

from datetime import UTC, date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.reporting.accounting import Books, days_of, parts_of_fills, unique_rows
from tests.profiles import examples

KEYS = [(1, "EURUSD", "trend"), (1, "EURUSD", "manual"), (2, "GOLD", "trend")]
TRADES = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 2), st.integers(-(10**6), 10**6).filter(bool),
        st.integers(-(10**12), 10**12), st.integers(0, 10**9),
    ),
    min_size=1,
    max_size=30,
)  # fmt: skip


def plain(held, steps, amount):
    """Return steps and cost after a trade, and what it realised."""
    before_steps, before = held
    if before_steps * steps >= 0:
        cost = before - amount
    elif abs(steps) <= abs(before_steps):
        cost = before - before * abs(steps) // abs(before_steps)
    else:
        cost = amount * abs(before_steps) // abs(steps) - amount
    return (before_steps + steps, cost), amount + cost - before


@examples(2.0)
@given(TRADES, st.integers(1, 30))
def test_books_and_days_are_what_plain_arithmetic_gives_however_trades_are_cut(trades, size):
    books, held, days, realised = Books(), dict.fromkeys(range(3), (0, 0)), {}, []
    found, found_days, last = [], {}, None
    for begin in range(0, len(trades), size):
        of, day, *traded = np.array(trades[begin : begin + size], np.int64).T
        last = books.book(KEYS, of, day + 738_000, np.stack(traded))
        found += last.realised.tolist()
        for at, ordinal, row in zip(last.day_books.tolist(), last.days.tolist(), last.of_days.tolist(), strict=True):
            known = found_days.setdefault((at, ordinal - 738_000), [0] * 7)
            found_days[at, ordinal - 738_000] = [a + b for a, b in zip(known[:5], row[:5], strict=True)] + row[5:]
    for book, day, steps, amount, fee in trades:
        held[book], gained = plain(held[book], steps, amount)
        realised.append(gained)
        of_day = days.setdefault((book, day), [0] * 7)
        more = [gained, fee, 1, max(steps, 0), max(-steps, 0)]
        days[book, day] = [a + b for a, b in zip(of_day[:5], more, strict=True)] + list(held[book])
    assert found == realised
    assert found_days == days
    assert [tuple(row[:2]) for row in last.held.tolist()] == list(held.values())
    for book, row in enumerate(last.held.tolist()):
        mine = [gain for gain, trade in zip(realised, trades, strict=True) if trade[0] == book]
        assert row[2:] == [sum(mine), sum(trade[4] for trade in trades if trade[0] == book), len(mine)]


@examples(1.0)
@given(st.lists(st.tuples(st.lists(st.integers(1, 50), min_size=1, max_size=4), st.booleans(), st.integers(-999, 999),
                          st.integers(0, 99)), min_size=1, max_size=5))  # fmt: skip
def test_parts_of_fills_add_up_to_the_fills(fills):
    steps = [[-each if sells else each for each in parts] for parts, sells, *_ in fills]
    of = np.repeat(np.arange(len(fills)), [len(parts) for parts in steps])
    amount, fee = np.array([fill[2:] for fill in fills], np.int64).T
    whole = np.array([sum(parts) for parts in steps])
    part, amounts, fees = parts_of_fills(amount, fee, of, np.concatenate(steps), whole)
    assert part.tolist() == [at for parts in steps for at in range(len(parts))]
    expected = []
    for (_, _, paid, _), parts in zip(fills, steps, strict=True):
        done = np.cumsum([0, *map(abs, parts)]).tolist()
        expected += [paid * b // done[-1] - paid * a // done[-1] for a, b in pairwise(done)]
    assert amounts.tolist() == expected
    assert np.bincount(of, fees).tolist() == fee.tolist()


def test_a_time_is_on_the_day_of_its_zone():
    at_ns = np.array([1_772_409_600 + hour * 3600 for hour in range(0, 24, 5)]) * 10**9
    zones = ["Asia/Tokyo", "America/New_York"]
    for zone, name in enumerate(zones):
        days = days_of(zones, np.full(at_ns.size, zone), at_ns)
        expected = [datetime.fromtimestamp(each // 10**9, UTC).astimezone(ZoneInfo(name)).date() for each in at_ns]
        assert [date.fromordinal(each) for each in days.tolist()] == expected


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 9), st.integers(0, 2**32)), min_size=1, max_size=40))
def test_rows_that_are_there_several_times_are_one(rows):
    found, which = unique_rows(*np.array(rows, np.int64).T)
    assert sorted(map(tuple, found.T.tolist())) == sorted(set(rows))
    assert found.T[which].tolist() == [list(row) for row in rows]


def test_any_number_of_books_can_be_put_as_they_were_before():
    books = Books()
    for number in range(200):
        books.put((number, "I", "s"), [number, 2, 3, 4, 5])
    keys = [(number, "I", "s") for number in range(200)]
    booked = books.book(keys, np.arange(200), np.full(200, 738_000), np.zeros((3, 200), np.int64))
    assert booked.held[:, 0].tolist() == list(range(200))
