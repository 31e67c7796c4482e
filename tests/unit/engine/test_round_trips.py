"""Round trips out of fills, worked by hand."""

from typing import Any

import numpy as np
import pytest

from apps.backtest.kernels.books_after import (
    exposure_at,
    exposures,
    mark_curve,
    mark_rows,
    outgrows_margin,
    round_trips,
    time_in_market,
)
from apps.backtest.market import Prepared, prepare
from apps.backtest.options import Options
from trading.instruments import Instrument
from trading.ledger import FILL_DTYPE, STOP_LOSS, TARGET, TRADE_DTYPE

CASH = 10_000.0
CONTRACT = 10.0


def market_of(*closes: list[float]) -> Prepared:
    bars = {
        f"C{i}": {name: np.array(each, np.float64) for name in ("open", "high", "low", "close")}
        for i, each in enumerate(closes)
    }
    return prepare(bars, Options(), instruments=Instrument("V:X", contract_size=CONTRACT))


def fills_of(*rows: tuple[int, int, float, float, float, float]) -> Any:
    """Return fills from (bar, channel, quantity, price, fee, swap paid so far), in order."""
    fills = np.zeros(len(rows), FILL_DTYPE)
    held: dict[int, float] = {}
    cash = CASH
    for fill, (bar, channel, quantity, price, fee, swap) in zip(fills, rows, strict=True):
        held[channel] = held.get(channel, 0.0) + quantity
        cash -= quantity * price * CONTRACT + fee
        fill["bar"], fill["time"], fill["channel"], fill["quantity"] = bar, 1000 + bar, channel, quantity
        fill["price"], fill["fee"], fill["swap"], fill["position"] = price, fee, swap, held[channel]
        fill["cash"], fill["reason"] = cash, TARGET
    return fills.view(np.recarray)


def trips_of(prepared: Prepared, fills: Any, swap: tuple[float, ...] = ()) -> Any:
    channels = len(prepared.channels)
    out = np.zeros(fills.size + channels, TRADE_DTYPE)
    paid = np.array(swap or (0.0,) * channels)
    return out[: round_trips(prepared.closes, prepared.specs(Options()), fills, paid, out)]


def test_one_in_and_one_out() -> None:
    fills = fills_of((1, 0, 2.0, 100.0, 3.0, 0.0), (3, 0, -2.0, 110.0, 4.0, 1.5))
    fills["reason"][1] = STOP_LOSS
    (trip,) = trips_of(market_of([100.0] * 5), fills, (1.5,))
    assert (trip["entry_bar"], trip["exit_bar"], trip["entry_time"], trip["exit_time"]) == (1, 3, 1001, 1003)
    assert (trip["quantity"], trip["entry_price"], trip["exit_price"]) == (2.0, 100.0, 110.0)
    assert trip["fees"] == 7.0
    assert trip["pnl"] == pytest.approx(2 * 10 * 10.0 - 7.0 - 1.5)
    assert trip["return"] == pytest.approx(trip["pnl"] / (2 * 100 * 10.0))
    assert (trip["exit_reason"], trip["is_open"]) == (STOP_LOSS, 0)


def test_parts_in_and_parts_out_are_one_trip_at_average_prices() -> None:
    fills = fills_of(
        (0, 0, 1.0, 100.0, 1.0, 0.0),
        (1, 0, -0.5, 104.0, 1.0, 0.0),
        (2, 0, 2.5, 112.0, 1.0, 0.0),
        (4, 0, -3.0, 120.0, 1.0, 0.0),
    )
    (trip,) = trips_of(market_of([100.0] * 5), fills)
    assert trip["quantity"] == 3.0  # the most that was held
    assert trip["entry_price"] == pytest.approx((100 + 2.5 * 112) / 3.5)
    assert trip["exit_price"] == pytest.approx((0.5 * 104 + 3 * 120) / 3.5)
    assert trip["pnl"] == pytest.approx(10 * (0.5 * 104 + 3 * 120 - 100 - 2.5 * 112) - 4.0)
    assert trip["return"] == pytest.approx(trip["pnl"] / (10 * (100 + 2.5 * 112)))


def test_turning_ends_one_trip_and_begins_another_and_shares_the_fee() -> None:
    fills = fills_of((0, 0, 1.0, 100.0, 2.0, 0.0), (2, 0, -4.0, 110.0, 8.0, 0.5), (4, 0, 3.0, 105.0, 6.0, 1.25))
    first, second = trips_of(market_of([100.0] * 5), fills, (1.25,))
    assert (first["quantity"], first["exit_bar"], first["fees"]) == (1.0, 2, 4.0)
    assert first["pnl"] == pytest.approx(100.0 - 4.0 - 0.5)
    assert (second["quantity"], second["entry_bar"], second["fees"]) == (-3.0, 2, 12.0)
    assert second["pnl"] == pytest.approx(150.0 - 12.0 - 0.75)


def test_channels_keep_their_own_trips_in_the_order_of_their_ends() -> None:
    fills = fills_of(
        (0, 0, 1.0, 100.0, 0.0, 0.0),
        (1, 1, -1.0, 50.0, 0.0, 0.0),
        (2, 1, 1.0, 40.0, 0.0, 0.0),
        (3, 0, -1.0, 90.0, 0.0, 0.0),
    )
    trips = trips_of(market_of([100.0] * 5, [50.0] * 5), fills)
    assert trips["channel"].tolist() == [1, 0]
    assert trips["pnl"].tolist() == [100.0, -100.0]


