"""The metrics against a benchmark: worked by hand, and at their limits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.metrics import BENCHMARK_KEYS, benchmark_metrics

some_returns = st.lists(st.floats(-0.2, 0.2), min_size=3, max_size=60)


def curve_of(returns):
    return 1000.0 * np.concatenate(([1.0], np.cumprod(1.0 + np.asarray(returns))))


def measure(values, benchmark, risk_free=0.0):
    out = np.empty(len(BENCHMARK_KEYS))
    benchmark_metrics(np.asarray(values, float), np.asarray(benchmark, float), 252.0, risk_free, out)
    return dict(zip(BENCHMARK_KEYS, out.tolist(), strict=True))


def test_twice_the_benchmark_has_a_beta_of_two_and_no_alpha():
    market = np.array([0.01, -0.02, 0.015, 0.005])
    found = measure(curve_of(2 * market), curve_of(market))
    assert found["beta"] == pytest.approx(2)
    assert found["alpha"] == pytest.approx(0, abs=1e-12)
    assert found["correlation"] == pytest.approx(1)
    assert found["tracking_error_pct"] == pytest.approx(100 * market.std(ddof=1) * math.sqrt(252))
    assert found["information_ratio"] == pytest.approx(market.mean() / market.std(ddof=1) * math.sqrt(252))
    assert found["benchmark_return_pct"] == pytest.approx(100 * (np.prod(1 + market) - 1))


def test_a_basis_point_a_day_above_the_benchmark_is_an_alpha_compounded_over_a_year():
    market = np.array([0.01, -0.02, 0.015, 0.005])
    found = measure(curve_of(market + 1e-4), curve_of(market))
    assert found["beta"] == pytest.approx(1)
    assert found["alpha"] == pytest.approx(1.0001**252 - 1)


@given(some_returns)
def test_the_benchmark_against_itself_has_neither_alpha_nor_tracking_error(returns):
    found = measure(curve_of(returns), curve_of(returns), 0.02)
    assert found["tracking_error_pct"] == 0
    assert math.isnan(found["information_ratio"])
    if np.ptp(returns) > 1e-6:
        assert found["beta"] == pytest.approx(1)
        assert found["alpha"] == pytest.approx(0, abs=1e-9)


def test_a_constant_benchmark_explains_nothing():
    found = measure([100, 101, 99, 104], [50, 50, 50, 50])
    for key in ("alpha", "beta", "correlation"):
        assert math.isnan(found[key]), key
    assert found["benchmark_return_pct"] == 0


def test_one_return_cannot_be_compared():
    found = measure([100, 101], [50, 55])
    assert found.pop("benchmark_return_pct") == pytest.approx(10)
    assert all(math.isnan(value) for value in found.values())


def test_curves_are_compared_until_the_first_is_ruined():
    ruined = [100, 101, 100, 0, 0, 0]
    market = [100, 102, 101, 90, 95, 99]
    assert measure(ruined, market)["beta"] == measure(ruined[:4], market[:4])["beta"]


@given(some_returns, st.integers(0, 2**32 - 1))
def test_benchmark_kernel_gives_the_bits_of_plain_python(returns, seed):
    market = curve_of(np.random.default_rng(seed).normal(0, 0.01, len(returns)))
    compiled, plain = np.empty(len(BENCHMARK_KEYS)), np.empty(len(BENCHMARK_KEYS))
    benchmark_metrics(curve_of(returns), market, 252.0, 0.01, compiled)
    with np.errstate(all="ignore"):
        benchmark_metrics.py_func(curve_of(returns), market, 252.0, 0.01, plain)
    np.testing.assert_array_equal(compiled, plain)
