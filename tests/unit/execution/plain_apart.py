"""The oracle of books that trade apart on netting accounts: one entry at a time, under a tag, with its bracket."""

from dataclasses import dataclass, field

from apps.execution.book_contracts import BooksTargeted
from apps.execution.contracts import OrdersRequested
from tests.unit.execution.plain_books import Line, Order, OrderKey, PlainBooks, rows
from tests.unit.execution.plain_guarded import PlainGuarded, keys_of
from trading.targets import MARKET


@dataclass
class PlainApart(PlainGuarded):
    """`apart` are the books that follow a target with a price or a bracket, or that still have such orders.

    `tag` says of which book each tag is: what a book got by crossing is protected under a tag that it never ordered by.
    """

    apart: set[Line] = field(default_factory=set)
    kind: dict[tuple[str, str], bool] = field(default_factory=dict)
    tag: dict[int, str] = field(default_factory=dict)
    nets: bool = False

    def gap(self, line: Line) -> int:
        """How much a book is short of what it wants; where orders are netted one that trades apart is passed over."""
        return 0 if self.nets and line in self.apart else super().gap(line)

    def owner(self, key: OrderKey, tag: int) -> str:
        """The book that a tag is of."""
        return self.tag[tag]

    def is_busy(self, line: Line) -> bool:
        """Tell whether a book has an entry of its own, or something that protects it."""
        own = [key for key in self.orders if key in self.book_of] + list(self.guards)
        return any(self.line_of(key) == line for key in own)

    def _targeted(self, event: BooksTargeted) -> None:
        super()._targeted(event)
        if event.target is not None:
            target = event.target
            for at, quote in enumerate(target.quotes):
                levels = (target.stop_loss[at], target.take_profit[at], target.trail[at])
                has_bracket = any(each is not None for each in levels)
                entry = int(target.entry[at]) if target.entry.size else MARKET
                self.kind[event.set, quote.instrument] = entry != MARKET or (has_bracket and target.value[at] != 0.0)
        for account, name in rows(event):
            line = (account, name, event.set)
            is_apart = self.kind.get((event.set, name), False) or self.is_busy(line)
            (self.apart.add if is_apart else self.apart.discard)(line)

    def _requested(self, event: OrdersRequested) -> None:
        if not event.tag.size:
            self.nets = True
            PlainBooks._requested(self, event)
            self.nets = False
            by_hand = event.set == "manual" and event.order_type.size and event.order_type.any()
            if by_hand:
                self.book_of.update(dict.fromkeys(keys_of(event), event.set))
            return
        for at, key in enumerate(keys_of(event)):
            line, steps = (*key[:2], event.set), int(event.steps[at])
            assert self.tag[int(event.tag[at])] == event.set, "an entry has the tag of another book"
            assert key[2] > self.decisions[key[:2]], "decision numbers rise"
            assert line in self.apart, "a netted book has an order of its own"
            assert not self.coming(line), "two entries of a book work at a time"
            wanted = 0 if event.reduce_only.size and event.reduce_only[at] else self.working[line]
            assert steps == wanted - self.held[line], "an entry is not what its book wants"
            self.book_of[key] = event.set
            self.decisions[key[:2]] = key[2] + self.expect_guard(event, at, key)
            rests = bool(event.order_type.size and event.order_type[at])
            self.orders[key] = Order(steps, {event.set: steps}, rests=rests)
