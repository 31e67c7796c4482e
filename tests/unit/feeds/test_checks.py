"""Which records are let in: each reason by example, and what holds for every file by property."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.feeds.checks import check_records
from apps.feeds.records import ASK, BID, COLUMNS, OHLC, Kind, Reason, Records
from tests.profiles import examples
from trading.intervals import HOUR

READ = {Kind.BARS: COLUMNS[Kind.BARS], Kind.QUOTES: BID + ASK, Kind.TICKS: ("bid", "ask")}


def walk(count: int, kind: Kind = Kind.BARS, seed: int = 1) -> Records:
    """Good records: a random walk with returns of 1 %."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, count)))
    bar = np.array([close, close * 1.01, close * 0.99, close])
    values = {
        Kind.BARS: lambda: np.concatenate([bar, np.full((1, count), 5.0)]),
        Kind.QUOTES: lambda: np.concatenate([bar, bar + 0.01, np.full((1, count), np.nan)]),
        Kind.TICKS: lambda: np.array([close, close + 0.01, np.full(count, np.nan), np.full(count, np.nan)]),
    }[kind]()
    return Records(kind, np.arange(count) * HOUR, values, np.arange(2, count + 2))


def reasons(records: Records, **options: float) -> dict[int, Reason]:
    _, rejects = check_records(records, READ[records.kind], **options)
    return {reject.line: reject.reason for reject in rejects}


@pytest.mark.parametrize("kind", list(Kind))
def test_good_records_pass_untouched(kind: Kind) -> None:
    records = walk(500, kind)
    kept, rejects = check_records(records, READ[kind])
    assert rejects == []
    assert np.array_equal(kept.values, records.values, equal_nan=True)


@pytest.mark.parametrize(
    ("kind", "column", "value", "reason"),
    [
        (Kind.BARS, "open", np.nan, Reason.NAN),
        (Kind.BARS, "volume", np.nan, Reason.NAN),
        (Kind.BARS, "high", np.inf, Reason.INFINITE),
        (Kind.BARS, "volume", np.inf, Reason.INFINITE),
        (Kind.BARS, "low", 0.0, Reason.NOT_POSITIVE),
        (Kind.BARS, "close", -1.0, Reason.NOT_POSITIVE),
        (Kind.BARS, "volume", -1.0, Reason.NEGATIVE_VOLUME),
        (Kind.BARS, "high", 50.0, Reason.HIGH_LOW),
        (Kind.BARS, "open", 150.0, Reason.HIGH_LOW),
        (Kind.BARS, "close", 50.0, Reason.HIGH_LOW),
        (Kind.BARS, "low", 150.0, Reason.HIGH_LOW),
        (Kind.QUOTES, "ask_close", np.nan, Reason.NAN),
        (Kind.QUOTES, "ask_low", 150.0, Reason.HIGH_LOW),
        (Kind.QUOTES, "bid_high", 110.0, Reason.CROSSED),
        (Kind.TICKS, "bid", np.nan, Reason.NAN),
        (Kind.TICKS, "ask", -np.inf, Reason.INFINITE),
        (Kind.TICKS, "bid", 0.0, Reason.NOT_POSITIVE),
        (Kind.TICKS, "bid", 101.0, Reason.CROSSED),
    ],
)
def test_one_wrong_value_is_one_record_with_its_reason(kind: Kind, column: str, value: float, reason: Reason) -> None:
    records = walk(100, kind)
    records.values[:, 40] = records.values[:, 0]
    prices = records.values[: len(OHLC)] if kind is Kind.BARS else records.values[:4]
    records.values[: prices.shape[0], 40] *= 100.0 / records.values[0, 40]
    if kind is not Kind.BARS:
        records.values[:, 40] = walk(1, kind, seed=3).values[:, 0] / walk(1, kind, seed=3).values[0, 0] * 100.0
    records.column(column)[40] = value
    assert reasons(records) == {42: reason}


def test_the_detail_names_column_and_values() -> None:
    records = walk(10)
    records.column("high")[3] = 1.5
    _, rejects = check_records(records, READ[Kind.BARS])
    assert "high 1.5 is below low" in rejects[0].detail


def test_the_first_of_two_records_of_one_time_is_kept() -> None:
    records = walk(20)
    records.time[11] = records.time[10]
    assert reasons(records) == {13: Reason.DUPLICATE}


def test_ticks_may_share_a_time() -> None:
    records = walk(20, Kind.TICKS)
    records.time[5:9] = records.time[5]
    assert reasons(records) == {}


@pytest.mark.parametrize("wrong", [-HOUR, 10_000 * HOUR])
def test_one_wrong_time_costs_one_record_wherever_it_points(wrong: int) -> None:
    records = walk(100)
    records.time[50] = wrong
    assert reasons(records) == {52: Reason.OUT_OF_ORDER}


