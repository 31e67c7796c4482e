"""What execution tells the other contexts, and what its edge and its people tell it.

Quantities are whole lot steps, signed (bought > 0); order prices whole ticks; fill prices billionths of the quote
currency; money millionths of the account's currency; times ns since 1970 UTC. In columns, `instrument` is an index into
the message's `terms` or `instruments`, `account` an account number. An empty column holds 0 in every row.
"""

from enum import IntEnum

import msgspec

from banyan.columns import Ints, ints
from banyan.ids import derive
from banyan.messages import Message, message


class OrderType(IntEnum):
    """How an order is entered; the numbers of `trading.targets`."""

    MARKET = 0
    LIMIT = 1
    STOP = 2
    STOP_LIMIT = 3
    PROTECTIVE = 4
    """Not an entry: a stop loss (`stop_ticks`), take profit (`limit_ticks`) and trail, of which one fill ends all."""


class ReportKind(IntEnum):
    """What the edge says of an order. Rejected is the venue's word, REFUSED the edge's own."""

    ACCEPTED = 0
    FILLED = 1
    REJECTED = 2
    CANCELLED = 3
    EXPIRED = 4
    UNKNOWN = 5
    NEVER_ARRIVED = 6
    REFUSED = 7
    CANCEL_REJECTED = 8
    DENIED = 9
    """Refused by risk: it never left execution."""
    CASH = 10
    """No order's: `amount_micro` came to the account, `steps` is a CashKind."""


class CashKind(IntEnum):
    """Why cash came to an account, or went, without a fill."""

    PAYMENT = 0
    """A deposit, or a withdrawal: no profit."""
    SWAP = 1
    DIVIDEND = 2


class EdgeRefusal(IntEnum):
    """Why the edge did not send: nothing of such an order has left."""

    NONE = 0
    DEADLINE_PASSED = 1
    KILL_SWITCH = 2
    EPOCH_ENDED = 3
    DECISION_PASSED = 4
    NOT_RECONCILED = 5
    NO_SESSION = 6
    LEASE_LOST = 7
    BROKER_CANNOT = 8
    RATE_LIMIT = 9
    CLOCK_STEPPED = 10
    GATED = 11
    FROZEN = 12
    RECALLED = 13


class InstrumentTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What of an instrument an order needs, so that nobody has to look it up: sizes in billionths of their unit."""

    id: str
    currency: str
    tick_e9: int
    lot_step_e9: int
    lot_min_steps: int
    contract_e9: int
    margin_e9: int = 0


def client_order_id(account_id: str, instrument: str, decision: int) -> str:
    """Return the id that an order has at its broker: 24 hex digits, the same whoever computes it, whenever.

    The last 8 are the decision number, by which an order is known that only its broker has; the others `order_pair`.
    """
    return f"{order_pair(account_id, instrument):016x}{decision:08x}"


def order_pair(account_id: str, instrument: str) -> int:
    """Return the 64 bits that stand for an account and an instrument in the ids of their orders."""
    return int(derive(account_id, instrument)[:16], 16)


# ---- what people and programs ask of execution; key: the account's shard -------------------------------------------


@message("execution.open-account.v1")
class OpenAccount(Message, frozen=True, kw_only=True):
    """Open an account. `number` is its number in columns, unique over all accounts and for ever.

    Where no pair of two currencies is known amounts are converted over the currency `via`, "" for not at all.
    """

    account: str
    number: int
    client: str
    broker: str
    currency: str
    deposit_micro: int
    leverage_e9: int = 1_000_000_000
    hedging: bool = False
    time_zone: str = "UTC"
    fee_rate_e9: int = 0
    via: str = ""


@message("execution.subscribe.v1")
class Subscribe(Message, frozen=True, kw_only=True):
    """Let an account follow a strategy set, or change how it does. Settings of -1 (or "") come from the level above."""

    account: int
    set: str
    allocation_e9: int = 1_000_000_000
    join: str = "next-change"
    sizing: str = ""
    sizing_number_e9: int = -1
    multiplier_e9: int = -1
    lots_max_e9: int = -1
    below_min: str = ""
    instruments: list[str] | None = None
    symbols: dict[str, str] = {}
    symbol_terms: list[InstrumentTerms] = []
    reverse: bool | None = None
    close_only: bool | None = None
    is_active: bool = True


@message("execution.configure-set.v1")
class ConfigureSet(Message, frozen=True, kw_only=True):
    """Set what holds for all subscriptions of a set, and the terms of its instruments."""

    set: str
    terms: list[InstrumentTerms]
    sizing: str = "all-in"
    sizing_number_e9: int = 0
    multiplier_e9: int = 1_000_000_000
    lots_max_e9: int = 0
    below_min: str = "skip"
    reverse: bool = False
    close_only: bool = False
    conversions: list[InstrumentTerms] = []
    """Pairs of currencies that it does not trade, whose quotes in its targets are the rates between them."""


@message("execution.place-manual-order.v1")
class PlaceManualOrder(Message, frozen=True, kw_only=True):
    """A person's order, in the account's book `manual`. `time_in_force` is a number of `trading.targets`.

    The quote is of `quoted_at_ns`, 0: of now.
    """

    account: int
    terms: InstrumentTerms
    steps: int
    bid_ticks: int
    ask_ticks: int
    order_type: int = OrderType.MARKET
    limit_ticks: int = 0
    stop_ticks: int = 0
    time_in_force: int = 0
    expires_ns: int = 0
    quoted_at_ns: int = 0


@message("execution.cancel-order.v1")
class CancelOrder(Message, frozen=True, kw_only=True):
    """A person's wish that an order does no more; what it has filled stays. It is not ordered again."""

    account: int
    instrument: str
    decision: int


