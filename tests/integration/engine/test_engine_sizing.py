"""From weights to lots: the sizing rules, when the price is taken, what margin allows, and what a drift does."""

import numpy as np
import pytest

from apps.backtest.interface import Result
from tests.integration.engine.scripted import (
    HOUR_NS,
    bars_of,
    fills,
    fills_by_channel,
    flat,
    limit,
    lots,
    quotes_of,
    trade,
    trade_several,
    weight,
)
from trading.instruments import Instrument

CASH = 100_000.0


def noted(result: Result, text: str) -> bool:
    return any(text in note for note in result.notes)


def quantities(result: Result) -> list[float]:
    return [fill[1] for fill in fills(result)]


@pytest.mark.parametrize(
    ("sizing", "expected"),
    [
        ("all-in", 0.5 * CASH / 100),
        ("weights", 0.5 * CASH / 100),
        ("equal", 0.5 * CASH / 100),
        ("percent:30", 0.5 * 0.30 * CASH / 100),
        ("lots:40", 0.5 * 40),
        ("risk:2", 0.5 * 0.02 * CASH / 4.0),
        ("kelly:0.6", 0.5 * 0.6 * CASH / 100),
    ],
)
def test_weight_of_a_half_comes_to_lots_by_the_rule(sizing: str, expected: float) -> None:
    for sign in (1, -1):
        result = trade(flat(100, 3), {0: weight(sign * 0.5, stop_loss=100 - sign * 4.0)}, sizing=sizing)
        assert quantities(result) == pytest.approx([sign * expected])


@pytest.mark.parametrize("sizing", ["all-in", "weights", "percent:30", "lots:40", "risk:2", "vol:15", "kelly:0.6"])
def test_lots_are_lots_whatever_the_sizing(sizing: str) -> None:
    assert quantities(trade(flat(100, 3), {0: lots(7.5)}, sizing=sizing)) == [7.5]


@pytest.mark.parametrize("fee", [{"fee_bps": 5.0}, {"fee_per_share": 0.02}, {"fee_bps": 5.0, "fee_per_lot": 0.1}])
def test_all_in_spends_all_cash_with_the_fee(fee: dict[str, float]) -> None:
    result = trade(flat(100, 3), {0: weight(1.0)}, **fee)
    assert result.fill_records["cash"] == pytest.approx([0.0], abs=1e-7)
    assert result.final_equity == pytest.approx(CASH - result.metrics["fees_paid"])
    if fee == {"fee_bps": 5.0}:
        assert quantities(result) == [CASH / (100 * 1.0005)]


def test_all_in_keeps_the_least_fee_back() -> None:
    result = trade(flat(100, 3), {0: weight(1.0)}, fee_minimum=50.0)
    assert result.fill_records["cash"] == pytest.approx([0.0], abs=1e-9)
    assert quantities(result) == pytest.approx([(CASH - 50) / 100])


def test_all_in_turns_round_into_the_weight_of_what_is_left() -> None:
    result = trade(flat(100, 5), {0: weight(1.0), 2: weight(-1.0)}, fee_bps=10.0)
    record = result.fill_records[-1]
    equity = record["cash"] + record["position"] * 100
    assert record["position"] * 100 == pytest.approx(-equity)


def test_weight_without_equity_for_the_fee_buys_nothing() -> None:
    for sizing in ("all-in", "weights"):
        assert fills(trade(flat(100, 3), {0: weight(1.0)}, cash=5.0, fee_minimum=10.0, sizing=sizing)) == []


def test_least_fee_counts_against_margin() -> None:
    result = trade(flat(100, 3), {0: weight(1.0)}, sizing="weights", fee_minimum=50.0)
    assert quantities(result) == pytest.approx([(CASH - 50) / 100])


def test_risk_without_a_stop_loss_is_not_traded_and_said() -> None:
    result = trade(flat(100, 3), {0: weight(1.0)}, sizing="risk:1")
    assert fills(result) == []
    assert noted(result, "1 targets could not be sized")


def test_risk_is_what_the_stop_loses() -> None:
    rows = [*flat(100, 2), (100, 100, 90, 95)]
    result = trade(rows, {0: weight(1.0, stop_loss=96.0)}, sizing="risk:1")
    assert result.final_equity == pytest.approx(0.99 * CASH)


def test_volatility_sizing_holds_the_volatility_of_the_last_sixty_returns() -> None:
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.standard_normal(80) * 0.02))
    bars = bars_of(np.column_stack([close] * 4))
    result = trade(bars, {70: weight(1.0)}, sizing="vol:10", leverage=5.0)
    known = np.diff(np.log(close[:71]))[-60:]
    expected = 0.10 / (known.std(ddof=1) * np.sqrt(365)) * CASH / close[71]
    assert quantities(result) == pytest.approx([expected])


