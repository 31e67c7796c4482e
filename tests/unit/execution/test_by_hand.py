"""Orders that people place and cancel."""

from typing import Any

import pytest

from apps.execution.apart_state import Entry
from apps.execution.book_contracts import CommandRefused, LotsBooked, ManualTargeted, SkipReason
from apps.execution.contracts import (
    CancelOrder,
    CancelsReleased,
    Flatten,
    OrdersEnded,
    OrdersReleased,
    OrdersRequested,
    OrderType,
    PlaceManualOrder,
    ReportKind,
)
from apps.execution.core import EXECUTION
from apps.execution.state import from_snapshot, to_snapshot
from banyan.columns import ints
from tests.unit.execution.desk import EURUSD, QUOTES, Desk, of_type, only, skip, target
from trading.targets import DAY, GTC, GTD, IOC

BID, ASK = QUOTES[EURUSD.id]
LIMIT = {"order_type": OrderType.LIMIT, "limit_ticks": BID - 100}


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.open(1, deposit=100_000)
    made.configure("trend")
    made.subscribe("trend", 1)
    return made


def order(steps: int, **more: Any) -> PlaceManualOrder:
    return PlaceManualOrder(account=1, terms=EURUSD, steps=steps, bid_ticks=BID, ask_ticks=ASK, **more)


def cancel(decision: int) -> CancelOrder:
    return CancelOrder(account=1, instrument=EURUSD.id, decision=decision)


def working(desk: Desk) -> int:
    return int(desk.line(1, EURUSD.id, "manual").working)


def test_a_limit_by_hand_goes_through_risk_to_the_edge_with_all_that_was_typed(desk: Desk) -> None:
    request = only(desk.feed(order(5, **LIMIT, time_in_force=GTD, expires_ns=10**18)), OrdersRequested)
    assert (request.set, request.steps.tolist(), request.tag.size) == ("manual", [5], 0)
    assert (request.order_type.tolist(), request.limit_ticks.tolist()) == ([OrderType.LIMIT], [BID - 100])
    released = only(desk.approve(request), OrdersReleased)
    assert (released.order_type.tolist(), released.limit_ticks.tolist()) == ([OrderType.LIMIT], [BID - 100])
    assert (released.time_in_force.tolist(), released.expires_ns.tolist()) == ([GTD], [10**18])
    assert not released.tag.any()
    desk.fill(released, {EURUSD.id: BID - 100})
    assert (desk.held(1, "manual"), working(desk)) == (5, 5)
    assert not desk.state.apart.entries


def test_what_rests_by_hand_keeps_nobody_from_trading_the_other_way(desk: Desk) -> None:
    desk.approve(only(desk.feed(order(5, **LIMIT)), OrdersRequested))
    desk.trade(desk.target("trend", 1, EURUSD=-0.2))
    assert (desk.held(1, "trend"), desk.held(1, "manual"), working(desk)) == (-20, 0, 5)
    assert not of_type(desk.run_timers(), OrdersRequested)


def test_what_a_person_orders_at_market_is_netted_with_no_book_that_trades_apart(desk: Desk) -> None:
    request = only(desk.feed(_limit_target(1)), OrdersRequested)
    desk.feed(_limit_target(2))  # waits for the end of the first one
    desk.refuse(request)
    given = desk.feed(order(-3))
    assert only(given, OrdersRequested).steps.tolist() == [-3]
    assert not of_type(given, LotsBooked)
    assert desk.line(1, EURUSD.id, "trend").working == 10


def test_several_orders_by_hand_stand_side_by_side(desk: Desk) -> None:
    first, second = (only(desk.feed(order(steps, **LIMIT)), OrdersRequested) for steps in (5, -3))
    assert (first.decision.tolist(), second.decision.tolist(), working(desk)) == ([1], [2], 2)
    for request in (first, second):
        desk.approve(request)
    desk.report((ReportKind.FILLED, 1, EURUSD.id, 2, -3, BID * 10_000))
    assert (desk.held(1, "manual"), working(desk)) == (-3, 2)
    desk.report((ReportKind.EXPIRED, 1, EURUSD.id, 1))
    assert (desk.held(1, "manual"), working(desk)) == (-3, -3)


def test_what_a_person_cancels_is_not_ordered_again_whosoever_it_was(desk: Desk) -> None:
    for request in (only(desk.feed(order(5, **LIMIT)), OrdersRequested), None):
        given = request or only(desk.target("trend", 1, EURUSD=0.1), OrdersRequested)
        released = only(desk.approve(given), OrdersReleased)
        asked = only(desk.feed(cancel(int(released.decision[0]))), CancelsReleased)
        assert (asked.decision.tolist(), asked.is_final) == (released.decision.tolist(), True)
        ended = desk.report((ReportKind.CANCELLED, 1, EURUSD.id, int(released.decision[0])))
        assert only(ended, OrdersEnded).kind.tolist() == [ReportKind.CANCELLED]
        assert not of_type(desk.run_timers(), OrdersRequested)
    assert working(desk) == 0
    assert desk.line(1, EURUSD.id, "trend").working == 0


def test_an_entry_of_a_set_that_a_person_cancels_is_done_until_the_next_version(desk: Desk) -> None:
    desk.approve(only(desk.feed(_limit_target(1)), OrdersRequested))
    desk.feed(cancel(1))
    assert not of_type(desk.report((ReportKind.CANCELLED, 1, EURUSD.id, 1)), OrdersRequested)
    assert desk.line(1, EURUSD.id, "trend").working == 0
    assert of_type(desk.feed(_limit_target(2)), OrdersRequested)


