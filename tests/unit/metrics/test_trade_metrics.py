"""The metrics of round trips and of the books: worked by hand, and at their limits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.metrics import (
    TRADE_KEYS,
    trade_metrics,
    turnover,
)

DAY = 86_400_000_000_000
pnls = st.lists(st.floats(-1e6, 1e6) | st.just(0.0), min_size=1, max_size=80)


def test_six_trades_by_hand(measure_trades):
    pnl = [100, -50, -30, 200, -20, 0]
    found = measure_trades(pnl, [0.10, -0.05, -0.03, 0.20, -0.02, 0.0], [1, 2, 3, 4, 5, 9])
    assert found["n_trades"] == 6
    assert found["win_rate_pct"] == pytest.approx(100 * 2 / 6)
    assert found["profit_factor"] == pytest.approx(300 / 100)
    assert found["expectancy"] == pytest.approx(200 / 6)
    assert found["avg_trade_pct"] == pytest.approx(20 / 6)
    assert found["avg_win"] == 150
    assert found["avg_loss"] == pytest.approx(-100 / 3)
    assert found["payoff"] == pytest.approx(4.5)
    assert found["sqn"] == pytest.approx(math.sqrt(6) * np.mean(pnl) / np.std(pnl, ddof=1))
    assert found["longest_losing_run"] == 2
    assert found["avg_bars_held"] == 4


def test_no_trade_has_only_its_count(measure_trades):
    found = measure_trades([])
    assert found.pop("n_trades") == 0
    assert all(math.isnan(value) for value in found.values())


def test_losers_alone_have_a_profit_factor_of_zero(measure_trades):
    found = measure_trades([-5.0, -6.0, -7.0])
    assert found["profit_factor"] == found["win_rate_pct"] == 0
    assert found["longest_losing_run"] == 3
    assert math.isnan(found["avg_win"])
    assert math.isnan(found["payoff"])


def test_winners_alone_have_no_profit_factor(measure_trades):
    found = measure_trades([5.0, 6.0])
    assert found["win_rate_pct"] == 100
    assert found["longest_losing_run"] == 0
    assert math.isnan(found["profit_factor"])
    assert math.isnan(found["payoff"])


def test_trades_that_are_all_alike_have_no_sqn(measure_trades):
    assert math.isnan(measure_trades([0.1, 0.1, 0.1])["sqn"])
    assert math.isnan(measure_trades([0.1])["sqn"])


@given(pnls)
def test_trade_metrics_keep_their_bounds(measure_trades, pnl):
    found = measure_trades(pnl)
    assert 0 <= found["win_rate_pct"] <= 100
    assert min(pnl) - 1e-6 <= found["expectancy"] <= max(pnl) + 1e-6
    assert 0 <= found["longest_losing_run"] <= len(pnl)
    assert math.isnan(found["profit_factor"]) or found["profit_factor"] >= 0


@given(pnls)
def test_trade_kernel_gives_the_bits_of_plain_python(pnl):
    amounts = np.array(pnl)
    held = np.arange(amounts.size, dtype=np.int64)
    compiled, plain = np.empty(len(TRADE_KEYS)), np.empty(len(TRADE_KEYS))
    trade_metrics(amounts, amounts / 1e6, held, compiled)
    with np.errstate(all="ignore"):
        trade_metrics.py_func(amounts, amounts / 1e6, held, plain)
    np.testing.assert_array_equal(compiled, plain)


def test_buying_and_selling_all_equity_once_a_year_is_a_turnover_of_one():
    time = np.array([0, int(365.25 * DAY), int(2 * 365.25 * DAY)])
    values = np.array([100.0, 100.0, 100.0])
    assert turnover(400.0, values, time) == pytest.approx(1.0)
    assert math.isnan(turnover(400.0, values[:1], time[:1]))
    assert math.isnan(turnover(400.0, values, np.zeros(3, np.int64)))
    assert math.isnan(turnover(400.0, -values, time))
