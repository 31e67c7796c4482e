"""What follows from the edge's reports: the states of orders, fills and whose they are, outside trades."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.execution.apart import any_waiting, beside_tickets, flat_by_hand
from apps.execution.apart_messages import cancels
from apps.execution.apart_reported import named, protected, protective_rows, taken
from apps.execution.apart_state import Key
from apps.execution.book_contracts import EXTERNAL, Booking, LotsBooked, OrdersAdopted
from apps.execution.cash import decide_cash, fill_amounts
from apps.execution.contracts import (
    OrdersAccepted,
    OrdersEnded,
    OrdersFilled,
    OrdersReported,
    OrdersUnknown,
    ReportKind,
)
from apps.execution.evolving import evolve, full
from apps.execution.kernels.booking import find_orders, part_of_fill, pay_for_fills
from apps.execution.kernels.reports import (
    NO_ORDER,
    RANK_ACCEPTED,
    RANK_ENDED,
    RANK_FILLED,
    RANK_UNKNOWN,
    Folded,
    Reports,
    fold_reports,
)
from apps.execution.netted_orders import column
from apps.execution.order_states import OrderState, transitions
from apps.execution.people import net_soon
from apps.execution.state import ShardState
from apps.execution.tickets import hedging_cells
from apps.execution.valued import no_changes, values_now, values_of
from banyan.columns import Ints
from banyan.messages import Message, Received, RowsParked
from banyan.records import copied

_TRANSITIONS = transitions()
_OF_SOMETHING = (ReportKind.UNKNOWN, ReportKind.FILLED, ReportKind.ACCEPTED)
_OF_NOTHING = (
    ReportKind.REJECTED, ReportKind.CANCELLED, ReportKind.EXPIRED, ReportKind.NEVER_ARRIVED, ReportKind.REFUSED,
)  # fmt: skip
_CASH, _FILLED = int(ReportKind.CASH), int(ReportKind.FILLED)
_NOT_ONE = np.zeros(0, bool)


class Rows(NamedTuple):
    """A report's columns, none of them empty. `cell` is -1 where the account has none in the instrument."""

    report: OrdersReported
    cell: Ints
    instrument: Ints
    steps: Ints
    price_e9: Ints
    amount_micro: Ints
    fee_micro: Ints
    at_ns: Ints
    code: Ints


class Split(NamedTuple):
    """A part of a fill that goes to a line."""

    row: int
    line: int
    steps: int


def decide_reports(state: ShardState, received: Received, report: OrdersReported) -> list[Message]:
    """Return what reports give, as events in an order in which each cell's rows take effect as they were reported."""
    if state.known_fills and report.execution_id:
        report = _unknown_only(state, report)
    is_cash = report.kind == _CASH
    if is_cash.any():
        booked: list[Message] = [*_put_aside(report, is_cash & (state.rows_of(report.account) < 0))]
        booked += decide_cash(state, received, taken(report, is_cash))
        after = state.copy()
        for event in booked:
            after = evolve(after, event)
        return booked + (decide_reports(after, received, taken(report, ~is_cash)) if not is_cash.all() else [])
    guarded = protective_rows(state, report) if state.apart.guards else _NOT_ONE
    if guarded.any():
        return _protected(state, received, report, guarded)
    owners = state.rows_of(report.account)
    ours = owners >= 0
    events: list[Message] = [*_put_aside(report, ~ours)]
    cells = state.cells_named(report.instruments, report.account, report.instrument)
    forgotten = _forgotten(state, report, ours, cells)
    if forgotten is not None:
        events.append(forgotten)
        state = evolve(state.copy(), forgotten)
        cells = state.cells_named(report.instruments, report.account, report.instrument)
    rows = _rows(state, report, cells, owners)
    folded = _fold(state, rows)
    told: list[Message] = []
    for group in range(int(folded.group.max(initial=0)) + 1):
        told += _told(state, rows, folded, group)
    found = _found_in_flat(state, rows, folded)
    if found:
        told.append(cancels(state, found, is_final=True))
    is_fill = (report.kind == _FILLED) & ours & (rows.steps != 0)
    outside = np.flatnonzero(is_fill & (folded.taken != rows.steps))
    if outside.size:
        told += _outside(state, rows, folded, outside)
    if outside.size or hedging_cells(state, cells[is_fill]):
        after = state.copy()
        for event in told:
            after = evolve(after, event)
        cells = after.cells_named(report.instruments, report.account[is_fill], rows.instrument[is_fill])
        values = list(values_now(after, received.event_time_ns, cells))
    else:
        values = list(_values(state, received, rows, folded))
    if folded.counts[1] or _lets_something_go_on(state, rows, folded):
        values.append(net_soon(received))
    return events + told + values


