"""How long orders live, what replaces them, and how much of them a bar's volume fills."""

import pytest

from apps.backtest.interface import Result
from tests.integration.engine.scripted import (
    DAY_NS,
    HOUR_NS,
    MONDAY,
    bars_of,
    fills,
    flat,
    limit,
    lots,
    stop,
    stop_limit,
    trade,
    weight,
)
from trading.instruments import Instrument
from trading.targets import DAY, FOK, GTD, IOC, LIMIT

DIP = (100.0, 100.0, 97.0, 99.0)
CAPPED = {"volume_cap": 0.1}


def noted(result: Result, text: str) -> bool:
    return any(text in note for note in result.notes)


def with_volume(rows: list[tuple[float, ...]], volume: float = 100.0) -> list[tuple[float, ...]]:
    return [(*row, volume) for row in rows]


def test_order_rests_until_it_is_reached() -> None:
    assert fills(trade([*flat(100, 5), DIP], {0: limit(10, 98.0)})) == [(5, 10.0, 98.0, "limit")]


def test_new_version_cancels_the_order_before_it() -> None:
    result = trade([*flat(100, 3), DIP], {0: limit(10, 98.0), 2: limit(5, 97.5)})
    assert fills(result) == [(3, 5.0, 97.5, "limit")]


def test_target_of_what_is_held_cancels_a_resting_order() -> None:
    assert fills(trade([*flat(100, 3), DIP], {0: limit(10, 98.0), 2: lots(0)})) == []


def test_day_order_ends_with_its_session_day() -> None:
    def hourly(dip_at: int) -> Result:
        rows = flat(100, 48)
        rows[dip_at] = DIP
        bars = bars_of(rows, start=MONDAY, interval=HOUR_NS)
        return trade(bars, {20: limit(10, 98.0, time_in_force=DAY)})

    assert fills(hourly(23)) == [(23, 10.0, 98.0, "limit")]
    expired = hourly(24)
    assert fills(expired) == []
    assert noted(expired, "1 orders expired unfilled")


def test_day_order_decided_at_a_days_last_close_works_all_the_next_day() -> None:
    rows = flat(100, 50)
    rows[47] = DIP
    result = trade(bars_of(rows, interval=HOUR_NS), {23: limit(10, 98.0, time_in_force=DAY)})
    assert fills(result) == [(47, 10.0, 98.0, "limit")]


def test_day_turns_where_the_instrument_says() -> None:
    fx = Instrument("V:FX", time_zone="America/New_York", day_turn_minutes=-420)  # 22:00 UTC in winter
    for dip_at, expected in ((21, 1), (22, 0)):
        rows = flat(100, 30)
        rows[dip_at] = DIP
        bars = bars_of(rows, interval=HOUR_NS)
        result = trade(bars, {2: limit(10, 98.0, time_in_force=DAY)}, instruments=fx)
        assert result.n_fills == expected


@pytest.mark.parametrize(("dip_at", "expected"), [(2, 1), (3, 0)])
def test_order_good_till_a_date_works_in_bars_that_open_before_it(dip_at: int, expected: int) -> None:
    rows = flat(100, 5)
    rows[dip_at] = DIP
    result = trade(rows, {0: limit(10, 98.0, time_in_force=GTD, expires=MONDAY + 3 * DAY_NS)})
    assert result.n_fills == expected
    assert noted(result, "expired") == (not expected)


def test_market_order_whose_date_has_passed_is_not_filled() -> None:
    assert fills(trade(flat(100, 3), {0: lots(10, time_in_force=GTD, expires=MONDAY + DAY_NS)})) == []


@pytest.mark.parametrize("time_in_force", [IOC, FOK])
def test_immediate_order_fills_at_the_next_open_or_never(time_in_force: int) -> None:
    missed = trade([*flat(100), DIP, DIP], {0: limit(10, 98.0, time_in_force=time_in_force)})
    assert fills(missed) == []
    at_once = trade([*flat(100), *flat(97)], {0: limit(10, 98.0, time_in_force=time_in_force)})
    assert fills(at_once) == [(1, 10.0, 97.0, "limit")]


