"""Every refusal, worked by hand. A lot step is worth 1 USD unless a test says otherwise; the account has 1,000 USD."""

import pytest

from apps.execution.contracts import OrdersRequested
from apps.risk.contracts import (
    AllowInstruments,
    Level,
    Limits,
    OrdersApproved,
    RefusalReason,
    SessionWindow,
    SetLimits,
    SetSessions,
    SetTradingState,
    TradingState,
)
from banyan.columns import ints
from banyan.messages import RowsParked
from tests.unit.risk.desk import (
    DAY,
    E9,
    HOUR,
    MINUTE,
    MONDAY,
    SECOND,
    UNIT,
    Desk,
    is_approved,
    refusal,
    terms,
    verdicts,
)


@pytest.fixture
def desk():
    made = Desk()
    made.open(1)
    return made


def limit(desk, account=-1, instrument="", **limits):
    desk.give(SetLimits(limits=Limits(**limits), account=account, instrument=instrument))


def test_an_order_is_approved_where_no_limit_is_set(desk):
    events = desk.ask(10**6)
    assert is_approved(events)
    approved = next(event for event in events if isinstance(event, OrdersApproved))
    assert (approved.instruments, approved.account.tolist(), approved.decision.tolist()) == (["EURUSD"], [1], [1])


# ---- trading states


@pytest.mark.parametrize(
    ("where", "level"),
    [
        ({}, Level.GLOBAL),
        ({"set": "trend"}, Level.SET),
        ({"accounts": ints([1])}, Level.ACCOUNT),
        ({"instrument": "EURUSD"}, Level.INSTRUMENT),
    ],
)
def test_a_halt_refuses_every_order_at_its_level(desk, where, level):
    desk.hold(8)
    desk.give(SetTradingState(state=TradingState.HALTED, **where))
    assert refusal(desk.ask(5, of="trend")) == (RefusalReason.HALTED, level, 0, 5)
    assert refusal(desk.ask(-5, of="trend")) == (RefusalReason.HALTED, level, 0, 5)
    desk.give(SetTradingState(state=TradingState.ACTIVE, **where))
    assert is_approved(desk.ask(5, of="trend"))


def test_a_halt_leaves_others_alone(desk):
    desk.open(2)
    desk.give(SetTradingState(state=TradingState.HALTED, set="other"))
    desk.give(SetTradingState(state=TradingState.HALTED, instrument="DE40"))
    desk.give(SetTradingState(state=TradingState.HALTED, accounts=ints([2])))
    assert is_approved(desk.ask(5))


def test_a_halt_of_a_set_holds_for_orders_that_it_has_a_share_in(desk):
    desk.give(SetTradingState(state=TradingState.HALTED, set="trend"))
    shares = {"books": ["trend", "carry"], "share_order": [1, 2, 2], "share_book": [1, 1, 0], "share_steps": [1, 1, 2]}
    assert verdicts(desk.ask(1, 1, 3, of="trend", **shares)) == (
        [(RefusalReason.HALTED, Level.SET, 0, 1), (RefusalReason.HALTED, Level.SET, 0, 3)], 1,
    )  # fmt: skip


def test_the_strictest_state_counts(desk):
    desk.give(SetTradingState(state=TradingState.REDUCING))
    desk.give(SetTradingState(state=TradingState.HALTED, instrument="EURUSD"))
    desk.give(SetTradingState(state=TradingState.REDUCING, accounts=ints([1])))
    assert refusal(desk.ask(5)) == (RefusalReason.HALTED, Level.INSTRUMENT, 0, 5)


def test_reducing_lets_through_what_makes_the_position_smaller_and_nothing_else(desk):
    desk.hold(8)
    desk.give(SetTradingState(state=TradingState.REDUCING))
    assert refusal(desk.ask(1)) == (RefusalReason.REDUCING, Level.GLOBAL, 0, 1)
    assert refusal(desk.ask(-9)) == (RefusalReason.REDUCING, Level.GLOBAL, 8, 9)
    assert is_approved(desk.ask(-6))
    assert refusal(desk.ask(-3)) == (RefusalReason.REDUCING, Level.GLOBAL, 2, 3), "six are on their way"


def test_reduce_only_orders_pass_halts_and_limits(desk):
    desk.hold(-8)
    limit(desk, order_steps_max=1, orders_per_second_max=0)
    desk.give(SetTradingState(state=TradingState.HALTED))
    assert is_approved(desk.ask(8, reduce_only=[1]))


