"""What a piece of a log adds to the read models, before it is written."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from apps.execution.contracts import AccountOpened, InstrumentTerms

OrderKey = tuple[int, str, int]


class Place(NamedTuple):
    """Where in the logs an event stands; event -1 is the record's input."""

    key: str
    number: int
    event: int
    received_at_ns: int


@dataclass(slots=True)
class OrderNews:
    """What became known of an order. What is None did not; what is listed in ADDED adds up."""

    set: str | None = None
    book: str | None = None
    steps: int | None = None
    order_type: int | None = None
    reduce_only: bool | None = None
    bid_ticks: int | None = None
    ask_ticks: int | None = None
    decided_at_ns: int | None = None
    signalled_at_ns: int | None = None
    requested_at_ns: int | None = None
    requested_number: int | None = None
    approved_at_ns: int | None = None
    sent_at_ns: int | None = None
    accepted_at_ns: int | None = None
    unknown_at_ns: int | None = None
    first_fill_ns: int | None = None
    last_fill_ns: int | None = None
    ended_at_ns: int | None = None
    is_unknown: bool | None = None
    end_kind: int | None = None
    end_code: int | None = None
    end_text: str | None = None
    filled_steps: int = 0
    fills: int = 0
    amount_micro: int = 0
    fee_micro: int = 0


LATEST = ("last_fill_ns", "is_unknown")
"""Columns of an order in which the last word counts; in all others, but for ADDED, the first does."""
ADDED = ("filled_steps", "fills", "amount_micro", "fee_micro")


class Trade(NamedTuple):
    """Lots that a book gets or gives. `book` is None where it is the one book of the order."""

    place: Place
    row: int
    part: int
    kind: int
    at_ns: int
    account: int
    instrument: str
    decision: int
    book: str | None
    steps: int
    price_e9: int
    amount_micro: int
    fee_micro: int
    execution_id: str


class Cash(NamedTuple):
    """Cash that came to a book, or went, without a fill; a payment is of no book (""). `kind` is a CashKind."""

    place: Place
    row: int
    at_ns: int
    account: int
    book: str
    instrument: str
    kind: int
    amount_micro: int
    reference: str


class Value(NamedTuple):
    """What an account was worth."""

    valued_at_ns: int
    balance_micro: int
    equity_micro: int
    margin_micro: int


class Close(NamedTuple):
    """The close of an instrument's bar."""

    closed_at_ns: int
    bid_ticks: int
    ask_ticks: int


class Quotes(NamedTuple):
    """Closes as a feed let them in."""

    place: Place
    closed_at_ns: int
    instruments: list[str]
    bid_ticks: list[int]
    ask_ticks: list[int]


class Signal(NamedTuple):
    """A set's targets; `body` is the message."""

    place: Place
    decided_at_ns: int
    set_version: int
    instruments: list[str]
    body: bytes


class Skips(NamedTuple):
    """Accounts that a target gave no order."""

    place: Place
    set: str
    instruments: list[str]
    account: list[int]
    instrument: list[int]
    reason: list[int]
    level: list[int]


class Setting(NamedTuple):
    """What was set for a set, a subscription or an account: `level` is a SettingLevel, `body` the command."""

    place: Place
    level: int
    set: str
    account: int | None
    body: bytes


class Refusals(NamedTuple):
    """Orders that were refused, and by whom."""

    place: Place
    by: str
    instruments: list[str]
    account: list[int]
    instrument: list[int]
    decision: list[int]
    reason: list[int]
    level: list[int]
    bound: list[int]
    actual: list[int]
    texts: list[str]


@dataclass(slots=True)
class News:
    """What some records of logs add, in the order of each log."""

    accounts: dict[int, tuple[AccountOpened, int]] = field(default_factory=dict)
    values: dict[int, Value] = field(default_factory=dict)
    terms: dict[str, tuple[int, InstrumentTerms]] = field(default_factory=dict)
    """With when they were told: of two logs the later word counts, whichever is read first."""
    orders: dict[OrderKey, OrderNews] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    cash: list[Cash] = field(default_factory=list)
    closes: dict[tuple[str, int], Close] = field(default_factory=dict)
    """By (instrument, day: days since 1970-01-01 UTC)."""
    quotes: list[Quotes] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    skips: list[Skips] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    refusals: list[Refusals] = field(default_factory=list)

    def learn(self, all_terms: Iterable[InstrumentTerms], at_ns: int) -> None:
        """Take up what was told of instruments."""
        for terms in all_terms:
            known = self.terms.get(terms.id)
            if known is None or at_ns >= known[0]:
                self.terms[terms.id] = at_ns, terms

    def order(self, key: OrderKey) -> OrderNews:
        """Return what is known of an order so far, to be added to."""
        found = self.orders.get(key)
        if found is None:
            found = self.orders[key] = OrderNews()
        return found
