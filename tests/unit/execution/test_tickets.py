"""Hedging accounts: each opening has a ticket, closes name the ticket that they close, and nothing is netted."""

import pytest

from apps.execution.book_contracts import LotsBooked
from apps.execution.contracts import (
    AccountValued,
    CancelsReleased,
    CashKind,
    Flatten,
    OrdersReleased,
    OrdersRequested,
    OrderType,
    PlaceManualOrder,
    PositionChanged,
    ReportKind,
)
from apps.execution.core import EXECUTION
from apps.execution.state import from_snapshot, to_snapshot
from apps.execution.tickets import tickets_of
from banyan.columns import ints
from banyan.messages import Message
from tests.unit.execution.desk import EURUSD, QUOTES, Desk, of_type, only, target
from tests.unit.execution.test_cash import cash
from trading.books import TICKETS
from trading.targets import LIMIT

ID = EURUSD.id
BID, ASK = QUOTES[ID]
FILLED, CANCELLED, ACCEPTED = ReportKind.FILLED, ReportKind.CANCELLED, ReportKind.ACCEPTED


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.open(1, hedging=True, deposit=1_000_000)
    for name in ("carry", "trend"):
        made.configure(name)
        made.subscribe(name, 1)
    return made


def want(desk: Desk, version: int, lots: float, name: str = "trend", **more: object) -> list[Message]:
    return desk.feed(target(name, version, {ID: lots}, **more))


def hold(desk: Desk, version: int, lots: float, name: str = "trend", **more: object) -> list[Message]:
    """Let a set want something, and all that comes of it be filled."""
    return desk.trade(want(desk, version, lots, name, **more))


def asked(given: list[Message]) -> list[tuple[int, int, int]]:
    """The (ticket, steps, whether it only closes) of each order that is asked for."""
    found = []
    for request in of_type(given, OrdersRequested):
        closes = request.reduce_only if request.reduce_only.size else ints([0] * request.steps.size)
        found += list(zip(request.tag.tolist(), request.steps.tolist(), closes.tolist(), strict=True))
    return found


def tickets(desk: Desk, name: str = "trend") -> list[tuple[int, int]]:
    state = desk.state
    cell = int(state.cell_rows[state.instruments.known(ID), state.row_of[1]])
    return tickets_of(state, state.line_of(cell, state.books.known(name)))


def test_each_opening_has_a_ticket_with_the_number_of_its_order(desk: Desk) -> None:
    assert asked(hold(desk, 1, 0.1)) == [(1, 10, 0)]
    assert asked(hold(desk, 2, 0.3)) == [(2, 20, 0)]
    assert tickets(desk) == [(1, 10), (2, 20)]


def test_orders_the_other_way_close_the_oldest_tickets_first_and_open_one_with_the_rest(desk: Desk) -> None:
    hold(desk, 1, 0.1)
    hold(desk, 2, 0.3)
    assert asked(hold(desk, 3, 0.15)) == [(1, -10, 1), (2, -5, 1)]
    assert asked(hold(desk, 4, -0.2)) == [(2, -15, 1), (6, -20, 0)]
    assert tickets(desk) == [(6, -20)]
    assert desk.held(1, "trend") == -20


def test_books_that_want_the_opposite_hold_it_both(desk: Desk) -> None:
    hold(desk, 1, 0.1, "carry")
    given = hold(desk, 1, -0.1)
    assert not of_type(given, LotsBooked), "books of a hedging account were crossed"
    assert (desk.held(1, "carry"), desk.held(1, "trend")) == (10, -10)
    changed = of_type(given, PositionChanged)[-1]
    assert (changed.steps.tolist(), changed.short_steps.tolist()) == ([0], [-10])
    valued = of_type(given, AccountValued)[-1]
    assert int(valued.net_micro[0]) == 0
    assert int(valued.gross_micro[0]) == 20 * 1_000 * 1_123_410 == 30 * int(valued.margin_micro[0])


def test_what_is_outside_counts_on_the_side_that_it_is_on(desk: Desk) -> None:
    hold(desk, 1, 0.1)
    given = desk.reconcile(1, EURUSD={1: 3})
    changed = only(given, PositionChanged)
    assert (changed.steps.tolist(), changed.short_steps.tolist()) == ([3], [-7])


