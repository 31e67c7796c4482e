"""How a bar is walked: its open, the extreme nearer to it, the other extreme, the close."""

import pytest

from tests.integration.engine.scripted import NAN, fills, flat, limit, lots, quotes_of, stop, stop_limit, trade

HELD = 10.0


def test_market_order_is_filled_at_the_open_after_the_close_that_decided() -> None:
    result = trade([(100, 100, 100, 100), (101, 104, 99, 103)], {0: lots(HELD)})
    assert fills(result) == [(1, 10.0, 101.0, "target")]


def test_order_decided_at_the_last_close_is_never_filled() -> None:
    assert fills(trade(flat(100, 3), {2: lots(HELD)})) == []


@pytest.mark.parametrize(
    ("bar", "price", "reason"),
    [
        ((100, 103, 95, 99), 102.0, "take-profit"),  # the high is nearer
        ((100, 106, 97, 99), 98.0, "stop-loss"),  # the low is nearer
        ((100, 102, 98, 101), 98.0, "stop-loss"),  # equally near, rose: low first
        ((100, 102, 98, 100), 98.0, "stop-loss"),  # unchanged counts as risen
        ((100, 102, 98, 99), 102.0, "take-profit"),  # equally near, fell: high first
    ],
)
def test_extreme_nearer_to_the_open_comes_first(bar: tuple[float, ...], price: float, reason: str) -> None:
    result = trade([*flat(100), bar], {0: lots(HELD, stop_loss=98.0, take_profit=102.0)})
    assert fills(result) == [(1, 10.0, 100.0, "target"), (1, -10.0, price, reason)]


@pytest.mark.parametrize(("close", "reason"), [(100.0, "take-profit"), (100.2, "stop-loss")])
def test_extremes_on_equal_ticks_are_a_tie_although_floats_differ(close: float, reason: str) -> None:
    assert 100.3 - 100.1 != 100.1 - 99.9
    bars = [*flat(100.1), (100.1, 100.3, 99.9, close)]
    result = trade(bars, {0: lots(HELD, stop_loss=99.95, take_profit=100.25)})
    assert fills(result)[1][3] == reason


@pytest.mark.parametrize(
    ("target", "opened", "expected"),
    [
        (limit(HELD, 98.0), 96.0, (1, 10.0, 96.0, "limit")),
        (limit(-HELD, 102.0), 104.0, (1, -10.0, 104.0, "limit")),
        (stop(HELD, 102.0), 104.0, (1, 10.0, 104.0, "stop")),
        (stop(-HELD, 98.0), 96.0, (1, -10.0, 96.0, "stop")),
    ],
)
def test_entry_that_the_open_has_passed_is_filled_at_the_open(target: object, opened: float, expected: object) -> None:
    assert fills(trade([*flat(100), *flat(opened)], {0: target})) == [expected]  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (limit(HELD, 98.0), (1, 10.0, 98.0, "limit")),
        (limit(-HELD, 102.0), (1, -10.0, 102.0, "limit")),
        (stop(HELD, 102.0), (1, 10.0, 102.0, "stop")),
        (stop(-HELD, 98.0), (1, -10.0, 98.0, "stop")),
        (limit(HELD, 96.9), None),
        (limit(-HELD, 103.1), None),
        (stop(HELD, 103.1), None),
        (stop(-HELD, 96.9), None),
    ],
)
def test_entry_is_filled_at_its_level_if_the_bar_reaches_it(target: object, expected: object) -> None:
    result = trade([*flat(100), (100, 103, 97, 100)], {0: target})  # type: ignore[dict-item]
    assert fills(result) == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("sign", "opened", "price", "reason"),
    [
        (1, 95.0, 95.0, "stop-loss"),
        (1, 107.0, 107.0, "take-profit"),
        (-1, 107.0, 107.0, "stop-loss"),
        (-1, 95.0, 95.0, "take-profit"),
    ],
)
def test_protective_order_that_the_open_has_passed_is_filled_at_the_open(
    sign: int, opened: float, price: float, reason: str
) -> None:
    low, high = 98.0, 105.0
    bracket = {"stop_loss": low, "take_profit": high} if sign > 0 else {"stop_loss": high, "take_profit": low}
    result = trade([*flat(100, 2), *flat(opened)], {0: lots(sign * HELD, **bracket)})
    assert fills(result)[1:] == [(2, -sign * 10.0, price, reason)]


