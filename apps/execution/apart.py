"""Orders of books that trade apart from the other books of their account: limits, stops, and what protects a position.

A book trades apart while its target has such an entry or a bracket, and until what protects it has ended. Its orders
carry a tag, under which its position stands alone at the broker. One entry works at a time: a new version cancels what
works, and is ordered when that has ended.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.execution.apart_state import Bracket, Entry, Guard, Key
from apps.execution.book_contracts import SkipReason, TargetsSkipped
from apps.execution.contracts import CancelsReleased, OrdersReleased, OrdersRequested, OrderType
from apps.execution.kernels.netting import Netted
from apps.execution.kernels.records import Shard
from apps.execution.kernels.values import step_values
from apps.execution.order_states import OrderState
from apps.execution.state import ShardState
from banyan.columns import Ints, ints
from banyan.messages import Message
from trading.money import to_tick
from trading.targets import GTC, LIMIT, MARKET, STOP_LIMIT


class Wish(NamedTuple):
    """What a line wants to hold (lot steps), by which target (None: at market), and whether that is new."""

    line: int
    working: int
    target: Any
    is_new: bool


class Order(NamedTuple):
    """An entry to ask for."""

    line: int
    decision: int
    steps: int
    entry: Entry


def is_apart(targets: Any) -> Any:
    """Return which targets (TARGET_DTYPE) are traded apart, bool[k]."""
    return (targets["entry"] != MARKET) | ((targets["bracket"] != 0) & (targets["value"] != 0.0))


def apart_lines(state: ShardState, targets: Any, picked: Ints, wanted: Ints) -> Any:
    """Return which of the lines `picked` trade apart, by the targets that they follow now; None: none at all."""
    by_target = is_apart(targets)
    if not state.apart.lines and not by_target.any():
        return None
    busy = state.apart.busy_lines()
    return by_target[wanted] | np.isin(picked, list(busy))


def without(state: ShardState, working: Ints, also: Ints) -> tuple[Ints, Ints]:
    """Let lines that trade apart want what they have, so that netting passes them over; return them and their wishes.

    `working` is changed; put the wishes back afterwards.
    """
    lines = np.union1d(np.array(sorted(state.apart.lines), np.int64), also)
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
    cancelled: list[Key] = []
    orders: list[Order] = []
    moved: list[tuple[int, int, Guard]] = []
    small: list[int] = []
    works = {each.line: key for key, each in state.apart.entries.items()}
    numbers = {cell: int(state.cells.rows[cell].decision) + 1 for cell in taken}
    for wish in wishes:
        row = state.lines.rows[wish.line]
        cell = int(row.cell)
        entry = works.get(wish.line)
        if entry is not None:
            cancelled += _to_cancel(state, entry, wish)
        elif row.open == 0 and row.unknown == 0:
            first = numbers.get(cell, int(state.cells.rows[cell].decision)) + 1
            gap = wish.working - int(row.held)
            bracket = _bracket(state, wish)
            if gap != 0 and abs(gap) < _lot_min(state, wish.line) and wish.working != 0:
                small.append(wish.line)
            elif gap != 0:
                orders.append(Order(wish.line, first, gap, _entry(state, wish, gap, bracket)))
                numbers[cell] = first + (bracket is not None)
            elif wish.is_new and (wish.target is None or wish.target["entry"] == MARKET):
                if bracket is not None:
                    moved.append((cell, first, Guard(wish.line, -wish.working, 0, bracket)))
                    numbers[cell] = first
                else:
                    cancelled += state.apart.guards_of(wish.line)
    if cancelled:
        yield cancels(state, cancelled)
    yield from _requests(state, shard, orders, decided_at_ns, reduce_only)
    if moved:
        yield _moves(state, moved)
    yield from _skips(state, small)


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
        if int(row.cell) in chosen and (closes or row.working != has):
            rows = None if target is None else state.targets.columns[target]
            wishes.append(Wish(at, 0 if closes else int(row.working), rows, is_new=closes))
    return wishes


def cells_ordered(netted: Netted) -> set[int]:
    """Return the cells that have an order already."""
    return set(netted.order_cell[: netted.counts[0]].tolist())


def with_guards(state: ShardState, released: OrdersReleased, keys: Sequence[Key]) -> OrdersReleased:
    """Return released orders with what entries that trade apart need, and their protective orders after them."""
    entries = [state.apart.entries.get(key) for key in keys]
    if not any(entries):
        return released
    count = len(entries)
    guarded = [at for at, entry in enumerate(entries) if entry is not None and entry.bracket is not None]
    rows = {name: np.zeros(count + len(guarded), np.int64) for name in _COLUMNS}
    for name in ("account", "instrument", "decision", "steps", "reduce_only"):
        column = getattr(released, name)
        rows[name][:count] = column if column.size else 0
    for at, entry in enumerate(entries):
        if entry is not None:
            rows["order_type"][at], rows["time_in_force"][at] = entry.order_type, entry.time_in_force
            rows["limit_ticks"][at], rows["stop_ticks"][at] = entry.limit_ticks, entry.stop_ticks
            rows["expires_ns"][at] = entry.expires_ns
            rows["tag"][at] = _tag(state, entry.line) if entry.is_tagged else 0
    for after, at in enumerate(guarded, count):
        entry = entries[at]
        assert entry is not None
        held = int(state.lines.rows[entry.line].held)
        rows["account"][after], rows["instrument"][after] = rows["account"][at], rows["instrument"][at]
        rows["decision"][after] = rows["decision"][at] + 1
        rows["steps"][after] = -(held + rows["steps"][at])
        rows["base_steps"][after] = held
        _put_guard(rows, after, _tag(state, entry.line), entry.bracket)
    return OrdersReleased(set=released.set, terms=released.terms, **_short(rows))


def _to_cancel(state: ShardState, key: Key, wish: Wish) -> list[Key]:
    """Return what of a working entry is to be cancelled for a wish: it, and its protective order where all is open."""
    entry = state.apart.entries[key]
    row = state.lines.rows[wish.line]
    if entry.is_replaced or not (wish.is_new or wish.working != row.held + row.open + row.unknown):
        return []
    guard = key[0], key[1] + 1
    order = next(at for at in _open_orders(state, key[0]) if state.orders.rows[at].decision == key[1])
    is_whole = state.orders.rows[order].filled == 0
    return [key, guard] if is_whole and guard in state.apart.guards else [key]


def _open_orders(state: ShardState, cell: int) -> Iterator[int]:
    at = int(state.cells.rows[cell].first_order)
    while at >= 0:
        yield at
        at = int(state.orders.rows[at].next_order)


def _entry(state: ShardState, wish: Wish, gap: int, bracket: Bracket | None) -> Entry:
    target = wish.target
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


def _bracket(state: ShardState, wish: Wish) -> Bracket | None:
    target = wish.target
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


def _tag(state: ShardState, line: int) -> int:
    return int(state.lines.rows[line].book) + 1


def sent_by_hand(state: ShardState, cells: Ints) -> list[Key]:
    """Return the orders in cells that people have placed, and that were sent."""
    chosen = set(cells.tolist())
    keys = [key for key, entry in state.apart.entries.items() if not entry.is_tagged and key[0] in chosen]
    rows = state.orders.rows
    return [
        key
        for key in keys
        if any(
            rows[at].decision == key[1] and rows[at].state != OrderState.REQUESTED for at in _open_orders(state, key[0])
        )
    ]


def flat_by_hand(state: ShardState, keys: Sequence[Key]) -> list[Key]:
    """Return those of these orders that a person has placed in a cell that is held at zero since."""
    entries = state.apart.entries
    return [key for key in keys if key in entries and not entries[key].is_tagged and state.is_flat(key[0])]


def cancels(state: ShardState, keys: Sequence[Key], *, is_final: bool = False) -> CancelsReleased:
    """Return the message that orders are to be cancelled."""
    cells = state.cells.rows[[cell for cell, _ in keys]]
    names, instrument = np.unique(cells["instrument"], return_inverse=True)
    return CancelsReleased(
        instruments=[state.instruments.names[each] for each in names],
        account=np.array(state.accounts.rows["number"][cells["account"]]),
        instrument=instrument.astype(np.int64),
        decision=ints([decision for _, decision in keys]),
        is_final=is_final,
    )


def _requests(
    state: ShardState, shard: Shard, orders: Sequence[Order], decided_at_ns: int, reduce_only: bool
) -> Iterator[OrdersRequested]:  # fmt: skip
    books = sorted({int(state.lines.rows[each.line].book) for each in orders})
    for book in books:
        yield _request(
            state, shard, [each for each in orders if state.lines.rows[each.line].book == book], book, decided_at_ns,
            reduce_only,
        )  # fmt: skip


def _request(
    state: ShardState, shard: Shard, orders: list[Order], book: int, decided_at_ns: int, reduce_only: bool
) -> OrdersRequested:  # fmt: skip
    orders = sorted(orders, key=lambda each: each.steps > 0)  # sells before buys
    lines = state.lines.rows[[each.line for each in orders]]
    names, instrument = np.unique(lines["instrument"], return_inverse=True)
    traded = shard.instruments[names]
    none = Bracket(0, 0, 0)
    rows = {
        "order_type": ints([each.entry.order_type for each in orders]),
        "limit_ticks": ints([each.entry.limit_ticks for each in orders]),
        "stop_ticks": ints([each.entry.stop_ticks for each in orders]),
        "time_in_force": ints([each.entry.time_in_force for each in orders]),
        "expires_ns": ints([each.entry.expires_ns for each in orders]),
        "reduce_only": ints([reduce_only] * len(orders)),
        "stop_loss_ticks": ints([(each.entry.bracket or none).stop_loss_ticks for each in orders]),
        "take_profit_ticks": ints([(each.entry.bracket or none).take_profit_ticks for each in orders]),
        "trail_ticks": ints([(each.entry.bracket or none).trail_ticks for each in orders]),
    }
    columns: dict[str, Any] = {name: _column(column) for name, column in rows.items()}
    return OrdersRequested(
        set=state.books.names[book],
        decided_at_ns=decided_at_ns,
        terms=[state.terms_of(int(each)) for each in names],
        bid_ticks=np.array(traded["bid_ticks"]),
        ask_ticks=np.array(traded["ask_ticks"]),
        account=np.array(state.accounts.rows["number"][lines["account"]]),
        instrument=_column(instrument.astype(np.int64)),
        decision=ints([each.decision for each in orders]),
        steps=ints([each.steps for each in orders]),
        step_value_micro=step_values(shard, np.array(lines["instrument"]), np.array(lines["account"])),
        tag=ints([book + 1] * len(orders)),
        **columns,
    )


def _moves(state: ShardState, moved: Sequence[tuple[int, int, Guard]]) -> OrdersReleased:
    cells = state.cells.rows[[cell for cell, _, _ in moved]]
    names, instrument = np.unique(cells["instrument"], return_inverse=True)
    rows = {name: np.zeros(len(moved), np.int64) for name in _COLUMNS}
    rows["account"][:] = state.accounts.rows["number"][cells["account"]]
    rows["instrument"][:] = instrument
    for at, (_, decision, guard) in enumerate(moved):
        rows["decision"][at], rows["steps"][at], rows["base_steps"][at] = decision, guard.steps, -guard.steps
        _put_guard(rows, at, _tag(state, guard.line), guard.bracket)
    book = state.books.names[state.lines.rows[moved[0][2].line].book]
    return OrdersReleased(set=book, terms=[state.terms_of(int(each)) for each in names], **_short(rows))


def _put_guard(rows: dict[str, Ints], at: int, tag: int, bracket: Bracket | None) -> None:
    assert bracket is not None
    rows["order_type"][at] = OrderType.PROTECTIVE
    rows["stop_ticks"][at] = bracket.stop_loss_ticks
    rows["limit_ticks"][at] = bracket.take_profit_ticks
    rows["trail_ticks"][at] = bracket.trail_ticks
    rows["tag"][at] = tag


def _skips(state: ShardState, lines: Sequence[int]) -> Iterator[TargetsSkipped]:
    for at in lines:
        row = state.lines.rows[at]
        yield TargetsSkipped(
            set=state.books.names[row.book],
            instruments=[state.instruments.names[row.instrument]],
            account=ints([state.accounts.rows[row.account].number]),
            instrument=ints(),
            reason=ints([SkipReason.BELOW_MIN]),
            level=ints([row.min_level]),
        )


_COLUMNS = (
    "account", "instrument", "decision", "steps", "order_type", "limit_ticks", "stop_ticks", "time_in_force",
    "expires_ns", "reduce_only", "trail_ticks", "base_steps", "tag",
)  # fmt: skip


def _short(rows: dict[str, Ints]) -> dict[str, Any]:
    always = ("account", "decision", "steps")
    return {name: column if name in always else _column(column) for name, column in rows.items()}


def _column(values: Ints) -> Ints:
    return values if values.any() else ints()