def test_what_is_open_at_the_end_is_marked_at_the_last_close_after_the_closed_ones() -> None:
    prepared = market_of([100.0, 100.0, 100.0, 125.0])
    fills = fills_of((0, 0, 1.0, 100.0, 2.0, 0.0), (1, 0, -1.0, 90.0, 2.0, 0.0), (2, 0, 2.0, 100.0, 3.0, 0.0))
    closed, opened = trips_of(prepared, fills, (4.0,))
    assert closed["is_open"] == 0
    assert (opened["is_open"], opened["exit_bar"], opened["exit_price"]) == (1, 3, 125.0)
    assert opened["exit_time"] == prepared.close_times()[-1]
    assert opened["pnl"] == pytest.approx(2 * 25 * 10.0 - 3.0 - 4.0)


def test_open_trip_that_was_partly_left_counts_both_parts() -> None:
    fills = fills_of((0, 0, 4.0, 100.0, 0.0, 0.0), (1, 0, -1.0, 110.0, 0.0, 0.0))
    (trip,) = trips_of(market_of([100.0, 100.0, 120.0]), fills)
    assert trip["quantity"] == 4.0
    assert trip["pnl"] == pytest.approx(10 * (10 + 3 * 20))


def test_trips_are_in_account_currency_at_the_rate_of_each_fill() -> None:
    prepared = market_of([100.0, 100.0, 100.0])
    at_close, at_open = np.array([[1.0, 1.5, 7.0]]), np.array([[7.0, 7.0, 2.0]])
    closes = prepared.closes._replace(conversion=at_close, opening=at_open)
    fills = fills_of((0, 0, 1.0, 100.0, 0.0, 0.0), (2, 0, -1.0, 100.0, 0.0, 0.0))
    fills["time"] = prepared.close_times(0), prepared.market.time[2]
    out = np.zeros(2, TRADE_DTYPE)
    assert round_trips(closes, prepared.specs(Options()), fills, np.zeros(1), out) == 1
    assert out[0]["pnl"] == pytest.approx(1000 * 2.0 - 1000 * 1.0)
    assert out[0]["return"] == pytest.approx(1.0)


def test_a_position_that_is_lost_in_the_rounding_of_a_fill_is_still_the_same_trip() -> None:
    dust = 1e-14  # what a ticket of a hedging account may hold beside another one
    fills = fills_of(
        (0, 0, dust, 100.0, 2.0, 0.0),
        (1, 0, 150.0, 100.0, 2.0, 0.0),
        (2, 0, -150.0, 90.0, 2.0, 0.0),
        (3, 0, 150.0, 100.0, 2.0, 0.0),
        (4, 0, -150.0, 101.0, 2.0, 0.0),
        (4, 0, -dust, 101.0, 2.0, 0.0),
    )
    fills["position"] = [dust, 150.0, dust, 150.0, dust, 0.0]
    (trip,) = trips_of(market_of([100.0] * 5), fills)
    assert trip["pnl"] == pytest.approx(10 * 150 * (1.0 - 10.0) - 12.0)
    assert (trip["fees"], trip["entry_bar"], trip["exit_bar"], trip["is_open"]) == (12.0, 0, 4, 0)


def test_no_fills_make_no_trips() -> None:
    assert trips_of(market_of([100.0]), fills_of()).size == 0


def test_curve_marks_what_is_held_at_each_close() -> None:
    prepared = market_of([100.0, 101.0, 102.0, 103.0, 104.0])
    fills = fills_of((1, 0, 2.0, 100.0, 1.0, 0.0), (3, 0, -1.0, 103.0, 1.0, 0.0), (3, 0, -1.0, 102.0, 1.0, 0.0))
    curve, rows = np.empty(5), np.array([0, 2, 3])
    mark_curve(prepared.closes, prepared.specs(Options()), fills, (CASH, 0.0), (0, 5), curve)
    assert curve.tolist() == [CASH, CASH - 1 + 20, CASH - 1 + 40, CASH + 50 - 3, CASH + 50 - 3]
    some = np.empty(3)
    mark_rows(prepared.closes, prepared.specs(Options()), fills, CASH, rows, some)
    assert some.tolist() == curve[rows].tolist()


def test_exposure_is_gross_notional_over_equity_of_what_is_held_at_closes() -> None:
    prepared = market_of([100.0, 100.0, 100.0, 100.0], [50.0, 50.0, 50.0, 50.0])
    fills = fills_of(
        (1, 0, 2.0, 100.0, 0.0, 0.0),
        (1, 1, -2.0, 50.0, 0.0, 0.0),
        (2, 0, -2.0, 100.0, 0.0, 0.0),
        (2, 0, 1.0, 100.0, 0.0, 0.0),
        (2, 0, -1.0, 100.0, 0.0, 0.0),
    )
    equity, out = np.full(4, CASH), np.empty(4)
    exposures(prepared.closes, prepared.specs(Options()), fills, equity, out)
    assert out.tolist() == pytest.approx([0.0, 0.3, 0.1, 0.1])
    assert time_in_market(prepared.closes, fills) == 75.0
    rows = np.array([1, 3])
    assert exposure_at(prepared.closes, prepared.specs(Options()), fills, rows, equity[rows]) == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("lots", "leverage", "crash", "called"),
    [
        (10.0, 1.0, 0.01, False),
        (30.0, 4.0, 70.0, True),
        (30.0, 4.0, 95.0, False),
        (-10.0, 1.0, 170.0, True),
        (-10.0, 1.0, 110.0, False),
    ],
)
def test_margin_is_asked_for_at_every_close_unless_all_is_paid_for(
    lots: float, leverage: float, crash: float, called: bool
) -> None:
    prepared = market_of([100.0, 100.0, crash, 100.0])
    fills = fills_of((0, 0, lots, 100.0, 0.0, 0.0), (3, 0, -lots, 100.0, 0.0, 0.0))
    specs = prepared.specs(Options(leverage=leverage))
    assert bool(outgrows_margin(prepared.closes, specs, fills, CASH, 0.5)) == called