def test_stop_limit_is_filled_at_the_stop_if_the_limit_allows_it() -> None:
    result = trade([*flat(100), (100, 105, 99, 104)], {0: stop_limit(HELD, 102.0, 103.0)})
    assert fills(result) == [(1, 10.0, 102.0, "limit")]


def test_stop_limit_that_gaps_beyond_its_limit_waits_for_it_in_the_same_bar() -> None:
    result = trade([*flat(100), (104, 106, 102.5, 105)], {0: stop_limit(HELD, 102.0, 103.0)})
    assert fills(result) == [(1, 10.0, 103.0, "limit")]


def test_stop_limit_once_triggered_stays_triggered_in_later_bars() -> None:
    bars = [*flat(100), (104, 106, 103.5, 105), (105, 105, 101, 101.5)]
    assert fills(trade(bars, {0: stop_limit(HELD, 102.0, 103.0)})) == [(2, 10.0, 103.0, "limit")]


def test_stop_limit_whose_limit_is_beyond_its_stop_needs_both_in_that_order() -> None:
    script = {0: stop_limit(HELD, 102.0, 101.0)}
    high_first, low_first = (100, 102.5, 97, 99), (100, 104, 99, 103)
    assert fills(trade([*flat(100), high_first], script)) == [(1, 10.0, 101.0, "limit")]
    assert fills(trade([*flat(100), low_first], script)) == []


def test_stop_limit_to_sell_mirrors_the_one_to_buy() -> None:
    result = trade([*flat(100), (96, 97.5, 94, 95)], {0: stop_limit(-HELD, 98.0, 97.0)})
    assert fills(result) == [(1, -10.0, 97.0, "limit")]


def test_bracket_is_live_from_the_fill_of_its_entry_on_the_same_bar() -> None:
    script = {0: limit(HELD, 98.0, stop_loss=96.0, take_profit=100.0)}
    stopped = trade([*flat(100), (100, 101, 95, 99)], script)
    assert fills(stopped) == [(1, 10.0, 98.0, "limit"), (1, -10.0, 96.0, "stop-loss")]
    taken = trade([*flat(100), (100, 101, 97, 100.5)], script)
    assert fills(taken) == [(1, 10.0, 98.0, "limit"), (1, -10.0, 100.0, "take-profit")]


def test_price_before_the_entry_does_not_fill_its_bracket() -> None:
    result = trade([*flat(100), (100, 101, 97, 99)], {0: limit(HELD, 98.0, take_profit=100.0)})
    assert fills(result) == [(1, 10.0, 98.0, "limit")]


def test_bracket_that_is_passed_already_is_filled_at_once() -> None:
    result = trade([*flat(100), (100, 101, 99, 100)], {0: lots(HELD, stop_loss=100.5)})
    assert fills(result) == [(1, 10.0, 100.0, "target"), (1, -10.0, 100.0, "stop-loss")]


def test_one_protective_order_cancels_the_other() -> None:
    bars = [*flat(100, 2), (100, 100, 97, 99), (99, 106, 99, 105), (105, 105, 95, 96)]
    result = trade(bars, {0: lots(HELD, stop_loss=98.0, take_profit=105.0)})
    assert fills(result)[1:] == [(2, -10.0, 98.0, "stop-loss")]


def test_stop_comes_before_take_profit_where_both_are_passed_at_the_same_moment() -> None:
    result = trade(flat(100, 2), {0: lots(HELD, stop_loss=100.0, take_profit=100.0)})
    assert fills(result)[1:] == [(1, -10.0, 100.0, "stop-loss")]


def test_protective_order_comes_before_an_entry_at_the_same_level_and_cancels_it() -> None:
    bars = [*flat(100, 3), (100, 100, 97, 99), (99, 99, 95, 96)]
    result = trade(bars, {0: lots(HELD, stop_loss=98.0), 2: stop(-HELD, 98.0)})
    assert fills(result)[1:] == [(3, -10.0, 98.0, "stop-loss")]


def test_entry_that_is_crossed_before_the_stop_is_filled_first_and_brings_its_own_bracket() -> None:
    bars = [*flat(100, 3), (100, 100, 95, 96)]
    result = trade(bars, {0: lots(HELD, stop_loss=97.0), 2: limit(2 * HELD, 98.0, stop_loss=96.0)})
    assert fills(result)[1:] == [(3, 10.0, 98.0, "limit"), (3, -20.0, 96.0, "stop-loss")]


