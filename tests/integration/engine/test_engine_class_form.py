"""Strategies as plain classes: what they are given, what they may ask, what counts as new."""

from typing import Any

import pytest

from apps.backtest.interface import ChannelsError, run
from apps.signals.interface import Channel, ClassStrategy, StrategyError
from tests.integration.engine.scripted import (
    as_class,
    bars_of,
    fills,
    fills_by_channel,
    flat,
    lots,
    weight,
)


def running(instance: ClassStrategy, bars: Any, **options: Any) -> Any:
    return run(as_class(instance, 1 if "open" in bars else len(bars)), bars, **options)


class Asking(ClassStrategy):
    def __init__(self, ask: Any, channels: tuple[Channel, ...] = ()) -> None:
        self.ask, self.channels, self.row = ask, channels, -1

    def initialize(self, params: Any) -> tuple[Channel, ...]:
        return self.channels

    def event(self, data: Any) -> Any:
        self.row += 1
        return self.ask(self, self.row, data)


def test_class_sees_each_closed_bar_and_its_own_account() -> None:
    seen = []

    def ask(self: Asking, row: int, bar: Any) -> float | None:
        seen.append((bar.close, self.portfolio.position(), self.portfolio.cash, self.portfolio.equity))
        return 0.5 if row == 0 else None

    running(Asking(ask), bars_of([*flat(100, 2), *flat(110)]), fee_bps=0.0)
    assert seen == [(100, 0, 100_000, 100_000), (100, 500, 50_000, 100_000), (110, 500, 50_000, 105_000)]


def test_class_sees_at_once_what_was_filled_at_the_close() -> None:
    positions = []

    def ask(self: Asking, row: int, bar: Any) -> float:
        positions.append(self.portfolio.position())
        return 0.5 if row == 0 else 0.0

    running(Asking(ask), bars_of(flat(100, 3)), fill="close")
    assert positions == [0.0, 500.0, 0.0]


@pytest.mark.parametrize("channels", [1, 2])
def test_asking_again_for_the_same_is_not_a_new_version(channels: int) -> None:
    def ask(self: Asking, row: int, data: Any) -> None:
        self.portfolio.target_weight(0.5, None if channels == 1 else "A", stop_loss=90.0)

    bars = bars_of([(100 + k,) * 4 for k in range(6)])
    result = running(Asking(ask), bars if channels == 1 else {"A": bars, "B": bars})
    assert result.n_fills == 1


@pytest.mark.parametrize("channels", [1, 2])
def test_nan_in_between_does_not_make_the_same_a_new_version(channels: int) -> None:
    def ask(self: Asking, row: int, data: Any) -> Any:
        opinion = (0.5, float("nan"), 0.5, None, 0.5, 0.25)[row]
        return opinion if channels == 1 else {"A": opinion}

    bars = bars_of([(100 + k,) * 4 for k in range(6)])
    result = running(Asking(ask), bars if channels == 1 else {"A": bars, "B": bars})
    assert result.n_fills == 1


def test_return_is_new_again_after_something_else_was_asked_of_the_portfolio() -> None:
    def ask(self: Asking, row: int, bar: Any) -> float | None:
        if row == 2:
            self.portfolio.target_weight(0.25)
        return None if row == 2 else 0.5

    result = running(Asking(ask), bars_of(flat(100, 6)), fee_bps=0.0)
    assert [fill[:2] for fill in fills(result)] == [(1, 500.0), (3, -250.0), (4, 250.0)]


def test_class_may_ask_for_lots_and_brackets() -> None:
    def ask(self: Asking, row: int, bar: Any) -> None:
        if row == 0:
            self.portfolio.target_lots(10, stop_loss=98.0, take_profit=103.0, trail=4.0)

    result = running(Asking(ask), bars_of([*flat(100, 2), (100, 104, 97, 100)]))
    assert fills(result) == [(1, 10.0, 100.0, "target"), (2, -10.0, 98.0, "stop-loss")]


def test_class_with_several_channels_gets_the_bars_by_name_once_there_are_any() -> None:
    known = []

    def ask(self: Asking, row: int, data: Any) -> Any:
        known.append(sorted(data))
        return {"B": lots(5)} if row == 2 else {"A": weight(0.5)}

    bars = {"A": bars_of(flat(100, 4)), "B": {name: column[1:] for name, column in bars_of(flat(50, 4)).items()}}
    result = running(Asking(ask), bars)
    assert known == [["A"], ["A", "B"], ["A", "B"], ["A", "B"]]
    assert [fill[:3] for fill in fills_by_channel(result)] == [(1, 0, 500.0), (3, 1, 5.0)]


def test_rebalancing_goes_on_while_the_class_says_nothing() -> None:
    bars = bars_of([*flat(100, 2), *flat(130, 3)])
    result = running(Asking(lambda _self, row, _bar: 0.5 if row == 0 else None), bars, sizing="weights", rebalance=0.05)
    assert [fill[0] for fill in fills(result)] == [1, 3]


@pytest.mark.parametrize("channels", [1, 2])
def test_new_target_at_a_close_is_traded_instead_of_a_rebalancing_there(channels: int) -> None:
    def ask(self: Asking, row: int, data: Any) -> Any:
        opinion = {0: 0.5, 2: 0.4}.get(row)
        return opinion if channels == 1 else {"A": opinion}

    bars = bars_of([*flat(100, 2), *flat(130, 2)])
    given = bars if channels == 1 else {"A": bars, "B": bars}
    result = running(Asking(ask), given, sizing="weights", rebalance=0.05, fill="close")
    assert [fill[0] for fill in fills(result)] == [0, 2]
    assert result.fill_records["position"][1] == pytest.approx(0.4 * result.equity[2] / 130)


def test_class_that_asks_for_channels_it_was_not_given_is_told() -> None:
    instance = Asking(lambda *_: None, (Channel("V:OTHER", "1d"),))
    with pytest.raises(ChannelsError, match="V:OTHER.*bars"):
        running(instance, bars_of(flat(100, 2)))


def test_unknown_channel_names_the_ones_there_are() -> None:
    def ask(self: Asking, row: int, data: Any) -> None:
        self.portfolio.target_weight(1.0, "C")

    with pytest.raises(StrategyError, match="no channel 'C'; this run has A, B"):
        running(Asking(ask), {"A": bars_of(flat(1, 2)), "B": bars_of(flat(1, 2))})


def test_unknown_channel_in_what_is_returned_names_the_ones_there_are() -> None:
    with pytest.raises(StrategyError, match="no channel 'C'; this run has A, B"):
        running(Asking(lambda *_: {"C": 1.0}), {"A": bars_of(flat(1, 2)), "B": bars_of(flat(1, 2))})


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (lambda self: weight(1.0)._replace(stop_loss="95"), "stop_loss='95'"),
        (lambda self: weight(1.0)._replace(price=None), "price=None"),
        (lambda self: "all", "value='all'"),
        (lambda self: self.portfolio.target_weight(1.0, take_profit=[1, 2]), "take_profit=.1, 2."),
    ],
)
def test_what_is_no_number_is_told_with_its_field_and_the_strategy(said: Any, told: str) -> None:
    expected = rf"py: [a-z_]+: the target given at \d{{4}}-\d\d-\d\dT[\d:]+ for bars has {told}: write a number"
    with pytest.raises(StrategyError, match=expected):
        running(Asking(lambda self, row, bar: said(self)), bars_of(flat(100, 3)))
