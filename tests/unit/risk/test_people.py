import pytest

from apps.risk.contracts import (
    AllowInstruments,
    CommandRefused,
    InstrumentsAllowed,
    Limits,
    LimitsChanged,
    SessionsChanged,
    SessionWindow,
    SetLimits,
    SetSessions,
    SetTradingState,
    TradingStateChanged,
)
from apps.risk.core import RISK
from banyan.columns import ints
from banyan.messages import MessageParked, TimerDue
from tests.unit.risk.desk import Desk


def window(opens, closes):
    return [SessionWindow(opens_minute=opens, closes_minute=closes)]


@pytest.mark.parametrize(
    ("command", "event"),
    [
        (SetLimits(limits=Limits(order_steps_max=0)), LimitsChanged),
        (
            SetLimits(limits=Limits(order_steps_max=5), account=4, instrument="BTC", reason="client's wish"),
            LimitsChanged,
        ),
        (SetTradingState(state=2, instrument="BTC"), TradingStateChanged),
        (AllowInstruments(account=3, instruments=[]), InstrumentsAllowed),
        (SetSessions(instrument="BTC", windows=window(0, 10080)), SessionsChanged),
    ],
)
def test_what_people_ask_for_is_done_and_told(command, event):
    (told,) = Desk().give(command)
    assert isinstance(told, event)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (SetLimits(limits=Limits(order_steps_max=-2)), "order_steps_max = -2"),
        (SetLimits(limits=Limits(gross_micro_max=2**53)), "gross_micro_max = 9007199254740992"),
        (SetLimits(limits=Limits(leverage_e9_max=1), instrument="BTC"), "leverage_e9_max is a limit of whole accounts"),
        (SetLimits(limits=Limits(flatten_on_stop=2)), "flatten_on_stop = 2"),
        (SetLimits(limits=Limits(), account=-2), "-2 is no account number"),
        (SetTradingState(state=3), "state = 3"),
        (SetTradingState(state=1, set="a", instrument="BTC"), "one level"),
        (SetTradingState(state=1, accounts=ints([1]), set="a"), "one level"),
        (SetTradingState(state=1, accounts=ints([-1])), "accounts"),
        (AllowInstruments(account=-1, instruments=None), "-1 is no account number"),
        (AllowInstruments(account=1, instruments=["BTC", ""]), "no name"),
        (SetSessions(instrument=""), "give its name"),
        (SetSessions(instrument="BTC", time_zone="Mars", windows=[]), "'Mars'"),
        (SetSessions(instrument="BTC", windows=window(-1, 5)), "windows[0].opens_minute = -1"),
        (SetSessions(instrument="BTC", windows=window(1, 10081)), "windows[0].closes_minute = 10081"),
        (SetSessions(instrument="BTC", windows=window(5, 5)), "opens and closes at minute 5"),
    ],
)
def test_what_cannot_be_is_refused_with_what_and_why_and_changes_nothing(command, words):
    desk = Desk()
    before = RISK.to_snapshot(desk.state)
    (refused,) = desk.give(command)
    assert isinstance(refused, CommandRefused)
    assert refused.command == command.wire_name
    assert words in refused.reason
    assert RISK.to_snapshot(desk.state) == before


def test_settings_outlive_a_restart():
    desk = Desk()
    desk.give(AllowInstruments(account=40, instruments=["A", "B", "C", "D", "E", "F"]))
    for number in range(40):
        desk.give(SetLimits(limits=Limits(order_steps_max=number), account=number, instrument="F"))
    desk.give(SetTradingState(state=1))
    desk.give(SetTradingState(state=2, set="trend"))
    desk.give(SetSessions(instrument="A", time_zone="Asia/Tokyo", windows=window(3, 9)))
    desk.restart()


def test_other_events_change_nothing_and_other_messages_are_a_bug():
    desk = Desk()
    before = RISK.to_snapshot(desk.state)
    RISK.evolve(desk.state, MessageParked(id="x", reason="poison"))
    assert RISK.to_snapshot(desk.state) == before
    assert desk.give(TimerDue(name="period", due_ns=desk.now)) == []
    with pytest.raises(TypeError, match="MessageParked"):
        desk.give(MessageParked(id="x", reason="poison"))
