"""Books of accounts worked through by hand."""

import pytest
from msgspec.structs import replace

from apps.execution.book_contracts import (
    AccountsReady,
    Booking,
    LotsBooked,
    SettingLevel,
    SkipReason,
    TargetsSkipped,
)
from apps.execution.contracts import (
    AccountValued,
    Flatten,
    GateAccounts,
    OrdersEnded,
    OrdersFilled,
    OrdersReleased,
    OrdersRequested,
    PlaceManualOrder,
    PositionChanged,
    ReportKind,
    Resume,
    Subscribe,
)
from apps.execution.core import EXECUTION
from apps.risk.contracts import TradingState, TradingStateChanged
from banyan.columns import ints
from banyan.messages import RowsParked
from tests.unit.execution.desk import EURUSD, GOLD, QUOTES, Desk, of_type, only, skip, target

BID, ASK = QUOTES[EURUSD.id]


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.open(1)
    made.configure("trend")
    made.subscribe("trend", 1)
    return made


def two_sets(**more: object) -> Desk:
    desk = Desk()
    desk.open(1)
    for name in ("trend", "carry"):
        desk.configure(name)
        desk.subscribe(name, 1, allocation_e9=500_000_000, **more)
    return desk


def test_a_target_in_lots_becomes_an_order_of_the_difference_to_what_the_book_holds(desk: Desk) -> None:
    request = only(desk.target("trend", 1, EURUSD=0.10), OrdersRequested)
    assert (request.account.tolist(), request.steps.tolist(), request.decision.tolist()) == ([1], [10], [1])
    assert request.step_value_micro.tolist() == [1_123_410_000]  # 0.01 lots x 100,000 x 1.12341
    desk.trade([request])
    again = only(desk.target("trend", 2, EURUSD=-0.05), OrdersRequested)
    assert (again.steps.tolist(), again.decision.tolist()) == ([-15], [2])


def test_cash_is_what_fills_brought_to_the_micro_unit(desk: Desk) -> None:
    request = only(desk.target("trend", 1, EURUSD=0.10), OrdersRequested)
    events = desk.fill(only(desk.approve(request), OrdersReleased), fee=1_234_567)
    assert desk.balance(1) == 10_000_000_000 - 10_000 * 1_123_420 - 1_234_567
    assert only(events, PositionChanged).steps.tolist() == [10]
    valued = only(events, AccountValued)
    assert valued.equity_micro.tolist() == [desk.balance(1) + 10_000 * 1_123_410]
    assert valued.balance_micro.tolist() == [10_000_000_000 - 1_234_567], "nothing is realised but the fee"
    assert valued.margin_micro.tolist() == [round(10_000 * 1_123_410 / 30)]
    desk.trade(desk.target("trend", 2, EURUSD=0.0))
    line = desk.line(1, EURUSD.id, "trend")
    assert desk.balance(1) - 10_000_000_000 == -10_000 * 20 - 1_234_567 == line.cash_micro
    assert (line.cost_micro, line.fees_micro) == (0, 1_234_567)


def test_all_in_buys_what_the_equity_pays_for_at_the_ask() -> None:
    desk = Desk()
    desk.open(1, fee_rate_e9=1_000_000)
    desk.configure("trend")
    desk.subscribe("trend", 1)
    request = only(desk.feed(target("trend", 1, {EURUSD.id: 1.0}, mode=ints([0]))), OrdersRequested)
    assert request.steps.tolist() == [int(10_000 / (1_123.42 * 1.001))]


def test_a_set_of_two_sells_before_it_buys_and_sizes_both_on_the_closes() -> None:
    desk = Desk()
    desk.open(1, deposit=100_000)
    desk.configure("pair", EURUSD, GOLD, sizing="weights")
    desk.subscribe("pair", 1)
    wanted = {EURUSD.id: 0.5, GOLD.id: -0.5}
    request = only(desk.feed(target("pair", 1, wanted, mode=ints([0, 0]))), OrdersRequested)
    assert [request.terms[at].id for at in request.instrument] == [GOLD.id, EURUSD.id]
    assert request.steps.tolist() == [-int(50_000 / 1_200.00), int(50_000 / 1_123.42)]


