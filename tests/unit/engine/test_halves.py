"""What is looked for in one pass, or on another core, is what is found step by step."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.backtest.bars_input import BarsError, check_volume
from apps.backtest.beside import WORTH, beside
from apps.backtest.interface import run
from apps.backtest.kernels.checks import first_bad_volume
from apps.backtest.kernels.flips import crossings
from trading.bars import Bars
from trading.indicators import ema_columns, ema_crossings, sma_columns, sma_crossings
from trading.intervals import MINUTE

FORMS = {"sma": (sma_columns, sma_crossings), "ema": (ema_columns, ema_crossings)}
# Few distinct prices, so that averages are often equal; some so small that numbers have fewer digits there.
CLOSES = st.sampled_from([1.0, 5e-324, 1e-300, 1e290]).flatmap(
    lambda unit: st.lists(
        st.sampled_from([1.0, 1.1, 2.0, 3.0]).map(lambda price: price * unit), min_size=1, max_size=80
    )
)


@pytest.mark.parametrize("form", FORMS)
@given(closes=CLOSES, fast=st.integers(1, 9), slow=st.integers(1, 9), below=st.sampled_from([0.0, -1.0]))
@example(closes=[1.0] * 30, fast=3, slow=5, below=0.0)
def test_crossings_found_in_one_pass_are_those_of_the_columns(form, closes, fast, slow, below):
    columns, in_one_pass = FORMS[form]
    close = np.array(closes)
    lines = np.empty((2, close.size))
    columns(close, fast, lines[0])
    columns(close, slow, lines[1])
    found = []
    for find, given_lines in ((crossings, (lines[0], lines[1])), (in_one_pass, (close, fast, slow))):
        at, weights = np.empty(close.size, np.int64), np.empty(close.size)
        count = find(*given_lines, below, at, weights)
        found.append((at[:count].tolist(), weights[:count].tolist()))
    assert found[0] == found[1]


def long_walk(rows):
    close = 100.0 + np.cumsum(np.random.default_rng(7).standard_normal(rows)) / 1000.0
    return {"time": np.arange(rows) * MINUTE, "open": close, "high": close, "low": close.copy(), "close": close}


def test_bars_that_are_checked_while_they_are_traded_are_refused_all_the_same():
    bars = long_walk(WORTH + 1)
    assert run("sma_cross", bars).n_fills > 0
    bars["low"][WORTH // 2] = np.nan
    with pytest.raises(BarsError, match=f"row {WORTH // 2}: low is nan"):
        run("sma_cross", bars)
    bars["close"][:] = np.nan
    with pytest.raises(BarsError, match="row 0: open is nan"):
        run("sma_cross", bars)


def test_what_is_raised_beside_is_raised_to_whoever_waits():
    def fail():
        raise ValueError("no")

    for rows in (1, WORTH):
        with pytest.raises(ValueError, match="no"):
            beside(rows, fail)()


def test_work_that_no_core_has_begun_is_done_by_whoever_waits():
    """With all other cores held, so that waiting for them would never end."""
    import os
    from threading import Event

    held = Event()
    others = [beside(WORTH, held.wait) for _ in range(os.cpu_count() or 1)]
    assert beside(WORTH, lambda: 5)() == 5
    held.set()
    assert all(wait() for wait in others)


@given(volumes=st.lists(st.sampled_from([0.0, 5.0, np.nan, -1.0, np.inf, -np.inf]), max_size=12))
def test_the_first_volume_that_cannot_be_is_found(volumes):
    bad = [row for row, volume in enumerate(volumes) if volume < 0.0 or volume == np.inf]
    assert first_bad_volume(np.array(volumes, np.float64)) == (bad[0] if bad else -1)


def test_a_volume_that_cannot_be_is_told_with_its_row():
    ones = np.ones(3)
    bars = Bars(np.arange(3), ones, ones, ones, ones, np.array([1.0, np.nan, -2.0]), interval=1)
    with pytest.raises(BarsError, match="A, row 2: volume is -2"):
        check_volume(bars, "A")
