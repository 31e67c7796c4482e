"""The oracle: books of accounts as dicts of whole numbers, by the rules as they are written down, one row at a time.

It reads events alone: what execution says that it did must add up, and what it ordered must be what the rules order.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from apps.execution.book_contracts import BooksTargeted, LotsBooked, ManualTargeted
from apps.execution.contracts import (
    AccountOpened,
    CashBooked,
    CashKind,
    OrdersAccepted,
    OrdersEnded,
    OrdersFilled,
    OrdersReleased,
    OrdersRequested,
    OrdersUnknown,
)
from banyan.messages import Message

Cell = tuple[int, str]  # account, instrument
Line = tuple[int, str, str]  # and book
OrderKey = tuple[int, str, int]  # account, instrument, decision


@dataclass
class Order:
    """An order on its way: what each book has of it, and what of that is filled."""

    steps: int
    shares: dict[str, int]
    filled: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    unknown: bool = False
    rests: bool = False
    by_hand: bool = False

    def left(self, book: str) -> int:
        """What is still open of a book's share."""
        return self.shares[book] - self.filled[book]


@dataclass
class PlainBooks:
    """What events add up to."""

    contracts: dict[str, Fraction]
    held: dict[Line, int] = field(default_factory=lambda: defaultdict(int))
    working: dict[Line, int] = field(default_factory=lambda: defaultdict(int))
    orders: dict[OrderKey, Order] = field(default_factory=dict)
    ended: dict[OrderKey, Order] = field(default_factory=dict)
    decisions: dict[Cell, int] = field(default_factory=lambda: defaultdict(int))
    balance: dict[int, int] = field(default_factory=dict)
    retargeted: dict[Line, int] = field(default_factory=lambda: defaultdict(int))
    flat: set[int] = field(default_factory=set)
    paid_in: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    last_sent: dict[Cell, int] = field(default_factory=lambda: defaultdict(int))

    def coming(self, line: Line) -> int:
        """What is on its way to a book."""
        account, instrument, book = line
        return sum(
            order.left(book)
            for (number, name, _), order in self.orders.items()
            if (number, name) == (account, instrument) and book in order.shares
        )

    def resting(self, line: Line) -> int:
        """What rests of the orders that people have placed in a book."""
        account, instrument, book = line
        return sum(
            order.left(book)
            for (number, name, _), order in self.orders.items()
            if (number, name) == (account, instrument) and order.by_hand and book in order.shares
        )

    def gap(self, line: Line) -> int:
        """How much a book is short of what it wants."""
        return 0 if line[2] == "external" else self.working[line] - self.held[line] - self.coming(line)

    def lines(self, cell: Cell) -> list[Line]:
        """All books of a cell that are known."""
        return [line for line in {**self.held, **self.working} if line[:2] == cell]

    def position(self, cell: Cell) -> int:
        """What is held in a cell over all books."""
        return sum(self.held[line] for line in self.lines(cell))

    def take(self, event: Message) -> None:
        """Add an event."""
        folds = {
            AccountOpened: self._opened,
            BooksTargeted: self._targeted,
            ManualTargeted: self._manual,
            LotsBooked: self._booked,
            OrdersRequested: self._requested,
            OrdersReleased: self._sent,
            OrdersFilled: self._filled,
            OrdersEnded: self._ended,
            OrdersUnknown: self._unknown,
            OrdersAccepted: self._accepted,
            CashBooked: self._cash,
        }
        fold: Any = folds.get(type(event))
        if fold is not None:
            fold(event)

    def _opened(self, event: AccountOpened) -> None:
        self.balance[event.number] = event.balance_micro

    def _targeted(self, event: BooksTargeted) -> None:
        for at, (account, name) in enumerate(rows(event)):
            line = (account, name, event.set)
            self.working[line] = int(event.working_steps[at])
            self.retargeted[line] += 1

    def _manual(self, event: ManualTargeted) -> None:
        self.working[event.account, event.terms.id, "manual"] = event.working_steps

    def _unknown(self, event: OrdersUnknown) -> None:
        for at, (account, name) in enumerate(rows(event)):
            self.orders[account, name, int(event.decision[at])].unknown = True

    def _accepted(self, event: OrdersAccepted) -> None:
        for at, (account, name) in enumerate(rows(event)):
            self.orders[account, name, int(event.decision[at])].unknown = False

    def _booked(self, event: LotsBooked) -> None:
        moved: dict[tuple[Cell, int], list[int]] = defaultdict(lambda: [0, 0])
        for at, (account, name) in enumerate(rows(event)):
            book = event.books[event.book[at] if event.book.size else 0]
            self.held[account, name, book] += int(event.steps[at])
            fee = int(event.fee_micro[at]) if event.fee_micro.size else 0
            self.balance[account] += int(event.amount_micro[at]) - fee
            moved[(account, name), event.kind][0] += int(event.steps[at])
            moved[(account, name), event.kind][1] += int(event.amount_micro[at])
        for (_, kind), (steps, amount) in moved.items():
            assert kind != 0 or (steps, amount) == (0, 0), "a cross moves neither lots nor cash out of an account"

    def _cash(self, event: CashBooked) -> None:
        for account, kind, amount in zip(event.account, event.kind, event.amount_micro, strict=True):
            self.balance[int(account)] += int(amount)
            if kind == CashKind.PAYMENT:
                self.paid_in[int(account)] += int(amount)

    def _sent(self, event: OrdersReleased) -> None:
        for at, cell in enumerate(rows(event)):
            assert event.decision[at] > self.last_sent[cell], f"{cell}: the edge takes numbers only as they rise"
            self.last_sent[cell] = int(event.decision[at])

    def _requested(self, event: OrdersRequested) -> None:
        shares: dict[int, dict[str, int]] = {at: {event.set: int(steps)} for at, steps in enumerate(event.steps)}
        for at in set(event.share_order.tolist()):
            shares[at] = {}
        for at, book, steps in zip(event.share_order, event.share_book, event.share_steps, strict=True):
            shares[int(at)][event.books[book]] = int(steps)
        seen_buy = False
        for at, (account, name) in enumerate(rows(event)):
            cell, steps = (account, name), int(event.steps[at])
            assert int(event.decision[at]) == self.decisions[cell] + 1, "decision numbers rise by one"
            assert steps == sum(shares[at].values())
            assert not (seen_buy and steps < 0), "sells come before buys"
            seen_buy = seen_buy or steps > 0
            expected = sum(self.gap(line) for line in self.lines(cell))
            rests = bool(event.order_type.size and event.order_type[at])
            reduces = bool(event.reduce_only.size and event.reduce_only[at])
            assert reduces or rests or steps == expected, f"{cell}: {steps} ordered, the books come to {expected}"
            for book, share in shares[at].items():
                line = (account, name, book)
                before = self.held[line] + self.coming(line)
                wanted = self.working[line] - (self.resting(line) if reduces else 0)
                low, high = sorted((before if not reduces else self.held[line], wanted))
                after = (before if not reduces else self.held[line]) + share
                assert low <= after <= high, f"{line}: {before} and {share} more is beyond {self.working[line]}"
            self.decisions[cell] += 1
            self.orders[account, name, self.decisions[cell]] = Order(steps, shares[at], rests=rests, by_hand=rests)

    def _filled(self, event: OrdersFilled) -> None:
        splits: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for at, book, steps in zip(event.split_fill, event.split_book, event.split_steps, strict=True):
            splits[int(at)][event.books[book]] += int(steps)
        for at, (account, name) in enumerate(rows(event)):
            key, steps = (account, name, int(event.decision[at])), int(event.steps[at])
            is_late = key not in self.orders
            order = self.ended[key] if is_late else self.orders[key]
            parts = splits.get(at) or {next(iter(order.shares)): steps}
            assert sum(parts.values()) == steps
            for book, part in parts.items():
                line = (account, name, book)
                self.held[line] += part
                order.filled[book] += part
                if order.by_hand and not is_late and account in self.flat:
                    self.working[line] -= part
                assert order.left(book) * order.steps >= 0, "a book got more than its share"
                if is_late and account not in self.flat and order.filled["version", book] == self.retargeted[line]:
                    self.working[line] += part
            filled = sum(order.filled[book] for book in order.shares)
            for book, share in order.shares.items():
                due = Fraction(share * filled, order.steps)
                assert is_late or abs(order.filled[book] - due) < len(order.shares), "a book is too far behind"
            assert order.steps - filled == (int(event.left_steps[at]) if event.left_steps.size else 0)
            amount = -steps * self.contracts[name] * int(event.price_e9[at]) / 1000
            assert int(event.amount_micro[at]) == round(amount)
            fee = int(event.fee_micro[at]) if event.fee_micro.size else 0
            self.balance[account] += round(amount) - fee
            order.unknown = False
            if not is_late and filled == order.steps:
                del self.orders[key]

    def _ended(self, event: OrdersEnded) -> None:
        for at, (account, name) in enumerate(rows(event)):
            key = (account, name, int(event.decision[at]))
            order = self.orders.pop(key)
            self.ended[key] = order
            for book in order.shares:
                line = (account, name, book)
                has = self.held[line] + self.coming(line)
                if order.by_hand and account in self.flat:
                    self.working[line] -= order.left(book)
                elif order.left(book) > 0:
                    self.working[line] = min(self.working[line], has)
                elif order.left(book) < 0:
                    self.working[line] = max(self.working[line], has)
                order.filled["version", book] = self.retargeted[line]  # type: ignore[index]


def rows(event: Any) -> list[tuple[int, str]]:
    """The (account, instrument) of each row of an event."""
    has_terms = isinstance(event, OrdersRequested | OrdersReleased)
    names = [each.id for each in event.terms] if has_terms else event.instruments
    instruments = event.instrument if event.instrument.size else [0] * event.account.size
    return [(int(account), names[at]) for account, at in zip(event.account, instruments, strict=True)]
