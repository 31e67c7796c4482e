"""A small world in which all invariants hold, and what each of them says when something is wrong in it."""

from collections.abc import Callable

import pytest

from apps.audit.facts import (
    Account,
    Cash,
    Facts,
    Held,
    Input,
    Open,
    Order,
    Parked,
    Placed,
    Sent,
    Sizing,
    Stray,
    Stream,
    Told,
    Trade,
    Unanswered,
)
from apps.audit.invariants import INVARIANTS, violations
from apps.audit.reading_others import names_of
from apps.execution.contracts import EdgeRefusal, ReportKind, client_order_id

EURUSD = "OANDA:EURUSD"
DONE, WAITING, REFUSED = Order(1, EURUSD, 1), Order(2, EURUSD, 1), Order(3, EURUSD, 1)
SECOND = 1_000_000_000


def sound() -> Facts:
    """Account 1 has bought 5 steps, account 2 does not know of its 3, account 3 was refused by risk."""
    facts = Facts(accounts={number: Account(f"A{number}", "00") for number in (1, 2, 3)})
    facts.requested = {DONE: 5, WAITING: -3, REFUSED: 9}
    facts.approved = {DONE: 5, WAITING: -3}
    facts.released.update([DONE, WAITING])
    facts.told = [
        Told(DONE, "accepted"), Told(DONE, "filled", 2, 3), Told(WAITING, "unknown"), Told(DONE, "filled", 3, 0),
        Told(REFUSED, "ended", 0, 9, ReportKind.DENIED),
    ]  # fmt: skip
    facts.open = {WAITING: Open(-3, is_unknown=True)}
    facts.reserved = {WAITING: -3}
    facts.sent = [Sent(DONE, 5, SECOND, 6 * SECOND), Sent(WAITING, -3, SECOND, 6 * SECOND)]
    facts.placed = [Placed(DONE, client_order_id("A1", EURUSD, 1), 1, 5, 5, 2 * SECOND)]
    facts.trades = [Trade(DONE, 1, EURUSD, 2), Trade(DONE, 1, EURUSD, 3)]
    facts.held = {(1, EURUSD): Held(filled=5, booked=-1, held=4, books=4, at_risk=4, at_broker=4)}
    facts.cash = {1: Cash(deposit=1000, filled=-50, booked=10, balance=960, books=-40, at_broker=960)}
    facts.streams = [Stream("risk", "00", "execution", "00", (3, 900), (3, 900))]
    facts.inputs.update([Input("execution", "00", "one"), Input("execution", "00", "two")])
    facts.parked[Parked("risk", "00", 7)] = 1
    facts.dead_letters[Parked("risk", "00", 7)] = 1
    facts.open_letters = facts.injected = 1
    facts.sizings = [
        Sizing(DONE, "trend", held=0, working=5, on_its_way=0, steps=5),
        Sizing(WAITING, "trend", held=0, working=-3, on_its_way=0, steps=-3),
        Sizing(Order(1, EURUSD, 2), "trend", held=0, working=2, on_its_way=9, steps=-7),
    ]
    return facts


def more_than_approved(facts: Facts) -> None:
    facts.trades.append(Trade(DONE, 1, EURUSD, 1))


def other_way_than_approved(facts: Facts) -> None:
    facts.told.insert(3, Told(WAITING, "filled", 1, -4))


def not_answered(facts: Facts) -> None:
    facts.unanswered.append(Unanswered("trend", 3, EURUSD, 1))


def hanging(facts: Facts) -> None:
    facts.open[WAITING] = Open(-3, is_unknown=False)


def forgotten(facts: Facts) -> None:
    del facts.open[WAITING], facts.reserved[WAITING]


def never_sent(facts: Facts) -> None:
    facts.sent.pop(0)


def not_approved(facts: Facts) -> None:
    del facts.approved[WAITING]


def not_released(facts: Facts) -> None:
    del facts.released[WAITING]


def released_twice(facts: Facts) -> None:
    facts.released[WAITING] += 1


def sent_again(facts: Facts) -> None:
    facts.sent.append(facts.sent[1])


def twice_at_the_broker(facts: Facts) -> None:
    facts.placed.append(facts.placed[0])


def written_after_all(facts: Facts) -> None:
    facts.unwritten.add(DONE)


def broker_holds_more(facts: Facts) -> None:
    facts.held[1, EURUSD].at_broker = 5


def nothing_was_filled(facts: Facts) -> None:
    facts.held[2, EURUSD] = Held(held=1, books=1, at_risk=1, at_broker=1)


def reserved_for_nothing(facts: Facts) -> None:
    facts.reserved[DONE] = 2


def gap(facts: Facts) -> None:
    facts.damage.append(("risk", "00", "the log has 5 after 3"))


