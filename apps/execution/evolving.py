"""The fold of execution's events: a shard's state after each."""

from collections.abc import Callable

import numpy as np

from apps.execution.apart_evolving import (
    note_cancelled,
    note_filled,
    note_released,
    note_requested,
    note_targeted,
    wishes_kept,
)
from apps.execution.book_contracts import (
    AccountConfigured,
    AccountsFlattened,
    AccountsReady,
    AccountsResumed,
    BooksTargeted,
    BracketsPostponed,
    LotsBooked,
    ManualTargeted,
    OrdersAdopted,
    PricesMarked,
    SetConfigured,
    Subscribed,
    TargetsSkipped,
)
from apps.execution.contracts import (
    AccountOpened,
    AccountsGated,
    CancelsReleased,
    CashBooked,
    CashKind,
    OrdersAccepted,
    OrdersEnded,
    OrdersFilled,
    OrdersReleased,
    OrdersRequested,
    OrdersUnknown,
    ReportKind,
)
from apps.execution.flattening import flatten_lines, resume_lines
from apps.execution.kernels.booking import (
    book_lots,
    end_orders,
    fill_orders,
    find_lines,
    find_orders,
    open_orders,
    see_versions,
    set_states,
    share_out,
)
from apps.execution.kernels.records import BOOK_EXTERNAL, BOOK_MANUAL, FIRST_SET
from apps.execution.order_states import OrderState
from apps.execution.settings_chain import apply_settings, let_go, maps_anew, sets_of
from apps.execution.state import AccountNames, ShardState
from apps.execution.targeting import SEES_NOT, quote_at, quote_instruments, target_rows
from apps.execution.tickets import fill_one_by_one, hedging_cells, note_sides, ticket_of
from apps.signals.contracts import TargetSet
from banyan.columns import Ints
from banyan.messages import Message, RowsParked

AFTER_ACCEPTANCE = -1  # to set_states: New, or PartiallyFilled
PENDING_NEW, UNKNOWN = int(OrderState.PENDING_NEW), int(OrderState.UNKNOWN)  # plain, as kernels are called with them
NEVER_LEFT = (ReportKind.DENIED, ReportKind.REFUSED)


def evolve(state: ShardState, event: Message) -> ShardState:
    """Return the state after an event; events that only tell what follows from others change nothing."""
    match event:
        case BooksTargeted():
            _targeted(state, event)
        case TargetsSkipped():
            _skipped(state, event)
        case OrdersRequested():
            _requested(state, event)
        case OrdersReleased() | CancelsReleased():
            _released(state, event)
        case OrdersAccepted():
            orders = orders_of(state, event.instruments, event.account, event.instrument, event.decision)
            set_states(state.shard(), orders, AFTER_ACCEPTANCE)
        case OrdersUnknown():
            orders = orders_of(state, event.instruments, event.account, event.instrument, event.decision)
            set_states(state.shard(), orders, UNKNOWN)
        case OrdersFilled():
            _filled(state, event)
        case OrdersEnded():
            _ended(state, event)
        case LotsBooked():
            _booked(state, event)
        case CashBooked():
            _cash(state, event)
        case OrdersAdopted():
            _adopted(state, event)
        case _:
            _account_changed(state, event)
    return state


def full(column: Ints, like: Ints) -> Ints:
    """Return a column as it is meant: an empty one is zeros, as long as `like`."""
    return column if column.size else np.zeros(like.size, np.int64)


def orders_of(state: ShardState, instruments: list[str], account: Ints, instrument: Ints, decision: Ints) -> Ints:
    """Return the rows of the open orders that a message names; -1 where there is none."""
    return find_orders(state.shard(), state.cells_named(instruments, account, instrument), decision)


def _account_changed(state: ShardState, event: Message) -> None:
    match event:
        case AccountOpened():
            names = AccountNames(event.account, event.client, event.broker, event.time_zone)
            state.add_account(
                names,
                number=event.number,
                currency=state.currencies.of(event.currency),
                balance_micro=event.balance_micro,
                leverage_e9=event.leverage_e9,
                fee_rate=event.fee_rate_e9 / 1e9,
                hedging=event.hedging,
                via=1 + state.currencies.of(event.via) if event.via else 0,
            )
        case SetConfigured(settings=settings):
            state.sets[settings.set] = settings
            state.books.of(settings.set)
            for terms in (*settings.terms, *settings.conversions):
                state.instrument(terms.id, terms)
            apply_settings(state, settings.set)
        case Subscribed(settings=settings):
            for terms in settings.symbol_terms:
                state.instrument(terms.id, terms)
            is_mapped_anew = maps_anew(state, settings)
            state.subscriptions[settings.account, settings.set] = settings
            apply_settings(state, settings.set, settings.account)
            if is_mapped_anew:
                let_go(state, settings)
        case AccountConfigured(settings=settings):
            state.account_settings[settings.account] = settings
            for name in sets_of(state, settings.account):
                apply_settings(state, name, settings.account)
        case AccountsFlattened(account=numbers, instrument=instrument):
            flatten_lines(state, state.rows_of(numbers), instrument)
        case AccountsResumed(account=numbers, instrument=instrument):
            resume_lines(state, state.rows_of(numbers), instrument)
        case ManualTargeted():
            _manual(state, event)
        case _:
            _held_up(state, event)