def test_a_weight_that_drifted_is_traded_in_the_ticket_of_its_version(desk: Desk) -> None:
    desk.configure("drift", sizing="weights")
    desk.subscribe("drift", 1, join="converge")
    weight = {"mode": ints([0]), "band_e9": 10**6}
    hold(desk, 1, 0.5, "drift", **weight)
    ((number, held),) = tickets(desk, "drift")
    desk.feed(cash((1, ID, CashKind.PAYMENT, 10**12)))
    ((ticket, more, closes),) = asked(want(desk, 1, 0.5, "drift", **weight))
    assert (ticket, closes) == (number, 0)
    assert more > held / 2


def test_the_bracket_of_a_version_is_on_its_own_ticket(desk: Desk) -> None:
    hold(desk, 1, 0.1)
    sent = only(desk.approve(only(want(desk, 2, 0.3, stop_loss=[1.1]), OrdersRequested)), OrdersReleased)
    assert sent.order_type.tolist() == [OrderType.MARKET, OrderType.PROTECTIVE]
    assert (sent.tag.tolist(), sent.steps.tolist()) == ([2, 2], [20, -20])
    desk.report((FILLED, 1, ID, 2, 20, ASK * EURUSD.tick_e9), (ACCEPTED, 1, ID, 3))
    desk.report((FILLED, 1, ID, 3, -20, 110_000 * EURUSD.tick_e9))
    assert tickets(desk) == [(1, 10)]
    assert desk.line(1, ID, "trend").working == desk.held(1, "trend") == 10


def protected(desk: Desk) -> None:
    """Let the book hold ticket 1, and ticket 2 with a stop loss, which is order 3."""
    hold(desk, 1, 0.1)
    desk.approve(only(want(desk, 2, 0.3, stop_loss=[1.1]), OrdersRequested))
    desk.report((FILLED, 1, ID, 2, 20, ASK * EURUSD.tick_e9), (ACCEPTED, 1, ID, 3))


def test_a_version_that_only_reduces_puts_its_bracket_on_the_newest_ticket(desk: Desk) -> None:
    protected(desk)
    sent = only(desk.approve(only(want(desk, 3, 0.2, stop_loss=[1.11]), OrdersRequested)), OrdersReleased)
    assert (sent.tag.tolist(), sent.steps.tolist()) == ([1, 2], [-10, -20])
    assert sent.stop_ticks.tolist() == [0, 111_000]


def test_a_version_that_only_reduces_without_a_bracket_takes_the_newest_tickets_away(desk: Desk) -> None:
    protected(desk)
    given = want(desk, 3, 0.25)
    assert asked(given) == [(1, -5, 1)]
    assert only(given, CancelsReleased).decision.tolist() == [3]


def test_a_version_that_only_moves_its_bracket_moves_that_of_the_newest_ticket(desk: Desk) -> None:
    protected(desk)
    moved = only(want(desk, 3, 0.3, stop_loss=[1.105]), OrdersReleased)
    assert (moved.tag.tolist(), moved.steps.tolist(), moved.stop_ticks.tolist()) == ([2], [-20], [110_500])


def test_an_entry_that_works_ends_when_a_ticket_of_its_book_is_closed_by_its_stop(desk: Desk) -> None:
    protected(desk)
    desk.approve(only(want(desk, 3, 0.5, entry=ints([LIMIT]), price=[1.12]), OrdersRequested))
    desk.report((ACCEPTED, 1, ID, 4))
    given = desk.report((FILLED, 1, ID, 3, -20, 110_000 * EURUSD.tick_e9))
    assert only(given, CancelsReleased).decision.tolist() == [4]
    after = desk.report((CANCELLED, 1, ID, 4))
    assert not of_type(after, OrdersRequested)
    assert desk.line(1, ID, "trend").working == desk.held(1, "trend") == 10