def test_a_target_is_urgent_where_an_account_follows_its_set_in_its_instrument(desk: Desk) -> None:
    desk.configure("other")
    followed = target("trend", 1, {EURUSD.id: 0.1})
    assert EXECUTION.is_urgent(desk.state, followed)
    assert not EXECUTION.is_urgent(desk.state, target("trend", 1, {GOLD.id: 0.1}))
    assert not EXECUTION.is_urgent(desk.state, target("other", 1, {EURUSD.id: 0.1}))
    assert not EXECUTION.is_urgent(Desk().state, followed)
    assert EXECUTION.is_urgent(Desk().state, Subscribe(account=1, set="trend"))


def test_the_same_version_again_orders_nothing_and_says_nothing(desk: Desk) -> None:
    desk.trade(desk.target("trend", 1, EURUSD=0.10))
    events = desk.target("trend", 1, EURUSD=0.10)
    assert not of_type(events, OrdersRequested)
    assert not of_type(events, TargetsSkipped)


def test_a_weight_that_left_its_band_is_traded_back() -> None:
    desk = Desk()
    desk.open(1)
    desk.configure("trend", sizing="weights")
    desk.subscribe("trend", 1)
    first = target("trend", 1, {EURUSD.id: 1.0}, mode=ints([0]), band_e9=50_000_000)
    desk.trade(desk.feed(first))
    assert desk.held(1, "trend") == 8
    desk.report((ReportKind.FILLED, 1, EURUSD.id, 0, 1, ASK * 10_000, 3_000_000_000))  # a fee of 3,000 leaves too much
    desk.report((ReportKind.FILLED, 1, EURUSD.id, 0, -1, ASK * 10_000))
    events = desk.feed(first)
    assert only(events, OrdersRequested).steps.tolist() == [-2]


def test_books_that_want_opposite_things_cross_at_the_middle_and_order_the_rest() -> None:
    desk = two_sets()
    desk.trade(desk.target("trend", 1, EURUSD=0.10))
    cash = desk.balance(1)
    events = desk.target("carry", 1, EURUSD=-0.04)
    assert only(events, OrdersRequested).steps.tolist() == [-4]  # trend is content with its 10
    desk.trade(events)
    events = desk.target("trend", 2, EURUSD=0.0)
    assert only(events, OrdersRequested).steps.tolist() == [-10]
    desk.refuse(only(events, OrdersRequested))
    assert desk.held(1, "trend") == 10
    cash = desk.balance(1)
    # Both at once: trend gives up what carry takes.
    desk.target("trend", 3, EURUSD=0.04)  # -6 on its way
    events = desk.target("carry", 2, EURUSD=0.0)
    assert not of_type(events, LotsBooked)
    assert skip(events) == (SkipReason.WAITS_FOR_ORDER, SettingLevel.NONE)
    assert desk.balance(1) == cash