def _held_up(state: ShardState, event: Message) -> None:
    match event:
        case BracketsPostponed():
            cells = state.cells_named(event.instruments, event.account, event.instrument)
            lines = find_lines(state.shard(), cells, _numbered(state, event.books, event.book, event.account))
            state.apart.due.update(lines.tolist())
        case AccountsReady(account=numbers):
            state.accounts.columns["ready"][state.rows_of(numbers)] = 1
            if state.accounts.columns["ready"].all():
                state.known_fills = set()  # what could be told again after a restore has been
        case AccountsGated():
            state.accounts.columns["ready"][state.rows_of(event.account)] = 0
            state.gated_at_ns, state.known_fills = event.gated_at_ns, set(event.known_fills)
        case PricesMarked():
            _priced(state, event)
        case RowsParked(accounts=numbers):
            rows = state.rows_of(numbers)
            state.accounts.columns["close_only"][rows[rows >= 0]] = 1


def _priced(state: ShardState, event: PricesMarked) -> None:
    """Quote instruments, and before them what is traded in their place: its own quote counts where it has one."""
    lines, instruments = state.lines.columns, state.instrument_rows.columns
    times = full(event.quoted_at_ns, event.bid_ticks)
    quotes = list(zip(event.bid_ticks.tolist(), event.ask_ticks.tolist(), times.tolist(), strict=True))
    rows = [state.instruments.known(name) for name in event.instruments]
    mapped = lines[lines["source"] != lines["instrument"]]
    for row, quote in zip(rows, quotes, strict=True):
        others = np.unique(mapped["instrument"][mapped["source"] == row]).tolist()
        quote_at(instruments, others, int(instruments["tick_e9"][row]), quote)
    for row, quote in zip(rows, quotes, strict=True):
        quote_at(instruments, (row,), int(instruments["tick_e9"][row]), quote)


def _targeted(state: ShardState, event: BooksTargeted) -> None:
    book = state.books.of(event.set)
    if event.target is not None:
        _remember_target(state, event.target)
    cells = state.cells_named(event.instruments, event.account, event.instrument)
    lines = find_lines(state.shard(), cells, np.full(cells.size, book, np.int64))
    state.lines.columns["working"][lines] = event.working_steps
    _see(state, book, lines)
    note_targeted(state, lines)


def _skipped(state: ShardState, event: TargetsSkipped) -> None:
    book = state.books.known(event.set)
    if book < FIRST_SET:
        return
    cells = state.cells_named(event.instruments, event.account, event.instrument)
    seen = ~np.isin(event.reason, SEES_NOT) & (cells >= 0)
    lines = find_lines(state.shard(), cells[seen], np.full(int(seen.sum()), book, np.int64))
    _see(state, book, lines)


def _see(state: ShardState, book: int, lines: Ints) -> None:
    """Note that lines have taken up what their set said last; those for which that is new no longer wait."""
    versions = np.full(max(1, state.instrument_rows.count), -1, np.int64)
    for row in state.targets.columns[state.targets.columns["book"] == book]:
        versions[row["source"]] = row["version"]
    see_versions(state.shard(), lines, versions)


def _remember_target(state: ShardState, target: TargetSet) -> None:
    quote_instruments(state, state.instrument_rows.columns, target)
    for row in target_rows(state, target):
        if row["source"] < 0:
            continue
        key = int(row["book"]), int(row["source"])
        if key not in state.target_of:
            state.target_of[key] = state.targets.add()
        state.targets.rows[state.target_of[key]] = row


