"""The oracle of hedging accounts: books as `plain_books` has them, and the tickets that they are made of."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from apps.execution.contracts import (
    CancelsReleased,
    OrdersEnded,
    OrdersFilled,
    OrdersReleased,
    OrdersRequested,
    OrderType,
)
from banyan.messages import Message
from tests.unit.execution.plain_books import Order, OrderKey, PlainBooks, rows


@dataclass
class PlainTickets(PlainBooks):
    """Tickets by the order that opened them, whose each is, which one each order names, and what is to be replaced."""

    tickets: dict[OrderKey, int] = field(default_factory=lambda: defaultdict(int))
    owner: dict[OrderKey, str] = field(default_factory=dict)
    ticket: dict[OrderKey, OrderKey] = field(default_factory=dict)
    guards: dict[OrderKey, int] = field(default_factory=dict)
    replaced: set[OrderKey] = field(default_factory=set)

    def take(self, event: Message) -> None:
        """Add an event."""
        super().take(event)
        if isinstance(event, OrdersReleased):
            self._released(event)
        if isinstance(event, CancelsReleased) and not event.is_final:
            self.replaced |= {key for key in keys_of(event) if key in self.orders}

    def of_book(self, account: int, name: str, book: str) -> dict[int, int]:
        """The steps of each ticket of a book."""
        return {
            key[2]: steps
            for key, steps in self.tickets.items()
            if steps and key[:2] == (account, name) and self.owner[key] == book
        }

    def _requested(self, event: OrdersRequested) -> None:
        lines = set()
        for at, key in enumerate(keys_of(event)):
            account, name, decision = key
            steps, number = int(event.steps[at]), int(event.tag[at])
            closes = bool(event.reduce_only.size and event.reduce_only[at])
            ticket = (account, name, number)
            assert decision > self.decisions[account, name], "decision numbers rise"
            if closes:
                held = self.tickets[ticket]
                assert self.owner[ticket] == event.set, "a book closes what is another's"
                assert held * steps < 0, "a close enlarges its ticket"
                assert abs(steps) <= abs(held), "a close is larger than its ticket"
                books = self.of_book(account, name, event.set)
                older = [
                    each for each, left in books.items()
                    if each < number and left * held > 0 and left + self._closing((account, name, each))
                ]  # fmt: skip
                assert not older or event.set == "manual", "an older ticket is left while a newer one is closed"
            elif number != decision:
                assert self.tickets[ticket] * steps > 0, "an opening adds to a ticket the other way"
                assert self.owner[ticket] == event.set
            self.owner.setdefault(ticket, event.set)
            self.ticket[key] = ticket
            guarded = any(column.size and column[at] for column in (event.stop_loss_ticks, event.take_profit_ticks))
            self.decisions[account, name] = decision + guarded
            rests = bool(event.order_type.size and event.order_type[at])
            by_hand = event.set == "manual" and account not in self.flat
            self.orders[key] = Order(steps, {event.set: steps}, rests=rests, by_hand=by_hand)
            lines.add((account, name, event.set))
        for line in lines:
            if line[2] != "manual" and line[0] not in self.flat:
                assert not self.gap(line), "a book has not asked for what it wants"

    def _closing(self, ticket: OrderKey) -> int:
        """What orders on their way take off a ticket."""
        closes = (key for key, each in self.ticket.items() if each == ticket and key != ticket)
        return sum(
            self.orders[key].left(book)
            for key in closes if key in self.orders for book in self.orders[key].shares
        )  # fmt: skip

    def _released(self, event: OrdersReleased) -> None:
        for at, key in enumerate(keys_of(event)):
            if event.order_type.size and event.order_type[at] == OrderType.PROTECTIVE:
                self.ticket[key] = (*key[:2], int(event.tag[at]))
                self.decisions[key[:2]] = max(self.decisions[key[:2]], key[2])
                self.guards[key] = int(event.steps[at])

    def _filled(self, event: OrdersFilled) -> None:
        for key, steps in zip(keys_of(event), event.steps.tolist(), strict=True):
            self.tickets[self.ticket[key]] += steps
        if any(key in self.guards for key in keys_of(event)):
            self._guards_filled(event)
        else:
            super()._filled(event)

    def _guards_filled(self, event: OrdersFilled) -> None:
        left = event.left_steps.tolist() if event.left_steps.size else [0] * event.account.size
        for at, key in enumerate(keys_of(event)):
            steps, line = int(event.steps[at]), (*key[:2], self._book(key))
            self.guards[key] -= steps
            assert self.guards[key] == left[at]
            if not left[at]:
                del self.guards[key]
            amount = -steps * self.contracts[key[1]] * int(event.price_e9[at]) / 1000
            fee = int(event.fee_micro[at]) if event.fee_micro.size else 0
            self.balance[key[0]] += round(amount) - fee
            self.held[line] += steps
        for key in keys_of(event):  # a book wants what it has when a bracket has closed some of it
            line = (*key[:2], self._book(key))
            self.working[line] = 0 if key[0] in self.flat else self.held[line] + self.coming(line)
            self.replaced -= {each for each in self.replaced if (*each[:2], self._book(each)) == line}

    def _book(self, key: OrderKey) -> str:
        return self.owner[self.ticket[key]]

    def _ended(self, event: OrdersEnded) -> None:
        if all(key in self.guards for key in keys_of(event)):
            for key in keys_of(event):
                del self.guards[key]
            return
        kept = {}
        for key in keys_of(event):
            if key in self.replaced:
                line = (*key[:2], self._book(key))
                kept[line] = self.working[line]
        super()._ended(event)
        self.working.update(kept)


def keys_of(event: Any) -> list[OrderKey]:
    """The order of each row of an event."""
    names = [each.id for each in event.terms] if isinstance(event, OrdersReleased) else None
    if names is None:
        return [(*row, int(decision)) for row, decision in zip(rows(event), event.decision, strict=True)]
    index = event.instrument if event.instrument.size else [0] * event.account.size
    columns = zip(event.account, index, event.decision, strict=True)
    return [(int(account), names[at], int(decision)) for account, at, decision in columns]
