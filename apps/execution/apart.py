"""Orders of books that trade apart from the other books of their account: limits, stops, and what protects a position.

A book trades apart while its target has such an entry or a bracket, and until what protects it has ended. Its orders
carry a tag, under which its position stands alone at the broker. One entry works at a time: a new version cancels what
works, and is ordered when that has ended.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from apps.execution.apart_messages import Order, cancels, moves, postponed, requests_apart, skips_apart
from apps.execution.apart_state import Bracket, Entry, Guard, Key
from apps.execution.kernels.netting import Netted
from apps.execution.kernels.records import Shard
from apps.execution.order_states import OrderState
from apps.execution.state import ShardState
from apps.execution.tickets import hedging_lines, is_hedging, left_of, open_orders_of, parts_to
from banyan.columns import Ints
from banyan.messages import Message
from trading.money import to_tick
from trading.targets import GTC, GTD, LIMIT, MARKET, STOP, STOP_LIMIT

_MIRRORED = {MARKET: MARKET, LIMIT: STOP, STOP: LIMIT, STOP_LIMIT: LIMIT}


class Wish(NamedTuple):
    """What a line wants to hold (lot steps), by which target (None: at market), and whether that is new."""

    line: int
    working: int
    target: Any
    is_new: bool


class _Changes(NamedTuple):
    """What lines come to, not numbered yet."""

    cancelled: list[Key]
    orders: list[Order]
    moved: list[Guard]


def is_apart(targets: Any) -> Any:
    """Return which targets (TARGET_DTYPE) are traded apart, bool[k]: an order that is netted stands until no time."""
    is_bracket = (targets["bracket"] != 0) & (targets["value"] != 0.0)
    return (targets["entry"] != MARKET) | is_bracket | (targets["time_in_force"] == GTD)


def apart_lines(state: ShardState, targets: Any, picked: Ints, wanted: Ints) -> tuple[Any, Any] | None:
    """Return which of the lines `picked` trade apart, by the targets that they follow now, and which let a drift be.

    None: none at all. On a hedging account every line trades apart; without a bracket or a price it is rebalanced.
    """
    by_target = is_apart(targets)
    hedging = state.accounts.columns["hedging"].any()
    if not state.apart.lines and not by_target.any() and not hedging:
        return None
    stays = by_target[wanted] | np.isin(picked, list(state.apart.busy_lines()))
    return stays | hedging_lines(state, picked) if hedging else stays, stays


def without(state: ShardState, working: Ints, also: Ints, but: Ints) -> tuple[Ints, Ints]:
    """Let lines that trade apart want what they have, so that netting passes them over; return them and their wishes.

    Those are `also` lines that do so from now on, `but` none of those that do so no more. `working` is changed; put the
    wishes back afterwards.
    """
    lines = np.setdiff1d(np.union1d(np.array(sorted(state.apart.lines), np.int64), also), but)
    kept = working[lines].copy()
    rows = state.lines.columns
    working[lines] = rows["held"][lines] + rows["open"][lines] + rows["unknown"][lines]
    return lines, kept


def order_apart(
    state: ShardState,
    shard: Shard,
    wishes: Sequence[Wish],
    taken: set[int],
    decided_at_ns: int,
    *,
    reduce_only: bool = False,
) -> Iterator[Message]:
    """Yield what lines that trade apart come to. `taken` are cells in which a decision number is used already."""
    works: dict[int, list[Key]] = {}
    for key, each in state.apart.entries.items():
        works.setdefault(each.line, []).append(key)
    changes = _Changes([], [], [])
    small: list[int] = []
    for wish in wishes:
        row = state.lines.rows[wish.line]
        entries = works.get(wish.line)
        gap = wish.working - int(row.held)
        if entries is not None:
            changes.cancelled.extend(key for entry in entries for key in _to_cancel(state, entry, wish))
        elif row.open or row.unknown:
            continue
        elif gap != 0 and abs(gap) < _lot_min(state, wish.line) and wish.working != 0:
            small.append(wish.line)
        elif is_hedging(state, wish.line):
            _change_tickets(state, wish, changes)
        else:
            _change(state, wish, gap, changes)
    late = _overtaking(state, changes, taken)
    orders, moved = _numbered(state, changes, taken)
    if changes.cancelled:
        yield cancels(state, changes.cancelled)
    yield from requests_apart(state, shard, orders, decided_at_ns, reduce_only=reduce_only)
    if moved:
        yield moves(state, moved)
    if late:
        yield postponed(state, late)
    yield from skips_apart(state, small)


def _change(state: ShardState, wish: Wish, gap: int, changes: _Changes) -> None:
    """Add what a line that trades apart on a netting account comes to: an order, or its bracket moved or taken away."""
    bracket = _bracket(state, wish)
    if gap != 0:
        changes.orders.append(Order(wish.line, 0, gap, _entry(state, wish, gap, bracket)))
    elif _moves_bracket(wish):
        if bracket is not None:
            changes.moved.append(Guard(wish.line, -wish.working, 0, bracket))
        else:
            changes.cancelled.extend(state.apart.guards_of(wish.line))


def _change_tickets(state: ShardState, wish: Wish, changes: _Changes) -> None:
    """Add what a line of a hedging account comes to: closes of tickets, an opening, and the newest one's bracket.

    The bracket goes with the last order, so that its number is above those of all orders before it.
    """
    parts = parts_to(state, wish.line, wish.working, is_new=wish.is_new)
    left = left_of(state, wish.line, parts)
    newest = max(left, default=0)
    bracket = _bracket(state, wish)
    for part in parts:
        entry = _entry(state, wish, part.steps, bracket if part is parts[-1] else None)
        entry = msgspec.structs.replace(entry, ticket=part.ticket)
        changes.orders.append(Order(wish.line, 0, part.steps, entry, part.closes))
    if not (newest and _moves_bracket(wish)) or (parts and not parts[-1].ticket):
        return
    if bracket is None:
        changes.cancelled.extend(state.apart.guards_of(wish.line, newest))
    elif not parts:
        changes.moved.append(Guard(wish.line, -left[newest], 0, bracket, newest))


def _moves_bracket(wish: Wish) -> bool:
    return wish.is_new and (wish.target is None or wish.target["entry"] == MARKET)


def _overtaking(state: ShardState, changes: _Changes, taken: set[int]) -> list[int]:
    """Take away protective orders in whose cells an order waits for risk; return their lines.

    They would be sent before it with a higher number, after which the edge takes no lower one.
    """
    cells, orders = state.lines.columns["cell"], state.orders.rows
    asked = taken | {int(cells[each.line]) for each in changes.orders}
    late = []
    for guard in changes.moved:
        cell = int(cells[guard.line])
        if cell in asked or any(orders[at].state == OrderState.REQUESTED for at in open_orders_of(state, cell)):
            late.append(guard)
    changes.moved[:] = [each for each in changes.moved if each not in late]
    return [each.line for each in late]


def _numbered(
    state: ShardState, changes: _Changes, taken: set[int]
) -> tuple[list[Order], list[tuple[int, int, Guard]]]:  # fmt: skip
    """Return orders and protective orders with the decision numbers of their cells, in the order of their sending.

    Of a book sells go before buys. A bracket has the number after its entry's; what opens a ticket gives it its own.
    """
    lines = state.lines.rows
    numbers: dict[int, int] = {}

    def next_number(cell: int, count: int) -> int:
        first = numbers.get(cell, int(state.cells.rows[cell].decision) + (cell in taken)) + 1
        numbers[cell] = first + count - 1
        return first

    orders = []
    for each in sorted(changes.orders, key=lambda order: (lines[order.line].book, order.steps > 0)):
        number = next_number(int(lines[each.line].cell), 1 + (each.entry.bracket is not None))
        entry = each.entry
        if is_hedging(state, each.line) and not entry.ticket:
            entry = msgspec.structs.replace(entry, ticket=number)
        orders.append(each._replace(decision=number, entry=entry))
    moved = []
    for guard in changes.moved:
        cell = int(lines[guard.line].cell)
        moved.append((cell, next_number(cell, 1), guard))
    return orders, moved


def left_to_do(state: ShardState, cells: Ints, *, closes: bool = False) -> list[Wish]:
    """Return what lines of these cells that trade apart want and have not; where all `closes`, nothing, at market."""
    if not state.apart.lines:
        return []
    chosen = set(cells.tolist())
    wishes = []
    for at in sorted(state.apart.lines):
        row = state.lines.rows[at]
        target = None if closes else state.target_of.get((int(row.book), int(row.source)))
        has = row.held + row.open + row.unknown
        is_due = not closes and at in state.apart.due and not row.open and not row.unknown
        if int(row.cell) in chosen and (is_due or row.working != has):
            rows = None if target is None else state.targets.columns[target]
            wishes.append(Wish(at, 0 if closes else int(row.working), rows, is_new=closes or is_due))
    return wishes


def both_ways(state: ShardState, cells: Ints) -> list[Wish]:
    """Return the wish to hold nothing of lines in these cells whose tickets of both sides add up to it."""
    chosen, rows = set(cells.tolist()), state.lines.rows
    sides = {line: {each.steps > 0 for each in tickets.values()} for line, tickets in state.apart.tickets.items()}
    lines = [line for line in sorted(sides) if len(sides[line]) > 1 and int(rows[line].cell) in chosen]
    return [Wish(line, 0, None, is_new=True) for line in lines if rows[line].held == 0]


def cells_ordered(netted: Netted) -> set[int]:
    """Return the cells that have an order already."""
    return set(netted.order_cell[: netted.counts[0]].tolist())


def _to_cancel(state: ShardState, key: Key, wish: Wish) -> list[Key]:
    """Return what of a working entry is to be cancelled for a wish: it, and its protective order where all is open."""
    entry = state.apart.entries[key]
    row = state.lines.rows[wish.line]
    if entry.is_replaced or not (wish.is_new or wish.working != row.held + row.open + row.unknown):
        return []
    order = next(
        state.orders.rows[at] for at in open_orders_of(state, key[0]) if state.orders.rows[at].decision == key[1]
    )
    if not entry.is_tagged or (wish.target is None and order.reduce_only and entry.order_type == MARKET):
        return []  # a person's ends as it is, or is cancelled by whoever flattens; the other closes already
    brought = key[0], key[1] + 1
    guard = state.apart.guards.get(brought) if entry.bracket is not None else None
    is_its_own = guard is not None and guard.ticket == entry.ticket
    return [key, brought] if is_its_own and order.filled == 0 else [key]


def _entry(state: ShardState, wish: Wish, gap: int, bracket: Bracket | None) -> Entry:
    target = _as_traded(state, wish)
    if target is None or target["entry"] == MARKET:
        in_force = GTC if target is None else int(target["time_in_force"])
        expires_ns = 0 if target is None else int(target["expires"])
        return Entry(wish.line, int(MARKET), 0, 0, in_force, expires_ns, bracket)
    side = 1 if gap > 0 else -1
    limit = stop = 0
    if target["entry"] == LIMIT:
        limit = _ticks(state, wish.line, target["price"], -side)
    else:
        stop = _ticks(state, wish.line, target["price"], side)
        if target["entry"] == STOP_LIMIT:
            limit = _ticks(state, wish.line, target["limit_price"], -side)
    kind, in_force = int(target["entry"]), int(target["time_in_force"])
    return Entry(wish.line, kind, limit, stop, in_force, int(target["expires"]), bracket)


def _as_traded(state: ShardState, wish: Wish) -> Any:
    """Return a wish's target, in mirror image where its line trades the reverse.

    Where the set takes its loss the line has its profit, and where the set buys below the market the line sells as it
    falls. A trail is a distance, and stays one.
    """
    target = wish.target
    if target is None or not state.lines.rows[wish.line].reverse:
        return target
    mirrored = target.copy()
    mirrored["stop_loss"], mirrored["take_profit"] = target["take_profit"], target["stop_loss"]
    mirrored["entry"] = _MIRRORED[int(target["entry"])]
    return mirrored


def _bracket(state: ShardState, wish: Wish) -> Bracket | None:
    target = _as_traded(state, wish)
    if target is None or not target["bracket"] or wish.working == 0:
        return None
    side = 1 if wish.working > 0 else -1
    bracket = Bracket(
        _ticks(state, wish.line, target["stop_loss"], -side),
        _ticks(state, wish.line, target["take_profit"], side),
        _ticks(state, wish.line, target["trail"], 1),
    )
    return bracket if any((bracket.stop_loss_ticks, bracket.take_profit_ticks, bracket.trail_ticks)) else None


def _ticks(state: ShardState, line: int, price: float, side: int) -> int:
    """Return a level in whole ticks, 0 for none; rounded as a fill at it would be."""
    if not price > 0.0:
        return 0
    tick = state.instrument_rows.rows[state.lines.rows[line].instrument].tick_e9 / 1e9
    return round(float(to_tick(price, tick, side)) / tick)


def _lot_min(state: ShardState, line: int) -> int:
    return int(state.instrument_rows.rows[state.lines.rows[line].instrument].lot_min_steps)


def sent_by_hand(state: ShardState, cells: Ints) -> list[Key]:
    """Return the orders in cells that people have placed, and that were sent."""
    chosen = set(cells.tolist())
    entries = state.apart.entries.items()
    return sent(state, [key for key, entry in entries if key[0] in chosen and not entry.is_tagged])


def sent(state: ShardState, keys: Sequence[Key]) -> list[Key]:
    """Return those of these open orders that were handed to the edge."""
    rows = state.orders.rows
    waits = {
        key for key in keys for at in open_orders_of(state, key[0])
        if rows[at].decision == key[1] and rows[at].state == OrderState.REQUESTED
    }  # fmt: skip
    return [key for key in keys if key not in waits]


def beside_tickets(state: ShardState, keys: Sequence[Key]) -> list[Key]:
    """Return the entries that work for books of which protective orders (`keys`) close a ticket: they are to end."""
    guards = [state.apart.guards[key] for key in keys if key in state.apart.guards]
    lines = {each.line for each in guards if each.ticket}
    return sent(state, [key for key, entry in state.apart.entries.items() if entry.line in lines])


def any_waiting(state: ShardState, ended: Sequence[Key], cells: set[int]) -> bool:
    """Tell whether a newer version waits for one of these orders to end, or a bracket for something in these cells."""
    entries = state.apart.entries
    if any(key in entries and entries[key].is_replaced for key in ended):
        return True
    return any(int(state.lines.rows[line].cell) in cells for line in state.apart.due)


def flat_by_hand(state: ShardState, keys: Sequence[Key]) -> list[Key]:
    """Return those of these orders that a person has placed in a cell that is held at zero since."""
    entries = state.apart.entries
    return [key for key in keys if key in entries and not entries[key].is_tagged and state.is_flat(key[0])]
