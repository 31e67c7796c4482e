"""Windows against NumPy's two-pass sums, where running sums would have gone wrong."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from numpy.testing import assert_allclose

from trading import indicators as ti

WINDOW = 20


def run(kernel, state, *columns):
    return np.array([kernel(state, *values) for values in zip(*(column.tolist() for column in columns), strict=True)])


def windows(values, window=WINDOW):
    return sliding_window_view(values, window)


def test_std_of_eurusd_is_that_of_two_passes(eurusd):
    ours = run(ti.rolling_std, ti.rolling_std_state(WINDOW), eurusd.close)[WINDOW - 1 :]
    assert_allclose(ours, windows(eurusd.close).std(axis=1), rtol=1e-11, atol=1e-16)


def test_std_of_tiny_moves_around_a_large_mean_keeps_its_digits():
    values = 1e6 + np.random.default_rng(7).integers(-8, 9, 5_000) * 2.0**-20
    ours = run(ti.rolling_std, ti.rolling_std_state(WINDOW), values)[WINDOW - 1 :]
    # Exact in integers: the oracle sees the moves alone.
    assert_allclose(ours, windows(values - 1e6).std(axis=1), rtol=2e-5)


def test_std_forgets_an_outlier_with_the_bar_on_which_it_leaves():
    values = 1.1 + np.random.default_rng(3).normal(0, 1e-4, 300)
    values[100] = 1e9
    ours = run(ti.rolling_std, ti.rolling_std_state(WINDOW), values)
    assert ours[119] > 1e8
    assert_allclose(ours[120:], windows(values).std(axis=1)[101:], rtol=1e-9)


def test_std_of_equal_values_is_exactly_zero_and_their_zscore_undefined():
    values = np.full(100, 1.1)
    assert np.all(run(ti.rolling_std, ti.rolling_std_state(7), values)[6:] == 0.0)
    assert np.isnan(run(ti.zscore, ti.zscore_state(7), values)).all()


def test_std_takes_its_divisor_from_ddof():
    ours = run(ti.rolling_std, ti.rolling_std_state(4, ddof=1), np.array([1.0, 2.0, 3.0, 4.0]))
    assert_allclose(ours[-1], np.sqrt(5 / 3), rtol=1e-15)
    with pytest.raises(ValueError, match="ddof=1"):
        ti.rolling_std_state(1, ddof=1)


def test_zscore_is_the_distance_from_the_mean_in_deviations(eurusd):
    close = eurusd.close[:5_000]
    seen = windows(close)
    expected = (close[WINDOW - 1 :] - seen.mean(axis=1)) / seen.std(axis=1)
    assert_allclose(run(ti.zscore, ti.zscore_state(WINDOW), close)[WINDOW - 1 :], expected, rtol=1e-9, atol=1e-9)


def test_correlation_of_eurusd_is_that_of_numpy(eurusd):
    high, low = eurusd.high[:3_000], eurusd.low[:3_000]
    ours = run(ti.correlation, ti.correlation_state(WINDOW), high, low)[WINDOW - 1 :]
    pairs = zip(windows(high), windows(low), strict=True)
    assert_allclose(ours, [np.corrcoef(one, other)[0, 1] for one, other in pairs], rtol=1e-8, atol=1e-10)


def test_correlation_with_a_constant_is_undefined():
    moving = np.arange(50.0)
    ours = run(ti.correlation, ti.correlation_state(10), moving, np.ones(50))
    assert np.isnan(ours).all()
    assert_allclose(run(ti.correlation, ti.correlation_state(10), moving, -3 * moving)[9:], -1.0, rtol=1e-14)


@numba.njit
def _last(kernel, state, values, turns):
    result = np.nan
    for _ in range(turns):
        for value in values:
            result = kernel(state, value)
    return result


@pytest.mark.parametrize(
    ("kernel", "state", "expected"),
    [
        (ti.sma, ti.sma_state(50), lambda last: last.mean()),
        (ti.wma, ti.wma_state(50), lambda last: np.average(last, weights=np.arange(1, 51))),
        (ti.rolling_std, ti.rolling_std_state(50), lambda last: last.std()),
        (ti.rolling_max, ti.rolling_max_state(50), lambda last: last.max()),
        (ti.rolling_min, ti.rolling_min_state(50), lambda last: last.min()),
    ],
    ids=["sma", "wma", "rolling_std", "rolling_max", "rolling_min"],
)
def test_ten_million_values_leave_no_drift(kernel, state, expected):
    values = 1.1 + np.random.default_rng(11).normal(0, 1e-4, 100_003)
    assert_allclose(_last(kernel, state, values, 100), expected(values[-50:]), rtol=1e-11)


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), window=st.integers(1, 12))
def test_every_window_is_the_reduction_of_its_last_values(values, window):
    state = [ti.rolling_max_state(window), ti.rolling_min_state(window), ti.wma_state(window), ti.sma_state(window)]
    for count, value in enumerate(values, 1):
        found = [f(s, value) for f, s in zip((ti.rolling_max, ti.rolling_min, ti.wma, ti.sma), state, strict=True)]
        if count < window:
            assert np.isnan(found).all()
            continue
        last = np.array(values[count - window : count])
        weighted = np.average(last, weights=np.arange(1, window + 1))
        assert found[:2] == [last.max(), last.min()]
        assert_allclose(found[2:], [weighted, last.mean()], rtol=1e-9, atol=1e-8)


def test_session_vwap_starts_anew_with_the_session():
    state = ti.vwap_state()
    assert ti.vwap(state, 10.0, 2.0, 1.0) == 10.0
    assert ti.vwap(state, 16.0, 1.0, 1.0) == 12.0
    assert ti.vwap(state, 30.0, 5.0, 2.0) == 30.0


def test_session_vwap_has_no_value_before_any_volume():
    state = ti.vwap_state()
    assert np.isnan(ti.vwap(state, 10.0, 0.0, 1.0))
    assert ti.vwap(state, 11.0, 4.0, 1.0) == 11.0


def test_rolling_vwap_is_traded_value_over_volume_of_the_window(prices):
    ours = run(ti.rolling_vwap, ti.rolling_vwap_state(WINDOW), prices.close, prices.volume)[WINDOW - 1 :]
    traded = windows(prices.close * prices.volume).sum(axis=1) / windows(prices.volume).sum(axis=1)
    assert_allclose(ours, traded, rtol=1e-12)


def test_rolling_vwap_of_a_window_without_volume_is_undefined():
    price, volume = np.arange(1.0, 9.0), np.array([0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 0.0, 5.0])
    ours = run(ti.rolling_vwap, ti.rolling_vwap_state(3), price, volume)
    assert np.isnan(ours[5:7]).all()
    assert ours[7] == 8.0