def test_a_cross_moves_no_cash_out_of_the_account() -> None:
    desk = two_sets()
    desk.trade(desk.target("trend", 1, EURUSD=0.10))
    request = only(desk.target("trend", 2, EURUSD=0.0), OrdersRequested)
    released = only(desk.approve(request), OrdersReleased)
    desk.report((ReportKind.UNKNOWN, 1, EURUSD.id, 2))
    cash = desk.balance(1)
    assert skip(desk.target("carry", 1, EURUSD=0.06)) == (SkipReason.FROZEN, SettingLevel.ACCOUNT)
    desk.target("trend", 3, EURUSD=0.02)
    events = desk.report((ReportKind.NEVER_ARRIVED, 1, EURUSD.id, 2))
    crossed = only(events, LotsBooked)
    assert crossed.kind == Booking.CROSSED
    assert dict(zip(crossed.book.tolist(), crossed.steps.tolist(), strict=True)).keys() == {0, 1}
    assert sorted(crossed.steps.tolist()) == [-6, 6]
    assert crossed.price_e9.tolist() == [1_123_410_000] * 2
    assert sum(crossed.amount_micro.tolist()) == 0
    assert only(events, OrdersRequested).steps.tolist() == [-2]  # trend is left with 4, wants 2
    assert (desk.held(1, "trend"), desk.held(1, "carry")) == (4, 6)
    assert desk.balance(1) == cash
    paid = sum(int(desk.line(1, EURUSD.id, book).cost_micro) for book in ("trend", "carry"))
    assert only(events, AccountValued).balance_micro.tolist() == [cash + paid], "trend has realised half of its spread"
    assert cash + paid == 10_000_000_000 - 6_000 * 10
    assert released.decision.tolist() == [2]


def test_a_fill_in_parts_goes_to_the_book_furthest_behind_its_share() -> None:
    desk = two_sets()
    desk.open(2, ready=False)
    desk.subscribe("trend", 2, allocation_e9=500_000_000)
    desk.subscribe("carry", 2, allocation_e9=500_000_000)
    desk.target("trend", 1, EURUSD=0.09)
    desk.target("carry", 1, EURUSD=0.03)
    request = only(desk.reconcile(2), OrdersRequested)  # one order for both books, when the gate opens
    assert request.steps.tolist() == [12]
    assert sorted(request.share_steps.tolist()) == [3, 9]
    desk.approve(request)
    for _ in range(4):
        before = desk.held(2, "trend"), desk.held(2, "carry")
        desk.report((ReportKind.FILLED, 2, EURUSD.id, 1, 3, ASK * 10_000, 10))
        after = desk.held(2, "trend"), desk.held(2, "carry")
        assert sum(after) - sum(before) == 3
        assert abs(after[0] - 3 * after[1]) <= 3
    assert (desk.held(2, "trend"), desk.held(2, "carry")) == (9, 3)
    lines = [desk.line(2, EURUSD.id, book) for book in ("trend", "carry")]
    assert sum(int(line.fees_micro) for line in lines) == 40
    assert sum(int(line.cash_micro) for line in lines) == desk.balance(2) - 10_000 * 10**6


@pytest.mark.parametrize("kind", [ReportKind.REJECTED, ReportKind.CANCELLED, ReportKind.EXPIRED, ReportKind.REFUSED])
def test_what_ended_unfilled_is_not_asked_for_again_until_the_next_version(desk: Desk, kind: ReportKind) -> None:
    desk.approve(only(desk.target("trend", 1, EURUSD=0.10), OrdersRequested))
    if kind != ReportKind.REFUSED:
        desk.report((ReportKind.FILLED, 1, EURUSD.id, 1, 4, ASK * 10_000))
    held = desk.held(1, "trend")
    assert not of_type(desk.report((kind, 1, EURUSD.id, 1)), OrdersRequested)
    assert desk.line(1, EURUSD.id, "trend").working == held
    assert not of_type(desk.target("trend", 1, EURUSD=0.10), OrdersRequested)
    assert only(desk.target("trend", 2, EURUSD=0.10), OrdersRequested).steps.tolist() == [10 - held]


def test_a_close_that_risk_refused_is_not_asked_for_again(desk: Desk) -> None:
    desk.trade(desk.target("trend", 1, EURUSD=0.10))
    ended = only(desk.refuse(only(desk.target("trend", 2, EURUSD=0.0), OrdersRequested)), OrdersEnded)
    assert (ended.kind.tolist(), ended.code.tolist(), ended.left_steps.tolist()) == ([ReportKind.DENIED], [5], [-10])
    assert desk.line(1, EURUSD.id, "trend").working == 10
    assert not of_type(desk.run_timers(), OrdersRequested)


