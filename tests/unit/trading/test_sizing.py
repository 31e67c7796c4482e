import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trading.costs import Costs
from trading.sizing import (
    ALL_IN,
    EQUAL,
    FIXED_LOTS,
    KELLY,
    PERCENT,
    RISK,
    VOLATILITY,
    WEIGHTS,
    Holding,
    Sizing,
    affordable_lots,
    desired_lots,
    share_of_equity,
    whole_lots,
)
from trading.targets import LOTS, WEIGHT

FREE = Costs(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
FLAT = Holding(equity=10_000.0, held=0.0, lot_value=50.0, stop_value=math.nan, volatility=math.nan, kelly=1.0)


def wanted(rule: int, number: float = math.nan, value: float = 1.0, costs: Costs = FREE, **holding: Any) -> float:
    unit_fee = costs.fee_unit + costs.fee_lot
    lots: float = desired_lots(Sizing(rule, number, 4), costs, FLAT._replace(**holding), WEIGHT, value, unit_fee)
    return lots


def test_each_rule_reads_a_weight_in_its_own_way() -> None:
    assert wanted(WEIGHTS, value=0.5) == 100.0
    assert wanted(ALL_IN, value=0.5) == 100.0
    assert wanted(EQUAL) == 50.0
    assert wanted(PERCENT, 0.3) == 60.0
    assert wanted(FIXED_LOTS, 7.0, value=-2.0) == -14.0
    assert wanted(RISK, 0.01, stop_value=4.0) == 25.0
    assert wanted(VOLATILITY, 0.1, volatility=0.2) == 100.0
    assert wanted(KELLY, 0.5, kelly=0.4) == pytest.approx(40.0)
    assert wanted(KELLY, 4.0, kelly=0.4) == 200.0


def test_what_a_rule_needs_and_does_not_have_cannot_be_sized() -> None:
    assert math.isnan(wanted(RISK, 0.01))
    assert math.isnan(wanted(RISK, 0.01, stop_value=0.0))
    assert math.isnan(wanted(VOLATILITY, 0.1))


def test_zero_and_lots_need_no_rule() -> None:
    assert wanted(RISK, 0.01, value=0.0) == 0.0
    assert desired_lots(Sizing(RISK, 0.01, 1), FREE, FLAT, LOTS, 3.5, 0.0) == 3.5


@pytest.mark.parametrize("rule", [ALL_IN, WEIGHTS, EQUAL, PERCENT, RISK, VOLATILITY, KELLY])
@pytest.mark.parametrize("value", [1.0, -1.0])
def test_no_equity_comes_to_no_position_rather_than_the_other_side(rule: int, value: float) -> None:
    assert wanted(rule, 0.5, value, equity=-500.0, stop_value=5.0, volatility=0.2) == 0.0


@given(
    weight=st.floats(-2.0, 2.0),
    held=st.floats(-150.0, 150.0),
    rate=st.sampled_from([0.0, 0.0005, 0.01]),
    unit_fee=st.sampled_from([0.0, 0.05]),
)
def test_all_in_holds_the_weight_of_the_equity_that_its_fee_leaves(
    weight: float, held: float, rate: float, unit_fee: float
) -> None:
    assume(abs(weight) > 1e-3)
    lots = wanted(ALL_IN, value=weight, costs=FREE._replace(fee_rate=rate, fee_unit=unit_fee), held=held)
    left = FLAT.equity - abs(lots - held) * (rate * FLAT.lot_value + unit_fee)
    assert lots * FLAT.lot_value == pytest.approx(weight * left)


def test_all_in_keeps_the_least_fee_back_and_trades_nothing_for_it_alone() -> None:
    costs = FREE._replace(fee_minimum=10.0)
    assert wanted(ALL_IN, costs=costs) == (10_000 - 10) / 50
    assert wanted(ALL_IN, costs=costs, held=200.0) == 200.0
    assert wanted(ALL_IN, costs=costs, held=199.9) == 199.9
    assert wanted(ALL_IN, costs=costs, held=150.0) == (10_000 - 10) / 50


def test_share_is_what_drift_is_measured_from() -> None:
    for rule, number, share in ((WEIGHTS, 1.0, 0.5), (ALL_IN, 1.0, 0.5), (EQUAL, 1.0, 0.125), (PERCENT, 0.3, 0.15)):
        assert share_of_equity(Sizing(rule, number, 4), 0.5, math.nan, 1.0) == share
    assert share_of_equity(Sizing(VOLATILITY, 0.1, 1), 0.5, 0.2, 1.0) == 0.25
    assert share_of_equity(Sizing(KELLY, 0.5, 1), 0.5, math.nan, 0.2) == pytest.approx(0.05)
    for rule in (FIXED_LOTS, RISK):
        assert math.isnan(share_of_equity(Sizing(rule, 1.0, 1), 0.5, 0.2, 1.0))


@given(
    goal=st.floats(-5000, 5000),
    held=st.floats(-400, 400),
    margin_rate=st.sampled_from([0.1, 0.5, 1.0]),
    lot_fee=st.sampled_from([0.0, 0.2]),
    minimum=st.sampled_from([0.0, 30.0]),
    other=st.sampled_from([0.0, 4000.0]),
)
def test_affordable_lots_never_need_more_margin_than_is_free(
    goal: float, held: float, margin_rate: float, lot_fee: float, minimum: float, other: float
) -> None:
    holding = FLAT._replace(held=held)
    lots = affordable_lots(goal, holding, other, margin_rate, lot_fee, minimum)
    assert lots * goal >= 0.0
    assert abs(lots) <= abs(goal) * (1 + 1e-12)
    grows = goal * held < 0 or abs(goal) > abs(held)
    kept = abs(lots) <= abs(held) * (1 + 1e-12) and lots * held >= 0
    if not grows:
        assert lots == goal
    elif not kept and lots != 0.0:
        fee = max(abs(lots - held) * lot_fee, minimum)
        assert abs(lots) * 50.0 * margin_rate + fee + other <= FLAT.equity * (1 + 1e-8) + 1e-6
        if abs(lots) < abs(goal):
            assert abs(lots) * 50.0 * margin_rate + fee + other == pytest.approx(FLAT.equity)


def test_lots_are_rounded_toward_zero_and_dropped_under_the_least() -> None:
    assert whole_lots(2.97, 0.1, 0.0) == 2.9
    assert whole_lots(-2.97, 0.1, 0.0) == -2.9
    assert whole_lots(0.4, 0.1, 0.5) == 0.0
    assert whole_lots(-0.5, 0.1, 0.5) == -0.5
    assert whole_lots(1.234, 0.0, 0.0) == 1.234
    assert math.isnan(whole_lots(math.nan, 0.1, 0.0))


@pytest.mark.parametrize("held", [0.0, 40.0, -40.0])
def test_what_only_rounding_leaves_of_the_margin_buys_nothing(held: float) -> None:
    margin = 50.0 * max(held, 0.0)
    holding = FLAT._replace(held=held, equity=margin + 1e-11)
    assert affordable_lots(300.0, holding, 0.0, 1.0, 0.0, 0.0) == max(held, 0.0)
