"""Books that trade apart: limit and stop entries, brackets, and versions that take their place."""

import pytest

from apps.execution.book_contracts import BracketsPostponed
from apps.execution.contracts import (
    CancelsReleased,
    Flatten,
    OrdersReleased,
    OrdersRequested,
    OrderType,
    PositionChanged,
    ReportKind,
)
from apps.execution.state import from_snapshot, to_snapshot
from banyan.columns import ints
from banyan.messages import Message
from tests.unit.execution.desk import EURUSD, Desk, of_type, only, target
from trading.targets import GTD, LIMIT, STOP

ID = EURUSD.id
FILLED, CANCELLED, ACCEPTED = ReportKind.FILLED, ReportKind.CANCELLED, ReportKind.ACCEPTED
UNKNOWN = ReportKind.UNKNOWN


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.open(1)
    made.configure("trend")
    made.subscribe("trend", 1)
    return made


def want(desk: Desk, version: int, lots: float, **more: object) -> list[Message]:
    return desk.feed(target("trend", version, {ID: lots}, **more))


def released(desk: Desk, given: list[Message]) -> OrdersReleased:
    return only(desk.approve(only(given, OrdersRequested)), OrdersReleased)


def protected(desk: Desk) -> OrdersReleased:
    """Let the book hold 10 steps with a stop loss; return what was released for it."""
    sent = released(desk, want(desk, 1, 0.1, stop_loss=[1.1]))
    desk.report((ACCEPTED, 1, ID, 1), (ACCEPTED, 1, ID, 2))
    desk.report((FILLED, 1, ID, 1, 10, 1_123_420_000, 7))
    assert desk.held(1, "trend") == 10
    return sent


def test_a_bracket_leaves_with_its_entry_as_the_order_after_it(desk: Desk) -> None:
    sent = released(desk, want(desk, 1, 0.1, stop_loss=[1.1], take_profit=[1.2], trail=[0.01]))
    assert (sent.set, sent.decision.tolist()) == ("trend", [1, 2])
    assert sent.steps.tolist() == [10, -10]
    assert sent.order_type.tolist() == [OrderType.MARKET, OrderType.PROTECTIVE]
    assert (sent.stop_ticks[1], sent.limit_ticks[1], sent.trail_ticks[1]) == (110_000, 120_000, 1_000)
    assert sent.tag[0] == sent.tag[1] > 0


def test_what_risk_refuses_has_nothing_to_protect(desk: Desk) -> None:
    given = want(desk, 1, 0.1, stop_loss=[1.1])
    assert not of_type(desk.refuse(only(given, OrdersRequested)), OrdersReleased)
    assert not desk.state.apart.entries
    assert desk.line(1, ID, "trend").working == 0


def test_after_a_protective_fill_the_book_wants_what_it_has(desk: Desk) -> None:
    protected(desk)
    given = desk.report((FILLED, 1, ID, 2, -10, 1_100_000_000, 7))
    assert desk.held(1, "trend") == desk.line(1, ID, "trend").working == 0
    assert only(given, PositionChanged).steps.tolist() == [0]
    assert not of_type(want(desk, 1, 0.1, stop_loss=[1.1]), OrdersRequested), "a version that was closed comes back"
    assert of_type(want(desk, 2, 0.1, stop_loss=[1.1]), OrdersRequested)


def test_a_part_of_a_protective_fill_leaves_the_rest_wanted_as_it_is_held(desk: Desk) -> None:
    protected(desk)
    desk.report((FILLED, 1, ID, 2, -4, 1_100_000_000))
    assert desk.held(1, "trend") == desk.line(1, ID, "trend").working == 6
    desk.report((FILLED, 1, ID, 2, -6, 1_100_000_000))
    assert not desk.state.apart.guards


def test_a_new_version_cancels_what_works_and_is_ordered_when_that_has_ended(desk: Desk) -> None:
    released(desk, want(desk, 1, 0.1, entry=ints([LIMIT]), price=[1.12]))
    desk.report((ACCEPTED, 1, ID, 1))
    given = want(desk, 2, 0.2, entry=ints([LIMIT]), price=[1.11])
    assert only(given, CancelsReleased).decision.tolist() == [1]
    assert not of_type(given, OrdersRequested)
    after = desk.report((CANCELLED, 1, ID, 1))
    wanted = only(after, OrdersRequested)
    assert (wanted.steps.tolist(), wanted.limit_ticks.tolist()) == ([20], [111_000])


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_new_version_of_the_same_quantity_is_ordered_when_what_it_replaces_has_ended(
    desk: Desk, is_refused: bool
) -> None:  # fmt: skip
    request = only(want(desk, 1, 0.1, entry=ints([LIMIT]), price=[1.12]), OrdersRequested)
    if not is_refused:
        desk.approve(request)
    want(desk, 2, 0.1, entry=ints([LIMIT]), price=[1.11])
    after = desk.refuse(request) if is_refused else desk.report((CANCELLED, 1, ID, 1))
    wanted = only(after, OrdersRequested)
    assert (wanted.steps.tolist(), wanted.limit_ticks.tolist()) == ([10], [111_000])


