"""What a fill costs: spread, slippage, fees, swap; whole ticks, whole lots, whole millionths."""

import numpy as np
import pytest

from tests.integration.engine.scripted import (
    DAY_NS,
    HOUR_NS,
    MONDAY,
    bars_of,
    fills,
    flat,
    limit,
    lots,
    quotes_of,
    stop,
    trade,
    weight,
)
from trading.instruments import Instrument

ROUND_TRIP = {0: lots(10), 2: lots(0)}
SHARE = Instrument("V:SHARE", asset_class="equity", tick_size=0.01, lot_step=1.0)


def test_spread_is_paid_half_on_each_side() -> None:
    result = trade(flat(100, 4), ROUND_TRIP, spread=0.5)
    assert [fill[2] for fill in fills(result)] == [100.25, 99.75]
    assert result.final_equity == 100_000 - 5.0


def test_limit_orders_watch_the_side_that_they_trade_on() -> None:
    low = [*flat(100), (100, 100, 98, 99)]
    assert fills(trade(low, {0: limit(10, 98.2)}, spread=0.5)) == []
    assert fills(trade(low, {0: limit(10, 98.25)}, spread=0.5)) == [(1, 10.0, 98.25, "limit")]


def test_quotes_are_traded_on_their_own_sides_and_no_spread_is_added() -> None:
    result = trade(quotes_of(flat(100, 4), 0.3), ROUND_TRIP, spread=5.0)
    assert [fill[2] for fill in fills(result)] == [100.3, 100.0]


def test_quotes_are_valued_at_the_mid() -> None:
    result = trade(quotes_of(flat(100, 4), 0.3), {0: lots(10)})
    assert result.equity.tolist() == pytest.approx([100_000, 99_998.5, 99_998.5, 99_998.5])


@pytest.mark.parametrize(
    ("option", "bought", "sold"),
    [({"slippage_bps": 50.0}, 100.5, 99.5), ({"slippage_fixed": 0.2}, 100.2, 99.8)],
)
def test_slippage_is_against_the_taker(option: dict[str, float], bought: float, sold: float) -> None:
    result = trade(flat(100, 4), ROUND_TRIP, **option)
    assert [fill[2] for fill in fills(result)] == pytest.approx([bought, sold])
    assert result.fill_records["slippage"] == pytest.approx([10 * (bought - 100)] * 2)


def test_volume_slippage_grows_with_the_square_of_the_share() -> None:
    rows = [(*row, 40.0) for row in flat(100, 4)]
    result = trade(rows, ROUND_TRIP, slippage_volume=0.1)
    assert [fill[2] for fill in fills(result)] == pytest.approx([100 + 0.1 * 0.25**2 * 100, 100 - 0.1 * 0.25**2 * 100])


def test_limits_and_take_profits_do_not_slip_and_stops_do() -> None:
    rows = [*flat(100), (100, 100, 97, 98), (98, 105, 98, 104), (104, 111, 104, 110), (110, 110, 90, 95)]
    script = {0: limit(10, 98.0, take_profit=102.0), 2: stop(10, 108.0, stop_loss=100.0)}
    result = trade(rows, script, slippage_fixed=0.25)
    assert fills(result) == [
        (1, 10.0, 98.0, "limit"),
        (2, -10.0, 102.0, "take-profit"),
        (3, 10.0, 108.25, "stop"),
        (4, -10.0, 99.75, "stop-loss"),
    ]