@message("execution.flatten.v1")
class Flatten(Message, frozen=True, kw_only=True):
    """Close what accounts hold by reduce-only orders, and hold their books at zero until `Resume`.

    No accounts: all of the shard; "" as the instrument: every instrument.
    """

    accounts: Ints = msgspec.field(default_factory=ints)
    instrument: str = ""
    reason: str = ""


@message("execution.resume.v1")
class Resume(Message, frozen=True, kw_only=True):
    """Let accounts that were flattened, or went close-only after a parked row, trade again."""

    accounts: Ints = msgspec.field(default_factory=ints)
    instrument: str = ""


@message("execution.gate-accounts.v1")
class GateAccounts(Message, frozen=True, kw_only=True):
    """Let no account of the shard trade until its broker has been asked anew: a database was restored.

    `known_fills` are execution ids that are booked already, and that an edge that was restored will tell of again.
    """

    reason: str
    known_fills: list[str] = []


# ---- what execution gives out; key: the shard -----------------------------------------------------------------------


@message("execution.orders-requested.v1")
class OrdersRequested(Message, frozen=True, kw_only=True):
    """Orders that execution wants to send, for risk to check. `set` is whose target gave them, or "manual".

    `bid_ticks` and `ask_ticks` (per instrument of `terms`) are the quote of the decision, which was one of
    `quoted_at_ns` where that was before; `step_value_micro` is what one lot step of notional is worth in the account's
    currency. Orders with `reduce_only` can only make a position smaller.
    An order is wholly of the book `set` but where shares are listed: `share_steps` of order number `share_order` (a row
    of this message) are of book number `share_book` of `books`. An order with a `tag` is of one book that trades apart;
    what protects it, from its fill on, is the protective order with the next decision number. On hedging accounts each
    order has the number of a ticket as its tag, which it can only close if it is `reduce_only`.
    """

    set: str
    decided_at_ns: int
    terms: list[InstrumentTerms]
    bid_ticks: Ints
    ask_ticks: Ints
    account: Ints
    instrument: Ints
    decision: Ints
    steps: Ints
    step_value_micro: Ints
    order_type: Ints = msgspec.field(default_factory=ints)
    limit_ticks: Ints = msgspec.field(default_factory=ints)
    stop_ticks: Ints = msgspec.field(default_factory=ints)
    time_in_force: Ints = msgspec.field(default_factory=ints)
    expires_ns: Ints = msgspec.field(default_factory=ints)
    reduce_only: Ints = msgspec.field(default_factory=ints)
    tag: Ints = msgspec.field(default_factory=ints)
    stop_loss_ticks: Ints = msgspec.field(default_factory=ints)
    take_profit_ticks: Ints = msgspec.field(default_factory=ints)
    trail_ticks: Ints = msgspec.field(default_factory=ints)
    books: list[str] = msgspec.field(default_factory=list)
    share_order: Ints = msgspec.field(default_factory=ints)
    share_book: Ints = msgspec.field(default_factory=ints)
    share_steps: Ints = msgspec.field(default_factory=ints)
    quoted_at_ns: Ints = msgspec.field(default_factory=ints)