def _found_in_flat(state: ShardState, rows: Rows, folded: Folded) -> list[Key]:
    """Return the orders of people that were unknown, and work after all, in cells that were flattened meanwhile."""
    if not state.apart.entries:
        return []
    works = np.flatnonzero(np.isin(folded.rank, (RANK_ACCEPTED, RANK_FILLED)) & (folded.left != 0))
    orders = find_orders(state.shard(), rows.cell[works], rows.report.decision[works])
    works = works[state.orders.columns["state"][orders] == OrderState.UNKNOWN]
    keys = zip(rows.cell[works].tolist(), rows.report.decision[works].tolist(), strict=True)
    return flat_by_hand(state, sorted(set(keys)))


def _lets_something_go_on(state: ShardState, rows: Rows, folded: Folded) -> bool:
    """Tell whether a report makes room for an order that nothing else would make anybody think of.

    That is so when an entry has ended in whose place a version waits, even one of the same quantity, when a bracket
    waits for what was on its way, and when what a person has placed was filled in a cell that is held at zero.
    """
    if not state.apart.entries and not state.apart.due:
        return False
    keys = list(zip(rows.cell.tolist(), rows.report.decision.tolist(), strict=True))
    filled, ended = (np.flatnonzero(each).tolist() for each in (folded.taken != 0, folded.rank == RANK_ENDED))
    if flat_by_hand(state, [keys[at] for at in filled]):
        return True
    return any_waiting(state, [keys[at] for at in ended], {keys[at][0] for at in (*filled, *ended)})


def _put_aside(report: OrdersReported, foreign: NDArray[np.bool_]) -> Iterator[RowsParked]:
    if foreign.any():
        reason = "the account is not open in this shard"
        yield RowsParked(reason=reason, rows=np.flatnonzero(foreign), accounts=report.account[foreign])


def _unknown_only(state: ShardState, report: OrdersReported) -> OrdersReported:
    """Return a report without the fills that were booked before a restore."""
    new = np.array([each not in state.known_fills for each in report.execution_id], bool)
    new |= ~np.isin(report.kind, (ReportKind.FILLED, ReportKind.CASH))
    if new.all():
        return report
    return taken(report, new)


def _protected(
    state: ShardState, received: Received, report: OrdersReported, guarded: NDArray[np.bool_]
) -> list[Message]:
    """Return what a report gives in which protective orders are told of: the others' rows first."""
    events = [] if guarded.all() else decide_reports(state, received, taken(report, ~guarded))
    after = state.copy()
    for event in events:
        after = evolve(after, event)
    rows = taken(report, guarded)
    filled = np.flatnonzero(rows.kind == _FILLED)
    instrument = full(rows.instrument, rows.account)[filled]
    cells = after.cells_named(rows.instruments, rows.account[filled], instrument)
    beside = beside_tickets(after, list(zip(cells.tolist(), rows.decision[filled].tolist(), strict=True)))
    told = list(protected(after, rows))
    if beside:
        told.append(cancels(after, beside, is_final=True))
    for event in told:
        after = evolve(after, event)
    return [*events, *told, *values_now(after, received.event_time_ns, cells), net_soon(received)]


def _rows(state: ShardState, report: OrdersReported, cells: Ints, owners: Ints) -> Rows:
    like = report.account
    instrument = full(report.instrument, like)
    known = np.array([state.instruments.known(name) for name in report.instruments], np.int64)[instrument]
    steps, price = full(report.steps, like), full(report.price_e9, like)
    amount = np.zeros(like.size, np.int64)
    priced = np.flatnonzero((known >= 0) & (steps != 0) & (owners >= 0))
    if priced.size:
        amount[priced] = fill_amounts(state, report, priced, (owners[priced], known[priced]))
    return Rows(
        report,
        cells,
        instrument,
        steps,
        price,
        amount,
        full(report.fee_micro, like),
        full(report.at_ns, like),
        full(report.code, like),
    )


