"""The thirteen invariants: what must hold of the records once the system is at rest, whatever has crashed before."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from apps.audit import holdings, orders, records
from apps.audit.facts import Facts
from apps.audit.index import Orders

Found = Iterator[tuple[str, str, str]]
"""(what it is about, what was expected, what was found) of each violation."""


class Violation(NamedTuple):
    """An invariant that does not hold: of what, and what should be there instead of what is."""

    invariant: int
    about: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"invariant {self.invariant}, {self.about}: expected {self.expected}, found {self.found}"


class Invariant(NamedTuple):
    """What must hold, in words, and what yields where it does not."""

    number: int
    text: str
    check: Callable[[Facts, Orders], Found]


INVARIANTS = tuple(
    Invariant(number, text, check)
    for number, (text, check) in enumerate(
        (
            ("no order executes more than was approved", orders.not_more_than_approved),
            ("every signal ends in a final or an explicitly unknown state for every account", orders.all_ended),
            ("nothing is sent without a committed approval and SENT", orders.nothing_unapproved),
            ("fills and outside trades are the position, here and at the broker", holdings.positions_agree),
            ("what is reserved is what is open or unknown, and nothing when idle", holdings.reservations_agree),
            ("logs have no gap, and their fold is the state", records.logs_are_whole),
            ("outboxes are drained, and each message was applied once", records.all_taken_once),
            ("no final state changes but by a late fill that is adopted", orders.ends_are_final),
            ("nothing passes its last check after its deadline or the kill switch", orders.nothing_late),
            ("no row crosses accounts", records.no_row_crosses),
            ("dead letters and parked rows are the poison that was injected", records.poison_is_put_aside),
            ("the cash ledger balances", holdings.cash_balances),
            ("no order leads a book beyond what was approved for it", holdings.books_within_approval),
        ),
        start=1,
    )
)  # fmt: skip


def violations(facts: Facts, invariants: Iterable[Invariant] = INVARIANTS) -> list[Violation]:
    """Return every violation, by invariant."""
    index = Orders(facts)
    return [Violation(each.number, *found) for each in invariants for found in each.check(facts, index)]
