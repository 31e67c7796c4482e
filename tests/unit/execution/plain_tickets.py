"""The oracle of hedging accounts: the tickets that books are made of."""

from collections import defaultdict
from dataclasses import dataclass, field

from apps.execution.contracts import OrdersFilled, OrdersReleased, OrdersRequested, OrderType
from tests.unit.execution.plain_books import Order, OrderKey
from tests.unit.execution.plain_guarded import PlainGuarded, keys_of


@dataclass
class PlainTickets(PlainGuarded):
    """Tickets by the order that opened them, and which one each order names."""

    tickets: dict[OrderKey, int] = field(default_factory=lambda: defaultdict(int))
    ticket: dict[OrderKey, OrderKey] = field(default_factory=dict)

    def of_book(self, account: int, name: str, book: str) -> dict[int, int]:
        """The steps of each ticket of a book."""
        return {
            key[2]: steps
            for key, steps in self.tickets.items()
            if steps and key[:2] == (account, name) and self.book_of[key] == book
        }

    def owner(self, key: OrderKey, tag: int) -> str:
        """The book that a ticket is of."""
        return self.book_of[*key[:2], tag]

    def _requested(self, event: OrdersRequested) -> None:
        lines = set()
        for at, key in enumerate(keys_of(event)):
            account, name, decision = key
            steps, number = int(event.steps[at]), int(event.tag[at])
            closes = bool(event.reduce_only.size and event.reduce_only[at])
            ticket = (account, name, number)
            assert decision > self.decisions[account, name], "decision numbers rise"
            if closes:
                self._check_close(ticket, steps, event.set)
            elif number != decision:
                assert self.tickets[ticket] * steps > 0, "an opening adds to a ticket the other way"
                assert self.book_of[ticket] == event.set
            self.book_of[key] = event.set
            self.ticket[key] = ticket
            self.decisions[account, name] = decision + self.expect_guard(event, at, key)
            rests = bool(event.order_type.size and event.order_type[at])
            by_hand = event.set == "manual" and account not in self.flat
            self.orders[key] = Order(steps, {event.set: steps}, rests=rests, by_hand=by_hand)
            lines.add((account, name, event.set))
        for line in lines:
            if line[2] != "manual" and line[0] not in self.flat:
                assert not self.gap(line), "a book has not asked for what it wants"

    def _check_close(self, ticket: OrderKey, steps: int, book: str) -> None:
        held = self.tickets[ticket]
        assert self.book_of[ticket] == book, "a book closes what is another's"
        assert held * steps < 0, "a close enlarges its ticket"
        assert abs(steps) <= abs(held), "a close is larger than its ticket"
        older = [
            number
            for number, left in self.of_book(*ticket[:2], book).items()
            if number < ticket[2] and left * held > 0 and left + self._closing((*ticket[:2], number))
        ]
        assert not older or book == "manual", "an older ticket is left while a newer one is closed"

    def _closing(self, ticket: OrderKey) -> int:
        """What orders on their way take off a ticket."""
        closes = (key for key, each in self.ticket.items() if each == ticket and key != ticket and key in self.orders)
        return sum(self.orders[key].left(self.book_of[key]) for key in closes)

    def _released(self, event: OrdersReleased) -> None:
        super()._released(event)
        for at, key in enumerate(keys_of(event)):
            if event.order_type.size and event.order_type[at] == OrderType.PROTECTIVE:
                self.ticket[key] = (*key[:2], int(event.tag[at]))

    def _filled(self, event: OrdersFilled) -> None:
        for key, steps in zip(keys_of(event), event.steps.tolist(), strict=True):
            self.tickets[self.ticket[key]] += steps
        super()._filled(event)