def _forgotten(state: ShardState, report: OrdersReported, ours: NDArray[np.bool_], cells: Ints) -> OrdersAdopted | None:
    """Return the orders that the edge tells of and that are above the last decision here, each once.

    Those that came to nothing count too, with no steps: their numbers are used.
    """
    last = (
        np.where(cells >= 0, state.cells.columns["decision"][cells], 0) if state.cells.count else np.zeros(cells.size)
    )
    beyond = ours & (report.decision > last)
    if not beyond.any():
        return None
    steps = full(report.steps, report.account)
    tells = (np.isin(report.kind, _OF_SOMETHING) & (steps != 0)) | np.isin(report.kind, _OF_NOTHING)
    chosen = np.flatnonzero(beyond & tells)
    instrument = full(report.instrument, report.account)
    seen: dict[tuple[int, int, int], int] = {}
    for at in chosen.tolist():
        seen.setdefault((int(report.account[at]), int(instrument[at]), int(report.decision[at])), at)
    if not seen:
        return None
    rows = np.array(list(seen.values()), np.int64)
    return OrdersAdopted(
        instruments=report.instruments,
        account=report.account[rows],
        instrument=column(instrument[rows]),
        decision=report.decision[rows],
        steps=steps[rows],
    )


def _fold(state: ShardState, rows: Rows) -> Folded:
    shard = state.shard()
    found = find_orders(shard, rows.cell, rows.report.decision)
    splits = int(state.orders.columns["n_shares"][found[found >= 0]].sum())
    shard = shard._replace(orders=copied(shard.orders), shares=copied(shard.shares))
    made = [np.zeros(rows.cell.size, np.int64) for _ in range(4)] + [np.zeros(splits, np.int64) for _ in range(3)]
    folded = Folded(np.zeros(2, np.int64), *made)
    reports = Reports(rows.cell, rows.report.decision, rows.report.kind, rows.steps)
    fold_reports(shard, _TRANSITIONS, reports, np.zeros((2, shard.cells.size), np.int64), folded)
    return folded


def _told(state: ShardState, rows: Rows, folded: Folded, group: int) -> Iterator[Message]:
    report = rows.report
    of_group = folded.group == group
    by_rank = [np.flatnonzero(of_group & (folded.rank == rank)) for rank in range(RANK_UNKNOWN + 1)]
    accepted, filled, ended, unknown = by_rank
    assert (RANK_ACCEPTED, RANK_FILLED, RANK_ENDED, RANK_UNKNOWN) == (0, 1, 2, 3)
    if accepted.size:
        yield OrdersAccepted(**named(report, accepted))
    if filled.size:
        yield _fills(state, rows, filled, folded.taken, folded.left, _splits(folded, filled))
    if ended.size:
        yield OrdersEnded(
            **named(report, ended),
            left_steps=folded.left[ended],
            kind=report.kind[ended],
            code=column(rows.code[ended]),
            texts=report.texts,
        )
    if unknown.size:
        yield OrdersUnknown(**named(report, unknown))


def _splits(folded: Folded, filled: Ints) -> list[Split]:
    """Return the parts of fills (rows) that go to one of several books."""
    count = folded.counts[0]
    if not count:
        return []
    chosen = np.flatnonzero(np.isin(folded.split_row[:count], filled) & (folded.split_steps[:count] != 0))
    return [Split(int(folded.split_row[at]), int(folded.split_line[at]), int(folded.split_steps[at])) for at in chosen]