@pytest.mark.parametrize("was_plain", [False, True])
@pytest.mark.parametrize("bracket", [{"stop_loss": [1.11]}, {}])
def test_the_bracket_of_a_version_that_came_while_an_order_was_on_its_way_is_not_forgotten(
    desk: Desk, was_plain: bool, bracket: dict[str, list[float]]
) -> None:  # fmt: skip
    first: dict[str, list[float]] = {} if was_plain else {"stop_loss": [1.1]}
    desk.approve(only(want(desk, 1, 0.1, **first), OrdersRequested))
    assert not of_type(want(desk, 2, 0.1, **bracket), OrdersRequested)
    given = desk.report((FILLED, 1, ID, 1, 10, 1_123_420_000))
    assert not of_type(given, OrdersRequested)
    if bracket:
        moved = only(given, OrdersReleased)
        assert (moved.steps.tolist(), moved.stop_ticks.tolist()) == ([-10], [111_000])
    elif not was_plain:
        assert only(given, CancelsReleased).decision.tolist() == [2]
    assert not desk.state.apart.due


def test_what_was_filled_before_the_cancel_counts_for_the_next_version(desk: Desk) -> None:
    released(desk, want(desk, 1, 0.1, entry=ints([LIMIT]), price=[1.12]))
    want(desk, 2, 0.2, entry=ints([LIMIT]), price=[1.11])
    after = desk.report((FILLED, 1, ID, 1, 4, 1_120_000_000), (CANCELLED, 1, ID, 1))
    assert only(after, OrdersRequested).steps.tolist() == [16]


def test_a_limit_that_expires_is_not_asked_for_again(desk: Desk) -> None:
    released(desk, want(desk, 1, 0.1, entry=ints([LIMIT]), price=[1.12]))
    after = desk.report((ReportKind.EXPIRED, 1, ID, 1))
    assert not of_type(after, OrdersRequested)
    assert desk.line(1, ID, "trend").working == 0


def test_a_version_with_the_same_quantity_moves_the_bracket_and_trades_nothing(desk: Desk) -> None:
    protected(desk)
    given = want(desk, 2, 0.1, stop_loss=[1.11])
    moved = only(given, OrdersReleased)
    assert not of_type(given, OrdersRequested)
    assert moved.set == "trend"
    assert (moved.steps.tolist(), moved.base_steps.tolist(), moved.stop_ticks.tolist()) == ([-10], [10], [111_000])
    desk.report((ACCEPTED, 1, ID, 3), (CANCELLED, 1, ID, 2))
    assert list(desk.state.apart.guards) == [(0, 3)]


@pytest.mark.parametrize("hedging", [False, True])
@pytest.mark.parametrize("approves", [False, True])
def test_a_bracket_moves_after_the_order_of_another_book_that_waits_at_risk(hedging: bool, approves: bool) -> None:
    desk = Desk()
    desk.open(1, hedging=hedging)
    for name in ("trend", "carry"):
        desk.configure(name)
        desk.subscribe(name, 1, allocation_e9=500_000_000)
    protected(desk)
    asked = only(desk.target("carry", 1, EURUSD=0.05), OrdersRequested)
    given = want(desk, 2, 0.1, stop_loss=[1.11])
    assert not of_type(given, OrdersReleased)
    assert only(given, BracketsPostponed).books == ["trend"]
    given = desk.approve(asked) if approves else desk.refuse(asked)
    *sent, moved = of_type(given, OrdersReleased)
    assert [each.decision.tolist() for each in sent] == ([[3]] if approves else [])
    assert (moved.set, moved.decision.tolist(), moved.stop_ticks.tolist()) == ("trend", [4], [111_000])
    assert not desk.state.apart.due


def test_an_entry_is_cancelled_without_the_bracket_of_another_book_that_has_the_number_after_it() -> None:
    desk = Desk()
    desk.open(1)
    for name in ("trend", "carry"):
        desk.configure(name)
        desk.subscribe(name, 1, allocation_e9=500_000_000)
    protected(desk)
    at = {"entry": ints([LIMIT]), "price": [1.1]}
    desk.approve(only(desk.feed(target("carry", 1, {ID: 0.05}, **at)), OrdersRequested))
    assert only(want(desk, 2, 0.1, stop_loss=[1.11]), OrdersReleased).decision.tolist() == [4]
    given = desk.feed(target("carry", 2, {ID: 0.06}, **at))
    assert only(given, CancelsReleased).decision.tolist() == [3]


def test_a_bracket_moves_after_an_order_that_is_asked_for_at_the_same_time() -> None:
    desk = Desk()
    desk.open(1)
    for name in ("trend", "carry"):
        desk.configure(name)
        desk.subscribe(name, 1, allocation_e9=500_000_000)
    protected(desk)
    desk.report((UNKNOWN, 1, ID, 2), (FILLED, 1, "SIM:GOLD", 0, 1, 10**9))
    desk.approve(only(desk.target("carry", 1, EURUSD=0.05), OrdersRequested))
    desk.report((UNKNOWN, 1, ID, 3))
    desk.target("carry", 2, EURUSD=0.10)
    want(desk, 2, 0.1, stop_loss=[1.11])
    given = desk.report((FILLED, 1, ID, 3, 5, 1_123_420_000))
    asked = only(given, OrdersRequested)
    assert asked.decision.tolist() == [4]
    assert not of_type(given, OrdersReleased)
    assert [each.decision.tolist() for each in of_type(desk.approve(asked), OrdersReleased)] == [[4], [5]]


