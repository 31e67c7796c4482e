"""The arithmetic under the limits, against Python's whole numbers of any size."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.risk.contracts import INSTRUMENT_LIMITS, Level, Limits, RefusalReason, TradingState
from apps.risk.kernels import reasons, records
from apps.risk.kernels.arithmetic import billionths_of, is_above, share_e9
from apps.risk.kernels.rates import count_in_window, count_order

E9 = 10**9
amounts = st.one_of(st.integers(0, 10**6), st.integers(0, 2**60 - 1), st.integers(0, 60).map(lambda bits: 2**bits - 1))


@given(amounts, amounts, amounts)
def test_products_are_compared_exactly(part, bound, whole):
    assert is_above(part, bound, whole) == (part * E9 > bound * whole)


@given(st.integers(0, 2**53 - 1), st.integers(1, 2**58), st.integers(-2, 2))
def test_products_that_nearly_agree_are_told_apart(bound, whole, more):
    part = bound * whole // E9 + more
    if 0 <= part < 2**60:
        assert is_above(part, bound, whole) == (part * E9 > bound * whole)


@given(st.integers(0, 2**60 - 1), st.integers(1, 2**59))
def test_shares_are_rounded_up(part, whole):
    exact = -(-part * E9 // whole)
    assert share_e9(part, whole) == (exact if part // whole < 2**62 // E9 else 2**62)


@given(st.integers(0, 2**58), st.integers(0, E9))
def test_billionths_are_rounded_up(amount, rate):
    assert billionths_of(amount, rate) == -(-amount * rate // E9)


@given(st.lists(st.integers(0, 400_000_000), max_size=60), st.integers(1, 5))
def test_no_second_ever_has_more_orders_than_its_bound(gaps, bound):
    rates, times, now = np.zeros(records.RATE_FIELDS, np.int64), [], 1_700_000_000 * E9
    for gap in gaps:
        now += gap
        bucket = now // records.SECOND_BUCKET_NS
        if count_in_window(rates, records.SECOND_RATE, bucket) < bound:
            count_order(rates, records.SECOND_RATE, bucket)
            times.append(now)
        else:
            assert sum(1 for each in times if each > now - 1.1 * E9) >= bound, "refused without need"
    for first in times:
        assert sum(1 for each in times if first <= each < first + E9) <= bound


@given(st.lists(st.integers(0, 80), max_size=80))
def test_counts_are_those_of_the_buckets_that_a_window_touches(buckets):
    rates, counted, newest = np.zeros(records.RATE_FIELDS, np.int64), [], 0
    for bucket in buckets:
        newest = max(newest, bucket)
        count_order(rates, records.MINUTE_RATE, bucket)
        counted.append(newest)
        for at in (bucket, newest, newest + 3, newest + 30):
            expected = sum(1 for each in counted if each > max(at, newest) - records.BUCKETS)
            assert count_in_window(rates, records.MINUTE_RATE, at) == expected
    assert not rates[: records.MINUTE_RATE].any()


def test_kernels_know_the_numbers_of_the_contracts():
    numbers = {name: value for name, value in vars(reasons).items() if isinstance(value, int)}
    assert numbers == {name: RefusalReason[name] for name in numbers}
    assert {*numbers.values(), *reasons.LOSS_REASONS} == set(RefusalReason)
    assert tuple(TradingState) == (records.ACTIVE, records.REDUCING, records.HALTED)
    for level in Level:
        assert getattr(records, level.name) == level


def test_kernels_know_the_order_of_the_limits():
    fields = list(Limits.__struct_fields__)
    known = {
        "position_steps_max": records.POSITION, "order_steps_max": records.ORDER,
        "order_notional_micro_max": records.NOTIONAL, "collar_e9_max": records.COLLAR,
        "price_age_ns_max": records.PRICE_AGE, "gross_micro_max": records.GROSS, "net_micro_max": records.NET,
        "leverage_e9_max": records.LEVERAGE, "margin_e9_max": records.MARGIN,
        "orders_per_second_max": records.PER_SECOND, "orders_per_minute_max": records.PER_MINUTE,
        "flatten_on_stop": records.FLATTEN,
    }  # fmt: skip
    losses = {
        ("balance_" if "BALANCE" in RefusalReason(reason).name and "DRAWDOWN" in RefusalReason(reason).name else "")
        + RefusalReason(reason).name.lower().removeprefix("balance_") + "_e9_max": records.LOSS + at
        for at, reason in enumerate(reasons.LOSS_REASONS)
    }  # fmt: skip
    assert {**known, **losses} == {name: at for at, name in enumerate(fields)}
    assert fields[INSTRUMENT_LIMITS] == "gross_micro_max"
    assert len(fields) == records.LIMIT_FIELDS
