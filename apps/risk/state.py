"""The state of a shard's risk: accounts, their cells (account x instrument), open reservations, limits and sessions."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from apps.risk.contracts import SessionWindow
from apps.risk.kernels.records import (
    ACCOUNT_DTYPE,
    CELL_DTYPE,
    INSTRUMENT_DTYPE,
    LIMIT_FIELDS,
    LOSSES,
    ORDER_DTYPE,
    RATE_FIELDS,
    Book,
)
from banyan.columns import Ints, check_length
from banyan.records import NameIndex, Table
from trading.row_index import find_cells, find_rows, in_order

SNAPSHOT_VERSION = 2
GLOBAL_LIMITS = 0
ALL_ACCOUNTS = -1  # in place of the number of one
_NONE = -1


class Sessions(msgspec.Struct, frozen=True):
    """When an instrument may be traded."""

    time_zone: str
    windows: list[SessionWindow]


def _limits_table() -> Table:
    table = Table(np.int64, (LIMIT_FIELDS,), fill=_NONE)
    table.extend(1)
    return table


@dataclass(slots=True)
class RiskState:
    """All that risk knows of a shard. What is not in a snapshot follows from what is."""

    key: str
    trading_state: int = 0
    set_states: dict[str, int] = field(default_factory=dict)
    sessions: dict[str, Sessions] = field(default_factory=dict)
    zones: NameIndex = field(default_factory=lambda: NameIndex(["UTC"]))
    instrument_names: NameIndex = field(default_factory=NameIndex)
    accounts: Table = field(default_factory=lambda: Table(ACCOUNT_DTYPE))
    cells: Table = field(default_factory=lambda: Table(CELL_DTYPE))
    instruments: Table = field(default_factory=lambda: Table(INSTRUMENT_DTYPE))
    limits: Table = field(default_factory=_limits_table)
    rates: Table = field(default_factory=lambda: Table(np.int64, (RATE_FIELDS,)))
    references: Table = field(default_factory=lambda: Table(np.int64, (LOSSES,)))
    turns: Table = field(default_factory=lambda: Table(np.int64, (3,)))
    stops: Table = field(default_factory=lambda: Table(np.int64, (LOSSES, 4)))
    orders: Table = field(default_factory=lambda: Table(ORDER_DTYPE))
    free: Ints = field(default_factory=lambda: np.full(1, _NONE, np.int64))
    allowed: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((4, 16), np.uint8))
    cell_rows: NDArray[np.int32] = field(default_factory=lambda: np.full((4, 16), _NONE, np.int32))
    _sorted: tuple[Ints, Ints] | None = None

    def book(self) -> Book:
        """Return all rows as kernels take them; it holds until a row is added."""
        return Book(
            self.accounts.rows, self.cells.rows, self.cell_rows, self.allowed, self.instruments.rows, self.limits.rows,
            self.rates.rows, self.references.rows, self.turns.rows, self.stops.rows, self.orders.rows, self.free,
        )  # fmt: skip

    # ---- finding rows ----

    def rows_of(self, numbers: Ints) -> Ints:
        """Return the rows of accounts by number, -1 where there is none."""
        return find_rows(*self._accounts_in_order(), numbers)

    def opened_rows_of(self, numbers: Ints) -> Ints:
        """Return the rows of accounts by number, -1 where none is open."""
        rows = self.rows_of(numbers)
        if self.accounts.count:
            rows[self.accounts.columns["opened"][rows] == 0] = _NONE
        return rows

    def cells_named(self, names: list[str], account: Ints, instrument: Ints) -> Ints:
        """Return the cells of rows of a message, by account number and index into `names`; -1 where there is none."""
        known = np.array([self.instrument_names.known(name) for name in names], np.int64)
        index = check_length(instrument, account.size)
        return find_cells(self.cell_rows, *self._accounts_in_order(), account, known, index)

    def _accounts_in_order(self) -> tuple[Ints, Ints]:
        """Return the accounts' numbers in rising order, and the row of each."""
        if self._sorted is None:
            self._sorted = in_order(self.accounts.columns["number"])
        return self._sorted

    # ---- adding rows ----

    def account(self, number: int) -> int:
        """Return the row of an account, which is added, not open yet, if there is none."""
        row = int(self.rows_of(np.array([number], np.int64))[0])
        if row != _NONE:
            return row
        row = self.accounts.extend(1)
        self.accounts.rows[row].number = number
        self.accounts.rows[row].limits = _NONE
        for table in (self.rates, self.references, self.turns, self.stops):
            table.extend(1)
        self._sorted = None
        self._make_room()
        return row

    def instrument(self, name: str) -> int:
        """Return the row of an instrument, which is added if there is none."""
        row = self.instrument_names.of(name)
        if row == self.instruments.count:
            self.instruments.extend(1)
            self.instruments.rows[row].limits = _NONE
            self._make_room()
        return row

    def make_cells(self, names: list[str], account: Ints, instrument: Ints) -> Ints:
        """Return the cells of rows of a message, which are added where there are none; -1 for unknown accounts."""
        for name in names:
            self.instrument(name)
        cells = self.cells_named(names, account, instrument)
        if cells.size == 0 or int(cells.min()) >= 0:
            return cells
        known = np.array([self.instrument_names.known(name) for name in names], np.int64)
        rows, instruments = self.rows_of(account), known[instrument] if instrument.size else known[0]
        missing = (cells == _NONE) & (rows >= 0)
        pairs = np.unique((instruments * self.accounts.count + rows)[missing])
        if not pairs.size:
            return cells
        first = self.cells.extend(pairs.size)
        added = self.cells.rows[first:]
        added["instrument"], added["account"] = np.divmod(pairs, self.accounts.count)
        added["limits"] = added["first_order"] = _NONE
        self.cell_rows[added["instrument"], added["account"]] = np.arange(first, self.cells.count)
        if self.accounts.columns["hedging"].any():
            self.add_short_cells()
        return self.cells_named(names, account, instrument)

    def add_short_cells(self) -> None:
        """Add the cells for what hedging accounts hold short where they are missing."""
        cells = self.cells.columns
        missing = (self.accounts.columns["hedging"][cells["account"]] != 0) & (cells["beside"] == 0)
        missing[cells["beside"][cells["beside"] > 0]] = False
        rows = np.flatnonzero(missing)
        if not rows.size:
            return
        first = self.cells.extend(rows.size)
        self.cells.rows["beside"][rows] = np.arange(first, self.cells.count)
        added = self.cells.rows[first:]
        for name in ("instrument", "account", "limits"):
            added[name] = self.cells.rows[name][rows]
        added["first_order"] = _NONE

    def short_beside(self, cells: Ints) -> Ints:
        """Return the cells for what is held short beside cells (-1: none), -1 where there is none."""
        beside = np.full(cells.size, _NONE, np.int64)
        if not self.accounts.columns["hedging"].any():
            return beside
        known = cells >= 0
        beside[known] = self.cells.columns["beside"][cells[known]]
        return np.where(beside > 0, beside, _NONE)

    def reserve_orders(self, count: int) -> None:
        """Have free rows for `count` orders more."""
        free = self.orders.count - int(np.count_nonzero(self.orders.columns["cell"] != _NONE))
        if free < count:
            self._add_free(max(64, self.orders.count, count - free))

    def limits_row(self, row: int) -> int:
        """Return `row`, or a new row of limits, none of them set, if it is -1."""
        return self.limits.extend(1) if row == _NONE else row

    # ---- what follows from the rows ----

    def open_orders(self) -> Any:
        """Return the reservations there are, as ORDER_DTYPE rows by cell and decision."""
        rows = self.orders.rows[self.orders.rows["cell"] != _NONE]
        return rows[np.lexsort((rows["decision"], rows["cell"]))]

    def restore_orders(self, rows: Any) -> None:
        """Have exactly the reservations `rows`, by cell and decision."""
        self.orders = Table(ORDER_DTYPE)
        self.orders.extend(rows.size)
        self.orders.rows[:] = rows
        self.free[0] = _NONE
        self.cells.rows["first_order"] = _NONE
        for at in range(rows.size):
            cell = self.cells.rows[rows["cell"][at]]
            self.orders.rows[at].next_order = cell.first_order
            cell.first_order = at

    def reindex(self) -> None:
        """Find anew which cell is whose."""
        self._make_room()
        cells = self.cells.rows
        first = np.setdiff1d(np.arange(self.cells.count), cells["beside"][cells["beside"] > 0])
        self.cell_rows[cells["instrument"][first], cells["account"][first]] = first

    def _add_free(self, count: int) -> None:
        first = self.orders.extend(count)
        added = self.orders.rows[first:]
        added["cell"] = _NONE
        added["next_order"] = np.arange(first + 1, self.orders.count + 1)
        added["next_order"][-1] = self.free[0]
        self.free[0] = first

    def _make_room(self) -> None:
        instruments, accounts = self.cell_rows.shape
        while instruments < self.instruments.count:
            instruments *= 2
        while accounts < self.accounts.count:
            accounts *= 2
        if (instruments, accounts) != self.cell_rows.shape:
            old = self.cell_rows.shape
            cell_rows = np.full((instruments, accounts), _NONE, np.int32)
            cell_rows[: old[0], : old[1]] = self.cell_rows
            allowed = np.zeros((instruments, accounts), np.uint8)
            allowed[: old[0], : old[1]] = self.allowed
            self.cell_rows, self.allowed = cell_rows, allowed


