"""What every indicator promises: warm-up, missing values, snapshots, and the same in plain Python and as columns."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading import indicators as ti

HLC = ("high", "low", "close")
# name: (kernel, state, columns taken, first bar with all its values)
INDICATORS = {
    "sma": (ti.sma, lambda: ti.sma_state(5), ("close",), 4),
    "ema": (ti.ema, lambda: ti.ema_state(5), ("close",), 4),
    "wma": (ti.wma, lambda: ti.wma_state(5), ("close",), 4),
    "rsi": (ti.rsi, lambda: ti.rsi_state(5), ("close",), 5),
    "macd": (ti.macd, lambda: ti.macd_state(3, 6, 4), ("close",), 8),
    "stochastic": (ti.stochastic, lambda: ti.stochastic_state(5, 3, 2), HLC, 7),
    "true_range": (ti.true_range, ti.true_range_state, HLC, 1),
    "atr": (ti.atr, lambda: ti.atr_state(5), HLC, 5),
    "adx": (ti.adx, lambda: ti.adx_state(5), HLC, 9),
    "bollinger": (ti.bollinger, lambda: ti.bollinger_state(5), ("close",), 4),
    "donchian": (ti.donchian, lambda: ti.donchian_state(5), ("high", "low"), 4),
    "rolling_max": (ti.rolling_max, lambda: ti.rolling_max_state(5), ("close",), 4),
    "rolling_min": (ti.rolling_min, lambda: ti.rolling_min_state(5), ("close",), 4),
    "rolling_moments": (ti.rolling_moments, lambda: ti.rolling_moments_state(5), ("close",), 4),
    "rolling_std": (ti.rolling_std, lambda: ti.rolling_std_state(5), ("close",), 4),
    "zscore": (ti.zscore, lambda: ti.zscore_state(5), ("close",), 4),
    "correlation": (ti.correlation, lambda: ti.correlation_state(5), ("high", "low"), 4),
    "rolling_vwap": (ti.rolling_vwap, lambda: ti.rolling_vwap_state(5), ("close", "volume"), 4),
    "vwap": (ti.vwap, ti.vwap_state, ("close", "volume", "session"), 0),
}
every_indicator = pytest.mark.parametrize("name", INDICATORS)


@pytest.fixture(scope="module")
def columns(equities):
    table = {name: column[:120] for name, column in equities._asdict().items()}
    return table | {"session": np.arange(120.0) // 30}


def rows(columns, taken):
    return list(zip(*(columns[name].tolist() for name in taken), strict=True))


def run(kernel, state, inputs):
    return [np.array(kernel(state, *values)) for values in inputs]


def test_every_exported_kernel_is_in_the_table():
    kernels = {name for name in ti.__all__ if hasattr(getattr(ti, name), "py_func")}
    assert kernels == {*INDICATORS, "sma_columns", "ema_columns", "sma_crossings", "ema_crossings"}


@every_indicator
def test_values_begin_exactly_at_the_end_of_the_warm_up(name, columns):
    kernel, state, taken, first = INDICATORS[name]
    found = run(kernel, state(), rows(columns, taken))
    assert all(np.isnan(value).any() for value in found[:first])
    assert not any(np.isnan(value).any() for value in found[first:])


@every_indicator
def test_a_missing_value_gives_nan_and_changes_nothing(name, columns):
    kernel, state, taken, _ = INDICATORS[name]
    inputs = rows(columns, taken)
    expected = run(kernel, state(), inputs)
    gapped = state()
    for values, value in zip(inputs, expected, strict=True):
        for position in range(len(taken) if name != "vwap" else 2):
            missing = [np.nan if each == position else x for each, x in enumerate(values)]
            assert np.isnan(kernel(gapped, *missing)).all()
        assert np.array_equal(kernel(gapped, *values), value, equal_nan=True)


@every_indicator
def test_a_copy_of_its_state_goes_on_alike(name, columns):
    kernel, state, taken, _ = INDICATORS[name]
    inputs = rows(columns, taken)
    original = state()
    run(kernel, original, inputs[:57])
    snapshot = copy.deepcopy(original)
    later = run(kernel, original, inputs[57:])
    assert np.array_equal(later, run(kernel, snapshot, inputs[57:]), equal_nan=True)


@every_indicator
def test_compiled_and_plain_python_agree_to_the_bit(name, columns):
    kernel, state, taken, _ = INDICATORS[name]
    inputs = rows(columns, taken)
    assert np.array_equal(run(kernel, state(), inputs), run(kernel.py_func, state(), inputs), equal_nan=True)


@pytest.mark.parametrize("name", ["sma", "ema"])
@given(
    close=st.lists(st.one_of(st.floats(1e-3, 1e6), st.just(np.nan)), max_size=80),
    window=st.integers(1, 20),
)
def test_a_column_is_the_incremental_kernel_to_the_bit(name, close, window):
    column = np.full(len(close), -1.0)
    getattr(ti, f"{name}_columns")(np.array(close), window, column)
    kernel, state = getattr(ti, name), getattr(ti, f"{name}_state")(window)
    assert np.array_equal(column, [kernel(state, x) for x in close], equal_nan=True)


def test_indicators_of_hand_worked_values():
    assert [ti.sma(state, x) for state in [ti.sma_state(2)] for x in (1.0, 3.0, 6.0)][1:] == [2.0, 4.5]
    assert [ti.ema(state, x) for state in [ti.ema_state(3)] for x in (1.0, 2.0, 6.0, 5.0)][2:] == [3.0, 4.0]
    assert [ti.wma(state, x) for state in [ti.wma_state(3)] for x in (1.0, 2.0, 6.0)][2:] == [23 / 6]
    # gains 2, 0 then losses 0, 1: averages 1 and 0.5
    assert [ti.rsi(state, x) for state in [ti.rsi_state(2)] for x in (10.0, 12.0, 11.0)][2:] == [pytest.approx(200 / 3)]


def test_rsi_of_a_market_that_does_not_move_is_neither_high_nor_low():
    state = ti.rsi_state(3)
    assert [ti.rsi(state, 5.0) for _ in range(10)][3:] == [50.0] * 7


def test_macd_refuses_a_fast_average_that_is_not_shorter():
    with pytest.raises(ValueError, match="shorter"):
        ti.macd_state(26, 12, 9)


def test_adx_refuses_a_window_of_one_bar():
    with pytest.raises(ValueError, match="2 bars"):
        ti.adx_state(1)