def test_what_was_wanted_less_while_an_order_was_on_its_way_is_worked_off(desk: Desk) -> None:
    released = only(desk.approve(only(desk.target("trend", 1, EURUSD=0.10), OrdersRequested)), OrdersReleased)
    assert released.set == "trend"
    assert skip(desk.target("trend", 2, EURUSD=0.04)) == (SkipReason.WAITS_FOR_ORDER, SettingLevel.NONE)
    assert only(desk.fill(released), OrdersRequested).steps.tolist() == [-6]


def test_an_unknown_order_keeps_its_exposure_and_freezes_until_it_is_known(desk: Desk) -> None:
    desk.approve(only(desk.target("trend", 1, EURUSD=0.10), OrdersRequested))
    desk.report((ReportKind.UNKNOWN, 1, EURUSD.id, 1))
    line = desk.line(1, EURUSD.id, "trend")
    assert (line.open, line.unknown) == (0, 10)
    assert skip(desk.target("trend", 2, EURUSD=0.0)) == (SkipReason.FROZEN, SettingLevel.ACCOUNT)
    events = desk.report((ReportKind.FILLED, 1, EURUSD.id, 1, 10, ASK * 10_000))
    assert only(events, OrdersRequested).steps.tolist() == [-10]  # what the frozen target said


def test_a_fill_after_never_arrived_is_adopted_and_kept_by_the_same_version(desk: Desk) -> None:
    desk.approve(only(desk.target("trend", 1, EURUSD=0.10), OrdersRequested))
    desk.report((ReportKind.UNKNOWN, 1, EURUSD.id, 1))
    desk.report((ReportKind.NEVER_ARRIVED, 1, EURUSD.id, 1))
    events = desk.report((ReportKind.FILLED, 1, EURUSD.id, 1, 10, ASK * 10_000))
    assert only(events, OrdersFilled).left_steps.size == 0
    assert not of_type(events, OrdersRequested)
    assert desk.held(1, "trend") == desk.line(1, EURUSD.id, "trend").working == 10


def test_a_late_fill_of_what_is_no_longer_wanted_is_worked_off(desk: Desk) -> None:
    desk.approve(only(desk.target("trend", 1, EURUSD=0.10), OrdersRequested))
    desk.report((ReportKind.CANCELLED, 1, EURUSD.id, 1))
    desk.target("trend", 2, EURUSD=0.0)
    events = desk.report((ReportKind.FILLED, 1, EURUSD.id, 1, 6, ASK * 10_000))
    assert only(events, OrdersRequested).steps.tolist() == [-6]


@pytest.mark.parametrize("is_new", [False, True])
def test_a_late_fill_of_what_was_flattened_since_is_worked_off(desk: Desk, is_new: bool) -> None:
    desk.approve(only(desk.target("trend", 1, EURUSD=-0.10), OrdersRequested))
    desk.report((ReportKind.CANCELLED, 1, EURUSD.id, 1))
    desk.feed(Flatten(accounts=ints([1])))
    if is_new:
        desk.target("trend", 2, EURUSD=0.05)
    desk.feed(Resume())
    events = desk.report((ReportKind.FILLED, 1, EURUSD.id, 1, -6, ASK * 10_000))
    assert only(events, OrdersRequested).steps.tolist() == [6]


def test_a_fill_that_crossed_its_cancel_in_one_report_is_adopted(desk: Desk) -> None:
    desk.approve(only(desk.target("trend", 1, EURUSD=0.10), OrdersRequested))
    price = ASK * 10_000
    events = desk.report(
        (ReportKind.FILLED, 1, EURUSD.id, 1, 3, price),
        (ReportKind.CANCELLED, 1, EURUSD.id, 1),
        (ReportKind.FILLED, 1, EURUSD.id, 1, 2, price),
    )
    assert [event.steps.tolist() for event in of_type(events, OrdersFilled)] == [[3], [2]]
    assert only(events, OrdersEnded).left_steps.tolist() == [7]
    assert desk.held(1, "trend") == 5


