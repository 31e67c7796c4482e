import math

import numpy as np
import pytest

from apps.backtest.report import figures


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (1234567.891, 2, "1\u202f234\u202f567.89"),
        (-1234.5, 1, "\u22121\u202f234.5"),
        (-0.001, 2, "0.00"),
        (0.0, 0, "0"),
        (math.nan, 2, "\u2013"),
        (None, 2, "\u2013"),
        (-math.inf, 2, "\u2212∞"),
    ],
)
def test_number_has_thin_grouping_and_a_real_minus_sign(value, decimals, text):
    assert figures.number(value, decimals) == text


def test_percentage_tells_its_sign_also_when_it_is_positive():
    assert figures.percent(12.345) == "+12.35\u202f%"
    assert figures.percent(-12.3, 1) == "\u221212.3\u202f%"
    assert figures.percent(0.0) == "0.00\u202f%"
    assert figures.percent(math.nan) == "\u2013"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (123456.0, "123\u202f456"),
        (1.23456789, "1.235"),
        (0.000123456, "0.0001235"),
        (0.5, "0.5"),
        (12.0, "12"),
        (98765.4321, "98\u202f765"),
    ],
)
def test_figure_of_unknown_size_keeps_four_significant_digits(value, text):
    assert figures.significant(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0\u202fs"), (59, "59\u202fs"), (3600, "1\u202fh"), (93_784, "1\u202fd 2\u202fh"), (86_700, "1\u202fd")],
)
def test_duration_is_told_in_its_two_largest_units(seconds, text):
    assert figures.duration(seconds * 1_000_000_000) == text


def test_prices_keep_the_decimals_they_are_quoted_with():
    assert figures.decimals_of(np.array([1.10505, 1.2])) == 5
    assert figures.decimals_of(np.array([100.0, 101.25])) == 2
    assert figures.decimals_of(np.array([100.0 * math.pi, 271.828182845904])) == 3
    assert figures.decimals_of(np.array([math.nan])) == 2