def test_a_block_that_lies_at_the_wrong_place_is_left_out() -> None:
    records = walk(100)
    records.time = np.concatenate([records.time[10:], records.time[:10]])
    assert reasons(records) == dict.fromkeys(range(92, 102), Reason.OUT_OF_ORDER)


def test_a_price_that_leaves_and_comes_back_is_a_jump() -> None:
    records = walk(100)
    records.values[:4, 50] *= 10.0
    assert reasons(records) == {52: Reason.JUMP}
    assert reasons(records, max_jump_sigmas=np.inf) == {}


def test_a_level_that_stays_is_none() -> None:
    records = walk(100)
    records.values[:4, 50:] *= 0.25  # a split
    assert reasons(records) == {}


def test_a_last_price_that_leaves_waits_for_the_next() -> None:
    records = walk(100)
    records.values[:4, 99] *= 10.0
    assert reasons(records) == {101: Reason.JUMP}
    records.values[:4, 98] *= 10.0
    assert reasons(records) == {}


def test_a_first_price_off_all_others_is_a_jump() -> None:
    records = walk(100)
    records.values[:4, 0] *= 10.0
    assert reasons(records) == {2: Reason.JUMP}


def test_an_open_far_off_the_closes_beside_it_is_a_jump() -> None:
    records = walk(100)
    records.column("open")[50] *= 10.0
    records.column("high")[50] *= 10.0
    assert reasons(records) == {52: Reason.JUMP}


def test_several_bad_prices_in_a_row_are_jumps_and_the_next_good_one_is_not() -> None:
    records = walk(100)
    records.values[:4, 50:53] *= 10.0
    assert reasons(records) == {52: Reason.JUMP, 53: Reason.JUMP, 54: Reason.JUMP}


def test_a_low_far_off_open_and_close_is_a_jump() -> None:
    records = walk(100)
    records.column("low")[50] /= 20.0
    assert reasons(records) == {52: Reason.JUMP}
    assert reasons(records, max_jump_sigmas=500.0) == {}


def test_too_few_records_are_not_judged_by_sigmas() -> None:
    records = walk(20)
    records.values[:4, 10] *= 10.0
    assert reasons(records) == {}


PRICE = st.one_of(
    st.floats(min_value=0.5, max_value=2.0),
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-300, 1e300]),
)


@st.composite
def bars(draw: st.DrawFn) -> Records:
    count = draw(st.integers(min_value=0, max_value=60))
    time = draw(st.lists(st.integers(min_value=-5, max_value=80), min_size=count, max_size=count))
    rows = draw(st.lists(st.tuples(*[PRICE] * 5), min_size=count, max_size=count))
    values = np.array(rows, np.float64).reshape(count, 5).T.copy()
    return Records(Kind.BARS, np.array(time, np.int64) * HOUR, values, np.arange(1, count + 1))


@given(bars())
def test_what_is_kept_is_sound_and_every_record_is_kept_or_rejected_once(records: Records) -> None:
    lines = sorted(records.line.tolist())
    kept, rejects = check_records(records, READ[Kind.BARS], 8.0)
    assert sorted(kept.line.tolist() + [reject.line for reject in rejects]) == lines
    assert (np.diff(kept.time) > 0).all()
    opened, high, low, close, volume = kept.values
    assert np.isfinite(kept.values[:4]).all()
    assert (kept.values[:4] > 0).all()
    assert ((high >= np.maximum(opened, close)) & (low <= np.minimum(opened, close))).all()
    assert np.isnan(volume).all() or (np.isfinite(volume) & (volume >= 0)).all()


@examples(0.6)
@given(bars())
def test_what_was_kept_is_kept_again(records: Records) -> None:
    kept, _ = check_records(records, READ[Kind.BARS], np.inf)
    again, rejects = check_records(kept, READ[Kind.BARS], np.inf)
    assert rejects == []
    assert np.array_equal(again.line, kept.line)


@examples(0.6)
@given(st.lists(st.integers(min_value=0, max_value=30), min_size=1, max_size=9, unique=True))
def test_no_more_records_than_needed_are_out_of_order(times: list[int]) -> None:
    records = walk(len(times))
    records.time = np.array(times, np.int64)
    kept, _ = check_records(records, READ[Kind.BARS])
    falling = sum(later < earlier for earlier, later in itertools.pairwise(times))
    given = times[::-1] if falling > len(times) // 2 else times
    best = max(
        (chosen).bit_count()
        for chosen in range(1 << len(given))
        if (part := [time for place, time in enumerate(given) if chosen >> place & 1]) == sorted(part)
    )
    assert len(kept) == best