def _requested(state: ShardState, event: OrdersRequested) -> None:
    count = event.account.size
    cells = state.cells_named([each.id for each in event.terms], event.account, event.instrument)
    state.orders.reserve(count)
    state.shares.reserve(count + event.share_order.size)
    shard = state.shard()
    requested = np.full(count, OrderState.REQUESTED, np.int64)
    reduce_only, resting = full(event.reduce_only, event.account), full(event.order_type, event.account)
    orders = open_orders(shard, cells, event.decision, event.steps, reduce_only, resting, requested)
    whole = np.arange(count)
    if event.share_order.size:
        whole = np.setdiff1d(whole, event.share_order)
    if whole.size:
        book = np.full(whole.size, state.books.known(event.set), np.int64)
        share_out(shard, orders[whole], find_lines(shard, cells[whole], book), event.steps[whole])
    if event.share_order.size:
        books = _numbered(state, event.books, event.share_book, event.share_order)
        lines = find_lines(shard, cells[event.share_order], books)
        share_out(shard, orders[event.share_order], lines, event.share_steps)
    if event.tag.size or event.order_type.size:
        note_requested(state, event, cells)


def _released(state: ShardState, event: OrdersReleased | CancelsReleased) -> None:
    if isinstance(event, CancelsReleased):
        note_cancelled(state, event, state.cells_named(event.instruments, event.account, event.instrument))
        return
    cells = state.cells_named([each.id for each in event.terms], event.account, event.instrument)
    shard = state.shard()
    set_states(shard, find_orders(shard, cells, event.decision), PENDING_NEW)
    if event.order_type.size:
        note_released(state, event, cells)


def _filled(state: ShardState, event: OrdersFilled) -> None:
    if state.gated_at_ns and (state.accounts.columns["ready"] == 0).any():
        state.known_fills.update(event.execution_id)  # an edge that is asked again may tell of it twice
    cells = state.cells_named(event.instruments, event.account, event.instrument)
    shard = state.shard()
    orders = find_orders(shard, cells, event.decision)
    lines = find_lines(
        shard, cells[event.split_fill], _numbered(state, event.books, event.split_book, event.split_fill)
    )
    splits = event.split_fill, lines, event.split_steps
    fills = orders, event.steps, event.amount_micro, full(event.fee_micro, event.account), event.price_e9, splits
    if hedging_cells(state, cells):
        fill_one_by_one(state, list(zip(cells.tolist(), event.decision.tolist(), strict=True)), fills)
        note_sides(state, cells)
    else:
        fill_orders(shard, *fills)
    if state.apart.entries or state.apart.guards:
        note_filled(state, event, cells)
    for at in np.flatnonzero(orders[event.split_fill] < 0).tolist():
        fill = event.split_fill[at]
        _keep_late(state, (int(cells[fill]), int(event.decision[fill])), int(lines[at]), int(event.split_steps[at]))


def _numbered(state: ShardState, books: list[str], book: Ints, like: Ints) -> Ints:
    """Return the state's numbers of books that a message counts its own way."""
    known = np.array([state.books.known(name) for name in books], np.int64)
    return known[full(book, like)] if like.size else like


def _keep_late(state: ShardState, order: tuple[int, int], line: int, steps: int) -> None:
    """Let a book keep a late fill of what it still wants; what was wanted otherwise since is worked off."""
    shares = state.ended.get(order)
    if shares is None:
        return
    state.ended[order] = tuple((at, left - steps if at == line else left, version) for at, left, version in shares)
    row = state.lines.rows[line]
    if not state.is_flat(int(row.cell)) and any(
        at == line and version == row.seen_version for at, _, version in shares
    ):
        row.working += steps


def _ended(state: ShardState, event: OrdersEnded) -> None:
    cells = state.cells_named(event.instruments, event.account, event.instrument)
    shard = state.shard()
    orders = find_orders(shard, cells, event.decision)
    for at in np.flatnonzero(~np.isin(event.kind, NEVER_LEFT) & (orders >= 0)).tolist():
        key = int(cells[at]), int(event.decision[at])
        state.remember_end(*key, open_shares(state, int(orders[at])))
        ticket = ticket_of(state, key)
        if ticket is not None:
            state.apart.ended[key] = ticket
    kept = wishes_kept(state, event, cells) if state.apart.entries or state.apart.guards else {}
    end_orders(shard, orders)
    for line, working in kept.items():
        state.lines.rows[line].working = working


def open_shares(state: ShardState, order: int) -> tuple[tuple[int, int, int], ...]:
    """Return (line, steps not filled, version of the line) of each share of an open order."""
    shares = []
    at = int(state.orders.rows[order].first_share)
    while at >= 0:
        share = state.shares.rows[at]
        version = int(state.lines.rows[share.line].seen_version)
        shares.append((int(share.line), int(share.steps - share.filled), version))
        at = int(share.next_share)
    return tuple(shares)


