"""Sizing rules that need to know more than equity and a price: volatility, and the trades that were closed."""

import numpy as np
import pytest

from apps.execution.book_contracts import CommandRefused, SkipReason
from apps.execution.contracts import OrdersRequested, Subscribe
from banyan.columns import ints
from tests.unit.execution.desk import EURUSD, GOLD, QUOTES, Desk, only, skip, target
from trading.volatility import VOLATILITY_BARS, volatility_of

ASK = QUOTES[EURUSD.id][1] / 100_000


def desk_of(sizing: str, number: float) -> Desk:
    desk = Desk()
    desk.open(1, deposit=1_000_000)
    desk.configure("trend", EURUSD, GOLD)
    desk.subscribe("trend", 1, sizing=sizing, sizing_number_e9=round(number * 1e9))
    return desk


def weigh(desk: Desk, version: int, weight: float, **more: object) -> list:
    return desk.feed(target("trend", version, {EURUSD.id: weight}, mode=ints([0]), **more))


def test_a_weight_is_sized_to_the_volatility_that_came_with_its_target() -> None:
    request = only(weigh(desk_of("vol", 15), 1, 0.5, volatility=[0.30]), OrdersRequested)
    assert request.steps.tolist() == [int(1_000_000 * 0.5 * 0.15 / 0.30 / (ASK * 1_000))]


def test_without_a_volatility_nothing_is_sized_by_it() -> None:
    assert skip(weigh(desk_of("vol", 15), 1, 0.5))[0] == SkipReason.NOT_SIZED
    assert skip(weigh(desk_of("vol", 15), 1, 0.5, volatility=[None]))[0] == SkipReason.NOT_SIZED


def test_the_kelly_share_of_a_book_limits_what_it_is_given_from_its_twentieth_closed_trade_on() -> None:
    desk = desk_of("kelly", 0.5)
    returns = []
    for version in range(1, 41):
        bid, ask = QUOTES[EURUSD.id]
        gains = version // 2 % 3 != 0  # two of three are closed higher than they were opened
        given = weigh(desk, version, 0.1 if version % 2 else 0.0)
        price = {EURUSD.id: ask if version % 2 else (bid + 50 if gains else bid - 60)}
        for released in [each for r in given if isinstance(r, OrdersRequested) for each in desk.approve(r)]:
            desk.fill(released, price)
        if version % 2 == 0:
            returns.append((price[EURUSD.id] - ask) / ask)
    line = desk.line(1, EURUSD.id, "trend")
    assert (line.closes, line.held) == (20, 0)
    kelly = np.sum(returns) / np.sum(np.square(returns))
    assert line.return_sum / line.return_squares == pytest.approx(kelly, rel=1e-9)
    request = only(weigh(desk, 41, 1.0), OrdersRequested)
    share = min(1.0, 0.5 * min(1.0, kelly))
    assert request.steps.tolist() == [int(desk.balance(1) / 1e6 * share / (ASK * 1_000))]


def test_a_book_counts_the_closed_trades_of_all_its_instruments_in_one_place() -> None:
    desk = desk_of("kelly", 0.5)
    for version, wanted in enumerate(({EURUSD.id: 1, GOLD.id: 5}, {EURUSD.id: 0.4, GOLD.id: -2}), 1):
        desk.trade(desk.feed(target("trend", version, wanted)))
    assert desk.line(1, EURUSD.id, "trend").closes == 2
    gold = desk.line(1, GOLD.id, "trend")
    assert (gold.closes, gold.entry_price) == (0, 1200.0)  # what was turned was entered anew
    assert desk.line(1, EURUSD.id, "trend").entry_price == 1.12342


def test_a_rule_that_takes_a_number_is_refused_without_one() -> None:
    desk = desk_of("vol", 15)
    refused = only(desk.feed(Subscribe(account=1, set="trend", sizing="kelly")), CommandRefused)
    assert "takes a number above 0" in refused.reason


def test_volatility_is_of_the_last_returns_and_unknown_while_they_are_few() -> None:
    closes = np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, 100)))
    returns = np.diff(np.log(closes))[-VOLATILITY_BARS:]
    assert volatility_of(closes, 252.0) == pytest.approx(np.std(returns, ddof=1) * np.sqrt(252.0))
    assert np.isnan(volatility_of(closes[: VOLATILITY_BARS // 2], 252.0))
    assert volatility_of(closes[: VOLATILITY_BARS // 2 + 1], 252.0) > 0.0