def test_what_is_filled_beyond_an_order_is_external(desk: Desk) -> None:
    desk.approve(only(desk.target("trend", 1, EURUSD=0.10), OrdersRequested))
    desk.report((ReportKind.FILLED, 1, EURUSD.id, 1, 12, ASK * 10_000))
    assert (desk.held(1, "trend"), desk.held(1, "external")) == (10, 2)
    assert desk.balance(1) == 10_000_000_000 - 12_000 * 1_123_420


def test_nothing_is_wanted_of_what_has_no_quote_in_its_target_at_the_last_one_that_is_known(desk: Desk) -> None:
    desk.trade(desk.target("trend", 1, EURUSD=0.10))
    nothing = target("trend", 2, {EURUSD.id: 0.0})
    unquoted = replace(nothing, quotes=[replace(nothing.quotes[0], bid_ticks=0, ask_ticks=0)])
    request = only(desk.feed(unquoted), OrdersRequested)
    assert (request.steps.tolist(), request.bid_ticks.tolist()) == ([-10], [BID])


@pytest.mark.parametrize(("outside", "closing"), [(-4, -6), (-10, 0), (-12, 0), (5, -10)])
def test_a_flatten_closes_no_more_than_the_account_holds_whatever_was_traded_outside(
    desk: Desk, outside: int, closing: int
) -> None:  # fmt: skip
    desk.trade(desk.target("trend", 1, EURUSD=0.10))
    desk.report((ReportKind.FILLED, 1, EURUSD.id, 0, outside, BID * 10_000))
    given = desk.feed(Flatten())
    assert [each.steps.tolist() for each in of_type(given, OrdersRequested)] == ([[closing]] if closing else [])
    after = desk.trade(given) + desk.reconcile(1, EURUSD={1: 10 + outside + closing})
    assert (desk.held(1, "trend"), desk.held(1, "external")) == (10 + closing, outside)
    assert len(of_type(after, OrdersRequested)) == bool(closing), "the rest is not asked for again and again"
    if outside == -4:
        desk.report((ReportKind.FILLED, 1, EURUSD.id, 0, 3, BID * 10_000))
        rest = only(desk.reconcile(1, EURUSD={1: 3}), OrdersRequested)
        assert (rest.steps.tolist(), rest.reduce_only.tolist()) == ([-3], [1])


def test_a_flatten_leaves_out_what_orders_on_their_way_close_already(desk: Desk) -> None:
    desk.trade(desk.target("trend", 1, EURUSD=0.10))
    desk.approve(only(desk.target("trend", 2, EURUSD=0.06), OrdersRequested))
    desk.report((ReportKind.FILLED, 1, EURUSD.id, 0, -3, BID * 10_000))
    assert only(desk.feed(Flatten()), OrdersRequested).steps.tolist() == [-3], "of 7 that it holds 4 are being sold"


def test_outside_trades_are_neither_fought_nor_counted_as_ours(desk: Desk) -> None:
    desk.report((ReportKind.FILLED, 1, EURUSD.id, 0, -7, BID * 10_000, 5))
    assert desk.held(1, "external") == -7
    assert only(desk.target("trend", 1, EURUSD=0.10), OrdersRequested).steps.tolist() == [10]


def test_reconciliation_books_the_difference_as_external(desk: Desk) -> None:
    desk.trade(desk.target("trend", 1, EURUSD=0.10))
    events = desk.reconcile(1, EURUSD={1: 13}, GOLD={1: -2})
    booked = only(events, LotsBooked)
    assert (booked.kind, booked.steps.tolist()) == (Booking.RECONCILED, [3, -2])
    assert desk.held(1, "external") == 3
    assert not of_type(events, OrdersRequested)
    again = desk.reconcile(1, EURUSD={1: 13}, GOLD={1: -2})
    assert not of_type(again, LotsBooked)


