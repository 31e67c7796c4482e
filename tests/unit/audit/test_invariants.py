"""A small world in which all invariants hold, and what each of them says when something is wrong in it."""

from collections.abc import Callable

import numpy as np
import pytest

from apps.audit.facts import NOBODYS, Account, Facts, Input, Parked, Stray, Stream, Unanswered, What
from apps.audit.invariants import INVARIANTS, violations
from apps.audit.reading_others import decisions_of, read_crossed
from apps.execution.contracts import EdgeRefusal, ReportKind, client_order_id

EURUSD = "OANDA:EURUSD"
SECOND = 1_000_000_000


def order(account: int, decision: int = 1) -> dict[str, int]:
    """Return what names an order in EURUSD, the first of the names."""
    return {"account": account, "instrument": 0, "decision": decision}


DONE, WAITING, REFUSED = order(1), order(2), order(3)


def sound() -> Facts:
    """Account 1 has bought 5 steps, account 2 does not know of its 3, account 3 was refused by risk."""
    facts = Facts(accounts={number: Account(f"A{number}", "00") for number in (1, 2, 3)})
    trend = facts.numbers([EURUSD, "trend"])[1]
    for name, steps in ((DONE, 5), (WAITING, -3), (REFUSED, 9)):
        facts.requested.add(**name, steps=steps)
    for name, steps in ((DONE, 5), (WAITING, -3)):
        facts.approved.add(**name, steps=steps)
        facts.released.add(**name)
        facts.sent.add(**name, steps=steps, at_ns=SECOND, deadline_ns=6 * SECOND)
        facts.sizings.add(**name, book=trend, working=steps, steps=steps)
    facts.sizings.add(**order(1, 2), book=trend, working=2, on_its_way=9, steps=-7)
    facts.told.add(**DONE, what=What.ACCEPTED)
    facts.told.add(**DONE, what=What.FILLED, steps=2, left=3)
    facts.told.add(**WAITING, what=What.UNKNOWN)
    facts.told.add(**DONE, what=What.FILLED, steps=3)
    facts.told.add(**REFUSED, what=What.ENDED, left=9, kind=ReportKind.DENIED)
    facts.open.add(**WAITING, left=-3, is_unknown=1)
    facts.reserved.add(**WAITING, left=-3)
    facts.exposed.add(account=1, instrument=0)
    facts.exposed.add(account=2, instrument=0, short=-3, sells=-3, reserved=900)
    facts.totals.add(account=2, amount=2, reserved=-300, of_cells=-300)
    facts.placed.add(**DONE, steps=5, filled=5, at_ns=2 * SECOND)
    for steps in (2, 3):
        facts.trades.add(**DONE, steps=steps)
    facts.held.add(account=1, instrument=0, filled=5, booked=-1, held=4, books=4, at_risk=4, at_broker=4)
    facts.cash.add(
        account=1, deposit=1000, filled=-50, booked=10, balance=960, books=-40, at_broker=960, is_at_broker=1
    )  # fmt: skip
    facts.streams = [Stream("risk", "00", "execution", "00", (3, 900), (3, 900))]
    facts.inputs.update([Input("execution", "00", "one"), Input("execution", "00", "two")])
    facts.parked[Parked("risk", "00", 7)] = 1
    facts.dead_letters[Parked("risk", "00", 7)] = 1
    facts.open_letters = facts.injected = 1
    return facts


def more_than_approved(facts: Facts) -> None:
    facts.trades.add(**DONE, steps=1)


def other_way_than_approved(facts: Facts) -> None:
    facts.told.add(**WAITING, what=What.FILLED, steps=1, left=-4)


def not_answered(facts: Facts) -> None:
    facts.unanswered.append(Unanswered("trend", 3, EURUSD, 1))


def hanging(facts: Facts) -> None:
    facts.open.change(0, is_unknown=0)


def forgotten(facts: Facts) -> None:
    facts.open.drop(0)
    facts.reserved.drop(0)


def never_sent(facts: Facts) -> None:
    facts.sent.drop(0)


def not_approved(facts: Facts) -> None:
    facts.approved.drop(1)


def not_released(facts: Facts) -> None:
    facts.released.drop(1)


def released_twice(facts: Facts) -> None:
    facts.released.add(**WAITING)


def sent_again(facts: Facts) -> None:
    facts.sent.add(**WAITING, steps=-3, at_ns=SECOND, deadline_ns=6 * SECOND)