def test_reduce_only_orders_never_enlarge_or_turn_a_position(desk):
    desk.hold(8)
    assert refusal(desk.ask(1, reduce_only=[1])) == (RefusalReason.NOT_REDUCING, Level.ACCOUNT_INSTRUMENT, 0, 1)
    assert refusal(desk.ask(-9, reduce_only=[1])) == (RefusalReason.NOT_REDUCING, Level.ACCOUNT_INSTRUMENT, 8, 9)
    assert verdicts(desk.ask(-5, -4, reduce_only=[1, 1])) == (
        [(RefusalReason.NOT_REDUCING, Level.ACCOUNT_INSTRUMENT, 3, 4)], 1,
    )  # fmt: skip


# ---- who, what and when


def test_an_account_that_is_not_open_is_refused(desk):
    assert refusal(desk.ask(5, account=2)) == (RefusalReason.UNKNOWN_ACCOUNT, Level.ACCOUNT, 0, 5)
    limit(desk, account=2, order_steps_max=9)
    assert refusal(desk.ask(5, account=2)) == (RefusalReason.UNKNOWN_ACCOUNT, Level.ACCOUNT, 0, 5)
    desk.open(2)
    assert is_approved(desk.ask(5, account=2))


def test_an_instrument_that_is_not_on_the_list_is_refused(desk):
    desk.give(AllowInstruments(account=1, instruments=["DE40"]))
    assert refusal(desk.ask(5)) == (RefusalReason.NOT_ALLOWED, Level.ACCOUNT, 0, 5)
    assert is_approved(desk.ask(5, instrument="DE40"))
    desk.give(AllowInstruments(account=1, instruments=None))
    assert is_approved(desk.ask(5))


def test_a_decision_number_is_taken_once(desk):
    assert is_approved(desk.ask(5, decision=[7]))
    assert refusal(desk.ask(5, decision=[7])) == (RefusalReason.DUPLICATE, Level.ACCOUNT_INSTRUMENT, 7, 7)
    assert refusal(desk.ask(5, decision=[6])) == (RefusalReason.DUPLICATE, Level.ACCOUNT_INSTRUMENT, 7, 6)
    assert is_approved(desk.ask(5, instrument="DE40", decision=[1]))


def test_a_refused_decision_number_is_used_up_and_within_a_message_too(desk):
    limit(desk, order_steps_max=5)
    refused, approved = verdicts(desk.ask(6, 5, 5, decision=[1, 1, 2]))
    assert [each[0] for each in refused] == [RefusalReason.MAX_ORDER, RefusalReason.DUPLICATE]
    assert approved == 1


def test_a_closed_session_refuses_at_the_minute_of_its_zone(desk):
    # Monday 12:00 UTC is 07:00 in New York: minute 420 of the week. Open from 08:00 to 16:30.
    window = SessionWindow(opens_minute=480, closes_minute=990)
    desk.give(SetSessions(instrument="EURUSD", time_zone="America/New_York", windows=[window]))
    assert refusal(desk.ask(5)) == (RefusalReason.SESSION_CLOSED, Level.INSTRUMENT, 0, 420)
    assert is_approved(desk.ask(5, instrument="DE40")), "an instrument without sessions is open"
    desk.now += HOUR
    assert is_approved(desk.ask(5))
    desk.now += 8 * HOUR + 30 * MINUTE - SECOND
    assert is_approved(desk.ask(5))
    desk.now += SECOND
    assert refusal(desk.ask(5)) == (RefusalReason.SESSION_CLOSED, Level.INSTRUMENT, 0, 990)
    desk.give(SetSessions(instrument="EURUSD"))
    assert is_approved(desk.ask(5))


def test_a_session_may_span_the_end_of_the_week(desk):
    window = SessionWindow(opens_minute=6 * 1440 + 1020, closes_minute=4 * 1440 + 1020)  # Sunday to Friday 17:00
    desk.give(SetSessions(instrument="EURUSD", windows=[window]))
    for at_ns, is_open in (
        (MONDAY, True),
        (MONDAY + 4 * DAY + 17 * HOUR - 1, True),
        (MONDAY + 4 * DAY + 17 * HOUR, False),
        (MONDAY + 6 * DAY + 17 * HOUR - 1, False),
        (MONDAY + 6 * DAY + 17 * HOUR, True),
    ):
        desk.now = at_ns
        assert is_approved(desk.ask(1)) == is_open


# ---- prices


def test_a_price_that_is_too_old_is_refused(desk):
    limit(desk, price_age_ns_max=2 * SECOND)
    desk.now += 60 * SECOND
    assert is_approved(desk.ask(5, decided_at_ns=desk.now - 2 * SECOND))
    assert refusal(desk.ask(5, decided_at_ns=desk.now - 2 * SECOND - 1)) == (
        RefusalReason.STALE_PRICE, Level.GLOBAL, 2 * SECOND, 2 * SECOND + 1,
    )  # fmt: skip


