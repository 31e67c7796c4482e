"""Grids, ranges and spans as they are typed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.backtest.cli_grid import (
    GridError,
    Span,
    combination,
    parse_assignments,
    parse_grid,
    parse_ranges,
    parse_span,
    size,
)
from apps.signals.interface import StrategyParameterError, get_strategy

SMA = get_strategy("sma_cross")


def test_stop_of_a_range_is_left_out_as_in_python() -> None:
    grid = parse_grid(SMA, ["fast=5:25:1", "slow=30:230:10"])
    assert grid == {"fast": list(range(5, 25)), "slow": list(range(30, 230, 10))}
    assert size(grid) == 400


def test_stop_that_the_steps_do_not_hit_still_bounds_them() -> None:
    assert parse_grid(SMA, ["fast=5:10:2"]) == {"fast": [5, 7, 9]}


@given(start=st.integers(2, 100), length=st.integers(1, 100), step=st.integers(1, 30))
def test_whole_ranges_equal_pythons(start: int, length: int, step: int) -> None:
    assert parse_grid(SMA, [f"fast={start}:{start + length}:{step}"]) == {
        "fast": list(range(start, start + length, step))
    }


def test_decimal_steps_do_not_drift() -> None:
    bollinger = get_strategy("bollinger_reversion")
    width = next(each for each in bollinger.parameters if isinstance(each.default, float))
    grid = parse_grid(bollinger, [f"{width.name}=1.1:1.4:0.1"])
    assert grid == {width.name: [1.1, 1.2, 1.3]}


def test_values_are_listed_with_commas() -> None:
    assert parse_grid(SMA, ["fast=5,8,13", "side=long,both"]) == {"fast": [5, 8, 13], "side": ["long", "both"]}


def test_bare_name_takes_the_declared_values() -> None:
    declared = next(each.sweep for each in SMA.parameters if each.name == "fast")
    assert parse_grid(SMA, ["fast"]) == {"fast": list(declared)}


def test_without_a_grid_every_declared_sweep_is_taken() -> None:
    assert parse_grid(SMA, []) == {each.name: list(each.sweep) for each in SMA.parameters if len(each.sweep) > 1}


@pytest.mark.parametrize(
    "text",
    [
        "fast=5:25:0",
        "fast=25:5:1",
        "fast=5:25:x",
        "fast=5:6:7:8",
        "fast=5,,7",
        "fast=5,5",
        "fast=",
        "=5",
        "fast=1:nan:1",
    ],
)
def test_grid_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(GridError, match="fast|="):
        parse_grid(SMA, [text])


def test_grid_outside_the_parameters_bounds_is_refused_by_name() -> None:
    with pytest.raises(StrategyParameterError, match="fast"):
        parse_grid(SMA, ["fast=-5:25:1"])


def test_grid_of_an_unknown_parameter_names_the_near_one() -> None:
    with pytest.raises(StrategyParameterError, match="fast"):
        parse_grid(SMA, ["fasst=5:25:1"])


def test_endless_grid_is_refused() -> None:
    with pytest.raises(GridError, match="larger step"):
        parse_grid(SMA, ["fast=5:25:0.0000001"])


def test_combinations_count_up_with_the_last_parameter_fastest() -> None:
    grid = {"fast": [5, 6], "slow": [30, 40, 50]}
    found = [tuple(combination(grid, number).values()) for number in range(size(grid))]
    assert found == [(5, 30), (5, 40), (5, 50), (6, 30), (6, 40), (6, 50)]
    assert list(combination(grid, 0)) == ["fast", "slow"]


def test_parameter_given_twice_is_refused() -> None:
    with pytest.raises(GridError, match="twice"):
        parse_assignments(["fast=1", "fast=2"], "param")


def test_ranges_hold_both_ends() -> None:
    assert parse_ranges(SMA, ["fast=5:50"]) == {"fast": (5, 50)}


@pytest.mark.parametrize("text", ["fast=5", "fast=50:5", "fast=5:5", "side=long:both", "fast=5:50:1"])
def test_range_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises((GridError, StrategyParameterError), match="fast|side"):
        parse_ranges(SMA, [text])


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("2y", Span(24, 0)),
        ("6mo", Span(6, 0)),
        ("3w", Span(0, 21)),
        ("10d", Span(0, 10)),
        ("1y6mo", Span(18, 0)),
        ("1Y 2D", Span(12, 2)),
    ],
)
def test_spans_are_read(text: str, span: Span) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize("text", ["", "2", "y", "2m", "0d", "-1y", "2y junk", "1.5y"])
def test_span_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(GridError, match="span"):
        parse_span(text)


@pytest.mark.parametrize(
    ("start", "span", "end"),
    [
        ("2012-01-31T06:00", Span(1, 0), "2012-02-29T06:00"),
        ("2012-02-29", Span(12, 0), "2013-02-28"),
        ("2012-12-15", Span(1, 1), "2013-01-16"),
        ("2012-12-31T23:59", Span(0, 1), "2013-01-01T23:59"),
    ],
)
def test_spans_follow_the_calendar(start: str, span: Span, end: str) -> None:
    assert span.after(np.datetime64(start, "ns")) == np.datetime64(end, "ns")
