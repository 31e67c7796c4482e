"""Stops by losses, worked by hand. The account opens on Monday at noon with 1,000 USD."""

import pytest

from apps.execution.contracts import AccountOpened
from apps.risk.contracts import (
    Level,
    Limits,
    RefusalReason,
    SetLimits,
    SetTradingState,
    StopsLifted,
    TradingState,
    TradingStateChanged,
)
from banyan.columns import ints
from banyan.messages import RowsParked, TimerDue, TimerSet
from tests.unit.risk.desk import DAY, HOUR, MINUTE, MONDAY, UNIT, Desk, is_approved, refusal

TEN_PERCENT = 100_000_000


@pytest.fixture
def desk():
    made = Desk()
    made.open(1)
    return made


def limit(desk, account=-1, **limits):
    desk.give(SetLimits(limits=Limits(**limits), account=account))


def stops(events):
    return [event for event in events if isinstance(event, TradingStateChanged) and event.stop]


def test_an_account_that_loses_more_than_it_may_in_a_day_can_only_reduce(desk):
    limit(desk, daily_loss_e9_max=TEN_PERCENT)
    assert stops(desk.value(900)) == [], "exactly ten percent is allowed"
    (stop,) = stops(desk.value(899))
    assert (stop.state, stop.accounts.tolist(), stop.stop) == (TradingState.REDUCING, [1], RefusalReason.DAILY_LOSS)
    assert (stop.bound.tolist(), stop.actual.tolist(), stop.flatten) == ([TEN_PERCENT], [101_000_000], False)
    desk.hold(8)
    assert refusal(desk.ask(1)) == (RefusalReason.DAILY_LOSS, Level.GLOBAL, TEN_PERCENT, 101_000_000)
    assert is_approved(desk.ask(-8))


def test_a_stop_is_told_once_and_outlasts_a_recovery(desk):
    limit(desk, daily_loss_e9_max=TEN_PERCENT)
    desk.value(800)
    assert stops(desk.value(700)) == []
    desk.value(2_000)
    assert refusal(desk.ask(1))[0] == RefusalReason.DAILY_LOSS


@pytest.mark.parametrize(
    ("limit_name", "reason", "value"),
    [
        ("daily_loss_e9_max", RefusalReason.DAILY_LOSS, {"equity": 800, "balance": 1_000}),
        ("daily_balance_loss_e9_max", RefusalReason.DAILY_BALANCE_LOSS, {"equity": 1_000, "balance": 800}),
        ("weekly_loss_e9_max", RefusalReason.WEEKLY_LOSS, {"equity": 800, "balance": 1_000}),
        ("weekly_balance_loss_e9_max", RefusalReason.WEEKLY_BALANCE_LOSS, {"equity": 1_000, "balance": 800}),
        ("monthly_loss_e9_max", RefusalReason.MONTHLY_LOSS, {"equity": 800, "balance": 1_000}),
        ("monthly_balance_loss_e9_max", RefusalReason.MONTHLY_BALANCE_LOSS, {"equity": 1_000, "balance": 800}),
        ("drawdown_e9_max", RefusalReason.DRAWDOWN, {"equity": 800, "balance": 1_000}),
        ("balance_drawdown_e9_max", RefusalReason.BALANCE_DRAWDOWN, {"equity": 1_000, "balance": 800}),
    ],
)
def test_every_loss_has_its_limit_and_its_reason(desk, limit_name, reason, value):
    limit(desk, account=1, **{limit_name: TEN_PERCENT})
    assert [event.stop for event in stops(desk.value(**value))] == [reason]
    assert refusal(desk.ask(1)) == (reason, Level.ACCOUNT, TEN_PERCENT, 2 * TEN_PERCENT)


@pytest.mark.parametrize(
    ("limit_name", "spans", "stopped"),
    [
        ("daily_loss_e9_max", (11 * HOUR, 12 * HOUR, 13 * HOUR), (True, False, False)),
        ("weekly_loss_e9_max", (DAY, 6 * DAY + 11 * HOUR, 6 * DAY + 12 * HOUR), (True, True, False)),
        ("monthly_loss_e9_max", (7 * DAY, 30 * DAY + 11 * HOUR, 30 * DAY + 12 * HOUR), (True, True, False)),
        ("drawdown_e9_max", (DAY, 7 * DAY, 400 * DAY), (True, True, True)),
    ],
)
def test_a_stop_lasts_until_its_period_is_over(desk, limit_name, spans, stopped):
    limit(desk, **{limit_name: TEN_PERCENT})
    desk.value(800)
    began = desk.now
    for span, is_stopped in zip(spans, stopped, strict=True):
        desk.now = began + span
        desk.give(TimerDue(name="period", due_ns=desk.now))
        assert is_approved(desk.ask(1)) == (not is_stopped)


