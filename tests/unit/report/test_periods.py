import numpy as np
import pytest

from apps.backtest.report.periods import daily_curve, monthly_returns, worst_drawdowns, yearly_returns
from tests.unit.report.example_runs import CASH, EURUSD, cross_run, eurusd_bars
from trading.instruments import Instrument

UTC = Instrument("SIM:X")


def _times(*dates):
    return np.array([np.datetime64(date, "ns").astype(np.int64) for date in dates])


@pytest.fixture(scope="module")
def daily():
    result = cross_run(eurusd_bars(20_000), 20, 100)
    return daily_curve(result.time, result.equity, EURUSD, CASH)


def test_month_and_year_returns_compound_to_the_return_of_the_run(daily):
    whole = daily.value[-1] / CASH
    assert np.prod([1 + value for value in monthly_returns(daily).values()]) == pytest.approx(whole)
    assert np.prod([1 + value for value in yearly_returns(daily).values()]) == pytest.approx(whole)


def test_close_at_midnight_belongs_to_the_day_that_it_ends():
    time = _times("2020-01-31T12:00", "2020-02-01T00:00", "2020-02-01T12:00")
    curve = daily_curve(time, np.array([100.0, 110.0, 121.0]), UTC, 100.0)
    assert curve.value.tolist() == [110.0, 121.0]
    months = monthly_returns(curve)
    assert list(months) == [(2020, 1), (2020, 2)]
    assert list(months.values()) == pytest.approx([0.1, 0.1])


def test_session_day_turns_where_the_instrument_says():
    time = _times("2020-01-03T21:30", "2020-01-03T22:30")
    assert daily_curve(time, np.array([1.0, 2.0]), UTC).value.size == 1
    assert daily_curve(time, np.array([1.0, 2.0]), EURUSD).value.size == 2


def test_return_from_a_lost_account_is_not_a_number():
    time = _times("2020-01-31", "2020-02-28", "2020-03-31")
    months = monthly_returns(daily_curve(time, np.array([100.0, 0.0, 0.0]), UTC, 100.0))
    assert np.isnan(list(months.values())).tolist() == [False, False, True]


def test_worst_drawdowns_are_told_with_peak_trough_and_recovery():
    falls = worst_drawdowns(np.array([100.0, 90.0, 95.0, 101.0, 50.5, 60.0]), 5)
    assert [(fall.peak, fall.trough, fall.recovery) for fall in falls] == [(3, 4, None), (0, 1, 3)]
    assert [fall.depth for fall in falls] == pytest.approx([-0.5, -0.1])


def test_deepest_drawdown_is_the_metric(daily):
    depth = cross_run(eurusd_bars(20_000), 20, 100).metrics["max_drawdown_pct"]
    assert -100 * worst_drawdowns(daily.curve, 1)[0].depth == pytest.approx(depth)


def test_curve_that_only_rises_has_no_drawdown():
    assert worst_drawdowns(np.arange(1.0, 9.0), 3) == []
