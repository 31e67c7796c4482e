from pathlib import Path

import numpy as np
import pytest

from apps.signals.contracts import DefineSet, SetRefused
from apps.signals.core import decide, evolve
from apps.signals.interface import StrategyError
from apps.signals.state import SNAPSHOT_VERSION, from_snapshot, to_snapshot
from banyan.codec import encode_message
from banyan.messages import Received
from tests.unit.live import classes
from tests.unit.live.test_sets import EUR, GBP, Driven, bars, member, values
from trading.targets import LIMIT, LOTS, MARKET, WEIGHT

FILE = Path(classes.__file__)


def of_class(name, *channels, **parameters):
    return member(f"{FILE}:{name}", *channels, **parameters)


def walk(count, seed=5):
    return (100_000 + np.cumsum(np.random.default_rng(seed).integers(-300, 301, count))).tolist()


def test_a_class_in_a_set_gives_the_targets_that_it_returns():
    driven = Driven(of_class("rising", EUR, window=1))
    said = [values(driven.give(bars(hour, EUR=close))) for hour, close in enumerate((100, 110, 120, 90), 1)]
    assert said == [[], [{EUR.instrument: 1.0}], [], [{EUR.instrument: 0.0}]]


def test_a_weight_after_a_target_in_lots_of_the_same_number_is_told():
    driven = Driven(of_class("Undecided", EUR))
    first, second = (driven.give(bars(hour, EUR=100))[-1] for hour in (1, 2))
    assert (first.value, first.mode.tolist(), first.entry.tolist()) == ([0.5], [LOTS], [LIMIT])
    assert (second.value, second.mode.tolist(), second.entry.tolist()) == ([0.5], [WEIGHT], [MARKET])
    assert values(driven.give(bars(3, EUR=100))) == []


def test_a_class_is_shown_each_bar_once_however_often_it_is_decided_on():
    driven = Driven(of_class("counting", EUR, window=2))
    said = [values(driven.give(bars(hour, EUR=100))) for hour in range(1, 7)]
    weights = [each[0][EUR.instrument] for each in said if each]
    assert weights == [0.0, 1.0, 0.0, 1.0]


def test_a_class_on_several_channels_gets_them_by_name():
    driven = Driven(of_class("Larger", EUR, GBP))
    driven.give(bars(1, EUR=100, GBP=100))
    assert values(driven.give(bars(2, EUR=100, GBP=120))) == [{EUR.instrument: 0.0, GBP.instrument: 1.0}]


@pytest.mark.parametrize(("name", "channels"), [("rising", 1), ("counting", 1), ("Larger", 2)])
def test_a_class_goes_on_from_a_snapshot_as_if_it_had_not_stopped(name, channels):
    chosen = (EUR, GBP)[:channels]
    parameters = {} if channels == 2 else {"window": 7}
    driven = Driven(of_class(name, *chosen, **parameters))
    closes = list(zip(walk(300), walk(300, seed=6), strict=True))

    def at(hour):
        return bars(hour, **dict(zip(("EUR", "GBP")[:channels], closes[hour - 1], strict=False)))

    for hour in range(1, 201):
        driven.give(at(hour))
    other = from_snapshot("s", SNAPSHOT_VERSION, to_snapshot(driven.state))
    assert to_snapshot(other) == to_snapshot(driven.state)
    for hour in range(201, 301):
        expected = driven.give(at(hour))
        found = decide(other, Received(message=at(hour), id="x", key="s", received_at_ns=0, event_time_ns=0))
        assert [encode_message(each) for each in found] == [encode_message(each) for each in expected]
        for event in found:
            other = evolve(other, event)


def test_of_a_class_that_settles_no_more_than_that_is_kept():
    driven = Driven(of_class("rising", EUR, window=3))
    for hour, close in enumerate(walk(500), 1):
        driven.give(bars(hour, EUR=close))
    assert driven.state.members[0].mind.past()["closed_at_ns"].size == 4


def test_a_class_that_looks_at_an_account_fails_with_its_line():
    driven = Driven(of_class("Curious", EUR))
    line = next(number for number, text in enumerate(FILE.read_text().splitlines(), 1) if "line that is told" in text)
    with pytest.raises(StrategyError, match=f"^{FILE}:{line}: NoAccountError: portfolio.equity"):
        driven.give(bars(1, EUR=100))


def test_a_class_that_wants_other_channels_is_refused():
    driven = Driven(of_class("rising", EUR, window=1))
    refused = driven.give(DefineSet(set="s", members=[of_class("Particular", EUR)]))
    assert isinstance(refused[0], SetRefused)
    assert "OANDA:USDJPY" in refused[0].reason
