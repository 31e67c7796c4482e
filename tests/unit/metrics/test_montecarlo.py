"""Paths drawn from a result: repeatable to the bit, and distributed as their source."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.metrics import drawdowns
from trading.montecarlo import (
    RECORDED_STEPS,
    SimulationError,
    bootstrap_returns,
    bootstrap_trades,
    draw_paths,
)

some_returns = st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=50).map(np.array)


def paths_of(returns, restart, seed, paths=8):
    """Every path at every step, and the outcomes."""
    marks = np.arange(returns.size + 1)
    curves, outcomes = np.empty((marks.size, paths)), np.empty((3, paths))
    draw_paths(returns, restart, 252.0, np.uint64(seed), marks, curves, outcomes)
    return curves, outcomes


@given(some_returns, st.integers(0, 2**64 - 1), st.sampled_from([1.0, 0.3, 0.01]))
def test_kernel_gives_the_bits_of_plain_python(returns, seed, restart):
    curves, outcomes = paths_of(returns, restart, seed, 3)
    plain_curves, plain_outcomes = np.empty_like(curves), np.empty_like(outcomes)
    with np.errstate(over="ignore"):
        draw_paths.py_func(
            returns, restart, 252.0, np.uint64(seed), np.arange(returns.size + 1), plain_curves, plain_outcomes
        )
    np.testing.assert_array_equal(curves, plain_curves)
    np.testing.assert_array_equal(outcomes, plain_outcomes)


def test_a_seed_gives_these_bits_on_every_machine():
    returns = np.array([0.5, -0.5, 0.25, -0.25, 0.125, -0.125, 0.0, 1.0])
    curves, _ = paths_of(returns, 0.25, 42, 2)
    assert [x.hex() for x in curves[-1]] == ["0x1.6260000000000p-2", "0x1.09c8000000000p+0"]


def test_generator_is_splitmix64():
    from trading.montecarlo import _GOLDEN, _mix

    state, drawn = np.uint64(1234567), []
    with np.errstate(over="ignore"):
        for _ in range(3):
            state += _GOLDEN
            drawn.append(int(_mix(state)))
    assert drawn == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(some_returns, st.integers(0, 2**32), st.integers(1, 20))
def test_more_paths_begin_with_the_same_ones(returns, seed, paths):
    few, many = bootstrap_trades(returns, paths, seed), bootstrap_trades(returns, paths + 7, seed)
    np.testing.assert_array_equal(few.final, many.final[:paths])
    np.testing.assert_array_equal(few.max_drawdown, many.max_drawdown[:paths])


@given(some_returns, st.integers(0, 2**32))
def test_outcomes_are_those_of_the_paths(returns, seed):
    curves, (final, deepest, sharpe) = paths_of(returns, 0.2, seed)
    np.testing.assert_array_equal(final, curves[-1])
    for path in range(curves.shape[1]):
        values = curves[:, path]
        assert deepest[path] == pytest.approx(-drawdowns(values).min())
        drawn = values[1:] / values[:-1] - 1
        if np.ptp(drawn) > 1e-6:
            assert sharpe[path] == pytest.approx(drawn.mean() / drawn.std(ddof=1) * np.sqrt(252), rel=1e-6, abs=1e-6)


@given(some_returns, st.integers(0, 2**32))
def test_every_drawn_return_is_one_of_the_source(returns, seed):
    curves, _ = paths_of(returns, 0.2, seed)
    drawn = curves[1:] / curves[:-1] - 1
    assert np.abs(drawn[..., None] - returns).min(axis=-1).max() < 1e-12


def test_blocks_keep_returns_in_their_order_and_end_in_a_circle():
    returns = np.linspace(0.01, 0.5, 50)
    curves, _ = paths_of(returns, 1e-12, 3)
    drawn = curves[1:] / curves[:-1] - 1
    for path in drawn.T:
        start = int(np.abs(returns - path[0]).argmin())
        np.testing.assert_allclose(path, np.roll(returns, -start), rtol=1e-12)


def test_blocks_have_the_mean_length_asked_for():
    returns = np.linspace(0.0, 0.5, 200)
    curves, _ = paths_of(returns, 0.1, 5, 200)
    source = np.abs((curves[1:] / curves[:-1] - 1)[..., None] - returns).argmin(axis=-1)
    jumps = (source[1:] != (source[:-1] + 1) % 200).mean()
    assert jumps == pytest.approx(0.1 * 199 / 200, abs=0.006)


def test_independent_draws_have_mean_and_spread_of_the_source():
    returns = np.random.default_rng(7).normal(0.001, 0.02, 400)
    simulation = bootstrap_trades(returns, paths=4000, seed=11)
    logs = np.log(simulation.final)
    source = np.log1p(returns)
    assert logs.mean() == pytest.approx(source.sum(), abs=4 * source.std() * np.sqrt(400 / 4000))
    assert logs.std() == pytest.approx(source.std() * np.sqrt(400), rel=0.05)


def test_bands_are_the_quantiles_over_all_paths_at_each_step():
    returns = np.random.default_rng(1).normal(0, 0.01, 60)
    simulation = bootstrap_returns(returns, paths=200, seed=9, mean_block=4.0)
    curves, _ = paths_of(returns, 0.25, 9, 200)
    assert simulation.steps.tolist() == list(range(61))
    np.testing.assert_array_equal(simulation.bands, np.quantile(curves, simulation.quantiles, axis=1))
    assert (np.diff(simulation.bands, axis=0) >= 0).all()


def test_bands_of_a_long_run_are_recorded_at_a_bounded_number_of_steps():
    simulation = bootstrap_returns(np.random.default_rng(1).normal(0, 0.001, 5000), paths=20, seed=1)
    assert simulation.steps.size == RECORDED_STEPS + 1
    assert (simulation.steps[0], simulation.steps[-1]) == (0, 5000)
    np.testing.assert_array_equal(simulation.bands[:, -1], np.quantile(simulation.final, simulation.quantiles))


def test_ruin_is_for_good():
    curves, (final, deepest, _) = paths_of(np.array([-1.5, 0.5, 0.1]), 1.0, 2, 50)
    ruined = final == 0
    assert ruined.any()
    assert (deepest[ruined] == 1).all()
    assert (curves >= 0).all()


def test_returns_that_are_all_alike_have_no_sharpe_ratio():
    simulation = bootstrap_trades(np.full(30, 0.01), paths=5, seed=1)
    assert np.isnan(simulation.sharpe).all()
    np.testing.assert_allclose(simulation.final, 1.01**30)


@pytest.mark.parametrize(
    ("returns", "options", "complaint"),
    [
        ([0.1], {}, "at least two"),
        ([0.1, np.nan], {}, "finite"),
        ([0.1, 0.2], {"paths": 0}, "paths=0"),
        ([0.1, 0.2], {"seed": -1}, "seed=-1"),
        ([0.1, 0.2], {"seed": 2**64}, "seed="),
        ([0.1, 0.2], {"mean_block": 0.5}, "mean_block=0.5"),
    ],
)
def test_settings_that_draw_nothing_are_refused(returns, options, complaint):
    with pytest.raises(SimulationError, match=complaint):
        bootstrap_returns(np.array(returns), **options)
