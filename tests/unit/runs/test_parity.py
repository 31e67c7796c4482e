from dataclasses import replace

import pytest

from apps.backtest.parity import Case, Fill, ParityError, Traded, checked, compare, told
from apps.backtest.request import Loaded
from trading.instruments import Instrument

CASE = Case(strategy="sma_cross", channels=("X:A",))
FILLS = [Fill(10**9, "X:A", 5, 10**9, 7), Fill(2 * 10**9, "X:A", -5, 2 * 10**9, 7)]


def side(fills: list[Fill] = FILLS, cash: int = 100, equity: int = 100) -> Traded:
    return Traded(list(fills), cash, equity)


def test_the_same_fills_cash_and_equity_are_the_same():
    found = compare(CASE, side(), side())
    assert found.is_same
    assert told(found) == []


@pytest.mark.parametrize(
    "changed", [{"time_ns": 1}, {"instrument": "X:B"}, {"steps": 4}, {"price_e9": 10**9 + 1}, {"fee_micro": 8}]
)
def test_a_fill_that_differs_in_anything_is_found_and_shown_from_both_sides(changed):
    other = [FILLS[0], FILLS[1]._replace(**changed)]
    found = compare(CASE, side(other), side())
    assert found.first == 1
    assert not found.is_same
    lines = "\n".join(told(found))
    assert "fill 2" in lines
    assert "live" in lines
    assert "backtest" in lines


def test_a_fill_too_few_is_a_difference():
    found = compare(CASE, side(FILLS[:1]), side())
    assert found.first == 1
    assert any("no such fill" in line for line in told(found))


@pytest.mark.parametrize("what", ["cash_micro", "equity_micro"])
def test_one_millionth_more_is_a_difference(what):
    found = compare(CASE, replace(side(), **{what: 101}), side())
    assert not found.is_same
    assert any(line.startswith(what.removesuffix("_micro")) for line in told(found))


def test_an_option_that_only_the_backtest_has_is_refused_by_name():
    with pytest.raises(ParityError, match="volume_cap"):
        Case(strategy="sma_cross", channels=("X:A",), options={"volume_cap": 0.1})


def test_an_instrument_without_lots_is_refused():
    loaded = Loaded({}, {"X:A": Instrument(id="X:A", tick_size=0.01)})
    with pytest.raises(ParityError, match="lot step"):
        checked(loaded, [CASE])
