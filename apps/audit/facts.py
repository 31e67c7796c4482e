"""What was recorded, by whom: the facts that the invariants are checked on.

Steps are whole lot steps, signed; money is millionths of the account's currency; times ns since 1970 UTC. Nothing here
knows where a fact was read, so a test can make up any.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple


class Order(NamedTuple):
    """An order by its name."""

    account: int
    instrument: str
    decision: int

    def __str__(self) -> str:
        return f"account {self.account}, {self.instrument}, order {self.decision}"


class Account(NamedTuple):
    """An account as execution has opened it."""

    id: str
    shard: str


class Told(NamedTuple):
    """What execution's log says of an order, in the order of the log: `what` is accepted, filled, ended, unknown.

    `left` is what is open of it afterwards, `kind` the ReportKind of an end.
    """

    order: Order
    what: str
    steps: int = 0
    left: int = 0
    kind: int = -1


class Sent(NamedTuple):
    """A row of the edge's ledger: an order that is SENT, or was refused (`code`). `is_queried`: only asked for."""

    order: Order
    steps: int
    at_ns: int
    deadline_ns: int
    code: int = 0
    reduce_only: bool = False
    is_queried: bool = False


class Placed(NamedTuple):
    """An order in the broker's ledger. `order` is None where its id is none of ours."""

    order: Order | None
    client_id: str
    account: int
    steps: int
    filled: int
    at_ns: int
    is_rejected: bool = False
    is_working: bool = False


class Trade(NamedTuple):
    """A fill in the broker's ledger."""

    order: Order | None
    account: int
    instrument: str
    steps: int


class Open(NamedTuple):
    """An order that has not ended, in execution's state."""

    left: int
    is_unknown: bool


class Sizing(NamedTuple):
    """A book's share of an order when it was asked for: what the book held, wants to hold, and had on its way."""

    order: Order
    book: str
    held: int
    working: int
    on_its_way: int
    steps: int


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
class Cash:
    """An account's money: what it began with, what fills and bookings brought, and what others say that there is."""

    deposit: int = 0
    filled: int = 0
    booked: int = 0
    balance: int = 0
    books: int = 0
    at_broker: int | None = None
    is_comparable: bool = True
    """Whether the broker's cash must be the same: not where lots were booked at a price that is not the broker's."""


@dataclass(slots=True)
class Held:
    """What an account holds of an instrument, by whom: sums of execution's log, its state, risk, and the broker."""

    filled: int = 0
    booked: int = 0
    held: int = 0
    books: int = 0
    at_risk: int = 0
    at_broker: int = 0


@dataclass(slots=True)
class Facts:
    """Everything that was recorded, after the system has come to rest."""

    accounts: dict[int, Account] = field(default_factory=dict)
    requested: dict[Order, int] = field(default_factory=dict)
    approved: dict[Order, int] = field(default_factory=dict)
    released: Counter[Order] = field(default_factory=Counter)
    told: list[Told] = field(default_factory=list)
    adopted: set[Order] = field(default_factory=set)
    """Orders that execution had forgotten, in a restore, and has taken back."""
    unanswered: list[Unanswered] = field(default_factory=list)
    sizings: list[Sizing] = field(default_factory=list)
    open: dict[Order, Open] = field(default_factory=dict)
    reserved: dict[Order, int] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    unwritten: set[Order] = field(default_factory=set)
    """Orders that were SENT and then refused, right before they would have been written."""
    never_arrived: set[Order] = field(default_factory=set)
    recalled: set[Order] = field(default_factory=set)
    """Orders that the edge had forgotten, in a restore, and has learned of from the broker."""
    placed: list[Placed] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    held: dict[tuple[int, str], Held] = field(default_factory=dict)
    cash: dict[int, Cash] = field(default_factory=dict)
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
