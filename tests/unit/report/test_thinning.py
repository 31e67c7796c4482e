from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from apps.backtest.report.thinning import coarser, extreme_rows
from tests.unit.report.example_runs import eurusd_bars, random_bars
from trading.intervals import MINUTE


@given(curve=arrays(np.float64, st.integers(1, 400), elements=st.floats(-1e6, 1e6)), buckets=st.integers(1, 20))
def test_thinned_curve_keeps_its_ends_and_every_buckets_extremes(curve, buckets):
    rows = extreme_rows([curve], buckets)
    assert rows[0] == 0
    assert rows[-1] == curve.size - 1
    assert np.all(np.diff(rows) > 0)
    assert rows.size <= 3 * buckets + 1
    edges = np.linspace(0, curve.size, buckets + 1).astype(int)
    for begin, end in pairwise(edges):
        if end > begin:
            kept = curve[rows[(rows >= begin) & (rows < end)]]
            assert kept.min() == curve[begin:end].min()
            assert kept.max() == curve[begin:end].max()


def test_curve_that_is_short_enough_is_kept_whole():
    assert extreme_rows([np.arange(10.0)], 5).tolist() == list(range(10))


@pytest.mark.parametrize("limit", [50, 700, 5_000])
def test_coarser_bars_cover_the_same_prices(limit):
    bars = eurusd_bars(9_000)
    fewer = coarser(bars, limit)
    assert len(fewer) <= limit
    assert fewer.open[0] == bars.open[0]
    assert fewer.close[-1] == bars.close[-1]
    assert fewer.high.max() == bars.high.max()
    assert fewer.low.min() == bars.low.min()
    assert np.all(np.diff(fewer.time) > 0)
    assert np.all(
        (fewer.low <= np.minimum(fewer.open, fewer.close)) & (fewer.high >= np.maximum(fewer.open, fewer.close))
    )


def test_a_million_minutes_become_five_minute_bars_on_the_clock():
    fewer = coarser(random_bars(1_000_000), 200_000)
    assert fewer.interval == 5 * MINUTE
    assert len(fewer) == 200_000
    assert np.all(fewer.time % (5 * MINUTE) == 0)