def test_an_order_that_had_to_wait_is_as_old_as_the_price_that_it_goes_by(desk):
    limit(desk, price_age_ns_max=2 * SECOND)
    desk.now += 60 * SECOND
    assert is_approved(desk.ask(5, quoted_at_ns=[desk.now - 2 * SECOND]))
    stale = (RefusalReason.STALE_PRICE, Level.GLOBAL, 2 * SECOND, 3 * SECOND)
    assert refusal(desk.ask(5, quoted_at_ns=[desk.now - 3 * SECOND])) == stale
    assert refusal(desk.ask(5, decided_at_ns=desk.now - 3 * SECOND, quoted_at_ns=[desk.now])) == stale


def test_an_order_that_only_reduces_goes_at_any_price(desk):
    desk.hold(8)
    limit(desk, price_age_ns_max=2 * SECOND)
    assert is_approved(desk.ask(-8, decided_at_ns=desk.now - 3 * SECOND))
    assert refusal(desk.ask(-1, decided_at_ns=desk.now - 3 * SECOND))[0] == RefusalReason.STALE_PRICE


def test_an_old_quote_takes_no_newer_ones_place_whenever_it_is_decided_on(desk):
    limit(desk, collar_e9_max=E9 // 20)
    desk.ask(1, quote=(1_000, 1_000))
    desk.now += 60 * SECOND
    desk.ask(1, quote=(500, 500), quoted_at_ns=[desk.now - 90 * SECOND])
    assert is_approved(desk.ask(1, quote=(0, 0), order_type=[1], limit_ticks=[1_050]))


@pytest.mark.parametrize(
    ("steps", "order", "away_e9"),
    [
        (5, {"order_type": [1], "limit_ticks": [1_060]}, None),  # 50 of 1,010 is 4.95 %
        (5, {"order_type": [1], "limit_ticks": [1_061]}, 50_495_050),  # 51 of the ask, 1,010, rounded up
        (5, {"order_type": [1], "limit_ticks": [959]}, 50_495_050),
        (-5, {"order_type": [1], "limit_ticks": [1_050]}, None),  # exactly 5 % of the bid, 1,000
        (-5, {"order_type": [1], "limit_ticks": [1_051]}, 51_000_000),
        (5, {"order_type": [2], "stop_ticks": [1_200]}, 188_118_812),  # 190 of 1,010
        (5, {"order_type": [3], "limit_ticks": [1_010], "stop_ticks": [1_111]}, 100_000_000),
        (5, {"order_type": [0]}, None),
    ],
)
def test_a_price_too_far_from_the_quote_is_refused(desk, steps, order, away_e9):
    limit(desk, collar_e9_max=50_000_000)
    events = desk.ask(steps, quote=(1_000, 1_010), **order)
    if away_e9 is None:
        assert is_approved(events)
    else:
        assert refusal(events) == (RefusalReason.PRICE_COLLAR, Level.GLOBAL, 50_000_000, away_e9)


def test_the_collar_holds_against_the_newest_quote_that_is_known(desk):
    limit(desk, collar_e9_max=50_000_000)
    old = desk.now
    desk.now += SECOND
    desk.ask(1, quote=(1_000, 1_000))
    priced = {"order_type": [1], "limit_ticks": [1_100]}
    assert refusal(desk.ask(1, quote=(1_100, 1_100), decided_at_ns=old, **priced))[3] == 100_000_000
    assert refusal(desk.ask(1, quote=(0, 0), **priced))[3] == 100_000_000
    assert is_approved(desk.ask(1, quote=(1_100, 1_100), **priced))


def test_a_collar_without_a_quote_refuses(desk):
    limit(desk, collar_e9_max=50_000_000)
    events = desk.ask(1, quote=(0, 0), order_type=[1], limit_ticks=[100])
    assert refusal(events) == (RefusalReason.PRICE_COLLAR, Level.GLOBAL, 50_000_000, -1)


# ---- sizes


def test_an_order_above_its_steps_or_its_notional_is_refused(desk):
    limit(desk, order_steps_max=10, order_notional_micro_max=20 * UNIT)
    assert is_approved(desk.ask(10))
    assert refusal(desk.ask(-11)) == (RefusalReason.MAX_ORDER, Level.GLOBAL, 10, 11)
    assert is_approved(desk.ask(10, value=2 * UNIT))
    assert refusal(desk.ask(7, value=3 * UNIT)) == (RefusalReason.MAX_NOTIONAL, Level.GLOBAL, 20 * UNIT, 21 * UNIT)


def test_a_position_counts_with_the_open_orders_of_its_side(desk):
    limit(desk, position_steps_max=10)
    desk.hold(4)
    assert is_approved(desk.ask(5))  # may come to hold 9
    assert refusal(desk.ask(2)) == (RefusalReason.MAX_POSITION, Level.GLOBAL, 10, 11)
    assert is_approved(desk.ask(-14))  # may come to hold -10
    assert refusal(desk.ask(-1)) == (RefusalReason.MAX_POSITION, Level.GLOBAL, 10, 11)
    assert is_approved(desk.ask(1))


def test_a_position_above_its_limit_can_still_be_reduced(desk):
    limit(desk, position_steps_max=10)
    desk.hold(50)
    assert is_approved(desk.ask(-20))


# ---- money


def test_gross_exposure_counts_what_open_orders_may_add(desk):
    limit(desk, gross_micro_max=1_000 * UNIT)
    desk.value(1_000, gross=400, net=400)
    desk.hold(400)
    assert is_approved(desk.ask(300))
    assert is_approved(desk.ask(300, instrument="DE40"))
    assert refusal(desk.ask(1)) == (RefusalReason.GROSS_EXPOSURE, Level.GLOBAL, 1_000 * UNIT, 1_001 * UNIT)
    assert is_approved(desk.ask(-800)), "turning 400 into -400 is no larger than the 700 that it may be already"
    assert refusal(desk.ask(-301)) == (RefusalReason.GROSS_EXPOSURE, Level.GLOBAL, 1_000 * UNIT, 1_001 * UNIT)


def test_net_exposure_is_of_each_side(desk):
    limit(desk, net_micro_max=500 * UNIT)
    desk.value(1_000, gross=400, net=-400)
    assert is_approved(desk.ask(900))
    assert refusal(desk.ask(1, instrument="DE40")) == (RefusalReason.NET_EXPOSURE, Level.GLOBAL, 500 * UNIT, 501 * UNIT)
    assert is_approved(desk.ask(-100))
    assert refusal(desk.ask(-1)) == (RefusalReason.NET_EXPOSURE, Level.GLOBAL, 500 * UNIT, 501 * UNIT)


def test_leverage_is_gross_exposure_against_equity(desk):
    limit(desk, leverage_e9_max=2 * E9)
    desk.value(300, gross=400, net=400)
    assert is_approved(desk.ask(200))
    # 601 / 300 = 2.003333334, rounded up
    assert refusal(desk.ask(1)) == (RefusalReason.LEVERAGE, Level.GLOBAL, 2 * E9, 2_003_333_334)


def test_margin_is_the_larger_of_the_instruments_and_the_accounts(desk):
    desk.open(2, leverage=10.0)
    limit(desk, margin_e9_max=E9 // 2)
    assert is_approved(desk.ask(5_000, account=2)), "10 % of 5,000 is half of 1,000"
    assert refusal(desk.ask(1, account=2)) == (RefusalReason.MARGIN, Level.GLOBAL, E9 // 2, 500_100_000)
    assert refusal(desk.ask(2_501, account=2, instrument="BTC", margin_e9=E9 // 5))[3] == 500_200_000 + 500_000_000


def test_margin_that_an_instrument_newly_needs_counts_for_open_orders(desk):
    desk.open(2, leverage=10.0)
    desk.ask(1_000, account=2)
    assert desk.reserved(2)[3] == 100 * UNIT
    desk.ask(1, account=1, margin_e9=E9 // 2)
    assert desk.reserved(2)[3] == 500 * UNIT
    desk.open(2, leverage=1.0)
    assert desk.reserved(2)[3] == 1_000 * UNIT


def test_an_account_without_equity_can_only_reduce(desk):
    desk.value(0, balance=10, gross=8, net=8)
    desk.hold(8)
    assert refusal(desk.ask(1)) == (RefusalReason.NO_EQUITY, Level.ACCOUNT, 0, 0)
    desk.value(-3, gross=8, net=8)
    assert refusal(desk.ask(-9)) == (RefusalReason.NO_EQUITY, Level.ACCOUNT, 0, -3 * UNIT)
    assert is_approved(desk.ask(-8))


# ---- rates


def test_orders_per_second_are_counted_over_any_second(desk):
    limit(desk, orders_per_second_max=3)
    assert is_approved(desk.ask(1, 1))
    desk.now += SECOND // 2
    assert verdicts(desk.ask(1, 1)) == ([(RefusalReason.ORDERS_PER_SECOND, Level.GLOBAL, 3, 4)], 1)
    desk.now += SECOND // 2
    assert refusal(desk.ask(1))[0] == RefusalReason.ORDERS_PER_SECOND, "the first two are not a second old"
    desk.now += SECOND // 10
    assert verdicts(desk.ask(1, 1, 1))[1] == 2


def test_orders_per_minute_are_counted_over_any_minute_and_by_account(desk):
    desk.open(2)
    limit(desk, orders_per_minute_max=2)
    assert is_approved(desk.ask(1, 1))
    desk.now += 59 * SECOND
    assert refusal(desk.ask(1)) == (RefusalReason.ORDERS_PER_MINUTE, Level.GLOBAL, 2, 3)
    assert is_approved(desk.ask(1, account=2))
    desk.now += 7 * SECOND
    assert is_approved(desk.ask(1))


# ---- levels


def test_the_narrowest_limit_counts_and_is_named(desk):
    limit(desk, order_steps_max=1)
    assert refusal(desk.ask(5))[1:] == (Level.GLOBAL, 1, 5)
    limit(desk, account=1, order_steps_max=2)
    assert refusal(desk.ask(5))[1:] == (Level.ACCOUNT, 2, 5)
    limit(desk, instrument="EURUSD", order_steps_max=3)
    assert refusal(desk.ask(5))[1:] == (Level.INSTRUMENT, 3, 5)
    limit(desk, account=1, instrument="EURUSD", order_steps_max=4)
    assert refusal(desk.ask(5))[1:] == (Level.ACCOUNT_INSTRUMENT, 4, 5)
    assert refusal(desk.ask(5, instrument="DE40"))[1:] == (Level.ACCOUNT, 2, 5)
    limit(desk, account=1, instrument="EURUSD", order_steps_max=6)
    assert is_approved(desk.ask(5))


def test_limits_of_a_level_are_set_as_a_whole(desk):
    limit(desk, account=1, order_steps_max=2, position_steps_max=1)
    limit(desk, account=1, position_steps_max=1)
    assert refusal(desk.ask(5))[0] == RefusalReason.MAX_POSITION


# ---- what cannot be


@pytest.mark.parametrize(
    "order",
    [
        {"steps": 0}, {"steps": 2**53 + 1}, {"steps": -(2**63)}, {"decision": [0]}, {"value": 0}, {"value": -5},
        {"value": 2**58 + 1}, {"steps": 2**53, "value": 2**6}, {"order_type": [4]}, {"order_type": [-1]},
        {"order_type": [1]}, {"order_type": [2], "stop_ticks": [-1]}, {"order_type": [3], "limit_ticks": [5]},
        {"margin_e9": -1}, {"margin_e9": E9 + 1}, {"quote": (-1, 5)}, {"quote": (5, 2**53 + 1)},
    ],
)  # fmt: skip
def test_an_order_with_impossible_numbers_is_parked_and_its_account_only_reduces(desk, order):
    desk.open(2)
    desk.hold(3)
    more = dict(order)
    events = desk.ask(more.pop("steps", 1), **more)
    assert refusal(events)[0] == RefusalReason.IMPOSSIBLE
    (parked,) = [event for event in events if isinstance(event, RowsParked)]
    assert (parked.rows.tolist(), parked.accounts.tolist()) == ([0], [1])
    assert refusal(desk.ask(1, decision=[50])) == (RefusalReason.REDUCING, Level.ACCOUNT, 0, 1)
    assert is_approved(desk.ask(-3, decision=[51]))
    assert is_approved(desk.ask(1, account=2))
    desk.give(SetTradingState(state=TradingState.ACTIVE, accounts=ints([1])))
    assert is_approved(desk.ask(1, decision=[52]))


def test_impossible_rows_do_not_hold_up_the_others(desk):
    refused, approved = verdicts(desk.ask(1, 0, 1))
    assert ([each[0] for each in refused], approved) == ([RefusalReason.IMPOSSIBLE], 2)


def test_an_order_in_an_instrument_that_is_not_listed_is_parked(desk):
    events = desk.give(
        OrdersRequested(
            set="s", decided_at_ns=desk.now, terms=[terms()], bid_ticks=ints([1]), ask_ticks=ints([1]),
            account=ints([1, 1]), instrument=ints([1, 0]), decision=ints([1, 1]), steps=ints([1, 1]),
            step_value_micro=ints([1, 1]),
        )
    )  # fmt: skip
    assert verdicts(events) == ([], 1)
    assert [event.rows.tolist() for event in events if isinstance(event, RowsParked)] == [[0]]
