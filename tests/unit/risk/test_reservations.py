import pytest

from apps.execution.contracts import OrdersUnknown
from apps.risk.contracts import RefusalReason, ReservationsCut, TradingStateChanged
from banyan.columns import ints
from banyan.messages import RowsParked
from tests.unit.risk.desk import UNIT, Desk, is_approved, refusal

IDLE = (0, 0, 0, 0)


@pytest.fixture
def desk():
    made = Desk()
    made.open(1, leverage=10.0)
    return made


def test_a_reservation_lasts_from_approval_to_fill(desk):
    desk.ask(5, value=3 * UNIT)
    assert desk.reserved() == (15 * UNIT, 15 * UNIT, 0, 1_500_000)
    desk.fill(2, left=3)
    assert desk.reserved() == (9 * UNIT, 9 * UNIT, 0, 900_000)
    desk.fill(3)
    assert desk.reserved() == IDLE


def test_an_order_that_ends_gives_back_what_was_not_filled(desk):
    desk.ask(-5)
    desk.fill(-2, left=-3)
    desk.end(left=-3)
    assert desk.reserved() == IDLE


def test_a_reservation_is_given_back_once(desk):
    desk.ask(5)
    desk.ask(7)
    assert isinstance(desk.fill(5, decision=1)[0], ReservationsCut)
    before = desk.reserved()
    assert desk.fill(5, decision=1) == []
    assert desk.end(decision=1) == []
    assert desk.reserved() == before == (7 * UNIT, 7 * UNIT, 0, 700_000)


def test_a_fill_that_comes_twice_or_late_takes_nothing_back(desk):
    desk.ask(5)
    desk.fill(3, left=2)
    assert desk.fill(1, left=4) == []
    assert desk.fill(3, left=2) == []
    assert desk.reserved()[0] == 2 * UNIT


def test_an_order_that_is_unknown_stays_reserved_until_it_ends(desk):
    desk.ask(5)
    unknown = OrdersUnknown(instruments=["EURUSD"], account=ints([1]), instrument=ints(), decision=ints([1]))
    assert desk.give(unknown) == []
    assert desk.reserved()[0] == 5 * UNIT
    desk.end(decision=1, left=5)
    assert desk.reserved() == IDLE


def test_refused_orders_reserve_nothing_and_their_end_gives_nothing_back(desk):
    desk.ask(0)
    desk.ask(5, decision=[1])
    refusal(desk.ask(5, decision=[1]))
    assert desk.end(decision=9) == []
    assert desk.end(decision=9, account=8, instrument="BTC") == []


def test_the_worst_of_both_sides_counts_not_their_sum(desk):
    desk.hold(4)
    desk.ask(5, -20)
    # 4 + 5 = 9 and 4 - 20 = -16: at worst 12 more than the 4 that are held.
    assert desk.reserved() == (12 * UNIT, 5 * UNIT, -20 * UNIT, 1_200_000)
    desk.hold(-4)  # 1 and -24
    assert desk.reserved()[0] == 20 * UNIT
    desk.end(decision=2)
    assert desk.reserved()[:3] == (0, 5 * UNIT, 0)
    desk.end(decision=1)
    assert desk.reserved() == IDLE


def test_orders_of_one_account_count_together_and_of_two_do_not(desk):
    desk.open(2)
    desk.ask(5)
    desk.ask(6, instrument="BTC")
    desk.ask(7, account=2)
    assert desk.reserved(1)[0] == 11 * UNIT
    assert desk.reserved(2)[0] == 7 * UNIT


def test_reservations_outlive_a_restart(desk):
    desk.ask(5, 6, 7)
    desk.fill(6, decision=2)
    desk.restart()
    assert desk.reserved()[0] == 12 * UNIT
    desk.fill(7, decision=3)
    desk.end(decision=1)
    assert desk.reserved() == IDLE
    assert desk.state.open_orders().size == 0


def test_rows_of_orders_are_used_again(desk):
    for _ in range(100):
        desk.ask(1, -1)
        desk.end(decision=desk.decision)
        desk.end(decision=desk.decision - 1)
    assert desk.state.orders.count == 64


def test_an_order_that_is_filled_the_wrong_way_is_parked(desk):
    desk.ask(5)
    events = desk.fill(9, left=-4)
    assert [type(event) for event in events] == [RowsParked, TradingStateChanged]
    assert desk.reserved()[0] == 5 * UNIT
    assert refusal(desk.ask(1))[0] == RefusalReason.REDUCING


def test_a_position_that_cannot_be_is_parked(desk):
    desk.hold(5)
    assert [type(event) for event in desk.hold(2**60)] == [RowsParked, TradingStateChanged]
    assert [type(event) for event in desk.hold(1, account=5)] == [RowsParked]
    assert refusal(desk.ask(1))[0] == RefusalReason.REDUCING
    assert is_approved(desk.ask(-5))


def test_sums_that_would_not_be_exact_are_refused_as_impossible(desk):
    half = 2**57
    assert is_approved(desk.ask(1, value=half))
    assert is_approved(desk.ask(-1, value=half, instrument="BTC"))
    assert refusal(desk.ask(1, value=1, instrument="DE40"))[0] == RefusalReason.IMPOSSIBLE
