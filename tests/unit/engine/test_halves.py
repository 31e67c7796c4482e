"""What is looked at in two halves, one on another core, is what is found in one piece."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.backtest.bars_input import BarsError, check_volume
from apps.backtest.engine import _crossings
from apps.backtest.kernels.checks import first_bad_volume
from apps.backtest.kernels.flips import crossings
from trading.bars import Bars

LINES = st.lists(st.tuples(*[st.sampled_from([1.0, 2.0, np.nan])] * 2), min_size=1, max_size=40)


@given(points=LINES, below=st.sampled_from([0.0, -1.0]))
def test_crossings_are_the_same_where_the_halves_meet(points, below):
    fast, slow = np.array(points).T.copy()
    found = []
    for find in (crossings, lambda fast, slow, *given: _crossings((fast, slow), *given)):
        at, weights = np.empty(fast.size, np.int64), np.empty(fast.size)
        count = find(fast, slow, below, at, weights)
        found.append((at[:count].tolist(), weights[:count].tolist()))
    assert found[0] == found[1]


@given(volumes=st.lists(st.sampled_from([0.0, 5.0, np.nan, -1.0, np.inf, -np.inf]), max_size=12))
def test_the_first_volume_that_cannot_be_is_found(volumes):
    bad = [row for row, volume in enumerate(volumes) if volume < 0.0 or volume == np.inf]
    assert first_bad_volume(np.array(volumes, np.float64)) == (bad[0] if bad else -1)


def test_a_volume_that_cannot_be_is_told_with_its_row():
    ones = np.ones(3)
    bars = Bars(np.arange(3), ones, ones, ones, ones, np.array([1.0, np.nan, -2.0]), interval=1)
    with pytest.raises(BarsError, match="A, row 2: volume is -2"):
        check_volume(bars, "A")
