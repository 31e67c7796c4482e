"""The oracle of books whose orders are their own: entries that others take the place of, and protective orders."""

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
from tests.unit.execution.plain_books import Line, OrderKey, PlainBooks, rows


@dataclass
class PlainGuarded(PlainBooks):
    """Which entries are to be replaced, and what is left of each protective order. `book_of` says whose an order is."""

    guards: dict[OrderKey, int] = field(default_factory=dict)
    replaced: set[OrderKey] = field(default_factory=set)
    levels: dict[OrderKey, tuple[int, ...]] = field(default_factory=dict)
    book_of: dict[OrderKey, str] = field(default_factory=dict)

    def take(self, event: Message) -> None:
        """Add an event."""
        super().take(event)
        if isinstance(event, OrdersReleased):
            self._released(event)
        if isinstance(event, CancelsReleased) and not event.is_final:
            self.replaced |= {key for key in keys_of(event) if key in self.orders and key in self.book_of}

    def line_of(self, key: OrderKey) -> Line:
        """The book that an order is of."""
        return (*key[:2], self.book_of[key])

    def expect_guard(self, event: OrdersRequested, at: int, key: OrderKey) -> bool:
        """Remember the bracket that leaves with an entry, as the order after it; tell whether there is one."""
        columns = (event.stop_loss_ticks, event.take_profit_ticks, event.trail_ticks)
        levels = tuple(int(column[at]) if column.size else 0 for column in columns)
        if any(levels):
            self.levels[*key[:2], key[2] + 1] = levels
        return any(levels)

    def owner(self, key: OrderKey, tag: int) -> str:
        """The book that a protective order under a tag is of."""
        raise NotImplementedError

    def _released(self, event: OrdersReleased) -> None:
        for at, key in enumerate(keys_of(event)):
            if event.order_type.size and event.order_type[at] == OrderType.PROTECTIVE:
                columns = (event.stop_ticks, event.limit_ticks, event.trail_ticks)
                levels = tuple(int(column[at]) if column.size else 0 for column in columns)
                assert self.levels.get(key, levels) == levels, "a bracket is another than was asked for"
                self.book_of[key] = self.owner(key, int(event.tag[at]))
                self.decisions[key[:2]] = max(self.decisions[key[:2]], key[2])
                self.guards[key] = int(event.steps[at])

    def _filled(self, event: OrdersFilled) -> None:
        if any(key in self.guards for key in keys_of(event)):
            self._guards_filled(event)
        else:
            super()._filled(event)

    def _guards_filled(self, event: OrdersFilled) -> None:
        left = event.left_steps.tolist() if event.left_steps.size else [0] * event.account.size
        for at, key in enumerate(keys_of(event)):
            steps = int(event.steps[at])
            self.guards[key] -= steps
            assert self.guards[key] == left[at]
            if not left[at]:
                del self.guards[key]
            amount = -steps * self.contracts[key[1]] * int(event.price_e9[at]) / 1000
            fee = int(event.fee_micro[at]) if event.fee_micro.size else 0
            self.balance[key[0]] += round(amount) - fee
            self.held[self.line_of(key)] += steps
        for key in keys_of(event):  # a book wants what it has when a bracket has closed some of it
            line = self.line_of(key)
            self.working[line] = 0 if key[0] in self.flat else self.held[line] + self.coming(line)
            self.replaced -= {each for each in self.replaced if self.line_of(each) == line}

    def _ended(self, event: OrdersEnded) -> None:
        if all(key in self.guards for key in keys_of(event)):
            for key in keys_of(event):
                del self.guards[key]
            return
        kept = {self.line_of(key): self.working[self.line_of(key)] for key in keys_of(event) if key in self.replaced}
        super()._ended(event)
        self.working.update(kept)


def keys_of(event: Any) -> list[OrderKey]:
    """The order of each row of an event."""
    return [(*row, int(decision)) for row, decision in zip(rows(event), event.decision, strict=True)]
