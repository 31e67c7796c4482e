"""What events change of orders that are apart from the netted ones."""

from collections.abc import Iterator

import msgspec
import numpy as np

from apps.execution.apart import is_apart
from apps.execution.apart_state import Bracket, Entry, Guard
from apps.execution.book_contracts import MANUAL
from apps.execution.contracts import (
    CancelsReleased,
    OrdersEnded,
    OrdersFilled,
    OrdersReleased,
    OrdersRequested,
    OrderType,
)
from apps.execution.kernels.booking import find_orders
from apps.execution.state import ShardState
from apps.execution.tickets import is_hedging, owner_of
from banyan.columns import Ints


def note_targeted(state: ShardState, lines: Ints) -> None:
    """Note which of the lines that were targeted trade apart from here on."""
    rows = is_apart(state.targets.columns) if state.targets.count else np.zeros(0, bool)
    if not state.apart.lines and not rows.any() and not state.accounts.columns["hedging"].any():
        return
    busy = state.apart.busy_lines()
    for at in lines.tolist():
        line = state.lines.rows[at]
        target = state.target_of.get((int(line.book), int(line.source)))
        if at in busy or (target is not None and rows[target]) or is_hedging(state, at):
            state.apart.lines.add(at)
        else:
            state.apart.lines.discard(at)
        moves = target is not None and (state.targets.columns["bracket"][target] or state.apart.guards_of(at))
        if at in state.apart.lines and moves and (line.open or line.unknown):
            state.apart.due.add(at)
        else:
            state.apart.due.discard(at)


def note_requested(state: ShardState, event: OrdersRequested, cells: Ints) -> None:
    """Take up entries that have a tag."""

    def number(name: str, at: int) -> int:
        column = getattr(event, name)
        return int(column[at]) if column.size else 0

    own = event.tag if event.tag.size else np.zeros(event.account.size, np.int64)
    rests = event.order_type if event.order_type.size else own
    for at in np.flatnonzero((own > 0) | (rests != 0)).tolist():
        cell, decision = int(cells[at]), int(event.decision[at])
        bracket = Bracket(number("stop_loss_ticks", at), number("take_profit_ticks", at), number("trail_ticks", at))
        is_guarded = any((bracket.stop_loss_ticks, bracket.take_profit_ticks, bracket.trail_ticks))
        tag = int(own[at])
        line = state.line_of(cell, state.books.known(event.set))
        ticket = tag if is_hedging(state, line) else 0
        by_hand = event.set == MANUAL and not state.is_flat(cell)  # held at zero it is a close that nobody has placed
        state.apart.entries[cell, decision] = Entry(
            line, number("order_type", at), number("limit_ticks", at), number("stop_ticks", at),
            number("time_in_force", at), number("expires_ns", at), bracket if is_guarded else None,
            is_tagged=tag > 0 and not (ticket and by_hand), ticket=ticket,
        )  # fmt: skip
        if ticket:
            state.apart.lines.add(line)
            if not number("reduce_only", at):
                state.apart.opened[line] = int(state.lines.rows[line].seen_version), ticket
        state.apart.due.discard(line)
        row = state.cells.rows[cell]
        row.decision = max(int(row.decision), decision + is_guarded)


def note_released(state: ShardState, event: OrdersReleased, cells: Ints) -> None:
    """Take up protective orders."""
    none = np.zeros(event.account.size, np.int64)
    stop, limit, trail = (
        each if each.size else none for each in (event.stop_ticks, event.limit_ticks, event.trail_ticks)
    )
    for at in np.flatnonzero(event.order_type == OrderType.PROTECTIVE).tolist():
        cell, decision = int(cells[at]), int(event.decision[at])
        tag, bracket = int(event.tag[at]), Bracket(int(stop[at]), int(limit[at]), int(trail[at]))
        if state.accounts.rows[state.cells.rows[cell].account].hedging:
            guard = Guard(owner_of(state, cell, tag), int(event.steps[at]), 0, bracket, tag)
        else:
            guard = Guard(state.line_of(cell, tag - 1), int(event.steps[at]), 0, bracket)
        state.apart.guards[cell, decision] = guard
        if not state.apart.leaves_with_entry((cell, decision)):
            state.apart.due.discard(guard.line)
        row = state.cells.rows[cell]
        row.decision = max(int(row.decision), decision)