def twice_at_the_broker(facts: Facts) -> None:
    facts.placed.add(**DONE, steps=5, filled=5, at_ns=2 * SECOND)


def written_after_all(facts: Facts) -> None:
    facts.unwritten.add(**DONE)


def broker_holds_more(facts: Facts) -> None:
    facts.held.change(0, at_broker=5)


def nothing_was_filled(facts: Facts) -> None:
    facts.held.add(account=2, held=1, books=1, at_risk=1, at_broker=1)


def reserved_for_nothing(facts: Facts) -> None:
    facts.reserved.add(**DONE, left=2)


def reserved_for_more_than_is_open(facts: Facts) -> None:
    facts.exposed.change(1, short=-4)


def reserved_when_idle(facts: Facts) -> None:
    facts.exposed.change(0, reserved=1)


def reserved_in_no_instrument(facts: Facts) -> None:
    facts.totals.change(0, reserved=-301)


def gap(facts: Facts) -> None:
    facts.damage.append(("risk", "00", "the log has 5 after 3"))


def not_drained(facts: Facts) -> None:
    facts.streams.append(Stream("signals", "trend", "execution", "00", (2, 800), (1, 900)))


def command_waits(facts: Facts) -> None:
    facts.waiting["execution", "00"] += 1


def applied_twice(facts: Facts) -> None:
    facts.inputs[Input("execution", "00", "two")] += 1


def ended_after_it_was_filled(facts: Facts) -> None:
    facts.told.add(**DONE, what=What.ENDED, kind=ReportKind.CANCELLED)


def arrived_after_all(facts: Facts) -> None:
    facts.never_arrived.add(**DONE)


def sent_late(facts: Facts) -> None:
    facts.sent.change(0, at_ns=6 * SECOND)


def taken_late(facts: Facts) -> None:
    facts.placed.change(0, at_ns=6 * SECOND + 1)


def sent_though_thrown(facts: Facts) -> None:
    facts.thrown_ns = SECOND - 1


def stray_row(facts: Facts) -> None:
    facts.strays.append(Stray("execution", "01", 12, 1))


def with_another_account(facts: Facts) -> None:
    facts.crossed.add(**DONE, of_account=2)


def letter_nobody_wrote(facts: Facts) -> None:
    facts.open_letters += 1


def letter_lost(facts: Facts) -> None:
    del facts.dead_letters[Parked("risk", "00", 7)]


def money_lost(facts: Facts) -> None:
    facts.cash.change(0, balance=959)


def money_in_no_book(facts: Facts) -> None:
    facts.cash.change(0, books=-39)


def broker_has_less(facts: Facts) -> None:
    facts.cash.change(0, at_broker=959)


def beyond_what_is_wanted(facts: Facts) -> None:
    facts.sizings.add(**order(1, 3), book=1, held=3, working=5, on_its_way=2, steps=2)


def through_zero(facts: Facts) -> None:
    facts.sizings.add(**order(1, 3), book=1, held=0, working=2, on_its_way=9, steps=-10)


PLANTED: list[tuple[int, Callable[[Facts], None]]] = [
    (1, more_than_approved), (1, other_way_than_approved), (2, not_answered), (2, hanging), (2, forgotten),
    (3, never_sent), (3, not_approved), (3, not_released), (3, released_twice), (3, sent_again),
    (3, twice_at_the_broker), (3, written_after_all), (4, broker_holds_more), (4, nothing_was_filled),
    (5, reserved_for_nothing),
    (5, reserved_for_more_than_is_open), (5, reserved_when_idle), (5, reserved_in_no_instrument), (6, gap),
    (7, not_drained), (7, command_waits), (7, applied_twice),
    (8, ended_after_it_was_filled), (8, arrived_after_all), (9, sent_late), (9, taken_late), (9, sent_though_thrown),
    (10, stray_row), (10, with_another_account), (11, letter_nobody_wrote), (11, letter_lost), (12, money_lost),
    (12, money_in_no_book), (12, broker_has_less), (13, beyond_what_is_wanted), (13, through_zero),
]  # fmt: skip


def test_a_sound_world_violates_nothing():
    assert violations(sound()) == []


@pytest.mark.parametrize(("invariant", "plant"), PLANTED, ids=lambda value: getattr(value, "__name__", str(value)))
def test_what_is_planted_is_found_by_its_invariant(invariant, plant):
    facts = sound()
    plant(facts)
    found = violations(facts)
    assert invariant in {each.invariant for each in found}
    assert all(each.about and each.expected != each.found for each in found)