def test_the_timer_of_a_stop_is_the_midnight_of_the_accounts_zone_and_goes_on_while_it_must(desk):
    desk.open(2, zone="America/New_York")
    limit(desk, weekly_loss_e9_max=TEN_PERCENT)
    desk.now = MONDAY + 5 * DAY + 12 * HOUR
    events = desk.value(800, account=2)
    assert [event.due_ns for event in events if isinstance(event, TimerSet)] == [MONDAY + 6 * DAY + 5 * HOUR]
    desk.now = MONDAY + 6 * DAY + 5 * HOUR
    (again,) = desk.give(TimerDue(name="period", due_ns=desk.now))
    assert isinstance(again, TimerSet)
    assert again.due_ns == MONDAY + 7 * DAY + 5 * HOUR
    desk.now += DAY
    (lifted,) = desk.give(TimerDue(name="period", due_ns=desk.now))
    assert isinstance(lifted, StopsLifted)
    assert (lifted.account.tolist(), lifted.stop.tolist()) == ([2], [RefusalReason.WEEKLY_LOSS])


def test_a_drawdown_sets_no_timer(desk):
    limit(desk, drawdown_e9_max=TEN_PERCENT)
    assert not any(isinstance(event, TimerSet) for event in desk.value(800))


def test_a_days_loss_is_measured_from_what_the_account_was_worth_before_it(desk):
    limit(desk, daily_loss_e9_max=TEN_PERCENT)
    desk.value(950)
    desk.now += DAY
    assert stops(desk.value(860)) == []  # 9.5 % of 950
    (stop,) = stops(desk.value(854))  # 96 of 950 is 10.105263158 %
    assert stop.actual.tolist() == [101_052_632]


def test_the_day_turns_in_the_accounts_zone(desk):
    desk.open(2, zone="America/New_York")
    limit(desk, daily_loss_e9_max=TEN_PERCENT)
    for account in (1, 2):
        desk.value(950, account=account)
    desk.now = MONDAY + DAY + 4 * HOUR + 59 * MINUTE  # 23:59 in New York
    assert stops(desk.value(890, account=1)) == []
    assert len(stops(desk.value(890, account=2))) == 1


def test_drawdown_is_measured_from_the_peak(desk):
    limit(desk, drawdown_e9_max=TEN_PERCENT)
    desk.value(2_000)
    desk.value(1_950)  # what the next day begins with
    desk.now += 90 * DAY
    assert stops(desk.value(1_800)) == []
    assert [event.stop for event in stops(desk.value(1_799))] == [RefusalReason.DRAWDOWN]


def test_several_limits_stop_separately_and_flatten_where_that_is_set(desk):
    desk.open(2)
    limit(desk, daily_loss_e9_max=TEN_PERCENT, drawdown_e9_max=2 * TEN_PERCENT, flatten_on_stop=1)
    limit(desk, account=2, flatten_on_stop=0)
    events = stops(desk.value(700)) + stops(desk.value(700, account=2))
    assert [(event.accounts.tolist(), event.stop, event.flatten) for event in events] == [
        ([1], RefusalReason.DAILY_LOSS, True),
        ([1], RefusalReason.DRAWDOWN, True),
        ([2], RefusalReason.DAILY_LOSS, False),
        ([2], RefusalReason.DRAWDOWN, False),
    ]
    desk.now += DAY
    desk.give(TimerDue(name="period", due_ns=desk.now))
    assert refusal(desk.ask(1))[0] == RefusalReason.DRAWDOWN


@pytest.mark.parametrize("account", [-1, 1])
def test_who_is_beyond_a_loss_limit_when_it_is_set_is_stopped_with_it(desk, account):
    desk.open(2)
    desk.value(950)
    desk.value(890)
    given = desk.give(SetLimits(limits=Limits(daily_loss_e9_max=TEN_PERCENT, flatten_on_stop=1), account=account))
    (stop,) = stops(given)
    assert (stop.accounts.tolist(), stop.stop, stop.flatten) == ([1], RefusalReason.DAILY_LOSS, True)
    assert (stop.actual.tolist(), stop.level.tolist()) == ([110_000_000], [Level.ACCOUNT] if account == 1 else [])
    assert [event.due_ns for event in given if isinstance(event, TimerSet)] == [MONDAY + DAY]
    assert refusal(desk.ask(1))[0] == RefusalReason.DAILY_LOSS
    assert is_approved(desk.ask(1, account=2))
    assert stops(desk.value(880)) == [], "it is stopped already"