def test_volatility_of_each_channel_is_of_its_own_bars_whatever_the_others_intervals() -> None:
    rng = np.random.default_rng(4)
    days = 100 * np.exp(np.cumsum(rng.standard_normal(70) * 0.02))
    hours = 100 * np.exp(np.cumsum(rng.standard_normal(70 * 24) * 0.003))
    bars = {
        "V:D": bars_of(np.column_stack([days] * 4)),
        "V:H": bars_of(np.column_stack([hours] * 4), interval=HOUR_NS),
    }
    decided = 65 * 24
    for channel, close, known, a_year in ((0, days, 66, 365), (1, hours, decided + 1, 365 * 24)):
        result = trade_several(bars, {(decided, channel): weight(1.0)}, sizing="vol:10", leverage=9.0)
        deviation = np.diff(np.log(close[:known]))[-60:].std(ddof=1) * np.sqrt(a_year)
        bought = [fill[2] for fill in fills_by_channel(result)]
        assert bought == pytest.approx([0.10 / deviation * CASH / close[known]]), channel


def test_volatility_that_is_not_known_yet_is_not_traded_and_said() -> None:
    result = trade(flat(100, 5), {0: weight(1.0)}, sizing="vol:10")
    assert fills(result) == []
    assert noted(result, "could not be sized")


def test_kelly_share_of_the_closed_trades_caps_the_weight_from_the_twentieth_on() -> None:
    rows, script = [], {}
    for k in range(44):  # in turn: in at 100, out at 92 or 110
        rows += flat(100.0 if k % 2 == 0 else 110.0 if k % 4 == 1 else 92.0)
        script[k] = weight(0.001 if k % 2 else 0.0, version=k + 1)
    script[43] = weight(1.0, version=100)
    result = trade([*rows, *flat(100)], script, sizing="kelly:0.5")
    closes = int((result.fill_records["quantity"] < 0).sum())
    returns = np.array([0.10 if k % 2 else -0.08 for k in range(closes)])
    share = 0.5 * returns.mean() / (returns**2).mean()
    last = result.fill_records[-1]
    assert closes >= 20
    assert 0.1 < share < 0.9
    assert last["quantity"] * last["price"] / result.equity[-2] == pytest.approx(share)


def test_lots_follow_from_the_price_of_the_fill_or_of_the_decision() -> None:
    bars = [*flat(100), *flat(125)]
    assert quantities(trade(bars, {0: weight(0.5)})) == [400.0]
    assert quantities(trade(bars, {0: weight(0.5)}, size_at="decision")) == [500.0]


def test_order_that_a_gap_has_made_too_dear_is_cut_to_the_margin_and_said() -> None:
    result = trade([*flat(100), *flat(125)], {0: weight(1.0)}, size_at="decision")
    assert quantities(result) == pytest.approx([800.0])
    assert noted(result, "1 orders were cut")


def test_decision_is_sized_at_what_a_taker_would_pay_at_that_close() -> None:
    bars = quotes_of([*flat(100), *flat(110)], 25.0)
    assert quantities(trade(bars, {0: weight(0.5)}, size_at="decision")) == [400.0]
    assert quantities(trade(bars, {0: weight(-0.5)}, size_at="decision")) == [-500.0]


def test_limit_order_of_a_decision_is_sized_at_its_limit() -> None:
    bars = [*flat(100), (100, 100, 78, 80)]
    assert quantities(trade(bars, {0: weight(0.4, entry=1, price=80.0)}, size_at="decision")) == [500.0]


def test_lots_beyond_the_margin_are_cut() -> None:
    result = trade(flat(100, 3), {0: lots(5000)})
    assert quantities(result) == [1000.0]
    assert quantities(trade(flat(100, 3), {0: lots(-5000)}, leverage=2.0)) == [-2000.0]


def test_cut_orders_stay_whole_lots() -> None:
    result = trade(flat(333, 3), {0: lots(5000)}, instruments=Instrument("V:L", lot_step=7.0))
    assert quantities(result) == [294.0]


def test_instruments_own_margin_rate_may_be_stricter_than_the_leverage() -> None:
    strict = Instrument("V:M", margin_rate=0.5)
    assert quantities(trade(flat(100, 3), {0: lots(9000)}, instruments=strict, leverage=10.0)) == [2000.0]


def test_position_may_always_be_made_smaller() -> None:
    bars = [*flat(100, 2), *flat(60, 4)]
    result = trade(bars, {0: lots(2000), 3: lots(1500)}, leverage=2.0, margin_call=0.0)
    assert quantities(result) == [2000.0, -500.0]


