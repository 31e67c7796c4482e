"""The state of a shard: accounts, cells (account x instrument), lines (cell x book) and the orders on their way."""

from bisect import insort
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from apps.execution.apart_state import Apart, ApartSnapshot, read, written
from apps.execution.book_contracts import EXTERNAL, MANUAL, ConfigureAccount
from apps.execution.contracts import ConfigureSet, InstrumentTerms, Subscribe
from apps.execution.kernels.records import (
    ACCOUNT_DTYPE,
    CELL_DTYPE,
    FIRST_SET,
    INSTRUMENT_DTYPE,
    LINE_DTYPE,
    ORDER_DTYPE,
    SHARE_DTYPE,
    TARGET_DTYPE,
    Shard,
)
from apps.execution.tables import NULL, Pool, Table, columns_of, from_columns
from banyan.columns import Ints, check_length
from banyan.records import NameIndex, copied
from trading.instruments import base_currency
from trading.row_index import find_cells, find_rows, in_order

SNAPSHOT_VERSION = 6
REMEMBERED_ENDS = 4096  # orders that ended with something not filled, for fills that come late

_ONE_CURRENCY = np.ones((1, 1))

Ended = tuple[tuple[int, int, int], ...]
"""Of an order that ended: (line, steps that were not filled, the line's version then) of each share."""


class AccountNames(msgspec.Struct, frozen=True):
    """What of an account no kernel needs."""

    account: str
    client: str
    broker: str
    time_zone: str


