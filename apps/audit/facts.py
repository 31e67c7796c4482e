"""What was recorded, by whom: the facts that the invariants are checked on.

Steps are whole lot steps, signed; money is millionths of the account's currency; times ns since 1970 UTC. What has a
row for each order, fill or account is kept in columns. Nothing here knows where facts were read: a test makes them up.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from banyan.columns import Ints, ints

ORDER = ("account", "instrument", "decision")
"""What names an order, in tables that are about orders: `instrument` is a number of `Facts.names`."""
RESERVED_AMOUNTS = ("gross exposure", "long exposure", "short exposure", "margin")
NOBODYS = -1
"""The decision of an order that is none of ours."""


class Table:
    """Rows with named columns, in the order in which they were added. What is not said of a row is 0."""

    def __init__(self, *names: str) -> None:
        self._parts: dict[str, list[Ints]] = {name: [] for name in names}
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, name: str) -> Ints:
        """Return a column, int64[rows]."""
        parts = self._parts[name]
        if len(parts) != 1:
            self._parts[name] = parts = [np.concatenate(parts) if parts else ints()]
        return parts[0]

    def add(self, **columns: Ints | int) -> None:
        """Add as many rows as the columns have; a number holds in all of them, or is of the one that is added."""
        rows = next((each.size for each in columns.values() if isinstance(each, np.ndarray)), 1)
        for name, parts in self._parts.items():
            parts.append(np.broadcast_to(np.asarray(columns.get(name, 0), np.int64), (rows,)))
        self._rows += rows

    def drop(self, row: int) -> None:
        """Take a row away."""
        for name in self._parts:
            self._parts[name] = [np.delete(self[name], row)]
        self._rows -= 1

    def change(self, row: int, **values: int) -> None:
        """Let columns of a row hold something else."""
        for name, value in values.items():
            column = self[name].copy()
            column[row] = value
            self._parts[name] = [column]


class Account(NamedTuple):
    """An account as execution has opened it."""

    id: str
    shard: str


class What(IntEnum):
    """What execution's log says of an order."""

    ACCEPTED = 0
    FILLED = 1
    ENDED = 2
    UNKNOWN = 3


class Unanswered(NamedTuple):
    """An account that follows a set and was told nothing of a target."""

    set: str
    version: int
    instrument: str
    account: int


class Stream(NamedTuple):
    """How far a stream was sent and taken, each as (epoch, position)."""

    sender: str
    sender_key: str
    receiver: str
    receiver_key: str
    sent: tuple[int, int]
    taken: tuple[int, int]


class Input(NamedTuple):
    """An input of a key that comes once; from a sender that was restored it comes again, in a later epoch."""

    context: str
    key: str
    id: str
    epoch: int = 0


class Parked(NamedTuple):
    """A dead letter, or the event in the log that made one."""

    context: str
    key: str
    number: int


class Stray(NamedTuple):
    """A row about an account in the log of another shard."""

    context: str
    key: str
    number: int
    account: int