@message("execution.orders-released.v1")
class OrdersReleased(Message, frozen=True, kw_only=True):
    """Approved orders handed to the edge, in the order in which they are to be sent; the envelope has the deadline.

    Orders with a `tag` are of one book, which holds a position of its own at the broker; a protective order closes it
    and has in `base_steps` what the book held when it was decided. Brokers that take only so many orders a second are
    shared out among the sets, `set` being whose they are: that of the first order's first share.
    """

    set: str = ""
    terms: list[InstrumentTerms]
    account: Ints
    instrument: Ints
    decision: Ints
    steps: Ints
    order_type: Ints = msgspec.field(default_factory=ints)
    limit_ticks: Ints = msgspec.field(default_factory=ints)
    stop_ticks: Ints = msgspec.field(default_factory=ints)
    time_in_force: Ints = msgspec.field(default_factory=ints)
    expires_ns: Ints = msgspec.field(default_factory=ints)
    reduce_only: Ints = msgspec.field(default_factory=ints)
    trail_ticks: Ints = msgspec.field(default_factory=ints)
    base_steps: Ints = msgspec.field(default_factory=ints)
    tag: Ints = msgspec.field(default_factory=ints)


@message("execution.cancels-released.v1")
class CancelsReleased(Message, frozen=True, kw_only=True):
    """Orders that the edge is to cancel. With `is_final` nothing is to come in their place."""

    instruments: list[str]
    account: Ints
    instrument: Ints
    decision: Ints
    is_final: bool = False


@message("execution.orders-accepted.v1")
class OrdersAccepted(Message, frozen=True, kw_only=True):
    """Orders that their broker has taken on."""

    instruments: list[str]
    account: Ints
    instrument: Ints
    decision: Ints


@message("execution.orders-filled.v1")
class OrdersFilled(Message, frozen=True, kw_only=True):
    """Fills: `steps` of this fill, `left_steps` what is still open of the order after it.

    `amount_micro` is the cash that the notional brings (a purchase's is negative), `fee_micro` what is paid besides. A
    fill goes to the one book of its order but where splits are listed: `split_steps` of fill number `split_fill` go to
    book number `split_book` of `books`, with amount and fee in proportion, the rest of a unit to the later.
    """

    instruments: list[str]
    account: Ints
    instrument: Ints
    decision: Ints
    steps: Ints
    left_steps: Ints
    price_e9: Ints
    fee_micro: Ints
    filled_at_ns: Ints
    execution_id: list[str]
    amount_micro: Ints
    books: list[str] = msgspec.field(default_factory=list)
    split_fill: Ints = msgspec.field(default_factory=ints)
    split_book: Ints = msgspec.field(default_factory=ints)
    split_steps: Ints = msgspec.field(default_factory=ints)


@message("execution.orders-ended.v1")
class OrdersEnded(Message, frozen=True, kw_only=True):
    """Orders that ended with `left_steps` not filled. `kind` is a ReportKind, `code` the edge's or the venue's."""

    instruments: list[str]
    account: Ints
    instrument: Ints
    decision: Ints
    left_steps: Ints
    kind: Ints
    code: Ints
    texts: list[str] = msgspec.field(default_factory=list)


@message("execution.orders-unknown.v1")
class OrdersUnknown(Message, frozen=True, kw_only=True):
    """Orders of which nobody knows whether they arrived: reservation kept, account and instrument frozen."""

    instruments: list[str]
    account: Ints
    instrument: Ints
    decision: Ints


@message("execution.cash-booked.v1")
class CashBooked(Message, frozen=True, kw_only=True):
    """Cash that came to accounts, or went, without a fill: `kind` is a CashKind, `reference` the broker's.

    Payments are of the whole account. Swap and dividends are of the books that hold the instrument, a row for each;
    what nobody holds any more is of `external`.
    """

    books: list[str]
    instruments: list[str]
    account: Ints
    kind: Ints
    amount_micro: Ints
    at_ns: Ints
    book: Ints
    instrument: Ints
    reference: list[str]