def test_a_limit_that_is_set_on_another_day_is_about_what_that_day_has_lost(desk):
    desk.value(800)
    desk.now += DAY
    limit(desk, daily_loss_e9_max=TEN_PERCENT)
    assert is_approved(desk.ask(1))
    assert [event.stop for event in desk.give(SetLimits(limits=Limits(weekly_loss_e9_max=TEN_PERCENT)))
            if isinstance(event, TradingStateChanged)] == [RefusalReason.WEEKLY_LOSS]  # fmt: skip


def test_a_wider_limit_or_one_of_an_instrument_stops_nobody(desk):
    desk.value(890)
    assert stops(desk.give(SetLimits(limits=Limits(daily_loss_e9_max=2 * TEN_PERCENT)))) == []
    assert stops(desk.give(SetLimits(limits=Limits(order_steps_max=1), instrument="EURUSD"))) == []
    assert stops(desk.give(SetLimits(limits=Limits(daily_loss_e9_max=0), account=77))) == []


def test_a_person_lifts_a_stop_and_losses_are_counted_anew(desk):
    limit(desk, drawdown_e9_max=TEN_PERCENT)
    desk.value(800)
    desk.give(SetTradingState(state=TradingState.ACTIVE, accounts=ints([1])))
    assert is_approved(desk.ask(1))
    assert stops(desk.value(720)) == []
    assert len(stops(desk.value(719))) == 1


def test_a_stop_does_not_lift_a_halt_and_its_end_does_not_either(desk):
    limit(desk, daily_loss_e9_max=TEN_PERCENT)
    desk.give(SetTradingState(state=TradingState.HALTED, accounts=ints([1])))
    desk.value(800)
    desk.now += DAY
    desk.give(TimerDue(name="period", due_ns=desk.now))
    assert refusal(desk.ask(1))[0] == RefusalReason.HALTED


def test_stops_outlive_a_restart(desk):
    limit(desk, daily_loss_e9_max=TEN_PERCENT)
    desk.value(800)
    desk.restart()
    assert refusal(desk.ask(1)) == (RefusalReason.DAILY_LOSS, Level.GLOBAL, TEN_PERCENT, 2 * TEN_PERCENT)


@pytest.mark.parametrize(
    "value", [{"equity": 2**59 // UNIT}, {"equity": 5, "gross": -1}, {"equity": 5, "margin": -1},
              {"equity": 5, "gross": 3, "net": -4}],
)  # fmt: skip
def test_values_that_cannot_be_are_parked_and_the_account_only_reduces(desk, value):
    events = desk.value(**value)
    assert [type(event) for event in events] == [RowsParked, TradingStateChanged]
    assert refusal(desk.ask(1))[0] == RefusalReason.REDUCING


def test_an_account_that_cannot_be_is_not_opened(desk):
    (parked,) = desk.open(5, balance=2**60 // UNIT)
    assert isinstance(parked, RowsParked)
    assert refusal(desk.ask(1, account=5))[0] == RefusalReason.UNKNOWN_ACCOUNT


def test_terms_of_an_open_account_change_and_its_money_does_not(desk):
    desk.value(700)
    desk.give(
        AccountOpened(
            account="a1", number=1, client="c", broker="b", currency="USD", leverage_e9=1, hedging=False,
            time_zone="nowhere", balance_micro=5,
        )
    )  # fmt: skip
    assert int(desk.state.accounts.rows["equity"][0]) == 700 * UNIT


@pytest.mark.parametrize("name", ["daily_loss_e9_max", "daily_balance_loss_e9_max", "drawdown_e9_max"])
def test_what_is_paid_in_or_out_is_no_profit_and_no_loss(desk, name):
    limit(desk, **{name: TEN_PERCENT})
    assert stops(desk.value(400, paid_in=-600)) == [], "600 of 1,000 were withdrawn"
    assert stops(desk.value(360)) == []
    (stop,) = stops(desk.value(359))
    assert stop.actual.tolist() == [102_500_000]


def test_a_deposit_hides_no_loss(desk):
    limit(desk, daily_loss_e9_max=TEN_PERCENT)
    desk.value(950)
    assert stops(desk.value(1_850, paid_in=1_000)) == [], "150 of 2,000 are lost"
    assert len(stops(desk.value(1_799))) == 1


def test_a_deposit_of_before_the_day_belongs_to_what_the_day_is_measured_from(desk):
    limit(desk, daily_loss_e9_max=TEN_PERCENT)
    desk.value(2_000, paid_in=1_000)
    desk.now += DAY
    assert stops(desk.value(1_800)) == []
    assert len(stops(desk.value(1_799))) == 1