def _booked(state: ShardState, event: LotsBooked) -> None:
    rows = state.rows_of(event.account)
    index = full(event.instrument, event.account)
    for name, price in zip([event.instruments[at] for at in index], event.price_e9.tolist(), strict=True):
        _price_if_none(state, state.instrument(name), price)
    instruments = np.array([state.instrument(name) for name in event.instruments], np.int64)[index]
    books = np.array([state.books.of(name) for name in event.books], np.int64)[full(event.book, event.account)]
    triples = zip(rows.tolist(), instruments.tolist(), books.tolist(), strict=True)
    lines = np.array([state.line(state.cell(row, at), book) for row, at, book in triples], np.int64)
    book_lots(
        state.shard(), lines, event.steps, event.amount_micro, full(event.fee_micro, event.account), event.price_e9
    )
    note_sides(state, np.unique(state.lines.columns["cell"][lines]))


def _cash(state: ShardState, event: CashBooked) -> None:
    owners = state.rows_of(event.account)
    np.add.at(state.accounts.columns["balance_micro"], owners, event.amount_micro)
    if state.gated_at_ns and (state.accounts.columns["ready"] == 0).any():
        state.known_fills.update(event.reference)
    rows = np.flatnonzero(event.kind != CashKind.PAYMENT)
    if not rows.size:
        return
    instruments = _named_by(event.instrument[rows], lambda each: state.instrument(event.instruments[each]))
    books = _named_by(event.book[rows], lambda each: state.books.of(event.books[each]))
    found = _lines_of(state, state.cell_rows[instruments, owners[rows]].astype(np.int64), books)
    for at in np.flatnonzero(found < 0).tolist():
        found[at] = state.line(state.cell(int(owners[rows[at]]), int(instruments[at])), int(books[at]))
    np.add.at(state.lines.columns["cash_micro"], found, event.amount_micro[rows])


def _named_by(column: Ints, number_of: Callable[[int], int]) -> Ints:
    """Return what a function gives for each number of a column; it is asked once for each, in the order they come."""
    values, first, which = np.unique(column, return_index=True, return_inverse=True)
    numbers = np.zeros(values.size, np.int64)
    for at in np.argsort(first).tolist():
        numbers[at] = number_of(int(values[at]))
    return numbers[which.reshape(-1)]


def _lines_of(state: ShardState, cells: Ints, books: Ints) -> Ints:
    """Return the line of each book in each cell, below 0 where there is no such cell or line."""
    lines = state.lines.columns
    found = np.where(cells >= 0, state.cells.columns["first_line"][cells], -1).astype(np.int64)
    while True:
        others = np.flatnonzero((found >= 0) & (lines["book"][found] != books))
        if not others.size:
            return found
        found[others] = lines["next_line"][found[others]]


def _price_if_none(state: ShardState, instrument: int, price_e9: int) -> None:
    """Value what was never quoted at the price of its first trade."""
    row = state.instrument_rows.rows[instrument]
    if row.bid_ticks == 0 and row.tick_e9 > 0:
        row.bid_ticks = row.ask_ticks = price_e9 // row.tick_e9


def _adopted(state: ShardState, event: OrdersAdopted) -> None:
    rows = state.rows_of(event.account)
    instruments = np.array([state.instrument(name) for name in event.instruments], np.int64)
    index = instruments[full(event.instrument, event.account)]
    pairs = zip(rows.tolist(), index.tolist(), strict=True)
    cells = np.array([state.cell(row, at) for row, at in pairs], np.int64)
    lines = np.array([state.line(cell, BOOK_EXTERNAL) for cell in cells.tolist()], np.int64)
    state.orders.reserve(cells.size)
    state.shares.reserve(cells.size)
    shard = state.shard()
    unknown = np.full(cells.size, OrderState.UNKNOWN, np.int64)
    none = np.zeros(cells.size, np.int64)
    orders = open_orders(shard, cells, event.decision, event.steps, none, none, unknown)
    share_out(shard, orders, lines, event.steps)


def _manual(state: ShardState, event: ManualTargeted) -> None:
    instrument = state.instrument(event.terms.id, event.terms)
    record = state.instrument_rows.rows[instrument]
    record.bid_ticks, record.ask_ticks, record.quoted_at_ns = event.bid_ticks, event.ask_ticks, event.quoted_at_ns
    line = state.line(state.cell(state.row_of[event.account], instrument), BOOK_MANUAL)
    state.lines.rows[line].working = event.working_steps