@pytest.mark.parametrize(
    ("option", "fee"),
    [
        ({"fee_bps": 5.0}, 2.0 * 10 * 100 * 5e-4),
        ({"fee_per_share": 0.01}, 2.0 * 10 * 0.01),
        ({"fee_per_lot": 0.7}, 10 * 0.7),
        ({"fee_minimum": 3.0}, 3.0),
        ({"fee_bps": 5.0, "fee_per_share": 0.01, "fee_per_lot": 0.7}, 1.0 + 0.2 + 7.0),
        ({"fee_bps": 5.0, "fee_minimum": 3.0}, 3.0),
        ({"fee_bps": 50.0, "fee_minimum": 3.0}, 10.0),
    ],
)
def test_fees_add_up_to_no_less_than_the_minimum(option: dict[str, float], fee: float) -> None:
    contract = Instrument("V:LOT", contract_size=2.0)
    result = trade(flat(100, 4), ROUND_TRIP, instruments=contract, **option)
    assert result.fill_records["fee"] == pytest.approx([fee, fee])
    assert result.metrics["fees_paid"] == pytest.approx(2 * fee)
    assert result.final_equity == pytest.approx(100_000 - 2 * fee)


def test_swap_is_paid_for_each_day_that_a_position_is_held_over() -> None:
    days = np.array([0, 1, 2, 3, 4, 7, 8])  # Monday to Friday, Monday, Tuesday
    bars = bars_of(flat(100, 7)) | {"time": MONDAY + days * DAY_NS}
    result = trade(bars, {0: lots(10)}, swap_long_pct=36.5)
    a_day = 1000 * 0.365 / 365
    paid = np.array([0, 0, 1, 2, 3, 6, 7]) * a_day
    assert result.equity == pytest.approx(100_000 - paid)
    assert result.metrics["swap_paid"] == pytest.approx(7 * a_day)
    assert result.trade_records["pnl"] == pytest.approx([-7 * a_day])


def test_swap_is_not_paid_within_a_day_and_begins_with_the_next() -> None:
    bars = bars_of(flat(100, 26), interval=HOUR_NS)
    result = trade(bars, {0: lots(10)}, swap_long_pct=36.5)
    assert np.flatnonzero(np.diff(result.equity)).tolist() == [23]
    assert result.fill_records["swap"].tolist() == [0.0]


def test_short_positions_pay_their_own_rate_and_may_receive() -> None:
    borrow = trade(flat(100, 4), {0: lots(-10)}, swap_long_pct=1.0, swap_short_pct=73.0)
    assert borrow.final_equity == pytest.approx(100_000 - 2 * 2 * 1.0)
    received = trade(flat(100, 4), {0: lots(-10)}, swap_short_pct=-36.5)
    assert received.final_equity == pytest.approx(100_000 + 2 * 1.0)
    assert received.metrics["swap_paid"] == pytest.approx(-2.0)


def test_swap_is_taken_on_the_close_before_the_day() -> None:
    bars = [*flat(100), (100, 200, 100, 200), *flat(50)]
    result = trade(bars, {0: lots(10)}, swap_long_pct=36.5)
    assert result.metrics["swap_paid"] == pytest.approx(10 * 200 * 0.001)


def test_swap_belongs_to_the_round_trip_that_paid_it() -> None:
    result = trade(flat(100, 8), {0: lots(10), 2: lots(-10), 5: lots(0)}, swap_long_pct=36.5, swap_short_pct=73.0)
    assert result.trade_records["pnl"] == pytest.approx([-2 * 1.0, -3 * 2.0])


def test_prices_are_whole_ticks_rounded_against_the_taker() -> None:
    result = trade(flat(100.003, 4), ROUND_TRIP, instruments=SHARE, slippage_fixed=0.001)
    assert [fill[2] for fill in fills(result)] == [100.01, 100.0]


def test_limits_between_ticks_are_put_on_the_better_one() -> None:
    rows = [*flat(100), (100, 100, 97, 97.5), (97.5, 104, 97.5, 103)]
    result = trade(rows, {0: limit(10, 98.019, take_profit=101.011)}, instruments=SHARE)
    assert fills(result) == [(1, 10.0, 98.01, "limit"), (2, -10.0, 101.02, "take-profit")]
    short = trade(rows[::-1], {0: lots(0), 1: limit(-10, 99.991)}, instruments=SHARE)
    assert fills(short)[0][2] == 100.0