def _fills(
    state: ShardState, rows: Rows, filled: Ints, taken: Ints, left: Ints, splits: list[Split]
) -> OrdersFilled:  # fmt: skip
    """Return the event of the fills `filled` (rows of the report), of which `taken` steps go to their orders."""
    report = rows.report
    amounts, fees = rows.amount_micro[filled], rows.fee_micro[filled]
    for at in np.flatnonzero(taken[filled] != rows.steps[filled]).tolist():
        whole = int(rows.steps[filled[at]])
        amounts[at], fees[at] = part_of_fill(amounts[at], fees[at], 0, int(taken[filled[at]]), whole)
    books = sorted({int(state.lines.columns["book"][each.line]) for each in splits})
    ids = report.execution_id
    return OrdersFilled(
        **named(report, filled),
        steps=taken[filled],
        left_steps=column(left[filled]),
        price_e9=rows.price_e9[filled],
        fee_micro=column(fees),
        filled_at_ns=rows.at_ns[filled],
        execution_id=[ids[at] for at in filled] if ids else [],
        amount_micro=amounts,
        books=[state.books.names[book] for book in books],
        split_fill=np.searchsorted(filled, np.array([each.row for each in splits], np.int64)),
        split_book=np.array([books.index(state.lines.columns["book"][each.line]) for each in splits], np.int64),
        split_steps=np.array([each.steps for each in splits], np.int64),
    )


def _outside(state: ShardState, rows: Rows, folded: Folded, outside: Ints) -> Iterator[Message]:
    """Yield fills of orders that ended, as far as they are remembered, and book what is nobody's order as outside."""
    ended = dict(state.ended)
    taken, left = folded.taken.copy(), folded.left.copy()
    late: list[int] = []
    splits: list[Split] = []
    for row in outside.tolist():
        key = int(rows.cell[row]), int(rows.report.decision[row])
        if folded.rank[row] != NO_ORDER or key not in ended:
            continue
        shares = []
        for line, unfilled, version in ended[key]:
            part = _within(int(rows.steps[row]) - int(taken[row]), unfilled)
            if part:
                splits.append(Split(row, line, part))
            taken[row] += part
            shares.append((line, unfilled - part, version))
        ended[key] = tuple(shares)
        left[row] = sum(unfilled for _, unfilled, _ in shares)
        if taken[row]:
            late.append(row)
    if late:
        folded.counts[1] = 1
        yield _fills(state, rows, np.array(late, np.int64), taken, left, splits)
    yield from _booked_outside(rows, outside, taken)


def _within(steps: int, most: int) -> int:
    """Return as many of `steps` as `most` allows, 0 where they have not the same sign."""
    if steps * most <= 0:
        return 0
    return min(steps, most) if steps > 0 else max(steps, most)


def _booked_outside(rows: Rows, outside: Ints, taken: Ints) -> Iterator[LotsBooked]:
    rest = outside[rows.steps[outside] != taken[outside]]
    if not rest.size:
        return
    report = rows.report
    amounts, fees = rows.amount_micro[rest], rows.fee_micro[rest]
    for at, row in enumerate(rest.tolist()):
        done, whole = int(taken[row]), int(rows.steps[row])
        amounts[at], fees[at] = part_of_fill(amounts[at], fees[at], done, whole - done, whole)
    yield LotsBooked(
        kind=Booking.OUTSIDE,
        books=[EXTERNAL],
        instruments=report.instruments,
        account=report.account[rest],
        instrument=column(rows.instrument[rest]),
        book=column(np.zeros(rest.size, np.int64)),
        steps=rows.steps[rest] - taken[rest],
        price_e9=rows.price_e9[rest],
        amount_micro=amounts,
        fee_micro=column(fees),
    )


def _values(state: ShardState, received: Received, rows: Rows, folded: Folded) -> Iterator[Message]:
    filled = np.flatnonzero((folded.rank == RANK_FILLED) & (folded.taken != 0))
    shard, lines = state.shard(), state.lines.columns
    changes = no_changes(shard)
    cells, steps, amounts = rows.cell[filled], folded.taken[filled], rows.amount_micro[filled]
    np.add.at(changes.steps, cells, steps)
    np.add.at(changes.cash, state.cells.columns["account"][cells], amounts - rows.fee_micro[filled])
    splits = _splits(folded, filled)
    pay_for_fills(
        shard,
        find_orders(shard, cells, rows.report.decision[filled]),
        steps,
        amounts,
        (
            np.searchsorted(filled, np.array([each.row for each in splits], np.int64)),
            np.array([each.line for each in splits], np.int64),
            np.array([each.steps for each in splits], np.int64),
        ),
        lines["held"].copy(),
        lines["cost_micro"].copy(),
        changes.paid,
    )
    yield from values_of(state, shard, received.event_time_ns, cells, changes)
