"""Axes say what they measure."""

import numpy as np
import pytest

from apps.backtest.report.fan import fan
from apps.backtest.report.inputs import Bands
from apps.backtest.report.plots import value_scale


@pytest.mark.parametrize("most", [1, 2, 3, 7, 10, 11, 180, 1234])
def test_an_axis_that_counts_has_whole_numbers_each_once(most):
    scale = value_scale([0.0, float(most)], decimals=0)
    assert [
        float(text.replace("\N{THIN SPACE}", "").replace("\N{NARROW NO-BREAK SPACE}", "")) for _, text in scale.ticks
    ] == [value for value, _ in scale.ticks]
    assert scale.low == 0.0
    assert scale.high >= most


def test_an_axis_that_measures_may_part_a_unit():
    assert [text for _, text in value_scale([0.0, 1.0]).ticks] == ["0.00", "0.25", "0.50", "0.75", "1.00"]


def test_a_fan_that_is_drawn_at_some_days_counts_all_of_them():
    days = np.array([0, 1800, 3600, 4500])
    drawn = str(fan(Bands(quantiles=(0.5,), values=np.ones((1, 4)), at=days, steps="days")))
    assert "days 4" in drawn
    assert "500:  50" in drawn.replace("\N{NARROW NO-BREAK SPACE}", "").replace("\N{THIN SPACE}", "")
    assert "days 3:" not in drawn


@pytest.mark.parametrize(
    ("most", "labels"),
    [
        (4_000_000, ["0", "1 000 000", "2 000 000", "3 000 000", "4 000 000"]),
        (9_000_000, ["0.0", "2.5 M", "5.0 M", "7.5 M", "10.0 M"]),
        (30_000_000, ["0", "10 M", "20 M", "30 M"]),
        (4e10, ["0", "10 B", "20 B", "30 B", "40 B"]),
    ],
)
def test_labels_of_large_values_are_short(most, labels):
    for decimals in (None, 0):
        found = [text.replace("\u202f", " ") for _, text in value_scale([0.0, most], decimals=decimals).ticks]
        assert found == labels