@dataclass(slots=True)
class Facts:
    """Everything that was recorded, after the system has come to rest."""

    names: list[str] = field(default_factory=list)
    """Of instruments and books, by their numbers."""
    _numbers: dict[str, int] = field(default_factory=dict)
    accounts: dict[int, Account] = field(default_factory=dict)
    requested: Table = field(default_factory=lambda: Table(*ORDER, "steps"))
    approved: Table = field(default_factory=lambda: Table(*ORDER, "steps"))
    released: Table = field(default_factory=lambda: Table(*ORDER))
    told: Table = field(default_factory=lambda: Table(*ORDER, "what", "steps", "left", "kind"))
    """In the order of the log: `what` as in What, `left` what is open afterwards, `kind` the ReportKind of an end."""
    adopted: Table = field(default_factory=lambda: Table(*ORDER))
    """Orders that execution had forgotten, in a restore, and has taken back."""
    unanswered: list[Unanswered] = field(default_factory=list)
    sizings: Table = field(default_factory=lambda: Table(*ORDER, "book", "held", "working", "on_its_way", "steps"))
    """A book's share of an order when it was asked for: what the book held, wants to hold, and had on its way."""
    open: Table = field(default_factory=lambda: Table(*ORDER, "left", "is_unknown"))
    """Orders that have not ended, in execution's state."""
    reserved: Table = field(default_factory=lambda: Table(*ORDER, "left"))
    exposed: Table = field(
        default_factory=lambda: Table("account", "instrument", "long", "short", "buys", "sells", "reserved")
    )
    """What risk reserves by account and instrument: steps of all that buy and sell, and of its open orders, amounts."""
    totals: Table = field(default_factory=lambda: Table("account", "amount", "reserved", "of_cells"))
    """What risk reserves of an account, by RESERVED_AMOUNTS, and what its cells add up to."""
    sent: Table = field(
        default_factory=lambda: Table(*ORDER, "steps", "at_ns", "deadline_ns", "code", "reduce_only", "is_queried")
    )
    """Rows of the edge's ledger: orders that are SENT, or were refused (`code`). `is_queried`: only asked for."""
    unwritten: Table = field(default_factory=lambda: Table(*ORDER))
    """Orders that were refused by the edge: where they were SENT before, right before they would have been written."""
    never_arrived: Table = field(default_factory=lambda: Table(*ORDER))
    recalled: Table = field(default_factory=lambda: Table(*ORDER))
    """Orders that the edge had forgotten, in a restore, and has learned of from the broker."""
    placed: Table = field(
        default_factory=lambda: Table(*ORDER, "steps", "filled", "at_ns", "is_rejected", "is_working")
    )
    """Orders in the broker's ledger; their decision is NOBODYS where their id is none of ours."""
    trades: Table = field(default_factory=lambda: Table(*ORDER, "steps"))
    """Fills in the broker's ledger."""
    crossed: Table = field(default_factory=lambda: Table(*ORDER, "of_account", "of_instrument"))
    """Orders that the broker has with another account, or in another instrument, than their id says."""
    held: Table = field(
        default_factory=lambda: Table(
            "account", "instrument", "filled", "booked", "held", "books", "at_risk", "at_broker"
        )
    )
    """What an account holds of an instrument adds up by column: in execution's log, its state, risk, the broker."""
    cash: Table = field(
        default_factory=lambda: Table(
            "account", "deposit", "filled", "booked", "balance", "books", "at_broker", "is_at_broker", "is_incomparable"
        )
    )
    """An account's money adds up by column: what it began with, what fills and bookings brought, what others say.

    `is_incomparable`: lots were booked at a price that is not the broker's, so its cash need not be the same.
    """
    damage: list[tuple[str, str, str]] = field(default_factory=list)
    """Logs that have a gap or do not give their snapshots: (context, key, what is wrong)."""
    streams: list[Stream] = field(default_factory=list)
    waiting: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Commands that wait, by (context, key)."""
    inputs: Counter[Input] = field(default_factory=Counter)
    parked: Counter[Parked] = field(default_factory=Counter)
    """How many dead letters each record of the logs tells of."""
    dead_letters: Counter[Parked] = field(default_factory=Counter)
    open_letters: int = 0
    injected: int = 0
    """How many inputs or batches somebody made bad on purpose."""
    strays: list[Stray] = field(default_factory=list)
    restored_ns: int = 0
    """When a database was last restored: what was sent before that, its sender may have forgotten."""
    thrown_ns: int | None = None
    """When the kill switch was thrown, None where it is not."""

    def number(self, name: str) -> int:
        """Return the number of a name."""
        known = self._numbers.get(name)
        if known is None:
            known = self._numbers[name] = len(self.names)
            self.names.append(name)
        return known

    def numbers(self, names: Iterable[str]) -> Ints:
        """Return the numbers of names."""
        return ints([self.number(name) for name in names])
