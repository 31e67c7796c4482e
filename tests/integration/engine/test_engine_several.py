"""Several channels: one account, other intervals, missing bars, other currencies."""

from typing import Any

import numpy as np
import pytest

from tests.integration.engine.scripted import (
    DAY_NS,
    HOUR_NS,
    MONDAY,
    bars_of,
    fills_by_channel,
    flat,
    limit,
    lots,
    stop,
    trade_several,
    weight,
)
from trading.targets import DAY, GTD, IOC

CASH = 100_000.0


def two(a: list[tuple[float, ...]], b: list[tuple[float, ...]]) -> dict[str, Any]:
    return {"A": bars_of(a), "B": bars_of(b)}


def places(result: Any) -> list[tuple[int, int, float]]:
    return [fill[:3] for fill in fills_by_channel(result)]


def test_sells_are_filled_before_buys_and_each_in_channel_order() -> None:
    bars = {name: bars_of(flat(100, 4)) for name in "ABCD"}
    first = {(0, 1): weight(0.5), (0, 3): weight(0.5)}
    script = first | {(1, i): weight(value) for i, value in enumerate((0.5, 0.0, 0.5, 0.0))}
    result = trade_several(bars, script)
    assert places(result) == [
        (1, 1, 500.0),
        (1, 3, 500.0),
        (2, 1, -500.0),
        (2, 3, -500.0),
        (2, 0, 500.0),
        (2, 2, 500.0),
    ]


def test_all_orders_of_a_row_are_sized_on_the_equity_at_its_open() -> None:
    script = {(0, 0): weight(0.5), (0, 1): weight(0.5), (2, 0): weight(0.2), (2, 1): weight(0.8)}
    result = trade_several(two([*flat(100, 3), *flat(200)], [*flat(50, 3), *flat(40)]), script, fee_bps=10.0)
    equity = result.fill_records["cash"][1] + 500 * 200 + 1000 * 40
    position = result.fill_records["position"]
    assert position[:2] == pytest.approx([500.0, 1000.0], rel=1.1e-3)
    assert position[2] * 200 == pytest.approx(0.2 * equity, rel=1e-3)
    assert position[3] * 40 == pytest.approx(0.8 * equity, rel=1e-3)


def test_margin_is_shared_by_all_channels_and_the_last_are_cut() -> None:
    script = {(0, 0): lots(600), (0, 1): lots(600)}
    assert places(trade_several(two(flat(100, 3), flat(100, 3)), script)) == [(1, 0, 600.0), (1, 1, 400.0)]


def test_selling_one_channel_makes_room_for_another_at_the_same_open() -> None:
    script = {(0, 1): lots(1000), (1, 1): lots(0), (1, 0): lots(1000)}
    result = trade_several(two(flat(100, 4), flat(100, 4)), script)
    assert places(result) == [(1, 1, 1000.0), (2, 1, -1000.0), (2, 0, 1000.0)]


def test_margin_call_closes_every_channel() -> None:
    bars = two([*flat(100, 2), *flat(68, 2)], flat(100, 4))
    script = {(0, 0): lots(2500), (0, 1): lots(-100)}
    result = trade_several(bars, script, leverage=4.0)
    assert fills_by_channel(result)[2:] == [(2, 0, -2500.0, 68.0, "margin-call"), (2, 1, 100.0, 100.0, "margin-call")]
    assert result.final_equity == CASH - 2500 * 32


def test_account_is_ruined_only_when_nothing_is_left_after_all_is_closed() -> None:
    bars = two([*flat(100, 2), *flat(160, 4)], [*flat(100, 2), *flat(105, 4)])
    # Buying the short back first leaves less than no cash, until the long is sold.
    script = {(0, 0): lots(-1500), (0, 1): lots(2300), (3, 1): lots(10)}
    result = trade_several(bars, script, leverage=4.0)
    assert [fill[4] for fill in fills_by_channel(result)] == [
        "target",
        "target",
        "margin-call",
        "margin-call",
        "target",
    ]
    assert result.fill_records["cash"][2] < 0
    assert result.final_equity == pytest.approx(CASH - 1500 * 60 + 2300 * 5)


def test_target_of_zero_without_a_position_cancels_a_resting_order() -> None:
    bars = two([*flat(100, 3), (100, 100, 97, 98)], flat(50, 4))
    assert places(trade_several(bars, {(0, 0): limit(10, 98.0), (1, 0): lots(0)})) == []


def test_channels_keep_their_own_brackets() -> None:
    bars = two([*flat(100, 2), (100, 100, 97, 98)], [*flat(50, 2), (50, 56, 50, 55)])
    script = {(0, 0): lots(10, stop_loss=98.0), (0, 1): lots(-10, stop_loss=55.0)}
    result = trade_several(bars, script)
    assert fills_by_channel(result)[2:] == [(2, 0, -10.0, 98.0, "stop-loss"), (2, 1, 10.0, 55.0, "stop-loss")]


def test_channel_without_a_bar_waits_for_its_next_one() -> None:
    bars = two(flat(100, 5), flat(50, 5))
    bars["B"] = {name: np.delete(column, [1, 2]) for name, column in bars["B"].items()}
    result = trade_several(bars, {(0, 0): lots(10), (0, 1): lots(20)}, interval="1d")
    assert places(result) == [(1, 0, 10.0), (3, 1, 20.0)]
    assert result.equity.size == 5