@message("execution.position-changed.v1")
class PositionChanged(Message, frozen=True, kw_only=True):
    """What accounts hold after fills: attributed and external lots together.

    A hedging account may hold tickets both ways: `short_steps` of its `steps` are held short, the others long.
    """

    instruments: list[str]
    account: Ints
    instrument: Ints
    steps: Ints
    short_steps: Ints = msgspec.field(default_factory=ints)


@message("execution.account-opened.v1")
class AccountOpened(Message, frozen=True, kw_only=True):
    """An account was opened, or its terms changed."""

    account: str
    number: int
    client: str
    broker: str
    currency: str
    leverage_e9: int
    hedging: bool
    time_zone: str
    balance_micro: int
    fee_rate_e9: int = 0
    via: str = ""


@message("execution.accounts-gated.v1")
class AccountsGated(Message, frozen=True, kw_only=True):
    """Accounts trade again once brokers, asked for all that is open, have said after `gated_at_ns` what they hold."""

    account: Ints
    gated_at_ns: int
    reason: str
    known_fills: list[str] = []


@message("execution.gates-lifted.v1")
class GatesLifted(Message, frozen=True, kw_only=True):
    """A person lets accounts trade again that the edge has gated."""

    account: Ints
    reason: str


@message("execution.account-valued.v1")
class AccountValued(Message, frozen=True, kw_only=True):
    """Accounts at the prices of `valued_at_ns`: balance is what of equity is realised, margin what it needs."""

    valued_at_ns: int
    account: Ints
    balance_micro: Ints
    equity_micro: Ints
    margin_micro: Ints
    gross_micro: Ints
    net_micro: Ints
    paid_in_micro: Ints = msgspec.field(default_factory=ints)
    """What was paid in (or out, below 0) since they were valued last: no profit, and no loss."""


# ---- what the edge reports; key: the shard -----------------------------------------------------------------------


@message("edge.orders-reported.v1")
class OrdersReported(Message, frozen=True, kw_only=True):
    """What became of orders, in the order in which the edge learned it. `kind` is a ReportKind.

    For FILLED rows `steps` (signed), `price_e9`, `fee_micro` and `execution_id` tell the fill, and `amount_micro` the
    cash that its notional brought where the broker has converted it from another currency (0: it follows from the
    price). `code` is an EdgeRefusal for REFUSED rows and an index into `texts` plus 1 for what a venue said. A row with
    decision 0 is a fill of an order that was not ours. `answers`, one per row or none: what came of people's words.
    """

    instruments: list[str]
    account: Ints
    instrument: Ints
    decision: Ints
    kind: Ints
    steps: Ints = msgspec.field(default_factory=ints)
    price_e9: Ints = msgspec.field(default_factory=ints)
    fee_micro: Ints = msgspec.field(default_factory=ints)
    at_ns: Ints = msgspec.field(default_factory=ints)
    code: Ints = msgspec.field(default_factory=ints)
    execution_id: list[str] = msgspec.field(default_factory=list)
    texts: list[str] = msgspec.field(default_factory=list)
    amount_micro: Ints = msgspec.field(default_factory=ints)
    answers: list[str] = []


@message("edge.accounts-reconciled.v1")
class AccountsReconciled(Message, frozen=True, kw_only=True):
    """What brokers say accounts hold, taken when nothing of ours was on its way there.

    A difference from attributed fills is booked as `external`. Trading of an account is gated until its first one.
    """

    instruments: list[str]
    account: Ints
    instrument: Ints
    steps: Ints
    accounts: Ints
    """All accounts that this is the whole truth about; one without a row holds nothing."""


@message("edge.orders-sent.v1")
class OrdersSent(Message, frozen=True, kw_only=True):
    """Orders that are SENT: in the edge's ledger since `at_ns`, and written to their broker right after.

    Nobody waits for it, so it is on no stream: it is what the edge's ledger says, for those who read it afterwards.
    """

    instruments: list[str]
    account: Ints
    instrument: Ints
    decision: Ints
    at_ns: int
