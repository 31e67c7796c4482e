"""Messages about orders that are apart from the netted ones: asked for, released with what protects them, cancelled."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.execution.apart_state import Bracket, Entry, Guard, Key
from apps.execution.book_contracts import BracketsPostponed, SkipReason, TargetsSkipped
from apps.execution.contracts import CancelsReleased, OrdersReleased, OrdersRequested, OrderType
from apps.execution.kernels.records import Shard
from apps.execution.kernels.values import step_values
from apps.execution.netted_orders import quoted_before
from apps.execution.state import ShardState
from apps.execution.tickets import closing_parts, left_of
from banyan.columns import Ints, ints


class Order(NamedTuple):
    """An entry to ask for."""

    line: int
    decision: int
    steps: int
    entry: Entry
    closes: bool = False


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
            rows["tag"][at] = tag_of(state, entry)
    for after, at in enumerate(guarded, count):
        entry = entries[at]
        assert entry is not None
        tag, held, steps = _guarded(state, entry, int(rows["steps"][at]))
        rows["account"][after], rows["instrument"][after] = rows["account"][at], rows["instrument"][at]
        rows["decision"][after] = rows["decision"][at] + 1
        rows["steps"][after] = -steps
        rows["base_steps"][after] = held
        _put_guard(rows, after, tag, entry.bracket)
    return OrdersReleased(set=released.set, terms=released.terms, **_short(rows))


def _guarded(state: ShardState, entry: Entry, steps: int) -> tuple[int, int, int]:
    """Return the tag that an entry's protective order is for, and what is held under it before and after it is filled.

    On a hedging account an order that only closes moves the bracket of the newest ticket that it leaves.
    """
    if not entry.ticket:
        before = int(state.lines.rows[entry.line].held)
        return tag_of(state, entry), before, before + steps
    held = left_of(state, entry.line, [])
    left = left_of(state, entry.line, closing_parts(state, entry.line))
    if held.get(entry.ticket, 0) * steps >= 0:
        left[entry.ticket] = held.get(entry.ticket, 0) + steps
    newest = max(left, default=entry.ticket)
    return newest, held.get(newest, 0), left.get(newest, steps)


def tag_of(state: ShardState, order: Entry | Guard) -> int:
    """Return the tag of an order: its ticket, else its book's; 0 for what a person has placed on a netting account."""
    if order.ticket or (isinstance(order, Entry) and not order.is_tagged):
        return order.ticket
    return int(state.lines.rows[order.line].book) + 1


def requests_apart(
    state: ShardState, shard: Shard, orders: Sequence[Order], decided_at_ns: int, *, reduce_only: bool = False
) -> Iterator[OrdersRequested]:  # fmt: skip
    """Yield the requests for entries, by book."""
    books = sorted({int(state.lines.rows[each.line].book) for each in orders})
    for book in books:
        yield _request(
            state, shard, [each for each in orders if state.lines.rows[each.line].book == book], book, decided_at_ns,
            reduce_only,
        )  # fmt: skip


def _request(
    state: ShardState, shard: Shard, orders: list[Order], book: int, decided_at_ns: int, reduce_only: bool
) -> OrdersRequested:  # fmt: skip
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
        "reduce_only": ints([reduce_only or each.closes for each in orders]),
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
        tag=ints([tag_of(state, each.entry) for each in orders]),
        quoted_at_ns=quoted_before(traded, decided_at_ns),
        **columns,
    )


def moves(state: ShardState, moved: Sequence[tuple[int, int, Guard]]) -> OrdersReleased:
    """Return the message that protective orders, each (cell, decision, what it is), take the place of others."""
    cells = state.cells.rows[[cell for cell, _, _ in moved]]
    names, instrument = np.unique(cells["instrument"], return_inverse=True)
    rows = {name: np.zeros(len(moved), np.int64) for name in _COLUMNS}
    rows["account"][:] = state.accounts.rows["number"][cells["account"]]
    rows["instrument"][:] = instrument
    for at, (_, decision, guard) in enumerate(moved):
        rows["decision"][at], rows["steps"][at], rows["base_steps"][at] = decision, guard.steps, -guard.steps
        _put_guard(rows, at, guard.ticket or tag_of(state, guard), guard.bracket)
    book = state.books.names[state.lines.rows[moved[0][2].line].book]
    return OrdersReleased(set=book, terms=[state.terms_of(int(each)) for each in names], **_short(rows))


def postponed(state: ShardState, lines: Sequence[int]) -> BracketsPostponed:
    """Return the message that the brackets of lines move later."""
    rows = state.lines.rows[lines]
    names, instrument = np.unique(rows["instrument"], return_inverse=True)
    books, book = np.unique(rows["book"], return_inverse=True)
    return BracketsPostponed(
        books=[state.books.names[each] for each in books],
        instruments=[state.instruments.names[each] for each in names],
        account=np.array(state.accounts.rows["number"][rows["account"]]),
        instrument=_column(instrument.astype(np.int64)),
        book=_column(book.astype(np.int64)),
    )


def _put_guard(rows: dict[str, Ints], at: int, tag: int, bracket: Bracket | None) -> None:
    assert bracket is not None
    rows["order_type"][at] = OrderType.PROTECTIVE
    rows["stop_ticks"][at] = bracket.stop_loss_ticks
    rows["limit_ticks"][at] = bracket.take_profit_ticks
    rows["trail_ticks"][at] = bracket.trail_ticks
    rows["tag"][at] = tag


def skips_apart(state: ShardState, lines: Sequence[int]) -> Iterator[TargetsSkipped]:
    """Yield that lines want less more than an order may have."""
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
