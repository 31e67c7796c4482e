"""The indicators against TA-Lib on real prices.

Tolerances are 1e-9 relative or tighter. Where TA-Lib itself loses digits (its STDDEV, BBANDS and CORREL take the
difference of two running sums) it is relative to the price, or on prices where those digits are not needed; the precise
comparison is in test_rolling.py, against two-pass sums.
"""

import numpy as np
import pytest
import talib
from numpy.testing import assert_allclose

from trading import indicators as ti


def run(kernel, state, *columns):
    return np.array([kernel(state, *values) for values in zip(*(column.tolist() for column in columns), strict=True)])


@pytest.mark.parametrize("window", [1, 2, 10, 50])
def test_sma_is_that_of_talib(prices, window):
    ours = run(ti.sma, ti.sma_state(window), prices.close)
    assert_allclose(ours, talib.MA(prices.close, window, matype=0), rtol=1e-11)


@pytest.mark.parametrize("window", [2, 10, 50])
def test_ema_is_that_of_talib(prices, window):
    assert_allclose(run(ti.ema, ti.ema_state(window), prices.close), talib.EMA(prices.close, window), rtol=1e-14)


@pytest.mark.parametrize("window", [2, 9, 40])
def test_wma_is_that_of_talib(prices, window):
    assert_allclose(run(ti.wma, ti.wma_state(window), prices.close), talib.WMA(prices.close, window), rtol=1e-10)


@pytest.mark.parametrize("window", [2, 14, 30])
def test_rsi_is_that_of_talib(prices, window):
    ours = run(ti.rsi, ti.rsi_state(window), prices.close)
    assert_allclose(ours, talib.RSI(prices.close, window), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("windows", [(12, 26, 9), (3, 10, 4)])
def test_macd_is_that_of_talib(prices, windows):
    ours = run(ti.macd, ti.macd_state(*windows), prices.close)
    assert_allclose(ours.T, talib.MACD(prices.close, *windows), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("windows", [(5, 3, 3), (14, 1, 5), (9, 5, 2)])
def test_stochastic_is_that_of_talib(prices, windows):
    fast_k, slow_k, slow_d = windows
    ours = run(ti.stochastic, ti.stochastic_state(*windows), prices.high, prices.low, prices.close)
    theirs = talib.STOCH(prices.high, prices.low, prices.close, fast_k, slow_k, 0, slow_d, 0)
    assert_allclose(ours.T, theirs, rtol=1e-9, atol=1e-9)


def test_stochastic_without_slowing_is_the_fast_one_of_talib(prices):
    ours = run(ti.stochastic, ti.stochastic_state(5, 1, 3), prices.high, prices.low, prices.close)
    assert_allclose(ours.T, talib.STOCHF(prices.high, prices.low, prices.close, 5, 3, 0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("window", [1, 14, 50])
def test_atr_is_that_of_talib(prices, window):
    ours = run(ti.atr, ti.atr_state(window), prices.high, prices.low, prices.close)
    assert_allclose(ours, talib.ATR(prices.high, prices.low, prices.close, window), rtol=1e-10)


def test_true_range_is_that_of_talib(prices):
    ours = run(ti.true_range, ti.true_range_state(), prices.high, prices.low, prices.close)
    assert_allclose(ours, talib.TRANGE(prices.high, prices.low, prices.close), rtol=1e-9)


@pytest.mark.parametrize("window", [2, 14, 30])
def test_adx_and_its_lines_are_those_of_talib(prices, window):
    ours = run(ti.adx, ti.adx_state(window), prices.high, prices.low, prices.close)
    theirs = [f(prices.high, prices.low, prices.close, window) for f in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI)]
    assert_allclose(ours.T, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("window", [2, 20, 55])
def test_donchian_is_min_and_max_of_talib_to_the_bit(prices, window):
    ours = run(ti.donchian, ti.donchian_state(window), prices.high, prices.low)
    assert np.array_equal(ours[:, 0], talib.MIN(prices.low, window), equal_nan=True)
    assert np.array_equal(ours[:, 2], talib.MAX(prices.high, window), equal_nan=True)


@pytest.mark.parametrize("window", [5, 20, 100])
def test_bollinger_is_that_of_talib_within_its_precision(prices, window):
    ours = run(ti.bollinger, ti.bollinger_state(window), prices.close)
    upper, middle, lower = talib.BBANDS(prices.close, window, 2.0, 2.0, matype=0)
    assert_allclose(ours[:, 1], middle, rtol=1e-11)
    assert_allclose(ours[:, [0, 2]], np.c_[lower, upper], rtol=1e-6 if prices.close[0] < 10 else 1e-9)


@pytest.mark.parametrize("window", [5, 20, 100])
def test_rolling_std_is_that_of_talib_on_share_prices(equities, window):
    ours = run(ti.rolling_std, ti.rolling_std_state(window), equities.close)
    assert_allclose(ours, talib.STDDEV(equities.close, window), rtol=1e-9)


@pytest.mark.parametrize("window", [5, 30, 200])
def test_correlation_is_that_of_talib_on_share_prices(equities, window):
    ours = run(ti.correlation, ti.correlation_state(window), equities.high, equities.low)
    assert_allclose(ours, talib.CORREL(equities.high, equities.low, window), rtol=1e-9)
