import math
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.money import LARGEST, add_amounts, multiple, on_step, to_step, to_tick, whole_amount

MILLIONTH = Decimal("0.000001")
MOST = int(LARGEST * 1_000_000)


@given(st.floats(-1e9, 1e9))
def test_amount_is_rounded_half_even_to_a_millionth(amount: float) -> None:
    # Scaled as the kernel does it: the product with a million is what is rounded.
    expected = Decimal(amount * 1_000_000.0).quantize(Decimal(1), ROUND_HALF_EVEN) * MILLIONTH
    assert whole_amount(amount) == float(expected)


@pytest.mark.parametrize(
    ("amount", "rounded"), [(0.0000005, 0.0), (0.0000015, 2e-6), (-0.0000025, -2e-6), (1 / 3, 0.333333)]
)
def test_halves_go_to_the_even_millionth(amount: float, rounded: float) -> None:
    assert whole_amount(amount) == rounded


@given(st.lists(st.integers(-MOST // 50, MOST // 50), max_size=50))
def test_whole_amounts_sum_without_an_error(millionths: list[int]) -> None:
    total = 0.0
    for each in millionths:
        total = add_amounts(total, each / 1e6)
    assert total == sum(millionths) / 1e6


@given(st.integers(-MOST, MOST))
def test_every_whole_amount_up_to_the_largest_is_told_apart(millionths: int) -> None:
    assert int(np.rint(millionths / 1e6 * 1e6)) == millionths


@given(st.integers(0, 10**9), st.sampled_from([0.01, 0.1, 0.25, 1.0, 5.0, 0.001, 100.0]))
def test_whole_steps_stay_what_they_are(count: int, step: float) -> None:
    whole = multiple(count, step)
    assert to_step(whole, step) == whole
    assert on_step(whole, step) == whole
    assert to_tick(whole, step, 1) == to_tick(whole, step, -1) == to_tick(whole, step, 0) == whole
    assert whole == float(Decimal(count) * Decimal(repr(step)))


@given(st.floats(1e-3, 1e6), st.sampled_from([0.01, 0.1, 0.25, 1.0, 5.0]))
def test_steps_round_toward_zero_and_ticks_against_the_taker(number: float, step: float) -> None:
    slack = 1e-8 * step
    assert number - step - slack < to_step(number, step) <= number + slack
    assert number - slack <= to_tick(number, step, 1) < number + step + slack
    assert number - step - slack < to_tick(number, step, -1) <= number + slack
    assert abs(to_tick(number, step, 0) - number) <= step / 2 + slack


def test_decimals_are_the_nearest_floats() -> None:
    assert multiple(3, 0.1) == 0.3
    assert 3 * 0.1 != 0.3
    assert on_step(0.3 - 0.1, 0.1) == 0.2


def test_without_a_step_nothing_is_rounded() -> None:
    assert to_step(1.2345, 0.0) == on_step(1.2345, 0.0) == to_tick(1.2345, 0.0, 1) == 1.2345
    assert math.isnan(to_tick(math.nan, 0.01, 1))
