"""Tickets of hedging accounts: nothing is netted, each opening has one at the broker, and each close names one.

A book comes to what it wants as in a backtest: tickets the other way are closed first, the oldest before the others,
and what is left is opened.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from apps.execution.apart_state import Key, Ticket
from apps.execution.kernels.booking import fill_orders
from apps.execution.state import ShardState
from banyan.columns import Ints
from trading.books import TICKETS


class Part(NamedTuple):
    """Steps of an order that a ticket has; 0 is one that is yet to be opened."""

    ticket: int
    steps: int
    closes: bool


def is_hedging(state: ShardState, line: int) -> bool:
    """Tell whether a line is of a hedging account."""
    return bool(state.accounts.rows[state.lines.rows[line].account].hedging)


def hedging_lines(state: ShardState, lines: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which of these lines are of hedging accounts."""
    return state.accounts.columns["hedging"][state.lines.columns["account"][lines]] != 0  # type: ignore[no-any-return]


def hedging_cells(state: ShardState, cells: Ints) -> bool:
    """Tell whether one of these cells (-1: none) is of a hedging account."""
    if not state.accounts.columns["hedging"].any():
        return False
    return bool(state.accounts.columns["hedging"][state.cells.columns["account"][cells[cells >= 0]]].any())


def tickets_of(state: ShardState, line: int) -> list[tuple[int, int]]:
    """Return the tickets of a line as (number, steps), the oldest first."""
    return [(number, each.steps) for number, each in sorted(state.apart.tickets.get(line, {}).items())]


def parts_to(state: ShardState, line: int, working: int, *, is_new: bool) -> list[Part]:
    """Return by which orders a line comes to hold `working` steps, in the order in which they are to be sent."""
    tickets = tickets_of(state, line)
    along = [(number, steps) for number, steps in tickets if steps * working > 0]
    parts = [Part(number, -steps, True) for number, steps in tickets if steps * working <= 0]
    missing = working - sum(steps for _, steps in along)
    if missing * working < 0:
        return parts + list(_closes(along, missing))
    return parts + ([Part(_ticket_to_open(state, line, dict(along), is_new), missing, False)] if missing else [])


def parts_by_hand(state: ShardState, line: int, steps: int) -> list[Part]:
    """Return the orders that a person's steps come to: tickets the other way that nothing else closes, and the rest."""
    busy = {entry.ticket for entry in state.apart.entries.values() if entry.line == line}
    against = [each for each in tickets_of(state, line) if each[1] * steps < 0 and each[0] not in busy]
    parts = list(_closes(against, steps))
    rest = steps - sum(each.steps for each in parts)
    return parts + ([Part(0, rest, False)] if rest else [])


def _closes(tickets: list[tuple[int, int]], steps: int) -> Iterator[Part]:
    """Yield closes of tickets that are all the other way, as far as `steps` go."""
    for number, held in tickets:
        part = -held if abs(held) < abs(steps) else steps
        if part:
            yield Part(number, part, True)
        steps -= part


def _ticket_to_open(state: ShardState, line: int, left: dict[int, int], is_new: bool) -> int:
    """Return the ticket that an opening adds to: that of the same version, or the newest where there are many."""
    version, ticket = state.apart.opened.get(line, (0, 0))
    if not is_new and ticket in left and version == state.lines.rows[line].seen_version:
        return ticket
    return max(left) if len(left) >= TICKETS else 0


def left_of(state: ShardState, line: int, parts: list[Part]) -> dict[int, int]:
    """Return the steps of the tickets that a line has when parts of an order are filled, but for new ones."""
    left = dict(tickets_of(state, line))
    for part in parts:
        if part.ticket:
            left[part.ticket] = left.get(part.ticket, 0) + part.steps
    return {number: steps for number, steps in left.items() if steps}


