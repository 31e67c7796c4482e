"""Facts from execution's log: what it asked for, what it told, and what its books were when it asked."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from apps.audit.facts import Account, Cash, Facts, Held, Open, Order, Sizing, Told, Unanswered
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
from apps.execution.evolving import evolve, full
from apps.execution.order_states import OrderState
from apps.execution.state import ShardState
from apps.signals.contracts import TargetSet
from banyan.columns import Ints
from banyan.messages import Message

Named = OrdersAccepted | OrdersFilled | OrdersEnded | OrdersUnknown | OrdersAdopted


def read_step(facts: Facts, state: ShardState, message: Message | None, events: Iterable[Message]) -> ShardState:
    """Add what a record of a shard's log tells; return the state after it. `message` is its input where a target."""
    awaited = _awaited(state, message) if isinstance(message, TargetSet) else set()
    for event in events:
        state = evolve(state, event)
        match event:
            case AccountOpened():
                facts.accounts[event.number] = Account(event.account, state.key)
                facts.cash[event.number] = Cash(deposit=event.balance_micro)
            case CashBooked():
                _paid(facts, event)
            case AccountsGated():
                facts.restored_ns = max(facts.restored_ns, event.gated_at_ns)
            case OrdersRequested():
                _requested(facts, state, event)
            case OrdersReleased():
                names = [each.id for each in event.terms]
                facts.released.update(_orders(names, event.account, event.instrument, event.decision))
            case LotsBooked():
                _booked(facts, event)
            case BooksTargeted() | TargetsSkipped():
                rows = zip(event.account.tolist(), full(event.instrument, event.account).tolist(), strict=True)
                awaited -= {(account, event.instruments[at]) for account, at in rows}
            case OrdersAccepted() | OrdersFilled() | OrdersEnded() | OrdersUnknown() | OrdersAdopted():
                _told(facts, event)
    if isinstance(message, TargetSet):
        version = int(message.version[0]) if message.version.size else 0
        facts.unanswered += [Unanswered(message.set, version, name, account) for account, name in sorted(awaited)]
    return state


def _paid(facts: Facts, event: CashBooked) -> None:
    for account, kind, amount in zip(
        event.account.tolist(), event.kind.tolist(), event.amount_micro.tolist(), strict=True
    ):
        cash = facts.cash[account]
        if kind == CashKind.PAYMENT:
            cash.deposit += amount
        else:
            cash.booked += amount


def read_state(facts: Facts, state: ShardState) -> None:
    """Add what a shard's state says at the end."""
    accounts, cells, lines = state.accounts.columns, state.cells.columns, state.lines.columns
    numbers = accounts["number"]
    for at, number in enumerate(numbers.tolist()):
        cash = facts.cash.setdefault(number, Cash())
        cash.balance = int(accounts["balance_micro"][at])
        cash.books = int(lines["cash_micro"][lines["account"] == at].sum())
    for at in range(state.cells.count):
        held = _held(facts, int(numbers[cells["account"][at]]), state.instruments.names[int(cells["instrument"][at])])
        held.held = int(cells["held"][at])
        held.books = int(lines["held"][lines["cell"] == at].sum())
    orders = state.orders.columns
    for at in np.flatnonzero(orders["cell"] >= 0).tolist():
        cell = int(orders["cell"][at])
        name = state.instruments.names[int(cells["instrument"][cell])]
        order = Order(int(numbers[cells["account"][cell]]), name, int(orders["decision"][at]))
        left = int(orders["steps"][at] - orders["filled"][at])
        facts.open[order] = Open(left, bool(orders["state"][at] == OrderState.UNKNOWN))


def _awaited(state: ShardState, target: TargetSet) -> set[tuple[int, str]]:
    """Return (account, instrument) of all that follow a set and have not seen its target yet."""
    awaited: set[tuple[int, str]] = set()
    book = state.books.known(target.set)
    lines, accounts = state.lines.columns, state.accounts.columns
    for at, quote in enumerate(target.quotes):
        rows = state.source_lines(book, state.instruments.known(quote.instrument))
        new = rows[(lines["seen_version"][rows] != target.version[at]) & (lines["active"][rows] != 0)]
        numbers = accounts["number"][lines["account"][new]].tolist()
        names = [state.instruments.names[each] for each in lines["instrument"][new].tolist()]
        awaited.update(zip(numbers, names, strict=True))
    return awaited


def _requested(facts: Facts, state: ShardState, event: OrdersRequested) -> None:
    names = [each.id for each in event.terms]
    orders = list(_orders(names, event.account, event.instrument, event.decision))
    facts.requested.update(zip(orders, event.steps.tolist(), strict=True))
    shared = [
        (orders[row], event.books[book], steps)
        for row, book, steps in zip(
            event.share_order.tolist(),
            full(event.share_book, event.share_order).tolist(),
            event.share_steps.tolist(),
            strict=True,
        )
    ]
    apart = set(event.share_order.tolist())
    whole = [(order, event.set, int(event.steps[row])) for row, order in enumerate(orders) if row not in apart]
    facts.sizings += [_sizing(state, *share) for share in (*shared, *whole)]


def _sizing(state: ShardState, order: Order, book: str, steps: int) -> Sizing:
    cell = int(state.cell_rows[state.instruments.known(order.instrument), state.row_of[order.account]])
    line = state.lines.columns[state.line_of(cell, state.books.known(book))]
    on_its_way = int(line["open"]) + int(line["unknown"]) - steps
    return Sizing(order, book, int(line["held"]), int(line["working"]), on_its_way, steps)


def _told(facts: Facts, event: Named) -> None:
    orders = _orders(event.instruments, event.account, event.instrument, event.decision)
    match event:
        case OrdersFilled():
            left = full(event.left_steps, event.account)
            for at, order in enumerate(orders):
                facts.told.append(Told(order, "filled", int(event.steps[at]), int(left[at])))
                facts.cash[order.account].filled += int(event.amount_micro[at]) - _at(event.fee_micro, at)
                _held(facts, order.account, order.instrument).filled += int(event.steps[at])
        case OrdersEnded():
            ends = zip(orders, event.left_steps.tolist(), event.kind.tolist(), strict=True)
            facts.told += [Told(order, "ended", 0, left, kind) for order, left, kind in ends]
        case OrdersAdopted():
            facts.adopted.update(orders)
        case OrdersAccepted():
            facts.told += [Told(order, "accepted") for order in orders]
        case OrdersUnknown():
            facts.told += [Told(order, "unknown") for order in orders]


def _booked(facts: Facts, event: LotsBooked) -> None:
    instrument = full(event.instrument, event.account).tolist()
    for at, account in enumerate(event.account.tolist()):
        cash = facts.cash[account]
        cash.booked += int(event.amount_micro[at]) - _at(event.fee_micro, at)
        cash.is_comparable &= event.kind != Booking.RECONCILED
        _held(facts, account, event.instruments[instrument[at]]).booked += int(event.steps[at])


def _held(facts: Facts, account: int, instrument: str) -> Held:
    return facts.held.setdefault((account, instrument), Held())


def _orders(names: list[str], account: Ints, instrument: Ints, decision: Ints) -> Iterator[Order]:
    rows: Any = zip(account.tolist(), full(instrument, account).tolist(), decision.tolist(), strict=True)
    return (Order(number, names[at], which) for number, at, which in rows)


def _at(column: Ints, at: int) -> int:
    return int(column[at]) if column.size else 0