def test_an_account_is_gated_until_it_is_reconciled() -> None:
    desk = Desk()
    desk.open(1, ready=False)
    desk.configure("trend")
    desk.subscribe("trend", 1)
    assert skip(desk.target("trend", 1, EURUSD=0.10)) == (SkipReason.NOT_RECONCILED, SettingLevel.ACCOUNT)
    events = desk.reconcile(1)
    assert only(events, AccountsReady).account.tolist() == [1]
    assert only(events, OrdersRequested).steps.tolist() == [10]


def test_a_statement_of_before_a_restore_lifts_no_gate(desk: Desk) -> None:
    desk.trade(desk.target("trend", 1, EURUSD=0.10))
    desk.refuse(only(desk.feed(Flatten()), OrdersRequested))
    desk.feed(GateAccounts(reason="restored"))
    gated_ns = desk.now_ns
    desk.now_ns -= 5_000
    assert not of_type(desk.reconcile(1, EURUSD={1: 10}), OrdersRequested)
    assert skip(desk.target("trend", 2, EURUSD=0.2)) == (SkipReason.NOT_RECONCILED, SettingLevel.ACCOUNT)
    desk.now_ns = gated_ns
    assert only(desk.reconcile(1, EURUSD={1: 10}), OrdersRequested).steps.tolist() == [-10]


def test_a_row_of_an_account_that_is_not_open_holds_up_nobody_else(desk: Desk) -> None:
    desk.approve(only(desk.target("trend", 1, EURUSD=0.10), OrdersRequested))
    fill = ReportKind.FILLED, 1, EURUSD.id, 1, 10, ASK * 10_000
    given = desk.report((ReportKind.ACCEPTED, 99, EURUSD.id, 1), fill)
    assert only(given, RowsParked).accounts.tolist() == [99]
    assert desk.held(1, "trend") == 10


def test_one_who_joins_late_waits_for_the_next_change_or_converges(desk: Desk) -> None:
    desk.target("trend", 1, EURUSD=0.10)
    desk.open(2, 3)
    assert not of_type(desk.subscribe("trend", 2), OrdersRequested)
    converging = only(desk.subscribe("trend", 3, join="converge"), OrdersRequested)
    assert (converging.account.tolist(), converging.steps.tolist()) == ([3], [10])
    waits = only(desk.target("trend", 1, EURUSD=0.10), TargetsSkipped)
    assert (waits.account.tolist(), waits.reason.tolist()) == ([2], [SkipReason.WAITS_FOR_CHANGE])
    assert only(desk.target("trend", 2, EURUSD=0.20), OrdersRequested).account.tolist() == [1, 2, 3]


def test_flatten_closes_by_reduce_only_orders_and_holds_at_zero_until_resumed(desk: Desk) -> None:
    desk.trade(desk.target("trend", 1, EURUSD=0.10))
    request = only(desk.feed(Flatten(reason="stop-out")), OrdersRequested)
    assert (request.steps.tolist(), request.reduce_only.tolist()) == ([-10], [1])
    desk.trade([request])
    assert skip(desk.target("trend", 2, EURUSD=0.10)) == (SkipReason.FLATTENED, SettingLevel.ACCOUNT)
    assert not of_type(desk.feed(Resume()), OrdersRequested)
    assert only(desk.target("trend", 3, EURUSD=0.10), OrdersRequested).steps.tolist() == [10]


def test_what_is_filled_after_a_flatten_is_closed_too(desk: Desk) -> None:
    desk.trade(desk.target("trend", 1, EURUSD=0.05))
    coming = only(desk.approve(only(desk.target("trend", 2, EURUSD=0.12), OrdersRequested)), OrdersReleased)
    event = TradingStateChanged(state=TradingState.HALTED, accounts=ints([1]), flatten=True)
    closing = only(desk.approve(only(desk.feed(event), OrdersRequested)), OrdersReleased)
    assert closing.steps.tolist() == [-5]
    desk.fill(closing)
    rest = only(desk.fill(coming), OrdersRequested)
    assert (rest.steps.tolist(), rest.reduce_only.tolist()) == ([-7], [1])


