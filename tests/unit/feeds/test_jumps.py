"""Prices that leave and come back, told while they come."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.feeds.jumps import JumpGuard


def walk(seed: int, count: int = 400) -> np.ndarray:
    return 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, 1e-4, count)))


def test_a_price_that_leaves_and_comes_back_is_wrong_and_the_others_are_not():
    prices = walk(1)
    prices[[200, 300]] *= (10.0, 0.5)
    assert np.flatnonzero(JumpGuard().check(prices)).tolist() == [200, 300]


def test_a_new_level_that_stays_is_let_in_with_its_third_price():
    prices = walk(2)
    prices[300:] *= 0.5
    assert np.flatnonzero(JumpGuard().check(prices)).tolist() == [300, 301]


def test_before_anything_is_known_of_what_is_usual_everything_is_let_in():
    assert not JumpGuard().check(np.array([1.0, 100.0, 1.0])).any()
    guard = JumpGuard(np.inf)
    prices = walk(3)
    prices[300] *= 10.0
    assert not guard.check(prices).any()


@given(
    seed=st.integers(0, 2**32), bad=st.lists(st.integers(0, 399), max_size=12), step=st.sampled_from([0.1, 0.9, 7.0])
)
def test_what_is_told_of_a_price_does_not_depend_on_how_they_are_cut(seed, bad, step):
    prices = walk(seed)
    prices[bad] *= step
    prices[350:] *= 2.0
    rng = np.random.default_rng(seed)
    guard, at, parts = JumpGuard(), 0, []
    while at < prices.size:
        stop = at + int(rng.integers(1, 90))
        parts.append(guard.check(prices[at:stop]))
        at = stop
    np.testing.assert_array_equal(np.concatenate(parts), JumpGuard().check(prices))


@pytest.mark.parametrize("count", [0, 1])
def test_few_prices_are_no_problem(count):
    assert JumpGuard().check(np.ones(count)).tolist() == [False] * count
