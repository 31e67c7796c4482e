"""On real prices, every metric whose definition agrees with empyrical's has its value."""

import empyrical
import numpy as np
import pytest

from trading.metrics import BENCHMARK_KEYS, benchmark_metrics, drawdowns

SYMBOLS = ("spy", "aapl", "bac", "eem")


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("risk_free", [0.0, 0.03])
def test_ratios_of_real_closes_are_those_of_empyrical(measure, daily_closes, symbol, risk_free):
    closes = daily_closes(symbol)
    returns = closes[1:] / closes[:-1] - 1
    rate = 1.03 ** (1 / 252) - 1 if risk_free else 0.0
    found = measure(closes, risk_free=risk_free)
    assert found["sharpe"] == pytest.approx(empyrical.sharpe_ratio(returns, rate), rel=1e-9)
    assert found["sortino"] == pytest.approx(empyrical.sortino_ratio(returns, rate), rel=1e-9)
    assert found["omega"] == pytest.approx(empyrical.omega_ratio(returns, rate), rel=1e-9)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_risk_of_real_closes_is_that_of_empyrical(measure, daily_closes, symbol):
    closes = daily_closes(symbol)
    returns = closes[1:] / closes[:-1] - 1
    found = measure(closes)
    assert found["return_pct"] == pytest.approx(100 * empyrical.cum_returns_final(returns))
    assert found["volatility_pct"] == pytest.approx(100 * empyrical.annual_volatility(returns))
    assert found["max_drawdown_pct"] == pytest.approx(-100 * empyrical.max_drawdown(returns))
    assert found["var_95_pct"] == pytest.approx(-100 * empyrical.value_at_risk(returns))
    assert found["cvar_95_pct"] == pytest.approx(-100 * empyrical.conditional_value_at_risk(returns))
    assert drawdowns(closes).min() == pytest.approx(empyrical.max_drawdown(returns))


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_growth_is_that_of_empyrical_where_a_year_has_as_many_periods(measure, daily_closes, symbol):
    # empyrical counts periods; with values a 252nd of 365.25 days apart both measure the same time.
    closes = daily_closes(symbol)
    returns = closes[1:] / closes[:-1] - 1
    found = measure(closes, step=31_557_600_000_000_000 // 252)
    assert found["cagr_pct"] == pytest.approx(100 * empyrical.cagr(returns), rel=1e-9)
    assert found["calmar"] == pytest.approx(empyrical.calmar_ratio(returns), rel=1e-9)


@pytest.mark.parametrize("symbol", ["aapl", "bac"])
@pytest.mark.parametrize("risk_free", [0.0, 0.03])
def test_alpha_and_beta_to_spy_are_those_of_empyrical(daily_closes, symbol, risk_free):
    values, benchmark = daily_closes(symbol), daily_closes("spy")
    n = min(values.size, benchmark.size)
    values, benchmark = values[-n:], benchmark[-n:]
    ours, theirs = (x[1:] / x[:-1] - 1 for x in (values, benchmark))
    rate = (1 + risk_free) ** (1 / 252) - 1
    out = np.empty(len(BENCHMARK_KEYS))
    benchmark_metrics(values, benchmark, 252.0, risk_free, out)
    found = dict(zip(BENCHMARK_KEYS, out, strict=True))
    alpha, beta = empyrical.alpha_beta_aligned(ours, theirs, risk_free=rate)
    assert found["alpha"] == pytest.approx(alpha, rel=1e-8)
    assert found["beta"] == pytest.approx(beta, rel=1e-9)
    assert found["information_ratio"] == pytest.approx(empyrical.excess_sharpe(ours, theirs) * np.sqrt(252), rel=1e-9)
    assert found["correlation"] == pytest.approx(np.corrcoef(ours, theirs)[0, 1])