def test_margin_call_closes_a_levered_long_position() -> None:
    bars = [*flat(100, 2), (100, 100, 70, 70), *flat(70, 3)]
    result = trade(bars, {0: weight(3.0, version=1)}, leverage=4.0, sizing="weights")
    # equity 10,000 at 70; margin 3,000 x 70 / 4 = 52,500, half of which it is under
    assert fills(result) == [(1, 3000.0, 100.0, "target"), (2, -3000.0, 70.0, "margin-call")]
    assert result.equity.tolist() == pytest.approx([CASH, CASH, 10_000, 10_000, 10_000, 10_000])
    assert noted(result, "1 positions were closed by margin call")


def test_margin_call_closes_a_short_position_and_ruin_ends_trading() -> None:
    bars = [*flat(100, 2), (100, 250, 100, 250), *flat(250, 4)]
    result = trade(bars, {0: weight(-1.0), 4: weight(1.0)})
    assert fills(result)[1:] == [(2, 1000.0, 250.0, "margin-call")]
    assert result.final_equity == pytest.approx(-50_000)
    assert noted(result, "ruined")


def test_margin_call_pays_the_takers_price() -> None:
    bars = [*flat(100, 2), (100, 100, 70, 70), *flat(70)]
    result = trade(bars, {0: weight(3.0)}, leverage=4.0, sizing="weights", slippage_fixed=1.0, spread=2.0)
    assert fills(result)[1][2] == 68.0


def test_account_goes_on_after_a_margin_call_with_the_next_version() -> None:
    bars = [*flat(100, 2), (100, 100, 70, 70), *flat(70, 4)]
    result = trade(bars, {0: weight(3.0), 2: weight(3.0), 4: weight(1.0)}, leverage=4.0, sizing="weights")
    assert [fill[0] for fill in fills(result)] == [1, 2, 5]


def test_order_of_the_close_that_called_margin_is_not_cancelled_by_it() -> None:
    bars = [*flat(100, 2), (100, 100, 70, 70), *flat(70, 2)]
    result = trade(bars, {0: weight(3.0), 2: weight(-1.0)}, leverage=4.0, sizing="weights")
    assert [fill[0] for fill in fills(result)] == [1, 2, 3]


def test_unchanged_weight_trades_only_when_it_has_left_its_band() -> None:
    bars = [*flat(100, 2), *flat(104), *flat(112), *flat(112, 3)]
    result = trade(bars, {0: weight(0.5)}, sizing="weights", rebalance=0.02)
    assert [fill[0] for fill in fills(result)] == [1, 4]
    record = result.fill_records[-1]
    assert record["position"] * 112 == pytest.approx(0.5 * result.equity[4])
    assert len(fills(trade(bars, {0: weight(0.5)}, sizing="weights"))) == 1


@pytest.mark.parametrize("sizing", ["percent:40", "equal", "kelly:0.4", "all-in"])
def test_band_is_about_the_share_that_the_weight_was_sized_to(sizing: str) -> None:
    bars = [*flat(100, 4), *flat(101, 4), *flat(140, 4)]
    result = trade(bars, {0: weight(0.5)}, sizing=sizing, rebalance=0.02)
    assert [fill[0] for fill in fills(result)] == [1, 9]
    first = result.fill_records[0]
    share = first["position"] * 100 / CASH
    assert result.fill_records[-1]["position"] * 140 == pytest.approx(share * result.equity[-1])


def test_fixed_lots_and_risk_do_not_drift() -> None:
    bars = [*flat(100, 2), *flat(140, 3)]
    for sizing in ("lots:40", "risk:1"):
        assert len(fills(trade(bars, {0: weight(0.5, stop_loss=90.0)}, sizing=sizing, rebalance=0.01))) == 1


def test_rebalancing_under_decision_is_sized_at_the_close_that_saw_the_drift() -> None:
    bars = [*flat(100, 2), *flat(150), *flat(100, 2)]
    result = trade(bars, {0: weight(0.5)}, sizing="weights", rebalance=0.05, size_at="decision")
    at_close = 0.5 * (50_000 + 500 * 150) / 150
    assert result.fill_records["position"][1] == pytest.approx(at_close)


def test_rebalancing_keeps_the_bracket_where_it_was() -> None:
    bars = [*flat(100, 2), (100, 150, 100, 140), (140, 140, 139, 140), (140, 140, 120, 130)]
    script = {0: weight(0.5, trail=20.0, take_profit=500.0)}
    result = trade(bars, script, sizing="weights", rebalance=0.02)
    assert fills(result)[-1][0] == 4
    assert fills(result)[-1][2:] == (130.0, "trail")


def test_limit_entry_against_its_own_direction_is_no_order() -> None:
    result = trade([*flat(100, 4), (100, 105, 95, 100)], {0: lots(10), 2: limit(10, 98.0)})
    assert quantities(result) == [10.0]