def test_a_new_version_cancels_all_that_works_and_is_ordered_when_it_has_ended(desk: Desk) -> None:
    hold(desk, 1, 0.1)
    request = only(want(desk, 2, -0.1, entry=ints([LIMIT]), price=[1.13]), OrdersRequested)
    desk.approve(request)
    given = want(desk, 3, 0.2)
    assert only(given, CancelsReleased).decision.tolist() == request.decision.tolist() == [2, 3]
    assert not of_type(desk.report((CANCELLED, 1, ID, 2)), OrdersRequested)
    assert asked(desk.report((CANCELLED, 1, ID, 3))) == [(4, 10, 0)]


def test_flatten_closes_every_ticket_by_orders_that_only_reduce(desk: Desk) -> None:
    hold(desk, 1, 0.1, "carry")
    hold(desk, 1, -0.2)
    given = desk.feed(Flatten(accounts=ints([1])))
    assert sorted(asked(given)) == [(1, -10, 1), (2, 20, 1)]
    desk.trade(given)
    assert not tickets(desk)
    assert not tickets(desk, "carry")


def test_a_ticket_whose_close_was_refused_is_closed_by_the_next_flatten(desk: Desk) -> None:
    hold(desk, 1, 0.1)
    request = only(want(desk, 2, -0.1), OrdersRequested)
    desk.approve(request)
    desk.report((ReportKind.REJECTED, 1, ID, 2), (FILLED, 1, ID, 3, -10, BID * EURUSD.tick_e9))
    assert tickets(desk) == [(1, 10), (3, -10)]
    assert desk.held(1, "trend") == 0
    given = desk.feed(Flatten(accounts=ints([1])))
    assert asked(given) == [(1, -10, 1), (3, 10, 1)]
    assert not of_type(desk.run_timers(), CancelsReleased), "a close is taken back"
    desk.trade(given)
    assert not tickets(desk)


def test_when_there_are_many_tickets_the_newest_is_added_to(desk: Desk) -> None:
    for number in range(1, TICKETS + 1):
        hold(desk, number, number / 100)
    assert len(tickets(desk)) == TICKETS
    assert asked(hold(desk, TICKETS + 1, 1.0)) == [(TICKETS, 100 - TICKETS, 0)]
    assert len(tickets(desk)) == TICKETS


def test_what_a_person_orders_closes_tickets_of_the_book_manual_and_opens_one_with_the_rest(desk: Desk) -> None:
    hold(desk, 1, 0.1)
    order = PlaceManualOrder(account=1, terms=EURUSD, steps=5, bid_ticks=BID, ask_ticks=ASK)
    desk.trade(desk.feed(order))
    assert tickets(desk, "manual") == [(2, 5)]
    rests = PlaceManualOrder(
        account=1, terms=EURUSD, steps=-8, bid_ticks=BID, ask_ticks=ASK, order_type=OrderType.LIMIT, limit_ticks=ASK
    )
    assert asked(desk.feed(rests)) == [(2, -5, 1), (4, -3, 0)]
    assert asked(desk.feed(rests)) == [(5, -8, 0)], "a ticket is closed twice"
    assert tickets(desk) == [(1, 10)]


def test_a_late_fill_goes_to_the_ticket_that_its_order_named(desk: Desk) -> None:
    hold(desk, 1, 0.1)
    desk.approve(only(want(desk, 2, 0.0), OrdersRequested))
    desk.report((CANCELLED, 1, ID, 2))
    assert tickets(desk) == [(1, 10)]
    desk.report((FILLED, 1, ID, 2, -10, BID * EURUSD.tick_e9))
    assert not tickets(desk)
    assert desk.held(1, "trend") == 0


def test_a_snapshot_keeps_tickets(desk: Desk) -> None:
    protected(desk)
    again = from_snapshot("0", EXECUTION.snapshot_version, to_snapshot(desk.state))
    assert again.apart == desk.state.apart
    assert again.apart.tickets


def test_a_netting_account_beside_is_netted_as_ever(desk: Desk) -> None:
    desk.open(2)
    desk.subscribe("trend", 2)
    given = want(desk, 1, 0.1)
    netted, hedged = of_type(given, OrdersRequested)
    assert (netted.account.tolist(), netted.tag.size) == ([2], 0)
    assert (hedged.account.tolist(), hedged.tag.tolist()) == ([1], [1])
