"""What a piece of a log adds to the read models, before it is written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from apps.execution.contracts import AccountOpened, InstrumentTerms
from banyan.columns import Ints, ints

OrderKey = tuple[int, str, int]
NOBODY = -1
"""The number of no text."""


class Place(NamedTuple):
    """Where in the logs an event stands; event -1 is the record's input."""

    key: str
    number: int
    event: int
    received_at_ns: int


class Names:
    """Texts by numbers, each once: in columns a text is its number, NOBODY where there is none."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """Return the number of a text."""
        known = self._numbers.get(text)
        if known is None:
            known = self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return known

    def numbers(self, texts: Iterable[str]) -> Ints:
        """Return the numbers of texts."""
        return ints([self.number(text) for text in texts])


class Said(NamedTuple):
    """What an event says of orders: columns of the table of orders, or what holds for each; texts are numbers."""

    account: Ints
    instrument: Ints
    decision: Ints
    columns: Mapping[str, Ints | int]


class Changes(NamedTuple):
    """Orders of which a record has said something, each once."""

    place: Place
    instruments: list[str]
    account: Ints
    instrument: Ints
    decision: Ints


class Trades(NamedTuple):
    """Lots that books get or give: rows of a message, in parts where a row is of several books.

    `book` is NOBODY where it is the one book of the order, which is then in row `row` of what was said number `said`.
    """

    place: Place
    row: Ints
    part: Ints
    kind: int
    at_ns: Ints
    account: Ints
    instrument: Ints
    decision: Ints
    book: Ints
    steps: Ints
    price_e9: Ints
    amount_micro: Ints
    fee_micro: Ints
    execution_ids: list[str]
    """Of the message's rows; none: of all "" ."""
    said: int


class Cash(NamedTuple):
    """Cash that came to books, or went, without a fill; a payment is of no book (""). `kind` is a CashKind."""

    place: Place
    at_ns: Ints
    account: Ints
    book: Ints
    instrument: Ints
    kind: Ints
    amount_micro: Ints
    references: list[str]


class Values(NamedTuple):
    """What accounts were worth at a time."""

    valued_at_ns: int
    account: Ints
    balance_micro: Ints
    equity_micro: Ints
    margin_micro: Ints


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
    bid_ticks: Ints
    ask_ticks: Ints


class FeedEvent(NamedTuple):
    """What happened to a feed, but for its bars."""

    place: Place
    what: str
    instrument: str
    detail: str


class Signal(NamedTuple):
    """A set's targets; `body` is the message."""

    place: Place
    decided_at_ns: int
    set_version: int
    instruments: list[str]
    body: bytes


class Skips(NamedTuple):
    """Accounts that a target gave no order; `signalled_at_ns` where it was said just now."""

    place: Place
    set: str
    instruments: list[str]
    account: Ints
    instrument: Ints
    reason: Ints
    level: Ints
    signalled_at_ns: int | None = None


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
    account: Ints
    instrument: Ints
    decision: Ints
    reason: Ints
    level: Ints
    bound: Ints
    actual: Ints
    texts: list[str]


class Unmet(NamedTuple):
    """What was asked by a command and did not come of it: refused for a reason in words, or skipped (a SkipReason)."""

    place: Place
    command: str
    account: int | None
    reason: str
    skip: int
    command_id: str = ""


class StateKey(NamedTuple):
    """Whose trading state it is (`level` a Level, `name` "" for all), and of which cause: 0 people, else a stop."""

    level: int
    name: str
    cause: int


class State(NamedTuple):
    """What may be traded since `changed_at_ns`, and why."""

    state: int
    reason: str
    changed_at_ns: int


@dataclass(slots=True)
class News:
    """What some records of logs add, in the order of each log."""

    accounts: dict[int, tuple[AccountOpened, int]] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    values: list[Values] = field(default_factory=list)
    terms: dict[str, tuple[int, InstrumentTerms]] = field(default_factory=dict)
    """With when they were told: of two logs the later word counts, whichever is read first."""
    orders: list[Said] = field(default_factory=list)
    changes: list[Changes] = field(default_factory=list)
    trades: list[Trades] = field(default_factory=list)
    cash: list[Cash] = field(default_factory=list)
    closes: dict[tuple[str, int], Close] = field(default_factory=dict)
    """By (instrument, day: days since 1970-01-01 UTC)."""
    quotes: list[Quotes] = field(default_factory=list)
    feed_events: list[FeedEvent] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    skips: list[Skips] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    refusals: list[Refusals] = field(default_factory=list)
    unmet: list[Unmet] = field(default_factory=list)
    states: dict[StateKey, State] = field(default_factory=dict)
    activated: dict[str, int] = field(default_factory=dict)
    """When people last let an account trade: losses that had stopped it before do so no longer."""

    def change(self, key: StateKey, state: State) -> None:
        """Take up a trading state: every shard tells those of sets, instruments and all, and the later word counts."""
        known = self.states.get(key)
        if known is None or state.changed_at_ns >= known.changed_at_ns:
            self.states[key] = state

    def learn(self, all_terms: Iterable[InstrumentTerms], at_ns: int) -> None:
        """Take up what was told of instruments."""
        for terms in all_terms:
            known = self.terms.get(terms.id)
            if known is None or at_ns >= known[0]:
                self.terms[terms.id] = at_ns, terms