@dataclass(slots=True)
class ShardState:
    """All that execution knows of a shard's accounts. What is not in a snapshot follows from what is."""

    key: str
    accounts: Table = field(default_factory=lambda: Table(ACCOUNT_DTYPE))
    cells: Table = field(default_factory=lambda: Table(CELL_DTYPE))
    lines: Table = field(default_factory=lambda: Table(LINE_DTYPE))
    instrument_rows: Table = field(default_factory=lambda: Table(INSTRUMENT_DTYPE))
    targets: Table = field(default_factory=lambda: Table(TARGET_DTYPE))
    free: NDArray[np.int64] = field(default_factory=lambda: np.zeros(4, np.int64))
    instruments: NameIndex = field(default_factory=lambda: NameIndex([]))
    currencies: NameIndex = field(default_factory=lambda: NameIndex([]))
    books: NameIndex = field(default_factory=lambda: NameIndex([MANUAL, EXTERNAL]))
    account_names: list[AccountNames] = field(default_factory=list)
    sets: dict[str, ConfigureSet] = field(default_factory=dict)
    subscriptions: dict[tuple[int, str], Subscribe] = field(default_factory=dict)
    account_settings: dict[int, ConfigureAccount] = field(default_factory=dict)
    ended: dict[tuple[int, int], Ended] = field(default_factory=dict)
    """By (cell, decision), oldest first."""
    gated_at_ns: int = 0
    """When trading was gated after the last restore."""
    known_fills: set[str] = field(default_factory=set)
    """Execution ids that are booked, and may be told again after it."""
    apart: Apart = field(default_factory=Apart)
    orders: Pool = field(init=False)
    shares: Pool = field(init=False)
    row_of: dict[int, int] = field(default_factory=dict)
    cell_rows: NDArray[np.int32] = field(default_factory=lambda: np.full((4, 16), NULL, np.int32))
    lines_by_source: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    target_of: dict[tuple[int, int], int] = field(default_factory=dict)
    _sorted: tuple[Ints, Ints] | None = None
    _source_lines: dict[tuple[int, int], Ints] = field(default_factory=dict)
    _known_pairs: tuple[tuple[int, int], list[tuple[int, int, int]]] | None = None

    def __post_init__(self) -> None:
        self.orders = Pool(ORDER_DTYPE, "cell", "next_order", (self.free[0:1], self.free[2:3]))
        self.shares = Pool(SHARE_DTYPE, "line", "next_share", (self.free[1:2], self.free[3:4]))

    def shard(self) -> Shard:
        """Return all rows as kernels take them; it holds until a row is added."""
        return Shard(
            self.accounts.rows,
            self.cells.rows,
            self.lines.rows,
            self.orders.rows,
            self.shares.rows,
            self.instrument_rows.rows,
            self.free,
            self.rates(self.instrument_rows.columns),
        )

    def rates(self, instruments: Any) -> NDArray[np.float64]:
        """Return what a unit of each currency is worth in each, float64[n, n], by the quotes in INSTRUMENT_DTYPE rows.

        A pair of currencies gives the rate both ways; of several pairs the first counts. 0: nobody knows.
        """
        if len(self.currencies.names) < 2:
            return _ONE_CURRENCY
        rates = np.eye(len(self.currencies.names))
        for row, base, quoted in self._pairs():
            bid, ask, tick_e9 = (int(instruments[name][row]) for name in ("bid_ticks", "ask_ticks", "tick_e9"))
            if rates[base, quoted] == 0.0 and bid > 0:
                price = (bid * tick_e9 / 1e9 + ask * tick_e9 / 1e9) / 2.0
                rates[base, quoted], rates[quoted, base] = price, 1.0 / price
        return rates

    def copy(self) -> "ShardState":
        """Return a state of its own, to be tried out on."""
        other = ShardState(self.key)
        for name in _TABLES:
            _put_rows(other, name, copied(getattr(self, name).rows))
        other.free[:] = self.free
        other.instruments, other.currencies = NameIndex(self.instruments.names), NameIndex(self.currencies.names)
        other.books, other.account_names = NameIndex(self.books.names), list(self.account_names)
        other.sets, other.subscriptions = dict(self.sets), dict(self.subscriptions)
        other.account_settings, other.ended = dict(self.account_settings), dict(self.ended)
        other.gated_at_ns, other.known_fills = self.gated_at_ns, set(self.known_fills)
        other.apart = self.apart.copy()
        other.row_of, other.target_of = dict(self.row_of), dict(self.target_of)
        other.lines_by_source = {key: list(lines) for key, lines in self.lines_by_source.items()}
        other.cell_rows = self.cell_rows.copy()
        return other

    # ---- finding rows ----

    def rows_of(self, numbers: Ints) -> Ints:
        """Return the rows of accounts by number, -1 for those that are not of this shard."""
        return find_rows(*self._accounts_in_order(), numbers)

    def cells_named(self, names: list[str], account: Ints, instrument: Ints) -> Ints:
        """Return the cells of rows of a message, by account number and index into `names`; -1 where there is none."""
        known = np.array([self.instruments.known(name) for name in names], np.int64)
        index = check_length(instrument, account.size)
        return find_cells(self.cell_rows, *self._accounts_in_order(), account, known, index)

    def _pairs(self) -> list[tuple[int, int, int]]:
        """Return the instruments (rows) that are pairs of known currencies: (row, base, quoted in)."""
        known = self.instrument_rows.count, len(self.currencies.names)
        if self._known_pairs is None or self._known_pairs[0] != known:
            pairs = []
            for row, currency in enumerate(self.instrument_rows.columns["currency"].tolist()):
                if currency >= 0:
                    name = base_currency(self.instruments.names[row], self.currencies.names[currency])
                    pairs.append((row, self.currencies.known(name), currency))
            self._known_pairs = known, [pair for pair in pairs if pair[1] >= 0]
        return self._known_pairs[1]

    def _accounts_in_order(self) -> tuple[Ints, Ints]:
        """Return the accounts' numbers in rising order, and the row of each."""
        if self._sorted is None:
            self._sorted = in_order(self.accounts.columns["number"])
        return self._sorted

    def is_flat(self, cell: int) -> bool:
        """Tell whether a cell is held at zero."""
        row = self.cells.rows[cell]
        return bool(row.flattened or self.accounts.rows[row.account].flattened)

    def line_of(self, cell: int, book: int) -> int:
        """Return the line of a book in a cell, -1 if it has none."""
        at = int(self.cells.rows["first_line"][cell])
        while at >= 0 and self.lines.rows["book"][at] != book:
            at = int(self.lines.rows["next_line"][at])
        return at

    def source_lines(self, book: int, source: int) -> Ints:
        """Return the lines of a set that follow its target in an instrument, in the order in which they joined."""
        found = self._source_lines.get((book, source))
        if found is None:
            found = np.array(self.lines_by_source.get((book, source), ()), np.int64)
            self._source_lines[book, source] = found
        return found

    # ---- adding rows ----

    def add_account(self, names: AccountNames, **values: float) -> int:
        """Add an account without cells; return its row."""
        row = self.accounts.add(first_cell=NULL, last_cell=NULL, **values)
        self.account_names.append(names)
        self._index_account(row)
        return row

    def instrument(self, name: str, terms: InstrumentTerms | None = None) -> int:
        """Return the row of an instrument, which is added if there is none, with `terms` as its terms if given."""
        row = self.instruments.of(name)
        if row == self.instrument_rows.count:
            self.instrument_rows.add(currency=NULL)
            if row == self.cell_rows.shape[0]:
                self._grow_cells(2 * row, self.cell_rows.shape[1])
        if terms is not None:
            self._known_pairs = None
            record = self.instrument_rows.rows[row]
            record.currency = self.currencies.of(terms.currency)
            for each in ("tick_e9", "lot_step_e9", "lot_min_steps", "contract_e9", "margin_e9"):
                record[each] = getattr(terms, each)
        return row

    def terms_of(self, row: int) -> InstrumentTerms:
        """Return an instrument's terms. They must be known."""
        record = self.instrument_rows.columns[row]
        return InstrumentTerms(
            id=self.instruments.names[row],
            currency=self.currencies.names[record["currency"]],
            tick_e9=int(record["tick_e9"]),
            lot_step_e9=int(record["lot_step_e9"]),
            lot_min_steps=int(record["lot_min_steps"]),
            contract_e9=int(record["contract_e9"]),
            margin_e9=int(record["margin_e9"]),
        )

    def cell(self, account: int, instrument: int) -> int:
        """Return the cell of an account (row) and an instrument (row), which is added if there is none."""
        found = int(self.cell_rows[instrument, account])
        if found != NULL:
            return found
        at = self.cells.add(account=account, instrument=instrument, first_line=NULL, next_cell=NULL, first_order=NULL)
        owner = self.accounts.rows[account]
        if owner.last_cell == NULL:
            owner.first_cell = at
        else:
            self.cells.rows[owner.last_cell].next_cell = at
        owner.last_cell = at
        self.cell_rows[instrument, account] = at
        return at

    def line(self, cell: int, book: int, source: int | None = None) -> int:
        """Return the line of a book in a cell, which is added if there is none, as one that follows `source`."""
        found = self.line_of(cell, book)
        if found != NULL:
            return found
        owner = self.cells.rows[cell]
        instrument = int(owner.instrument)
        at = self.lines.add(
            cell=cell, account=owner.account, instrument=instrument, source=instrument if source is None else source,
            book=book, next_line=NULL,
        )  # fmt: skip
        self.lines.rows[at].returns = self._returns_line(int(owner.account), book, at)
        owner = self.cells.rows[cell]
        if owner.first_line == NULL:
            owner.first_line = at
        else:
            last = owner.first_line
            while self.lines.rows[last].next_line != NULL:
                last = self.lines.rows[last].next_line
            self.lines.rows[last].next_line = at
        owner.n_lines += 1
        self._index_line(at)
        return at

    def follow(self, at: int, source: int) -> None:
        """Let a line follow its set's target in `source`, an instrument (row)."""
        line = self.lines.rows[at]
        if line.source == source:
            return
        for key in ((int(line.book), int(line.source)), (int(line.book), source)):
            self._source_lines.pop(key, None)
        self.lines_by_source[int(line.book), int(line.source)].remove(at)
        insort(self.lines_by_source.setdefault((int(line.book), source), []), at)
        line.source = source

    def _returns_line(self, account: int, book: int, otherwise: int) -> int:
        """Return the line in which an account (row) counts what a book has closed, in whichever cell."""
        cell = int(self.accounts.rows[account].first_cell)
        while cell != NULL:
            line = self.line_of(cell, book)
            if line != NULL:
                return int(self.lines.rows[line].returns)
            cell = int(self.cells.rows[cell].next_cell)
        return otherwise

    def remember_end(self, cell: int, decision: int, shares: Ended) -> None:
        """Remember an order that ended unfilled, for a while."""
        self.ended[cell, decision] = shares
        while len(self.ended) > REMEMBERED_ENDS:
            oldest = next(iter(self.ended))
            del self.ended[oldest]
            self.apart.ended.pop(oldest, None)

    # ---- what follows from the rows ----

    def reindex(self) -> None:
        """Find anew what follows from rows that were put there whole."""
        instruments, accounts = max(self.instrument_rows.count, 4), max(self.accounts.count, 16)
        self.cell_rows = np.full((instruments, accounts), NULL, np.int32)
        cells = self.cells.rows
        self.cell_rows[cells["instrument"], cells["account"]] = np.arange(cells.size)
        self.row_of, self._sorted = {}, None
        for row in range(self.accounts.count):
            self._index_account(row)
        self.lines_by_source, self._source_lines = {}, {}
        for at in range(self.lines.count):
            self._index_line(at)
        rows = self.targets.rows
        self.target_of = {(int(rows["book"][at]), int(rows["source"][at])): at for at in range(rows.size)}

    def _index_account(self, row: int) -> None:
        self.row_of[int(self.accounts.rows["number"][row])] = row
        self._sorted = None
        if row >= self.cell_rows.shape[1]:
            self._grow_cells(self.cell_rows.shape[0], 2 * self.cell_rows.shape[1])

    def _index_line(self, at: int) -> None:
        line = self.lines.rows[at]
        if line.book >= FIRST_SET:
            self.lines_by_source.setdefault((int(line.book), int(line.source)), []).append(at)
            self._source_lines.pop((int(line.book), int(line.source)), None)

    def _grow_cells(self, instruments: int, accounts: int) -> None:
        larger = np.full((instruments, accounts), NULL, np.int32)
        larger[: self.cell_rows.shape[0], : self.cell_rows.shape[1]] = self.cell_rows
        self.cell_rows = larger