def test_for_every_invariant_something_is_planted_that_no_other_notices():
    alone = set()
    for invariant, plant in PLANTED:
        facts = sound()
        plant(facts)
        alone |= {invariant} if {each.invariant for each in violations(facts)} == {invariant} else set()
    assert alone == set(range(1, 14))


def test_something_is_planted_for_every_invariant():
    assert {invariant for invariant, _ in PLANTED} == {each.number for each in INVARIANTS} == set(range(1, 14))


def test_a_fill_that_comes_after_its_order_was_cancelled_is_no_violation():
    facts = sound()
    late = order(1, 2)
    facts.requested.add(**late, steps=4)
    facts.approved.add(**late, steps=4)
    facts.released.add(**late)
    facts.sent.add(**late, steps=4, at_ns=SECOND, deadline_ns=6 * SECOND)
    facts.told.add(**late, what=What.ENDED, left=4, kind=ReportKind.CANCELLED)
    facts.told.add(**late, what=What.FILLED, steps=4)
    assert violations(facts) == []


def test_what_goes_on_after_an_end_is_told_with_the_end_that_was_before_it():
    facts = sound()
    late = order(1, 2)
    facts.approved.add(**late, steps=4)
    for what, kind in ((What.ENDED, ReportKind.CANCELLED), (What.FILLED, -1), (What.UNKNOWN, -1)):
        facts.told.add(**late, what=what, steps=4 * (what == What.FILLED), kind=kind)
    facts.told.add(**DONE, what=What.FILLED, steps=0)
    found = {(each.about[:9], each.expected, each.found) for each in violations(facts) if each.invariant == 8}
    assert found == {
        ("account 1", "nothing after CANCELLED", "unknown"),
        ("account 1", "nothing after it was filled", "another fill of +0 steps"),
    }


def test_a_refused_row_of_the_edge_is_nothing_that_was_sent():
    facts = sound()
    facts.sent.add(
        **order(1, 9), steps=4, at_ns=9 * SECOND, deadline_ns=6 * SECOND, code=EdgeRefusal.DEADLINE_PASSED
    )  # fmt: skip
    assert violations(facts) == []


def test_an_order_that_was_refused_before_it_was_ever_sent_may_be_at_the_broker_as_a_queried_one():
    facts = sound()
    facts.unwritten.add(**REFUSED)
    assert violations(facts) == []


def test_a_holding_that_somebody_else_bought_is_external_and_no_violation():
    facts = sound()
    facts.placed.add(**order(2, NOBODYS), steps=7, filled=7, at_ns=SECOND)
    facts.trades.add(**order(2, NOBODYS), steps=7)
    facts.held.add(account=2, booked=7, held=7, books=7, at_risk=7, at_broker=7)
    assert violations(facts) == []


@pytest.mark.parametrize("table", ["recalled", "adopted"])
def test_an_approval_that_a_restore_has_forgotten_is_no_violation_but_without_a_restore_it_is(table):
    facts = sound()
    facts.approved.drop(0)
    getattr(facts, table).add(**DONE)
    assert 1 in {each.invariant for each in violations(facts)}
    facts.restored_ns = SECOND
    assert 1 not in {each.invariant for each in violations(facts)}


def test_the_name_of_an_order_is_read_from_its_id_for_its_own_account_only():
    facts = sound()
    other = facts.number("another")
    client_id = client_order_id("A1", EURUSD, 77)
    rows = [
        (client_id, 1, 0), (client_id, 2, 0), (client_id, 1, other), (client_id, 9, 0), (f"{client_id[:-1]}X", 1, 0),
        (client_id[:-1], 1, 0), ("web-1", 1, 0), (client_id.upper(), 1, 0),
    ]  # fmt: skip
    ids = np.array([each[0].encode() for each in rows], "S24")
    owners, instruments = (np.array([each[at] for each in rows]) for at in (1, 2))
    assert decisions_of(facts, ids, owners, instruments).tolist() == [77] + [NOBODYS] * 7
    read_crossed(facts, [EURUSD, "another"], ids[1:], owners[1:], instruments[1:])
    columns = ("account", "instrument", "decision", "of_account", "of_instrument")
    found = zip(*(facts.crossed[each].tolist() for each in columns), strict=True)
    assert list(found) == [(1, 0, 77, 2, 0), (1, 0, 77, 1, other), (1, 0, 77, 9, 0)]