def test_immediate_or_cancel_takes_what_the_volume_gives_and_fill_or_kill_does_not() -> None:
    rows = with_volume(flat(100, 4))
    part = trade(rows, {0: lots(15, time_in_force=IOC)}, **CAPPED)
    assert fills(part) == [(1, 10.0, 100.0, "target")]
    nothing = trade(rows, {0: lots(15, time_in_force=FOK)}, **CAPPED)
    assert fills(nothing) == []
    everything = trade(rows, {0: lots(9, time_in_force=FOK)}, **CAPPED)
    assert fills(everything) == [(1, 9.0, 100.0, "target")]


def test_equal_target_is_not_a_new_version() -> None:
    script = {row: lots(10, stop_loss=98.0) for row in range(6)}
    result = trade([*flat(100, 2), DIP, *flat(100, 4)], script)
    assert fills(result) == [(1, 10.0, 100.0, "target"), (2, -10.0, 98.0, "stop-loss")]


@pytest.mark.parametrize(
    "change", [{"stop_loss": 97.0}, {"take_profit": 120.0}, {"trail": 5.0}, {"time_in_force": DAY}, {"value": 9.0}]
)
def test_any_difference_makes_a_new_version(change: dict[str, float]) -> None:
    first = lots(10, stop_loss=98.0)
    result = trade([*flat(100, 2), DIP, *flat(100, 4)], {0: first, 3: first, 4: first._replace(**change)})
    assert [fill[0] for fill in fills(result)] == [1, 2, 5]


def test_strategy_can_number_its_versions_itself() -> None:
    script = {0: lots(10, version=1), 2: lots(0, version=1), 3: lots(0, version=2), 5: lots(10, version=3)}
    assert [fill[:2] for fill in fills(trade(flat(100, 8), script))] == [(1, 10.0), (4, -10.0), (6, 10.0)]


def test_nothing_is_bought_back_after_a_stop_until_the_next_version() -> None:
    script = {0: weight(1.0, stop_loss=98.0), 4: weight(1.0, stop_loss=97.9)}
    result = trade([*flat(100, 2), DIP, *flat(100, 4)], script, rebalance=0.01)
    assert [(fill[0], fill[3]) for fill in fills(result)] == [(1, "target"), (2, "stop-loss"), (5, "target")]


def test_volume_cap_spreads_an_order_over_bars() -> None:
    result = trade(with_volume(flat(100, 6)), {0: lots(25)}, **CAPPED)
    assert [fill[:2] for fill in fills(result)] == [(1, 10.0), (2, 10.0), (3, 5.0)]


def test_new_version_ends_what_is_left_of_an_order() -> None:
    result = trade(with_volume(flat(100, 6)), {0: lots(25), 1: lots(12)}, **CAPPED)
    assert [fill[:2] for fill in fills(result)] == [(1, 10.0), (2, 2.0)]


def test_volume_cap_spreads_a_stop_loss_the_rest_at_market() -> None:
    rows = with_volume([*flat(100, 4), DIP, *flat(96), *flat(105, 2)])
    result = trade(rows, {0: lots(25, stop_loss=98.0, take_profit=110.0)}, **CAPPED)
    assert fills(result)[3:] == [
        (4, -10.0, 98.0, "stop-loss"), (5, -10.0, 96.0, "stop-loss"), (6, -5.0, 105.0, "stop-loss"),
    ]  # fmt: skip


def test_volume_that_the_entry_has_used_is_not_there_for_its_stop() -> None:
    rows = with_volume([*flat(100), (100, 100, 95, 99), *flat(94, 2)])
    result = trade(rows, {0: limit(15, 99.0, stop_loss=97.0)}, **CAPPED)
    assert fills(result) == [(1, 10.0, 99.0, "limit"), (2, -10.0, 94.0, "stop-loss")]


def test_bar_without_volume_fills_nothing_under_a_cap() -> None:
    rows = [(*row, volume) for row, volume in zip(flat(100, 4), (0.0, 0.0, 0.0, 50.0), strict=True)]
    assert fills(trade(rows, {0: lots(3)}, **CAPPED)) == [(3, 3.0, 100.0, "target")]


def test_stop_order_that_was_touched_goes_on_at_market() -> None:
    rows = with_volume([*flat(100), (100, 103, 100, 101), *flat(99, 3)])
    result = trade(rows, {0: stop(15, 102.0)}, **CAPPED)
    assert fills(result) == [(1, 10.0, 102.0, "stop"), (2, 5.0, 99.0, "stop")]