class _Snapshot(msgspec.Struct, frozen=True):
    tables: dict[str, dict[str, bytes]]
    free: list[int]
    instruments: list[str]
    currencies: list[str]
    books: list[str]
    account_names: list[AccountNames]
    sets: list[ConfigureSet]
    subscriptions: list[Subscribe]
    account_settings: list[ConfigureAccount]
    ended: list[tuple[tuple[int, int], Ended]]
    gated_at_ns: int = 0
    known_fills: list[str] = []
    apart: ApartSnapshot = ApartSnapshot()


_TABLES = {
    "accounts": ACCOUNT_DTYPE,
    "cells": CELL_DTYPE,
    "lines": LINE_DTYPE,
    "instrument_rows": INSTRUMENT_DTYPE,
    "targets": TARGET_DTYPE,
    "orders": ORDER_DTYPE,
    "shares": SHARE_DTYPE,
}
_POOLS = ("orders", "shares")


def _put_rows(state: ShardState, name: str, rows: Any) -> None:
    if name in _POOLS:
        getattr(state, name).rows = rows
    else:
        getattr(state, name).restore(rows)


def to_snapshot(state: ShardState) -> bytes:
    """Return a state as bytes: equal states give equal bytes."""
    return msgspec.msgpack.encode(
        _Snapshot(
            {name: columns_of(getattr(state, name).rows) for name in _TABLES},
            state.free.tolist(),
            state.instruments.names,
            state.currencies.names,
            state.books.names,
            state.account_names,
            list(state.sets.values()),
            list(state.subscriptions.values()),
            list(state.account_settings.values()),
            list(state.ended.items()),
            state.gated_at_ns,
            sorted(state.known_fills),
            written(state.apart),
        )
    )


