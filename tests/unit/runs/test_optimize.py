"""Searches: seeded, pruned, and honest about how often they have looked."""

import math

import numpy as np
import pytest

from apps.backtest.interface import OptionError, run
from apps.backtest.optimize import Search, SearchError, deflated, first_part, search, space_of
from apps.backtest.request import Loaded
from apps.signals.interface import get_strategy
from trading.bars import Bars
from trading.instruments import Instrument
from trading.metrics import deflated_sharpe

DAY = 86_400_000_000_000
SPACE = {"fast": (2, 20), "slow": (21, 80)}


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    """Return four years of days on which a price wanders."""
    rng = np.random.default_rng(5)
    close = 100.0 * np.cumprod(1.0 + rng.normal(0.0004, 0.01, 1000))
    time = np.arange(close.size, dtype=np.int64) * DAY + 1_262_304_000_000_000_000
    return Loaded({"X:A": Bars(time, close, close, close, close, interval=DAY)}, {"X:A": Instrument(id="X:A")})


@pytest.fixture(scope="module")
def found(loaded: Loaded) -> Search:
    """Return a search of 40 trials."""
    return search("sma_cross", loaded, space=SPACE, trials=40, seed=3, fee_bps=5.0)


def test_same_seed_gives_the_same_search(found: Search, loaded: Loaded) -> None:
    again = search("sma_cross", loaded, space=SPACE, trials=40, seed=3, fee_bps=5.0)
    assert again.best == found.best
    assert again.table["fast"] == found.table["fast"]
    assert again.table["state"] == found.table["state"]


def test_other_seed_tries_other_parameters(found: Search, loaded: Loaded) -> None:
    other = search("sma_cross", loaded, space=SPACE, trials=40, seed=4, fee_bps=5.0)
    assert other.table["fast"] != found.table["fast"]


def test_best_is_the_best_of_the_trials_that_ran_to_the_end(found: Search) -> None:
    done = [
        score for score, state in zip(found.table["score"], found.table["state"], strict=True) if state == "complete"
    ]
    assert found.score == max(done)
    assert len(found.table["score"]) == found.trials == 40


def test_result_of_a_search_is_the_plain_run_of_its_best(found: Search, loaded: Loaded) -> None:
    plain = run("sma_cross", loaded.bars, params=found.best, instruments=loaded.instruments, fee_bps=5.0)
    assert plain.equity.tobytes() == found.result.equity.tobytes()
    assert found.score == plain.metrics["sharpe"]


def test_hopeless_trials_are_given_up_early(found: Search) -> None:
    assert 0 < found.pruned < found.trials
    assert found.table["state"].count("pruned") == found.pruned


def test_deflated_sharpe_counts_every_trial(found: Search) -> None:
    metrics = found.result.metrics
    done = [
        sharpe for sharpe, state in zip(found.table["sharpe"], found.table["state"], strict=True) if state == "complete"
    ]
    periods = found.result.manifest["metric_definitions"]["basis"]["periods_per_year"]
    known = [float(metrics[name]) for name in ("sharpe", "skew", "kurtosis", "n_returns")]
    assert metrics["dsr"] == pytest.approx(deflated_sharpe(*known, periods, 40.0, np.var(done, ddof=1)), rel=1e-12)
    few = deflated(metrics, done, 2, periods)
    many = deflated(metrics, done, 4000, periods)
    assert few is not None
    assert many is not None
    assert few > metrics["dsr"] > many


def test_deflated_sharpe_of_a_single_trial_is_not_defined() -> None:
    assert deflated({"sharpe": 1.0, "skew": 0.0, "kurtosis": 0.0, "n_returns": 100}, [1.0], 1, 252.0) is None
    assert deflated({"sharpe": None}, [1.0, 2.0], 2, 252.0) is None


def test_rank_of_which_less_is_better_is_searched_downwards(loaded: Loaded) -> None:
    low = search("sma_cross", loaded, space=SPACE, trials=15, rank="max_drawdown_pct", seed=1)
    done = [score for score, state in zip(low.table["score"], low.table["state"], strict=True) if state == "complete"]
    assert low.score == min(done)


def test_unknown_rank_is_refused_with_the_known_ones(loaded: Loaded) -> None:
    with pytest.raises(OptionError, match="sharpe"):
        search("sma_cross", loaded, space=SPACE, trials=1, rank="sharp")


def test_search_in_which_nothing_trades_is_refused(loaded: Loaded) -> None:
    with pytest.raises(SearchError, match="no trial"):
        search("sma_cross", loaded, space={"slow": [4000, 4500]}, trials=2)


def test_progress_counts_trials(loaded: Loaded) -> None:
    seen: list[tuple[int, int]] = []
    search("sma_cross", loaded, space=SPACE, trials=3, progress=lambda *each: seen.append(each))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_space_is_declared_by_the_strategy_unless_it_is_given() -> None:
    sma = get_strategy("sma_cross")
    declared = {each.name: each.sweep for each in sma.parameters if len(each.sweep) > 1}
    assert space_of(sma, {}, {}) == {
        name: list(sweep) if isinstance(sweep[0], str) else (min(sweep), max(sweep)) for name, sweep in declared.items()
    }
    assert space_of(sma, {"fast": [1, 2]}, {"slow": (5, 9)}) == {"fast": [1, 2], "slow": (5, 9)}
    with pytest.raises(SearchError, match="fast"):
        space_of(sma, {"fast": [1]}, {"fast": (1, 2)})


def test_first_part_ends_at_its_share_of_the_time(loaded: Loaded) -> None:
    part = first_part(loaded, 0.25).bars["X:A"]
    assert len(part) == 250
    assert math.isclose(part.close[0], loaded.bars["X:A"].close[0])
    assert first_part(loaded, 1.0) is loaded