def open_orders_of(state: ShardState, cell: int) -> Iterator[int]:
    """Yield the rows of a cell's open orders."""
    at = int(state.cells.rows[cell].first_order) if cell >= 0 else -1
    while at >= 0:
        yield at
        at = int(state.orders.rows[at].next_order)


def closing_parts(state: ShardState, line: int) -> list[Part]:
    """Return what orders on their way still take off the tickets of a line."""
    parts = []
    cell = int(state.lines.rows[line].cell)
    for at in open_orders_of(state, cell):
        order = state.orders.rows[at]
        entry = state.apart.entries.get((cell, int(order.decision)))
        if entry is not None and entry.line == line and order.reduce_only:
            parts.append(Part(entry.ticket, int(order.steps - order.filled), True))
    return parts


def ticket_of(state: ShardState, key: Key) -> tuple[int, int] | None:
    """Return (line, ticket) of an order of a hedging account, None where it has none."""
    order = state.apart.entries.get(key) or state.apart.guards.get(key)
    if order is not None:
        return (order.line, order.ticket) if order.ticket else None
    return state.apart.ended.get(key)


def owner_of(state: ShardState, cell: int, ticket: int) -> int:
    """Return the line in a cell that a ticket is of, open or about to be."""
    at = int(state.cells.rows[cell].first_line)
    while at >= 0 and ticket not in state.apart.tickets.get(at, {}):
        at = int(state.lines.rows[at].next_line)
    if at >= 0:
        return at
    return next(each.line for key, each in state.apart.entries.items() if key[0] == cell and each.ticket == ticket)


def fill_one_by_one(state: ShardState, keys: list[Key], fills: tuple[Any, ...]) -> None:
    """Do what `fill_orders` does with `fills`, of the orders `keys`, and change the tickets that they are of."""
    *columns, (split_fill, split_line, split_steps) = fills
    for at, key in enumerate(keys):
        one, mine = slice(at, at + 1), split_fill == at
        splits = np.zeros(int(mine.sum()), np.int64), split_line[mine], split_steps[mine]
        steps, price = int(columns[1][at]), int(columns[4][at]) / 1e9
        of = ticket_of(state, key)
        if of is not None:
            _expect_fill(state, of, steps)
        fill_orders(state.shard(), *(column[one] for column in columns), splits)
        if of is not None:
            _fill_ticket(state, of, steps, price)


def _expect_fill(state: ShardState, of: tuple[int, int], steps: int) -> None:
    """Let a line count what a fill closes by the price of the ticket that it closes."""
    line, number = of
    ticket = state.apart.tickets.get(line, {}).get(number)
    state.lines.rows[line].entry_price = ticket.price if ticket is not None and ticket.steps * steps < 0 else 0.0


def _fill_ticket(state: ShardState, of: tuple[int, int], steps: int, price: float) -> None:
    line, number = of
    tickets = state.apart.tickets.setdefault(line, {})
    before = tickets.get(number, Ticket(0, 0.0))
    after = before.steps + steps
    if after == 0:
        tickets.pop(number, None)
    elif before.steps * steps >= 0:
        tickets[number] = Ticket(after, (before.price * before.steps + price * steps) / after)
    else:
        tickets[number] = Ticket(after, before.price if before.steps * after > 0 else price)


def note_sides(state: ShardState, cells: Ints) -> None:
    """Note what tickets of hedging accounts hold short; what is held without one is on the side that it comes to."""
    if not hedging_cells(state, cells):
        return
    hedging = state.accounts.columns["hedging"][state.cells.columns["account"][cells]] != 0
    for cell in np.unique(cells[hedging]).tolist():
        short, at = 0, int(state.cells.rows[cell].first_line)
        while at >= 0:
            tickets = tickets_of(state, at)
            short += sum(min(steps, 0) for _, steps in tickets)
            short += min(int(state.lines.rows[at].held) - sum(steps for _, steps in tickets), 0)
            at = int(state.lines.rows[at].next_line)
        state.cells.rows[cell].short = short
