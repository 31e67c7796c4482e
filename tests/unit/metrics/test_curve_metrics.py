"""The metrics of a curve: worked by hand, at their limits, and by what must hold for every curve."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.metrics import CURVE_KEYS, curve_metrics, drawdowns, period_returns, rolling_sharpe

YEAR = 31_557_600_000_000_000  # 365.25 days, nanoseconds
MONTH = YEAR // 12
UNDEFINED_WITHOUT_SPREAD = ("sharpe", "skew", "kurtosis", "psr")

# Whole basis points: smaller ones would be lost in the rounding of the curve that they make.
returns_of_periods = st.lists(st.integers(-3000, 4000).map(lambda points: points / 10_000), min_size=2, max_size=120)


def curve_of(returns, start=100_000.0):
    return start * np.concatenate(([1.0], np.cumprod(1.0 + np.asarray(returns))))


def test_five_months_by_hand(measure):
    # 100 → 110 → 99 → 99 → 118.8 → 112.86: +10 %, -10 %, 0, +20 %, -5 %
    found = measure([100, 110, 99, 99, 118.8, 112.86], periods_per_year=12, step=MONTH)
    spread = math.sqrt((0.07**2 + 0.13**2 + 0.03**2 + 0.17**2 + 0.08**2) / 4)  # around the mean of 3 %
    downside = math.sqrt((0.10**2 + 0.05**2) / 5)
    assert found["final_equity"] == 112.86
    assert found["n_returns"] == 5
    assert found["return_pct"] == pytest.approx(12.86)
    assert found["cagr_pct"] == pytest.approx(100 * (1.1286 ** (12 / 5) - 1))
    assert found["volatility_pct"] == pytest.approx(100 * spread * math.sqrt(12))
    assert found["sharpe"] == pytest.approx(0.03 / spread * math.sqrt(12))
    assert found["sortino"] == pytest.approx(0.03 / downside * math.sqrt(12))
    assert found["omega"] == pytest.approx(0.30 / 0.15)
    assert found["max_drawdown_pct"] == pytest.approx(10)
    assert found["max_drawdown_days"] == pytest.approx(3 * 365.25 / 12)
    assert found["calmar"] == pytest.approx(found["cagr_pct"] / 10)
    assert found["var_95_pct"] == pytest.approx(10 - 0.2 * 5)  # a fifth of the way from -10 % to -5 %
    assert found["cvar_95_pct"] == pytest.approx(10)


def test_risk_free_rate_is_compounded_down_to_the_period(measure):
    values = [100, 110, 99, 99, 118.8, 112.86]
    monthly = 1.24 ** (1 / 12) - 1
    found = measure(values, periods_per_year=12, risk_free=0.24, step=MONTH)
    excess = np.diff(values) / values[:-1] - monthly
    assert found["sharpe"] == pytest.approx(excess.mean() / excess.std(ddof=1) * math.sqrt(12))
    below = np.minimum(excess, 0)
    assert found["sortino"] == pytest.approx(excess.mean() / math.sqrt((below**2).mean()) * math.sqrt(12))
    assert found["omega"] == pytest.approx(excess[excess > 0].sum() / -below.sum())


def test_growth_is_by_elapsed_time_and_not_by_counting_periods(measure):
    assert measure([100, 105, 121], periods_per_year=252, step=YEAR)["cagr_pct"] == pytest.approx(10)


def test_drawdown_that_never_recovers_lasts_until_the_end(measure):
    assert measure([100, 120, 90, 100, 110, 119])["max_drawdown_days"] == 4
    assert measure([100, 120, 90, 120, 110, 119])["max_drawdown_days"] == 2


def test_touching_the_peak_again_ends_a_drawdown(measure):
    assert measure([100, 99, 100, 99, 100])["max_drawdown_days"] == 2


def test_empty_curve_has_no_metrics(measure):
    found = measure([])
    assert found.pop("n_returns") == 0
    assert all(math.isnan(value) for value in found.values())


def test_one_value_has_no_returns(measure):
    found = measure([100.0])
    assert (found["final_equity"], found["return_pct"], found["max_drawdown_pct"], found["n_returns"]) == (100, 0, 0, 0)
    for key in ("cagr_pct", "volatility_pct", "sortino", "calmar", "omega", "var_95_pct", *UNDEFINED_WITHOUT_SPREAD):
        assert math.isnan(found[key]), key


def test_one_return_has_no_spread(measure):
    found = measure([100.0, 95.0])
    assert found["var_95_pct"] == found["cvar_95_pct"] == pytest.approx(5)
    assert math.isnan(found["volatility_pct"])
    assert math.isnan(found["sharpe"])


@pytest.mark.parametrize("growth", [1.0, 1.0001, 1.01, 1.5, 0.99])
def test_curve_that_grows_evenly_has_no_spread(measure, growth):
    found = measure(100_000.0 * growth ** np.arange(60))
    assert found["volatility_pct"] == 0
    for key in UNDEFINED_WITHOUT_SPREAD:
        assert math.isnan(found[key]), key


def test_curve_that_never_falls_has_no_downside(measure):
    found = measure([100, 101, 103, 104])
    for key in ("sortino", "omega", "calmar"):
        assert math.isnan(found[key]), key
    assert found["max_drawdown_pct"] == found["max_drawdown_days"] == 0
    assert found["sharpe"] > 0


def test_losses_alone_have_an_omega_of_zero(measure):
    found = measure([100, 99, 97, 96])
    assert found["omega"] == 0
    assert found["sharpe"] < 0
    assert found["sortino"] < 0


def test_ruin_ends_the_returns(measure):
    found = measure([100, 110, -20, 30, 60])
    assert found["n_returns"] == 2
    assert found["return_pct"] == pytest.approx(-40)
    assert found["max_drawdown_pct"] == pytest.approx(100 * 130 / 110)
    assert measure([100, 50, 0])["cagr_pct"] == -100
    assert period_returns(np.array([100.0, 110, -20, 30])).tolist() == pytest.approx([0.1, -130 / 110])


def test_curve_without_a_positive_start_has_only_its_end(measure):
    found = measure([0.0, 10.0, 20.0])
    assert found.pop("final_equity") == 20
    assert found.pop("n_returns") == 0
    assert all(math.isnan(value) for value in found.values())


@given(returns_of_periods, st.sampled_from([2.0, 0.001, 3.7, 1e6]))
def test_scale_of_the_account_does_not_matter(measure, returns, scale):
    small, large = measure(curve_of(returns)), measure(scale * curve_of(returns))
    assert large.pop("final_equity") == pytest.approx(scale * small.pop("final_equity"))
    assert large == pytest.approx(small, rel=1e-8, abs=1e-8, nan_ok=True)


@given(returns_of_periods)
def test_every_metric_keeps_its_bounds(measure, returns):
    found = measure(curve_of(returns))
    assert 0 <= found["max_drawdown_pct"] <= 100
    assert 0 <= found["max_drawdown_days"] <= len(returns)
    assert found["cvar_95_pct"] >= found["var_95_pct"] - 1e-12
    assert found["volatility_pct"] >= 0
    assert math.isnan(found["omega"]) or found["omega"] >= 0
    assert math.isnan(found["psr"]) or 0 <= found["psr"] <= 1
    assert math.isnan(found["kurtosis"]) or found["kurtosis"] >= found["skew"] ** 2 - 2 - 1e-6
    assert not any(math.isinf(value) for key, value in found.items() if key != "cagr_pct")


@given(returns_of_periods, st.sampled_from([0.0, 0.03]))
def test_kernel_gives_the_bits_of_plain_python(returns, risk_free):
    values = curve_of(returns)
    time = np.arange(values.size) * MONTH
    compiled, plain = np.empty(len(CURVE_KEYS)), np.empty(len(CURVE_KEYS))
    curve_metrics(values, time, 12.0, risk_free, compiled)
    with np.errstate(all="ignore"):
        curve_metrics.py_func(values, time, 12.0, risk_free, plain)
    np.testing.assert_array_equal(compiled, plain)


@given(st.lists(st.floats(-0.5, 0.5) | st.sampled_from([0.0, -0.1]), min_size=1, max_size=300))
def test_tail_is_that_of_sorted_returns(measure, returns):
    values = curve_of(returns)
    found = measure(values)
    ordered = np.sort(period_returns(values))
    assert found["var_95_pct"] == pytest.approx(-100 * np.quantile(ordered, 0.05), abs=1e-9)
    assert found["cvar_95_pct"] == pytest.approx(-100 * ordered[: int(0.05 * (ordered.size - 1)) + 1].mean(), abs=1e-9)


@given(returns_of_periods)
def test_moments_are_those_of_scipy(measure, returns):
    from scipy import stats

    found = measure(curve_of(returns))
    if np.ptp(returns) == 0:
        assert math.isnan(found["skew"])
        return
    assert found["skew"] == pytest.approx(stats.skew(returns), rel=1e-5, abs=1e-5)
    assert found["kurtosis"] == pytest.approx(stats.kurtosis(returns), rel=1e-5, abs=1e-5)


def test_drawdowns_follow_the_highest_value():
    assert drawdowns(np.array([100.0, 120.0, 90.0, 120.0, 60.0])).tolist() == [0, 0, -0.25, 0, -0.5]
    assert np.isnan(drawdowns(np.array([0.0, -1.0]))).all()


@given(st.lists(st.floats(-0.1, 0.1), min_size=2, max_size=40), st.integers(2, 10))
def test_rolling_sharpe_is_the_sharpe_of_each_window(measure, returns, window):
    values = curve_of(returns)
    found = rolling_sharpe(values, window, 252.0, 0.02)
    assert np.isnan(found[:window]).all()
    for end in range(window, values.size):
        alone = measure(values[end - window : end + 1], risk_free=0.02)["sharpe"]
        assert found[end] == pytest.approx(alone, nan_ok=True)