def test_channel_that_begins_later_trades_from_its_second_bar_on() -> None:
    bars = two(flat(100, 5), flat(50, 5))
    bars["B"] = {name: column[2:] for name, column in bars["B"].items()}
    result = trade_several(bars, {(2, 1): weight(0.5), (0, 0): weight(0.5)})
    assert places(result) == [(1, 0, 500.0), (3, 1, 1000.0)]


def test_position_without_a_bar_is_valued_at_its_last_close() -> None:
    bars = two([*flat(100, 2), *flat(110, 3)], [*flat(50, 2), *flat(60, 3)])
    bars["B"] = {name: np.delete(column, 2) for name, column in bars["B"].items()}
    result = trade_several(bars, {(0, 0): lots(10), (0, 1): lots(10)}, interval="1d")
    assert result.equity.tolist() == [CASH, CASH, CASH + 100, CASH + 200, CASH + 200]


def day_and_hours(prices: list[tuple[float, ...]], hours: int) -> dict[str, Any]:
    """Return an hourly channel A at 10 and a daily channel B with these bars."""
    return {"A": bars_of(flat(10, hours), interval=HOUR_NS), "B": bars_of(prices)}


def test_order_is_never_filled_at_an_open_before_its_decision() -> None:
    bars = day_and_hours([(50, 80, 20, 60), (61, 70, 55, 66), (67, 70, 60, 68)], 72)
    decided_at = 10  # 11:00 of the first day, whose daily bar opened at 00:00
    for order in (lots(10), limit(10, 65.0), stop(10, 55.0)):
        result = trade_several(bars, {(decided_at, 1): order}, fee_bps=1.0)
        assert fills_by_channel(result)[0][:4] == (47, 1, 10.0, 61.0)
        assert result.fill_records["time"][0] == MONDAY + DAY_NS


def test_rebalancing_waits_for_an_open_too() -> None:
    bars = day_and_hours([*flat(50, 2), (50, 90, 50, 90), *flat(45, 2)], 120)
    result = trade_several(bars, {(0, 1): weight(0.5)}, rebalance=0.05)
    assert [(fill[0], fill[3]) for fill in fills_by_channel(result)] == [(47, 50.0), (95, 45.0)]


def test_order_for_the_day_counts_from_the_first_bar_that_it_could_be_filled_in() -> None:
    bars = day_and_hours([(50, 80, 20, 60), (61, 70, 55, 66), (67, 70, 50, 68)], 72)
    assert places(trade_several(bars, {(10, 1): limit(10, 56.0, time_in_force=DAY)})) == [(47, 1, 10.0)]
    assert places(trade_several(bars, {(10, 1): limit(10, 54.0, time_in_force=DAY)})) == []
    assert places(trade_several(bars, {(10, 1): limit(10, 54.0)})) == [(71, 1, 10.0)]
    assert places(trade_several(bars, {(10, 1): limit(10, 62.0, time_in_force=IOC)})) == [(47, 1, 10.0)]
    ended = limit(10, 56.0, time_in_force=GTD, expires=MONDAY + DAY_NS)
    assert places(trade_several(bars, {(10, 1): ended})) == []


def test_bars_that_overlap_are_traded_from_the_next_open_on() -> None:
    a = bars_of([(100 + k,) * 4 for k in range(6)], interval=HOUR_NS)
    b = bars_of([(200 + k,) * 4 for k in range(6)], interval=HOUR_NS) | {"time": a["time"] + HOUR_NS // 2}
    result = trade_several({"A": a, "B": b}, {(2, 1): lots(1), (2, 0): lots(1)}, interval="1h")
    # Row 2 closes at 02:00; the next opens are A's at 02:00 and B's at 02:30.
    assert [fill[:4] for fill in fills_by_channel(result)] == [(4, 0, 1.0, 102.0), (5, 1, 1.0, 202.0)]


def test_strategy_is_told_which_channels_closed_a_bar(fresh_seen: list[Any]) -> None:
    assert fresh_seen == [[1, 0], [1, 0], [1, 1], [1, 0]]


@pytest.fixture
def fresh_seen() -> list[Any]:
    from apps.backtest.market import prepare
    from apps.backtest.options import Options

    bars = {"A": bars_of(flat(10, 4), interval=HOUR_NS), "B": bars_of(flat(20, 1), interval=3 * HOUR_NS)}
    bars["B"]["time"] = bars["A"]["time"][:1]
    from trading.bars import Bars

    a, b = (Bars(interval=step, **each) for each, step in zip(bars.values(), (HOUR_NS, 3 * HOUR_NS), strict=True))
    market = prepare({"A": a, "B": b}, Options()).market
    return np.asarray(market.fresh).T.tolist()


def test_swap_is_paid_by_each_channel_for_itself() -> None:
    result = trade_several(two(flat(100, 4), flat(50, 4)), {(0, 0): lots(10), (0, 1): lots(-10)}, swap_long_pct=36.5)
    assert result.metrics["swap_paid"] == pytest.approx(2.0)
    assert result.trade_records["pnl"] == pytest.approx([-2.0, 0.0])