def _limit_target(version: int) -> Any:
    return target("trend", version, {EURUSD.id: 0.1}, entry=ints([1]), price=[(BID - version) / 100_000])


def test_there_is_nothing_to_cancel_where_nothing_is_open_or_sent(desk: Desk) -> None:
    assert "is not open" in only(desk.feed(cancel(7)), CommandRefused).reason
    only(desk.feed(order(5, **LIMIT)), OrdersRequested)
    assert "not sent yet" in only(desk.feed(cancel(1)), CommandRefused).reason


def test_flattening_cancels_what_people_have_placed(desk: Desk) -> None:
    desk.approve(only(desk.feed(order(5, **LIMIT)), OrdersRequested))
    events = desk.feed(Flatten(accounts=ints([1])))
    assert only(events, CancelsReleased).decision.tolist() == [1]
    assert not of_type(desk.run_timers(), OrdersRequested), "nothing is sold against what rests"
    desk.report((ReportKind.CANCELLED, 1, EURUSD.id, 1))
    assert working(desk) == 0


def test_what_is_filled_before_its_cancel_in_a_flattened_account_is_closed_again(desk: Desk) -> None:
    desk.approve(only(desk.feed(order(5, **LIMIT)), OrdersRequested))
    desk.feed(Flatten(accounts=ints([1])))
    closing = only(desk.report((ReportKind.FILLED, 1, EURUSD.id, 1, 5, BID * 10_000)), OrdersRequested)
    assert (closing.steps.tolist(), closing.reduce_only.tolist()) == ([-5], [1])


def test_what_is_approved_after_flattening_is_cancelled_as_soon_as_it_is_sent(desk: Desk) -> None:
    request = only(desk.feed(order(5, **LIMIT)), OrdersRequested)
    assert not of_type(desk.feed(Flatten(accounts=ints([1]))), CancelsReleased)
    events = desk.approve(request)
    assert only(events, OrdersReleased).decision.tolist() == only(events, CancelsReleased).decision.tolist() == [1]


@pytest.mark.parametrize("is_hedging", [False, True])
@pytest.mark.parametrize("told", [(ReportKind.ACCEPTED,), (ReportKind.FILLED, 2, BID * 10_000)])
def test_an_unknown_order_in_a_flattened_account_is_cancelled_as_soon_as_it_is_known(
    told: tuple[int, ...], is_hedging: bool
) -> None:  # fmt: skip
    desk = Desk()
    desk.open(1, hedging=is_hedging)
    desk.approve(only(desk.feed(order(5, **LIMIT)), OrdersRequested))
    desk.report((ReportKind.UNKNOWN, 1, EURUSD.id, 1))
    assert only(desk.feed(Flatten(accounts=ints([1]))), CancelsReleased).decision.tolist() == [1]
    desk.report((ReportKind.CANCEL_REJECTED, 1, EURUSD.id, 1))  # it has not arrived yet
    kind, *fill = told
    found = desk.report((kind, 1, EURUSD.id, 1, *fill))
    asked = only(found, CancelsReleased)
    assert (asked.decision.tolist(), asked.is_final) == ([1], True)
    after = found + desk.report((ReportKind.CANCELLED, 1, EURUSD.id, 1))
    for request in of_type(after, OrdersRequested):
        desk.trade([request])
    assert (desk.held(1, "manual"), working(desk)) == (0, 0)


def test_flattening_cancels_what_rests_beside_an_unknown_order(desk: Desk) -> None:
    for _ in range(2):
        desk.approve(only(desk.feed(order(5, **LIMIT)), OrdersRequested))
    desk.report((ReportKind.ACCEPTED, 1, EURUSD.id, 1), (ReportKind.UNKNOWN, 1, EURUSD.id, 2))
    assert only(desk.feed(Flatten(accounts=ints([1]))), CancelsReleased).decision.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ({"order_type": 4}, "by limit, stop or stop-limit"),
        ({"order_type": OrderType.LIMIT}, "limit above 0"),
        ({"order_type": OrderType.STOP}, "stop above 0"),
        ({**LIMIT, "time_in_force": 9}, "no number"),
        ({**LIMIT, "time_in_force": GTD}, "goes with GTD"),
        ({**LIMIT, "time_in_force": GTC, "expires_ns": 5}, "goes with GTD"),
        ({"time_in_force": DAY}, "at market"),
    ],
)
def test_what_no_order_can_be_is_refused_in_words(desk: Desk, typed: dict[str, Any], why: str) -> None:
    events = desk.feed(order(5, **typed))
    assert why in only(events, CommandRefused).reason
    assert not of_type(events, ManualTargeted)


def test_an_account_that_is_flattened_takes_no_order_by_hand(desk: Desk) -> None:
    desk.feed(Flatten(accounts=ints([1])))
    assert skip(desk.feed(order(5, **LIMIT, time_in_force=IOC)))[0] == SkipReason.FLATTENED


def test_orders_by_hand_are_kept_in_snapshots(desk: Desk) -> None:
    desk.approve(only(desk.feed(order(5, **LIMIT)), OrdersRequested))
    again = from_snapshot("0", EXECUTION.snapshot_version, to_snapshot(desk.state))
    (entry,) = again.apart.entries.values()
    assert isinstance(entry, Entry)
    assert (entry.is_tagged, entry.limit_ticks) == (False, BID - 100)
    assert again.orders.rows["resting"].tolist().count(1) == 1