def note_cancelled(state: ShardState, event: CancelsReleased, cells: Ints) -> None:
    """Note entries that a newer version of their target has cancelled."""
    if event.is_final:
        return
    for cell, decision in zip(cells.tolist(), event.decision.tolist(), strict=True):
        entry = state.apart.entries.get((cell, decision))
        guard = state.apart.guards.get((cell, decision))
        if guard is not None and not state.apart.leaves_with_entry((cell, decision)):
            state.apart.due.discard(guard.line)
        if entry is not None:
            state.apart.entries[cell, decision] = msgspec.structs.replace(entry, is_replaced=True)


def resting_by_hand(state: ShardState) -> Iterator[tuple[int, int]]:
    """Yield (line, steps that are not filled) of the orders that people have placed."""
    keys = [key for key, entry in state.apart.entries.items() if not entry.is_tagged]
    if not keys:
        return
    cells, decisions = (np.array(each, np.int64) for each in zip(*keys, strict=True))
    for key, order in zip(keys, find_orders(state.shard(), cells, decisions).tolist(), strict=True):
        if order >= 0:
            row = state.orders.rows[order]
            yield state.apart.entries[key].line, int(row.steps - row.filled)


def note_filled(state: ShardState, event: OrdersFilled, cells: Ints) -> None:
    """Forget entries that are filled; a book whose protective order was filled wants what it has from here on.

    That holds too where a version waited for the end of an entry that it had cancelled: nothing is bought back. What a
    person has placed and is filled while the account is held at zero is not wanted any more.
    """
    open_orders = find_orders(state.shard(), cells, event.decision)
    for at, key in enumerate(zip(cells.tolist(), event.decision.tolist(), strict=True)):
        entry = state.apart.entries.get(key)
        if entry is not None and not entry.is_tagged and state.is_flat(key[0]):
            state.lines.rows[entry.line].working -= int(event.steps[at])
        guard = state.apart.guards.get(key)
        if guard is not None:
            filled = guard.filled + int(event.steps[at])
            line = state.lines.rows[guard.line]
            line.working = 0 if state.is_flat(key[0]) else line.held + line.open + line.unknown
            state.apart.drop_waiting(guard.line)
            state.apart.due.discard(guard.line)
            if filled == guard.steps:
                del state.apart.guards[key]
            else:
                state.apart.guards[key] = msgspec.structs.replace(guard, filled=filled)
    for at in np.flatnonzero(open_orders < 0).tolist():
        state.apart.entries.pop((int(cells[at]), int(event.decision[at])), None)


def wishes_kept(state: ShardState, event: OrdersEnded, cells: Ints) -> dict[int, int]:
    """Forget entries and protective orders that ended; return what lines want from here on that is not what they have.

    Where a newer version stands it is that version. In an account that is held at zero it is no more what a person's
    order had left.
    """
    kept: dict[int, int] = {}
    left = event.left_steps.tolist() if event.left_steps.size else [0] * cells.size
    for at, key in enumerate(zip(cells.tolist(), event.decision.tolist(), strict=True)):
        state.apart.guards.pop(key, None)
        entry = state.apart.entries.pop(key, None)
        if entry is None:
            continue
        working = kept.get(entry.line, int(state.lines.rows[entry.line].working))
        if not entry.is_tagged and state.is_flat(key[0]):
            kept[entry.line] = working - left[at]
        elif entry.is_replaced:
            kept[entry.line] = working
    return kept