def test_stops_between_ticks_stand_where_they_are_filled() -> None:
    bars = quotes_of([*flat(100), (100, 100, 97, 97.5)], 0.5)
    result = trade(bars, {0: stop(-10, 98.005, take_profit=99.0)}, instruments=SHARE)
    # At a bid of 98.00 the ask is 98.50, where the take profit is filled that it has passed; at 98.005 it is above.
    assert fills(result) == [(1, -10.0, 98.0, "stop"), (1, 10.0, 98.5, "take-profit")]


@pytest.mark.parametrize("bracket", [{"stop_loss": 97.991}, {"trail": 2.004}])
def test_what_protects_stands_on_a_tick_and_comes_before_an_entry_there(bracket: dict[str, float]) -> None:
    rows = [*flat(100, 3), (100, 100, 97, 97)]
    result = trade(rows, {0: lots(10, **bracket), 1: stop(-10, 97.999)}, instruments=SHARE)
    assert fills(result)[1] == (3, -10.0, 97.99, "stop-loss" if "stop_loss" in bracket else "trail")


def test_a_trailing_stop_is_touched_by_a_price_that_is_its_tick() -> None:
    assert 1.09214 + 0.00025 > 1.09239  # in float64, where no bar would reach it
    rows = [*flat(1.09214), (1.09214, 1.09239, 1.09214, 1.0922)]
    result = trade(rows, {0: lots(-10, trail=0.00025)}, instruments=Instrument("V:E", tick_size=0.00001))
    assert fills(result)[1:] == [(1, 10.0, 1.09239, "trail")]


def test_quantities_are_whole_lot_steps_rounded_toward_zero() -> None:
    tenth = Instrument("V:T", lot_step=0.1)
    for wanted, held in ((0.37, 0.3), (-0.37, -0.3), (0.09, 0.0), (0.3, 0.3)):
        result = trade(flat(100, 3), {0: lots(wanted)}, instruments=tenth)
        assert result.fill_records["quantity"].tolist() == ([held] if held else [])


def test_whole_lots_leave_no_dust_behind() -> None:
    tenth = Instrument("V:T", lot_step=0.1, tick_size=0.1)
    script = {0: lots(0.1), 1: lots(0.3), 2: lots(0.3, version=1), 3: lots(0.2, version=2), 4: lots(-0.1, version=3)}
    result = trade(flat(100, 7), script, instruments=tenth)
    assert result.fill_records["quantity"].tolist() == [0.1, 0.2, -0.1, -0.3]
    assert result.fill_records["position"].tolist() == [0.1, 0.3, 0.2, -0.1]


def test_order_under_the_least_lot_is_not_traded() -> None:
    least = Instrument("V:T", lot_step=0.1, lot_min=0.5)
    assert fills(trade(flat(100, 3), {0: lots(0.4)}, instruments=least)) == []
    assert fills(trade(flat(100, 3), {0: lots(0.5)}, instruments=least)) == [(1, 0.5, 100.0, "target")]


def test_contract_size_multiplies_what_a_lot_is_worth() -> None:
    contract = Instrument("V:C", contract_size=1000.0)
    result = trade([*flat(1.0, 2), *flat(1.1, 2)], {0: lots(3)}, instruments=contract)
    assert result.final_equity == pytest.approx(100_300)
    sized = trade(flat(1.0, 3), {0: weight(1.0)}, instruments=contract)
    assert sized.fill_records["quantity"].tolist() == [100.0]


def test_amounts_are_whole_millionths_where_there_are_ticks_and_lots() -> None:
    result = trade(flat(100.01, 4), ROUND_TRIP, instruments=SHARE, fee_bps=0.33333, swap_long_pct=1.0)
    for name in ("fee", "cash", "swap"):
        millionths = result.fill_records[name] * 1e6
        assert (result.fill_records[name] == np.rint(millionths) / 1e6).all()


def test_cash_too_large_for_whole_millionths_is_said() -> None:
    result = trade(flat(100, 3), {0: lots(10)}, cash=3e9, instruments=SHARE)
    assert any("millionth" in note for note in result.notes)
    assert not any("millionth" in note for note in trade(flat(100, 3), {0: lots(10)}, instruments=SHARE).notes)
