"""Facts from execution's log: what it asked for, what it told, and what its books were when it asked."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from apps.audit.facts import Account, Facts, Unanswered, What
from apps.execution.book_contracts import Booking, BooksTargeted, LotsBooked, OrdersAdopted, TargetsSkipped
from apps.execution.contracts import (
    AccountOpened,
    AccountsGated,
    CashBooked,
    CashKind,
    OrdersAccepted,
    OrdersEnded,
    OrdersFilled,
    OrdersReleased,
    OrdersRequested,
    OrdersUnknown,
)
from apps.execution.evolving import full
from apps.execution.order_states import OrderState
from apps.execution.state import ShardState
from apps.signals.contracts import TargetSet
from banyan.columns import Ints, ints
from banyan.messages import Message

Named = OrdersAccepted | OrdersFilled | OrdersEnded | OrdersUnknown | OrdersAdopted
_WHAT: Mapping[type[Message], What] = {
    OrdersAccepted: What.ACCEPTED, OrdersFilled: What.FILLED, OrdersEnded: What.ENDED, OrdersUnknown: What.UNKNOWN
}  # fmt: skip


class ShardReader:
    """Adds to `facts` what is heard of a shard's log while it is replayed: each record, and each event once applied."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._target: TargetSet | None = None
        self._awaited = ints()

    def begin(self, state: ShardState, target: TargetSet | None) -> None:
        """Hear of a record; `target` is its input where that is one that accounts are to answer."""
        self._target = target
        self._awaited = self._following(state, target) if target is not None else ints()

    def end(self) -> None:
        """Have heard all events of a record."""
        if self._target is not None:
            target, names = self._target, self._facts.names
            version = int(target.version[0]) if target.version.size else 0
            for code in self._awaited.tolist():
                account, name = divmod(code, _WIDTH)
                self._facts.unanswered.append(Unanswered(target.set, version, names[name], account))

    def hear(self, state: ShardState, event: Message) -> None:
        """Hear of an event; `state` is what it has led to."""
        facts = self._facts
        match event:
            case AccountOpened():
                facts.accounts[event.number] = Account(event.account, state.key)
                facts.cash.add(account=event.number, deposit=event.balance_micro)
            case CashBooked():
                is_payment = event.kind == CashKind.PAYMENT
                deposit, booked = (np.where(each, event.amount_micro, 0) for each in (is_payment, ~is_payment))
                facts.cash.add(account=event.account, deposit=deposit, booked=booked)
            case AccountsGated():
                facts.restored_ns = max(facts.restored_ns, event.gated_at_ns)
            case OrdersRequested():
                _requested(facts, state, event)
            case OrdersReleased():
                facts.released.add(**orders_of(facts, [each.id for each in event.terms], event))
            case LotsBooked():
                _booked(facts, event)
            case BooksTargeted() | TargetsSkipped():
                instrument = facts.numbers(event.instruments)[full(event.instrument, event.account)]
                self._awaited = np.setdiff1d(self._awaited, event.account * _WIDTH + instrument)
            case OrdersAccepted() | OrdersFilled() | OrdersEnded() | OrdersUnknown() | OrdersAdopted():
                _told(facts, event)

    def _following(self, state: ShardState, target: TargetSet) -> Ints:
        """Return the accounts and instruments of all that follow a set and have not seen its target yet."""
        book = state.books.known(target.set)
        lines, accounts = state.lines.columns, state.accounts.columns
        names = self._facts.numbers(state.instruments.names)
        awaited = [ints()]
        for at, quote in enumerate(target.quotes):
            rows = state.source_lines(book, state.instruments.known(quote.instrument))
            new = rows[(lines["seen_version"][rows] != target.version[at]) & (lines["active"][rows] != 0)]
            awaited.append(accounts["number"][lines["account"][new]] * _WIDTH + names[lines["instrument"][new]])
        return np.unique(np.concatenate(awaited))


_WIDTH = 1_000_000
"""More than there are names."""