def test_a_version_without_a_bracket_cancels_the_one_there_is(desk: Desk) -> None:
    protected(desk)
    assert only(want(desk, 2, 0.1), CancelsReleased).decision.tolist() == [2]


def test_an_order_at_market_until_a_time_is_not_netted_so_that_it_can_end_then(desk: Desk) -> None:
    sent = released(desk, want(desk, 1, 0.1, time_in_force=ints([GTD]), expires_ns=ints([5])))
    assert (sent.order_type.size, sent.time_in_force.tolist(), sent.expires_ns.tolist()) == (0, [GTD], [5])
    desk.report((ReportKind.EXPIRED, 1, ID, 1))
    assert desk.line(1, ID, "trend").working == 0


def test_a_version_that_is_netted_again_is_ordered_at_once(desk: Desk) -> None:
    protected(desk)
    desk.report((FILLED, 1, ID, 2, -10, 1_100_000_000))
    wanted = only(want(desk, 2, 0.2), OrdersRequested)
    assert (wanted.steps.tolist(), wanted.tag.size) == ([20], 0)


def test_closing_what_is_protected_is_an_order_under_the_same_tag(desk: Desk) -> None:
    tag = protected(desk).tag[0]
    wanted = only(want(desk, 2, 0.0), OrdersRequested)
    assert (wanted.steps.tolist(), wanted.tag.tolist()) == ([-10], [tag])


def test_stops_and_limits_are_on_the_ticks_where_they_would_be_filled(desk: Desk) -> None:
    bought = only(want(desk, 1, 0.1, entry=ints([STOP]), price=[1.130001], stop_loss=[1.110009]), OrdersRequested)
    assert (bought.stop_ticks.tolist(), bought.stop_loss_ticks.tolist()) == ([113_001], [111_000])


def test_flatten_closes_what_trades_apart_by_an_order_that_can_only_reduce(desk: Desk) -> None:
    protected(desk)
    given = desk.feed(Flatten(accounts=ints([1])))
    wanted = only(given, OrdersRequested)
    assert (wanted.steps.tolist(), wanted.reduce_only.tolist()) == ([-10], [1])
    assert wanted.tag.size


def test_a_book_beside_one_that_trades_apart_is_netted_as_ever(desk: Desk) -> None:
    protected(desk)
    desk.configure("other")
    desk.subscribe("other", 1)
    wanted = only(desk.target("other", 1, EURUSD=-0.05), OrdersRequested)
    assert (wanted.steps.tolist(), wanted.tag.size) == ([-5], 0)
    assert desk.line(1, ID, "trend").working == 10


def test_a_snapshot_keeps_entries_and_what_protects(desk: Desk) -> None:
    protected(desk)
    want(desk, 2, 0.2, entry=ints([LIMIT]), price=[1.11], stop_loss=[1.1])
    again = from_snapshot("0", 2, to_snapshot(desk.state))
    assert again.apart == desk.state.apart
    assert again.apart.entries
    assert again.apart.guards


def test_a_protective_fill_ends_the_version_that_works_beside_it_too(desk: Desk) -> None:
    protected(desk)
    released(desk, want(desk, 2, 0.2, entry=ints([LIMIT]), price=[1.11]))
    desk.report((ACCEPTED, 1, ID, 3))
    after = desk.report((FILLED, 1, ID, 2, -10, 1_100_000_000), (CANCELLED, 1, ID, 3))
    assert not of_type(after, OrdersRequested)
    assert desk.held(1, "trend") == desk.line(1, ID, "trend").working == 0


@pytest.mark.parametrize("together", [True, False])
def test_a_protective_fill_ends_a_version_that_waits_for_a_cancel(desk: Desk, together: bool) -> None:
    protected(desk)
    released(desk, want(desk, 2, 0.2, entry=ints([LIMIT]), price=[1.11]))
    want(desk, 3, 0.3, entry=ints([LIMIT]), price=[1.12])
    filled, cancelled = (FILLED, 1, ID, 2, -10, 1_100_000_000), (CANCELLED, 1, ID, 3)
    after = desk.report(filled, cancelled) if together else desk.report(filled) + desk.report(cancelled)
    assert not of_type(after, OrdersRequested)
    assert desk.line(1, ID, "trend").working == 0


def test_a_close_that_risk_refuses_in_a_flattened_account_is_not_asked_for_again(desk: Desk) -> None:
    protected(desk)
    request = only(desk.feed(Flatten(accounts=ints([1]))), OrdersRequested)
    want(desk, 2, 0.2, stop_loss=[1.1])  # not taken up while the account is held at zero
    assert not of_type(desk.refuse(request), OrdersRequested)
    assert not of_type(desk.run_timers(), OrdersRequested)