def from_snapshot(key: str, version: int, kept: bytes) -> ShardState:
    """Return the state that `to_snapshot` wrote.

    Version 1 had no orders apart, and targets without their prices; version 2 counted no closed
    trades, and told orders that rest from no others; version 3 had no tickets, version 4 no terms of mapped symbols,
    version 5 no times of quotes.
    """
    assert 1 <= version <= SNAPSHOT_VERSION, f"no step leads from snapshot version {version}"
    snapshot = msgspec.msgpack.decode(kept, type=_Snapshot)
    state = ShardState(key)
    for name, dtype in _TABLES.items():
        _put_rows(state, name, from_columns(snapshot.tables[name], dtype))
    state.free[:] = snapshot.free
    state.instruments, state.currencies = NameIndex(snapshot.instruments), NameIndex(snapshot.currencies)
    state.books, state.account_names = NameIndex(snapshot.books), snapshot.account_names
    state.sets = {each.set: each for each in snapshot.sets}
    state.subscriptions = {(each.account, each.set): each for each in snapshot.subscriptions}
    state.account_settings = {each.account: each for each in snapshot.account_settings}
    state.ended = dict(snapshot.ended)
    state.gated_at_ns, state.known_fills = snapshot.gated_at_ns, set(snapshot.known_fills)
    state.apart = read(snapshot.apart)
    if version < 3:
        _count_trades_from_here(state)
    state.reindex()
    return state


def _count_trades_from_here(state: ShardState) -> None:
    """Let books count what they close from here on, by what they have paid for what they hold."""
    first: dict[tuple[int, int], int] = {}
    for at in range(state.lines.count):
        line = state.lines.rows[at]
        line.returns = first.setdefault((int(line.account), int(line.book)), at)
        terms = state.instrument_rows.rows[line.instrument]
        size = int(line.held) * int(terms.lot_step_e9) * int(terms.contract_e9)
        if size:
            line.entry_price = abs(int(line.cost_micro) * 1e12 / size)