class _Snapshot(msgspec.Struct, frozen=True):
    trading_state: int
    set_states: dict[str, int]
    sessions: dict[str, Sessions]
    zones: list[str]
    instrument_names: list[str]
    counts: dict[str, int]
    tables: dict[str, dict[str, bytes]]
    allowed: list[tuple[int, int]]


_TABLES = ("accounts", "cells", "instruments", "limits", "rates", "references", "turns", "stops")


def to_snapshot(state: RiskState) -> bytes:
    """Return a state as bytes: equal states give equal bytes."""
    orders = Table(ORDER_DTYPE)
    rows = state.open_orders()
    orders.extend(rows.size)
    for name in ("cell", "decision", "left"):
        orders.rows[name] = rows[name]
    tables = {name: getattr(state, name) for name in _TABLES} | {"orders": orders}
    written = {name: table.to_bytes() for name, table in tables.items()}
    del written["cells"]["first_order"]
    return msgspec.msgpack.encode(
        _Snapshot(
            state.trading_state,
            dict(sorted(state.set_states.items())),
            dict(sorted(state.sessions.items())),
            state.zones.names,
            state.instrument_names.names,
            {name: table.count for name, table in tables.items()},
            written,
            [(int(instrument), int(row)) for instrument, row in zip(*np.nonzero(state.allowed), strict=True)],
        )
    )


def from_snapshot(key: str, version: int, written: bytes) -> RiskState:
    """Return the state that `to_snapshot` wrote. Version 1 knew no hedging accounts."""
    assert 1 <= version <= SNAPSHOT_VERSION, f"no step leads from snapshot version {version}"
    read = msgspec.msgpack.decode(written, type=_Snapshot)
    state = RiskState(key, read.trading_state, read.set_states, read.sessions)
    state.zones, state.instrument_names = NameIndex(read.zones), NameIndex(read.instrument_names)
    for name in _TABLES:
        getattr(state, name).restore(read.tables[name], read.counts[name])
    orders = Table(ORDER_DTYPE)
    orders.restore(read.tables["orders"], read.counts["orders"])
    state.restore_orders(orders.rows)
    state.reindex()
    for instrument, row in read.allowed:
        state.allowed[instrument, row] = 1
    return state
