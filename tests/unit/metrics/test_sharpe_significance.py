"""The probabilistic and deflated Sharpe ratios, and the normal distribution under them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trading.metrics import deflated_sharpe, deflated_sharpes, probabilistic_sharpe
from trading.metrics.sharpe import expected_max_sharpe, normal_cdf, normal_quantile


@given(st.floats(-38, 8))
def test_normal_distribution_is_that_of_scipy(x):
    assert normal_cdf(x) == pytest.approx(stats.norm.cdf(x), rel=1e-11)


@given(st.floats(1e-300, 1 - 1e-15))
def test_normal_quantile_is_that_of_scipy(p):
    assert normal_quantile(p) == pytest.approx(stats.norm.ppf(p), rel=1e-12, abs=1e-14)
    assert normal_quantile(p) == normal_quantile.py_func(p)


def test_normal_quantile_has_limits():
    assert normal_quantile(0.0) == -math.inf
    assert normal_quantile(1.0) == math.inf
    assert math.isnan(normal_quantile(1.1))
    assert math.isnan(normal_quantile(math.nan))


def test_deflated_sharpe_is_that_of_the_paper():
    # Bailey & López de Prado (2014), numerical example: an annualised Sharpe ratio of 2.5 over 1250 days of 250 a year,
    # skewness -3, kurtosis 10, the best of 100 trials whose variance is 1/2: SR0 = 0.1132 a day, DSR = 0.9004.
    assert expected_max_sharpe(100.0, 0.5) / math.sqrt(250) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(2.5, -3.0, 10.0 - 3.0, 1250.0, 250.0, 100.0, 0.5) == pytest.approx(0.9004, abs=5e-5)


def test_deflation_over_46_trials_is_that_of_the_paper():
    # The same example: had there been 46 trials only, the strategy would have passed at 95 %.
    assert deflated_sharpe(2.5, -3.0, 7.0, 1250.0, 250.0, 46.0, 0.5) == pytest.approx(0.9505, abs=5e-5)


def test_normal_returns_need_less_proof_than_skewed_ones():
    assert probabilistic_sharpe(0.1, 0.0, 0.0, 0.0, 252.0) > probabilistic_sharpe(0.1, 0.0, -2.0, 8.0, 252.0)
    assert probabilistic_sharpe(0.1, 0.1, 0.0, 0.0, 252.0) == 0.5


def test_no_return_proves_nothing():
    assert math.isnan(probabilistic_sharpe(0.1, 0.0, 0.0, 0.0, 1.0))
    assert math.isnan(probabilistic_sharpe(math.nan, 0.0, math.nan, math.nan, 100.0))


def test_one_trial_is_not_deflated():
    assert math.isnan(deflated_sharpe(1.0, 0.0, 0.0, 252.0, 252.0, 1.0, 0.5))


@given(st.lists(st.floats(-3, 3) | st.just(math.nan), min_size=1, max_size=30))
def test_a_sweep_is_deflated_by_its_own_trials(sharpes):
    column = np.array(sharpes)
    out = np.empty(column.size)
    skew, kurtosis, n_returns = np.full(column.size, -0.5), np.full(column.size, 2.0), np.full(column.size, 500.0)
    deflated_sharpes(column, skew, kurtosis, n_returns, 252.0, out)
    found = column[np.isfinite(column)]
    if found.size < 2:
        assert np.isnan(out).all()
        return
    alone = [deflated_sharpe(x, -0.5, 2.0, 500.0, 252.0, found.size, found.var(ddof=1)) for x in column]
    np.testing.assert_allclose(out, alone, rtol=1e-9)
    assert np.isnan(out[np.isnan(column)]).all()
