import warnings
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from apps.backtest.report.picture import write_picture
from tests.unit.report.example_runs import SPY, cross_run, daily_bars, eurusd_bars, two_stocks


@pytest.fixture(autouse=True)
def _strict():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def _drawn(result, tmp_path):
    with Image.open(write_picture(result, tmp_path / "p.png")) as image:
        assert image.size == (1600, 1000)
        return np.asarray(image.convert("RGB"))


def test_picture_shows_curves_trades_and_months(tmp_path):
    pixels = _drawn(cross_run(eurusd_bars(20_000), 60, 250), tmp_path)
    for left, top, right, bottom in (
        (40, 200, 740, 460),
        (40, 470, 740, 560),
        (830, 200, 1530, 560),
        (90, 650, 1500, 960),
    ):
        part = pixels[top:bottom, left:right]
        assert np.unique(part.reshape(-1, 3), axis=0).shape[0] > 10


def test_names_that_look_like_formulas_are_drawn_as_they_are(tmp_path):
    result = cross_run(daily_bars("spy"), instrument=SPY, strategy="cost$\\frac{1$", params={"x_{": "$^"})
    assert _drawn(result, tmp_path).std() > 0


@pytest.mark.parametrize("n", [0, 1, 2])
def test_run_of_hardly_any_bars_is_drawn(n, tmp_path):
    result = cross_run(daily_bars("spy"), instrument=SPY, benchmark=False)
    short = replace(
        result, time=result.time[:n], equity=result.equity[:n], exposure=result.exposure[:n],
        trade_records=result.trade_records[:0], metrics={}, bars=(),
    )  # fmt: skip
    _drawn(short, tmp_path)


def test_run_without_trades_and_with_several_instruments_is_drawn(tmp_path):
    result = two_stocks()
    _drawn(result, tmp_path)
    _drawn(replace(result, trade_records=result.trade_records[:0]), tmp_path)
    _drawn(replace(result, equity=np.full(result.equity.size, 1e5)), tmp_path)
    _drawn(replace(result, metrics={"return_pct": 123_456_789.12, "sharpe": None}), tmp_path)


@pytest.mark.parametrize("times", [1, 1e3, 1e7])
def test_labels_of_a_large_equity_do_not_run_into_the_prices(times, tmp_path):
    result = cross_run(eurusd_bars(2_000), 60, 250)
    pixels = _drawn(replace(result, equity=result.equity * times, benchmark=None), tmp_path)
    assert (pixels[200:450, 815:828] == 255).all()
    assert (pixels[200:450, 745:800] < 128).any()