def not_drained(facts: Facts) -> None:
    facts.streams.append(Stream("signals", "trend", "execution", "00", (2, 800), (1, 900)))


def command_waits(facts: Facts) -> None:
    facts.waiting["execution", "00"] += 1


def applied_twice(facts: Facts) -> None:
    facts.inputs[Input("execution", "00", "two")] += 1


def ended_after_it_was_filled(facts: Facts) -> None:
    facts.told.append(Told(DONE, "ended", 0, 0, ReportKind.CANCELLED))


def arrived_after_all(facts: Facts) -> None:
    facts.never_arrived.add(DONE)


def sent_late(facts: Facts) -> None:
    facts.sent[0] = facts.sent[0]._replace(at_ns=6 * SECOND)


def taken_late(facts: Facts) -> None:
    facts.placed[0] = facts.placed[0]._replace(at_ns=6 * SECOND + 1)


def sent_though_thrown(facts: Facts) -> None:
    facts.thrown_ns = SECOND - 1


def stray_row(facts: Facts) -> None:
    facts.strays.append(Stray("execution", "01", 12, 1))


def fill_of_another(facts: Facts) -> None:
    facts.trades[1] = facts.trades[1]._replace(account=2)


def letter_nobody_wrote(facts: Facts) -> None:
    facts.open_letters += 1


def letter_lost(facts: Facts) -> None:
    del facts.dead_letters[Parked("risk", "00", 7)]


def money_lost(facts: Facts) -> None:
    facts.cash[1].balance -= 1


def money_in_no_book(facts: Facts) -> None:
    facts.cash[1].books += 1


def broker_has_less(facts: Facts) -> None:
    facts.cash[1].at_broker = 959


def beyond_what_is_wanted(facts: Facts) -> None:
    facts.sizings.append(Sizing(Order(1, EURUSD, 3), "trend", held=3, working=5, on_its_way=2, steps=2))


def through_zero(facts: Facts) -> None:
    facts.sizings.append(Sizing(Order(1, EURUSD, 3), "trend", held=0, working=2, on_its_way=9, steps=-10))


PLANTED: list[tuple[int, Callable[[Facts], None]]] = [
    (1, more_than_approved), (1, other_way_than_approved), (2, not_answered), (2, hanging), (2, forgotten),
    (3, never_sent), (3, not_approved), (3, not_released), (3, released_twice), (3, sent_again),
    (3, twice_at_the_broker), (3, written_after_all), (4, broker_holds_more), (4, nothing_was_filled),
    (5, reserved_for_nothing), (6, gap), (7, not_drained), (7, command_waits), (7, applied_twice),
    (8, ended_after_it_was_filled), (8, arrived_after_all), (9, sent_late), (9, taken_late), (9, sent_though_thrown),
    (10, stray_row), (10, fill_of_another), (11, letter_nobody_wrote), (11, letter_lost), (12, money_lost),
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


def test_something_is_planted_for_every_invariant():
    assert {invariant for invariant, _ in PLANTED} == {each.number for each in INVARIANTS} == set(range(1, 14))


def test_a_fill_that_comes_after_its_order_was_cancelled_is_no_violation():
    facts = sound()
    late = Order(1, EURUSD, 2)
    facts.requested[late] = facts.approved[late] = 4
    facts.released[late] = 1
    facts.sent.append(Sent(late, 4, SECOND, 6 * SECOND))
    facts.told += [Told(late, "ended", 0, 4, ReportKind.CANCELLED), Told(late, "filled", 4, 0)]
    assert violations(facts) == []


def test_a_refused_row_of_the_edge_is_nothing_that_was_sent():
    facts = sound()
    refused = Sent(Order(1, EURUSD, 9), 4, 9 * SECOND, 6 * SECOND, code=EdgeRefusal.DEADLINE_PASSED)
    facts.sent.append(refused)
    assert violations(facts) == []


def test_a_holding_that_somebody_else_bought_is_external_and_no_violation():
    facts = sound()
    facts.placed.append(Placed(None, "web-terminal-1", 2, 7, 7, SECOND))
    facts.trades.append(Trade(None, 2, EURUSD, 7))
    facts.held[2, EURUSD] = Held(booked=7, held=7, books=7, at_risk=7, at_broker=7)
    assert violations(facts) == []


def test_the_name_of_an_order_is_read_from_its_id_for_its_own_account_only():
    client_id = client_order_id("A1", EURUSD, 77)
    name = names_of(sound(), [EURUSD, "another"])
    assert name(client_id, 1, 0) == Order(1, EURUSD, 77)
    others = [(client_id, 2, 0), (client_id, 1, 1), (client_id, 9, 0), (f"{client_id[:-1]}X", 1, 0), ("web-1", 1, 0)]
    assert [name(*other) for other in others] == [None] * 5