def read_state(facts: Facts, state: ShardState) -> None:
    """Add what a shard's state says at the end."""
    accounts, cells, lines = state.accounts.columns, state.cells.columns, state.lines.columns
    numbers, names = accounts["number"], facts.numbers(state.instruments.names)
    if numbers.size:
        facts.cash.add(account=numbers, balance=accounts["balance_micro"])
    if lines["account"].size:
        facts.cash.add(account=numbers[lines["account"]], books=lines["cash_micro"])
        of = lines["cell"]
        place = {"account": numbers[cells["account"][of]], "instrument": names[cells["instrument"][of]]}
        facts.held.add(**place, books=lines["held"])
    if cells["account"].size:
        place = {"account": numbers[cells["account"]], "instrument": names[cells["instrument"]]}
        facts.held.add(**place, held=cells["held"])
    orders = state.orders.columns
    rows = np.flatnonzero(orders["cell"] >= 0)
    if rows.size:
        cell = orders["cell"][rows]
        facts.open.add(
            account=numbers[cells["account"][cell]],
            instrument=names[cells["instrument"][cell]],
            decision=orders["decision"][rows],
            left=orders["steps"][rows] - orders["filled"][rows],
            is_unknown=orders["state"][rows] == OrderState.UNKNOWN,
        )


def _requested(facts: Facts, state: ShardState, event: OrdersRequested) -> None:
    names = [each.id for each in event.terms]
    orders = orders_of(facts, names, event)
    facts.requested.add(**orders, steps=event.steps)
    whole = np.setdiff1d(np.arange(event.account.size), event.share_order)
    books = facts.numbers([*event.books, event.set])
    row = np.concatenate([event.share_order, whole])
    book = np.concatenate([full(event.share_book, event.share_order), np.full(whole.size, len(event.books))])
    steps = np.concatenate([event.share_steps, event.steps[whole]])
    cells = state.cells_named(names, event.account, event.instrument)[row]
    known = ints([state.books.known(name) for name in (*event.books, event.set)])
    lines, at = state.lines.columns, _lines(state, cells, known[book])
    facts.sizings.add(
        **{name: column[row] for name, column in orders.items()},
        book=books[book],
        held=lines["held"][at],
        working=lines["working"][at],
        on_its_way=lines["open"][at] + lines["unknown"][at] - steps,
        steps=steps,
    )


def _lines(state: ShardState, cells: Ints, books: Ints) -> Ints:
    """Return the line of each book in each cell: it has one, as an order was asked for it."""
    lines = state.lines.columns
    at = state.cells.columns["first_line"][cells].astype(np.int64)
    while (others := np.flatnonzero(lines["book"][at] != books)).size:
        at[others] = lines["next_line"][at[others]]
        assert (at >= 0).all(), "an order was asked for a book that its account has not"
    return at


def _told(facts: Facts, event: Named) -> None:
    orders = orders_of(facts, event.instruments, event)
    match event:
        case OrdersAdopted():
            facts.adopted.add(**orders)
            return
        case OrdersFilled():
            facts.told.add(**orders, what=What.FILLED, steps=event.steps, left=full(event.left_steps, event.account))
            brought = event.amount_micro - full(event.fee_micro, event.account)
            facts.cash.add(account=event.account, filled=brought)
            facts.held.add(account=event.account, instrument=orders["instrument"], filled=event.steps)
        case OrdersEnded():
            left, kind = full(event.left_steps, event.account), full(event.kind, event.account)
            facts.told.add(**orders, what=What.ENDED, left=left, kind=kind)
        case _:
            facts.told.add(**orders, what=_WHAT[type(event)])


def _booked(facts: Facts, event: LotsBooked) -> None:
    instrument = facts.numbers(event.instruments)[full(event.instrument, event.account)]
    brought = event.amount_micro - full(event.fee_micro, event.account)
    is_other = int(event.kind == Booking.RECONCILED)
    facts.cash.add(account=event.account, booked=brought, is_incomparable=is_other)
    facts.held.add(account=event.account, instrument=instrument, booked=event.steps)


def orders_of(facts: Facts, names: list[str], message: Any, rows: Any = slice(None)) -> dict[str, Ints]:
    """Return the columns that name the orders of a message, whose instruments are `names`."""
    instrument = facts.numbers(names)[full(message.instrument, message.account)]
    return {
        "account": message.account[rows], "instrument": instrument[rows], "decision": message.decision[rows]
    }  # fmt: skip