@pytest.mark.parametrize("instrument", ["", EURUSD.id])
@pytest.mark.parametrize(
    "because", [ReportKind.REJECTED, ReportKind.REFUSED, ReportKind.NEVER_ARRIVED, ReportKind.DENIED]
)
def test_a_close_that_came_to_nothing_is_asked_for_again_when_the_broker_has_said_what_is_held(
    desk: Desk, because: ReportKind, instrument: str
) -> None:  # fmt: skip
    desk.trade(desk.target("trend", 1, EURUSD=0.10))
    request = only(desk.feed(Flatten(instrument=instrument)), OrdersRequested)
    if because is ReportKind.DENIED:
        ended = desk.refuse(request)
    else:
        desk.approve(request)
        ended = desk.report((because, 1, EURUSD.id, 2))
    assert not of_type(ended, OrdersRequested)
    again = only(desk.reconcile(1, EURUSD={1: 10}), OrdersRequested)
    assert (again.steps.tolist(), again.reduce_only.tolist(), again.decision.tolist()) == ([-10], [1], [3])
    assert not of_type(desk.reconcile(1, EURUSD={1: 10}), OrdersRequested), "it is on its way"
    desk.trade([again])
    assert desk.held(1, "trend") == 0
    assert not of_type(desk.reconcile(1), OrdersRequested)


def test_what_is_outside_of_our_books_is_not_closed_however_often_a_broker_tells_of_it(desk: Desk) -> None:
    desk.feed(Flatten())
    assert not of_type(desk.reconcile(1, EURUSD={1: 7}), OrdersRequested)
    assert not of_type(desk.reconcile(1, EURUSD={1: 7}), OrdersRequested)


def test_a_manual_order_is_its_own_book_and_a_target_leaves_it_alone(desk: Desk) -> None:
    order = PlaceManualOrder(account=1, terms=EURUSD, steps=5, bid_ticks=BID, ask_ticks=ASK)
    request = only(desk.feed(order), OrdersRequested)
    assert (request.set, request.steps.tolist()) == ("manual", [5])
    desk.trade([request])
    desk.trade(desk.target("trend", 1, EURUSD=-0.03))
    assert (desk.held(1, "manual"), desk.held(1, "trend")) == (5, -3)


def test_orders_that_execution_forgot_are_adopted_as_unknown_and_counted_on_from(desk: Desk) -> None:
    desk.report((ReportKind.UNKNOWN, 1, EURUSD.id, 7, 10))
    assert desk.line(1, EURUSD.id, "external").unknown == 10
    assert skip(desk.target("trend", 1, EURUSD=0.1)) == (SkipReason.FROZEN, SettingLevel.ACCOUNT)
    events = desk.report((ReportKind.FILLED, 1, EURUSD.id, 7, 10, ASK * 10_000))
    assert desk.held(1, "external") == 10
    assert only(events, OrdersRequested).decision.tolist() == [8]


@pytest.mark.parametrize("kind", [ReportKind.REJECTED, ReportKind.CANCELLED, ReportKind.EXPIRED, ReportKind.REFUSED])
def test_the_numbers_of_forgotten_orders_that_came_to_nothing_are_not_used_again(desk: Desk, kind: ReportKind) -> None:
    desk.report((kind, 1, EURUSD.id, 6), (kind, 1, EURUSD.id, 7))
    assert desk.line(1, EURUSD.id, "external").unknown == 0
    assert (desk.state.orders.rows["cell"] == -1).all()
    assert only(desk.target("trend", 1, EURUSD=0.1), OrdersRequested).decision.tolist() == [8]
