"""Courses drawn from a run."""

import numpy as np
import pytest

from apps.backtest.interface import Result, run
from apps.backtest.montecarlo import MonteCarloError, simulate, trade_returns

DAY = 86_400_000_000_000


@pytest.fixture(scope="module")
def result() -> Result:
    """Return a run with some tens of trades."""
    rng = np.random.default_rng(2)
    close = 100.0 * np.cumprod(1.0 + rng.normal(0.0005, 0.01, 900))
    time = np.arange(close.size, dtype=np.int64) * DAY
    bars = {"time": time, "open": close, "high": close, "low": close, "close": close}
    return run("sma_cross", bars, params={"fast": 3, "slow": 9}, cash=5000.0)


@pytest.mark.parametrize("method", ["trades", "blocks"])
def test_same_seed_gives_the_same_bits(result: Result, method: str) -> None:
    one, other = (simulate(result, method, paths=50, seed=9) for _ in range(2))
    assert one.simulation.bands.tobytes() == other.simulation.bands.tobytes()
    assert one.simulation.final.tobytes() != simulate(result, method, paths=50, seed=8).simulation.final.tobytes()


def test_trades_compound_to_the_equity_that_closed_trades_left(result: Result) -> None:
    returns = trade_returns(result, 5000.0)
    closed = result.trade_records[result.trade_records["is_open"] == 0]
    assert returns.size == closed.size
    last = result.equity[closed["exit_bar"][-1]]
    assert 5000.0 * np.prod(1.0 + returns) == pytest.approx(last, rel=1e-9)


def test_daily_returns_compound_to_the_final_equity(result: Result) -> None:
    course = simulate(result, "blocks", paths=5)
    assert course.start == 5000.0
    assert course.start * np.prod(1.0 + course.returns) == pytest.approx(result.final_equity, rel=1e-9)


def test_probabilities_are_shares_of_the_paths(result: Result) -> None:
    course = simulate(result, "blocks", paths=400, seed=1)
    found = course.probabilities((5.0, 20.0), ruin_pct=10.0)
    assert list(found) == ["loss", "ruin_10_pct", "drawdown_over_5_pct", "drawdown_over_20_pct"]
    final, fall = course.simulation.final, course.simulation.max_drawdown
    assert found["loss"] == sum(each < 1.0 for each in final) / 400
    assert found["ruin_10_pct"] == sum(each <= 0.9 for each in final) / 400
    assert found["drawdown_over_5_pct"] == sum(each > 0.05 for each in fall) / 400
    assert found["drawdown_over_5_pct"] >= found["drawdown_over_20_pct"]


def test_quantiles_rise(result: Result) -> None:
    rows = list(simulate(result, "trades", paths=200).quantiles().values())
    for name in ("final_equity", "return_pct", "max_drawdown_pct", "sharpe"):
        values = [row[name] for row in rows]
        assert values == sorted(values)


def test_outcome_for_the_report_begins_with_the_cash(result: Result) -> None:
    outcome = simulate(result, "trades", paths=20).outcome("sma_cross", {})
    assert (outcome.bands.values[:, 0] == 5000.0).all()
    assert outcome.bands.actual is not None
    assert outcome.bands.actual[0] == 5000.0
    assert outcome.final_equity.size == 20


def test_run_without_trades_is_refused(result: Result) -> None:
    flat = {name: np.full(100, 10.0) for name in ("open", "high", "low", "close")}
    with pytest.raises(MonteCarloError, match="closed trades"):
        simulate(run("sma_cross", flat), "trades")
