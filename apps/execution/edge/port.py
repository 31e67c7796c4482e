"""What the edge needs of a broker, on one screen: every adapter is one of these, and passes the same suite.

Nothing here is ever sent again by itself. `submit` and `cancel` write once; where they raise, nobody knows what
arrived. Everything that comes back comes through `receive`, in the order in which the broker said it.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from apps.execution.contracts import InstrumentTerms
from apps.execution.growing import Ids
from banyan.columns import Ints


class BrokerUnavailableError(ConnectionError):
    """The broker cannot be reached, or has hung up; what was on its way there may have arrived or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a broker can do."""

    netting: bool = True
    hedging: bool = False
    partial_fills: bool = True
    client_id_lookup: bool = True
    """It tells what became of an order by our id; without, an unknown order waits for a person."""
    login_epochs: bool = True
    """A login ends the account's session before it; without, *never arrived* cannot be told."""
    deadlines: bool = True
    opens_accounts: bool = False
    orders_per_second_max: int = 0
    """Orders and cancels in a session; 0: as many as one likes."""
    orders_per_second_per_account_max: int = 0


class Orders(NamedTuple):
    """Orders to send in one session, as columns; `instrument` is an index into `terms`.

    `tag` is above 0 where orders of one book have a position of their own there, which protective orders close. On a
    hedging account each order has one: that of a ticket, which it opens or adds to, or can only close (`reduce_only`).
    """

    session: int
    deadline_ns: int
    terms: list[InstrumentTerms]
    client_ids: Ids
    account: Ints
    instrument: Ints
    steps: Ints
    kind: Ints
    limit_ticks: Ints
    stop_ticks: Ints
    time_in_force: Ints
    expires_ns: Ints
    reduce_only: Ints
    trail_ticks: Ints
    base_steps: Ints
    tag: Ints


class Executions(NamedTuple):
    """Execution reports. `kind` is a ReportKind, `code` an index into `texts` plus 1 (0: nothing was said).

    `execution_ids` are unique for their broker for ever; an empty one is an answer that is no part of an order's life.
    `amount_micro` is the cash that the notional of a fill brought, where the broker converts it from another currency
    than the account's, else 0. `marks` number what a broker reports, in the order in which it happened; 0 where the
    execution id is empty.

    Whoever had heard everything up to the mark `after` in a session has heard everything up to `upto` with these. Where
    a broker does not say so, or they answer a question, both are 0.
    """

    instruments: list[str]
    execution_ids: Ids
    marks: Ints
    client_ids: Ids
    account: Ints
    instrument: Ints
    kind: Ints
    steps: Ints
    price_e9: Ints
    fee_micro: Ints
    amount_micro: Ints
    at_ns: Ints
    code: Ints
    texts: list[str]
    after: int = 0
    upto: int = 0


class SessionBegan(NamedTuple):
    """A login is done. Sessions before it have ended for all its accounts but those `missing` at the broker."""

    session: int
    missing: list[int]


class Answer(NamedTuple):
    """What became of the orders asked for: `known` is 1, 0, or 2 where this session cannot tell."""

    request: int
    session: int
    known: Ints
    executions: Executions


class Statement(NamedTuple):
    """What accounts hold, and what has happened after the mark that was asked from, up to the mark `upto`."""

    request: int
    session: int
    upto: int
    instruments: list[str]
    account: Ints
    instrument: Ints
    steps: Ints
    executions: Executions


Event = SessionBegan | Executions | Answer | Statement


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to open at a broker that lets us."""

    number: int
    deposit_micro: int
    fee_rate_e9: int
    currency: str = ""
    hedging: bool = False
    via: str = ""
    """The currency over which it converts where it knows no rate between two others; brokers of the world know."""


class Broker(Protocol):
    """A connection to a broker. Where it is lost every method raises BrokerUnavailableError, until `connect` again."""

    name: str
    capabilities: Capabilities

    def connect(self) -> None:
        """Connect, or raise BrokerUnavailableError."""

    def fileno(self) -> int:
        """Return what to select for reading; -1 where there is no connection."""

    def open_accounts(self, accounts: list[NewAccount]) -> None:
        """Open accounts; those that are open stay as they are."""

    def login(self, accounts: Ints) -> None:
        """Begin a session over accounts: SessionBegan follows."""

    def submit(self, orders: Orders) -> None:
        """Write orders, once."""

    def cancel(self, session: int, client_ids: Ids) -> None:
        """Ask to cancel orders."""

    def query(self, request: int, session: int, client_ids: Ids, accounts: Ints) -> None:
        """Ask what became of orders: an Answer with the number `request` follows."""

    def ask_statement(self, request: int, session: int, accounts: Ints, since: int) -> None:
        """Ask what accounts hold: a Statement with the number `request` follows."""

    def receive(self) -> list[Event]:
        """Return what has come in, without waiting."""

    def close(self) -> None:
        """Hang up."""