def test_limit_order_is_filled_in_parts_only_while_the_price_is_there() -> None:
    rows = with_volume([*flat(100), DIP, *flat(100, 2), *flat(97)])
    result = trade(rows, {0: limit(15, 98.0)}, **CAPPED)
    assert fills(result) == [(1, 10.0, 98.0, "limit"), (4, 5.0, 97.0, "limit")]


def test_stop_limit_order_that_was_touched_keeps_only_its_limit() -> None:
    rows = with_volume([*flat(100), (100, 103, 100, 101), *flat(104), *flat(99)])
    result = trade(rows, {0: stop_limit(15, 102.0, 102.5)}, **CAPPED)
    assert fills(result) == [(1, 10.0, 102.0, "limit"), (3, 5.0, 99.0, "limit")]


def test_turning_in_parts_leaves_the_old_sides_bracket_until_the_new_side_is_held() -> None:
    rows = with_volume([*flat(100, 6), (100, 111, 100, 108)])
    script = {0: lots(15), 2: lots(-15, stop_loss=110.0)}
    assert fills(trade(rows, script, **CAPPED))[2:] == [
        *((bar, -10.0, 100.0, "target") for bar in (3, 4, 5)),
        (6, 10.0, 110.0, "stop-loss"),
    ]


def test_parts_that_are_filled_later_do_not_move_a_trailing_stop_back() -> None:
    rows = with_volume([*flat(100), (100, 110, 100, 109), (108.5, 108.6, 108.4, 108.5), (108, 108, 106, 107)])
    result = trade(rows, {0: lots(25, trail=2.0)}, **CAPPED)
    assert fills(result)[-1] == (3, -5.0, 108.0, "trail")


def test_take_profit_that_a_bar_cannot_fill_whole_goes_on_at_market() -> None:
    rows = with_volume([*flat(100, 3), (100, 106, 100, 104), *flat(99, 2)])
    result = trade(rows, {0: lots(15, take_profit=105.0)}, slippage_fixed=0.5, **CAPPED)
    assert fills(result)[2:] == [(3, -10.0, 105.0, "take-profit"), (4, -5.0, 98.5, "take-profit")]


def test_fill_at_the_close_trades_the_close_that_decided() -> None:
    rows = [(100, 101, 99, 100.5), (102, 103, 101, 102.5), (104, 105, 103, 104)]
    result = trade(rows, {0: lots(10, stop_loss=90.0), 1: lots(0)}, fill="close")
    assert fills(result) == [(0, 10.0, 100.5, "target"), (1, -10.0, 102.5, "target")]
    assert result.equity.tolist() == [100_000.0, 100_020.0, 100_020.0]
    assert result.fill_records["time"].tolist() == [MONDAY + DAY_NS, MONDAY + 2 * DAY_NS]


def test_bracket_of_a_fill_at_the_close_is_live_from_the_next_bar() -> None:
    result = trade([(100, 101, 90, 100), *flat(95)], {0: lots(10, stop_loss=97.0)}, fill="close")
    assert fills(result) == [(0, 10.0, 100.0, "target"), (1, -10.0, 95.0, "stop-loss")]


def test_limit_order_rests_from_the_next_bar_on_also_where_fills_are_at_the_close() -> None:
    result = trade([*flat(100), *flat(97)], {0: limit(10, 101.0)}, fill="close")
    assert fills(result) == [(1, 10.0, 97.0, "limit")]


def test_what_a_close_cannot_fill_goes_on_at_the_next_open() -> None:
    rows = with_volume([(100, 101, 99, 100.5), (102, 103, 101, 102.5)])
    result = trade(rows, {0: lots(15)}, fill="close", **CAPPED)
    assert fills(result) == [(0, 10.0, 100.5, "target"), (1, 5.0, 102.0, "target")]


def test_weight_can_be_entered_by_a_limit_order_and_is_sized_at_its_price() -> None:
    result = trade([*flat(100), DIP], {0: weight(0.49, entry=LIMIT, price=98.0)}, sizing="weights")
    assert fills(result) == [(1, 500.0, 98.0, "limit")]


def test_versions_of_the_bracket_alone_move_it_without_trading() -> None:
    script = {0: lots(10, stop_loss=95.0), 2: lots(10, stop_loss=98.0)}
    result = trade([*flat(100, 4), DIP], script)
    assert fills(result)[1:] == [(4, -10.0, 98.0, "stop-loss")]