def test_trailing_stop_follows_the_path_and_never_goes_back() -> None:
    bars = [*flat(100), (100, 105, 99, 104), (104, 104.5, 103.2, 103.5), (103.5, 103.6, 102, 103)]
    result = trade(bars, {0: lots(HELD, trail=2.0)})
    assert fills(result)[1:] == [(3, -10.0, 103.0, "trail")]


def test_trailing_stop_works_on_the_entry_bar() -> None:
    result = trade([*flat(100), (100, 106, 90, 95)], {0: lots(HELD, trail=2.0)})
    assert fills(result) == [(1, 10.0, 100.0, "target"), (1, -10.0, 104.0, "trail")]


def test_trailing_stop_of_a_short_position_follows_downwards() -> None:
    result = trade([*flat(100), (100, 104, 94, 103)], {0: lots(-HELD, trail=2.0)})
    assert fills(result)[1:] == [(1, 10.0, 102.0, "trail")]
    result = trade([*flat(100), (100, 101, 94, 97)], {0: lots(-HELD, trail=2.0)})
    assert fills(result)[1:] == [(1, 10.0, 96.0, "trail")]


def test_trailing_stop_that_the_open_has_passed_is_filled_at_the_open() -> None:
    result = trade([*flat(100), (100, 110, 100, 110), *flat(104)], {0: lots(HELD, trail=2.0)})
    assert fills(result)[1:] == [(2, -10.0, 104.0, "trail")]


def test_fixed_stop_and_trail_work_side_by_side() -> None:
    script = {0: lots(HELD, stop_loss=97.0, trail=4.0)}
    assert fills(trade([*flat(100), (100, 100, 95, 96)], script))[1:] == [(1, -10.0, 97.0, "stop-loss")]
    assert fills(trade([*flat(100), (100, 103, 95, 96)], script))[1:] == [(1, -10.0, 99.0, "trail")]


def test_buys_watch_the_ask_and_sells_the_bid() -> None:
    bids = [*flat(100), (100, 103, 97, 100)]
    assert fills(trade(quotes_of(bids, 0.5), {0: limit(HELD, 97.2)})) == []
    assert fills(trade(quotes_of(bids, 0.5), {0: limit(HELD, 97.5)})) == [(1, 10.0, 97.5, "limit")]
    assert fills(trade(quotes_of(bids, 0.5), {0: limit(-HELD, 103.2)})) == []
    assert fills(trade(quotes_of(bids, 0.5), {0: stop(HELD, 103.5)})) == [(1, 10.0, 103.5, "stop")]
    assert fills(trade(quotes_of(bids, 0.5), {0: stop(-HELD, 97.2)})) == [(1, -10.0, 97.2, "stop")]


def test_position_is_closed_on_the_side_that_it_would_be_sold_or_bought_on() -> None:
    bids = [*flat(100), (100, 103, 97, 100)]
    long_stop = trade(quotes_of(bids, 0.5), {0: lots(HELD, stop_loss=97.2)})
    assert fills(long_stop) == [(1, 10.0, 100.5, "target"), (1, -10.0, 97.2, "stop-loss")]
    short_stop = trade(quotes_of(bids, 0.5), {0: lots(-HELD, stop_loss=103.3)})
    assert fills(short_stop) == [(1, -10.0, 100.0, "target"), (1, 10.0, 103.3, "stop-loss")]


def test_fills_at_the_open_carry_the_time_of_the_open_and_others_that_of_the_close() -> None:
    result = trade([*flat(100), (100, 101, 97, 99), *flat(90)], {0: limit(HELD, 98.0, stop_loss=95.0)})
    bars = result.bars[0]
    assert result.fill_records["time"].tolist() == [bars.time[1] + bars.interval, bars.time[2]]
    assert fills(result)[1] == (2, -10.0, 90.0, "stop-loss")


def test_target_without_a_value_changes_nothing() -> None:
    bars = [*flat(100, 3), (100, 100, 97, 98)]
    result = trade(bars, {0: limit(HELD, 98.0), 1: lots(NAN), 2: lots(NAN)})
    assert fills(result) == [(3, 10.0, 98.0, "limit")]
