"""What risk tells the other contexts, and what people ask of it. Units are those of `apps.execution.contracts`."""

from enum import IntEnum

import msgspec

from banyan.columns import Ints, ints
from banyan.messages import Message, message


class TradingState(IntEnum):
    """What may be traded: REDUCING lets through what makes a position smaller, HALTED only what is `reduce_only`."""

    ACTIVE = 0
    REDUCING = 1
    HALTED = 2


class Level(IntEnum):
    """Where a limit or a trading state was set: of limits the narrowest (largest) counts, of states the strictest."""

    GLOBAL = 0
    SET = 1
    ACCOUNT = 2
    INSTRUMENT = 3
    ACCOUNT_INSTRUMENT = 4


class RefusalReason(IntEnum):
    """Why an order was refused; `docs/risk.md` says for each what bound and actual value mean."""

    NONE = 0
    HALTED = 1
    REDUCING = 2
    MAX_POSITION = 3
    MAX_ORDER = 4
    MAX_NOTIONAL = 5
    GROSS_EXPOSURE = 6
    NET_EXPOSURE = 7
    LEVERAGE = 8
    MARGIN = 9
    ORDERS_PER_SECOND = 10
    ORDERS_PER_MINUTE = 11
    PRICE_COLLAR = 12
    STALE_PRICE = 13
    DAILY_LOSS = 14
    DRAWDOWN = 15
    NOT_ALLOWED = 16
    DUPLICATE = 17
    SESSION_CLOSED = 18
    UNKNOWN_ACCOUNT = 19
    NO_EQUITY = 20
    WEEKLY_LOSS = 21
    MONTHLY_LOSS = 22
    DAILY_BALANCE_LOSS = 23
    WEEKLY_BALANCE_LOSS = 24
    MONTHLY_BALANCE_LOSS = 25
    BALANCE_DRAWDOWN = 26
    NOT_REDUCING = 27
    IMPOSSIBLE = 28


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bounds that may be met but not passed; -1: not set at this level.

    The first five are of orders in an instrument and can be set at every level, the others are of whole accounts and
    can be set for all or for one. `e9` is billionths: of the quote, of the equity, or of what a loss is measured from.
    """

    position_steps_max: int = -1
    order_steps_max: int = -1
    order_notional_micro_max: int = -1
    collar_e9_max: int = -1
    price_age_ns_max: int = -1
    gross_micro_max: int = -1
    net_micro_max: int = -1
    leverage_e9_max: int = -1
    margin_e9_max: int = -1
    orders_per_second_max: int = -1
    orders_per_minute_max: int = -1
    daily_loss_e9_max: int = -1
    daily_balance_loss_e9_max: int = -1
    weekly_loss_e9_max: int = -1
    weekly_balance_loss_e9_max: int = -1
    monthly_loss_e9_max: int = -1
    monthly_balance_loss_e9_max: int = -1
    drawdown_e9_max: int = -1
    balance_drawdown_e9_max: int = -1
    flatten_on_stop: int = -1


INSTRUMENT_LIMITS = 5
"""How many of the fields of `Limits`, the first ones, can be set for an instrument."""


# ---- what people ask of risk; key: the shard -----------------------------------------------------------------------


@message("risk.set-limits.v1")
class SetLimits(Message, frozen=True, kw_only=True):
    """Set all limits of a level, in place of those it had: account -1 and instrument "" is global."""

    limits: Limits
    account: int = -1
    instrument: str = ""
    reason: str = ""


@message("risk.set-trading-state.v1")
class SetTradingState(Message, frozen=True, kw_only=True):
    """Set what may be traded at one level: `accounts`, a `set` or an `instrument`; none of the three is global.

    ACTIVE for accounts also lifts their stops, and their losses are counted anew from what they have then.
    """

    state: int
    accounts: Ints = msgspec.field(default_factory=ints)
    set: str = ""
    instrument: str = ""
    reason: str = ""


@message("risk.allow-instruments.v1")
class AllowInstruments(Message, frozen=True, kw_only=True):
    """Give an account a list of the only instruments that it may trade; None allows all."""

    account: int
    instruments: list[str] | None


class SessionWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A time of each week, in minutes since Monday 00:00, to before `closes_minute`; it may span the week's end."""

    opens_minute: int
    closes_minute: int


@message("risk.set-sessions.v1")
class SetSessions(Message, frozen=True, kw_only=True):
    """Set when an instrument may be traded, as wall clocks in `time_zone` show it; None: always."""

    instrument: str
    time_zone: str = "UTC"
    windows: list[SessionWindow] | None = None


# ---- what risk gives out; key: the shard ----------------------------------------------------------------------------


@message("risk.orders-approved.v1")
class OrdersApproved(Message, frozen=True, kw_only=True):
    """Orders that may be sent. What they take of the limits is reserved until they are filled or end.

    `step_values_micro` are the different values of one lot step, `step_value` says which of them is an order's. Of a
    hedging account an order is of what is held short where `of_short` is 1, else of what is held long.
    """

    instruments: list[str]
    account: Ints
    instrument: Ints
    decision: Ints
    steps: Ints
    at_ns: int = 0
    step_values_micro: Ints = msgspec.field(default_factory=ints)
    step_value: Ints = msgspec.field(default_factory=ints)
    of_short: Ints = msgspec.field(default_factory=ints)


@message("risk.orders-refused.v1")
class OrdersRefused(Message, frozen=True, kw_only=True):
    """Orders that may not be sent: `reason` is a RefusalReason, `level` the Level that set the limit.

    `bound` and `actual` are in the unit of the limit that refused.
    """

    instruments: list[str]
    account: Ints
    instrument: Ints
    decision: Ints
    reason: Ints
    level: Ints
    bound: Ints
    actual: Ints


@message("risk.trading-state-changed.v1")
class TradingStateChanged(Message, frozen=True, kw_only=True):
    """What may be traded has changed, by a person or because a limit stopped accounts.

    A `stop` is the RefusalReason of the loss that stopped `accounts`; then the columns, one row per account, tell the
    limit's level and bound, the loss, and the period: the day, week or month that it lasts for, 0 for a drawdown. A
    stop leaves the state that people have set as it is.
    """

    state: int
    accounts: Ints = msgspec.field(default_factory=ints)
    set: str = ""
    instrument: str = ""
    reason: str = ""
    flatten: bool = False
    stop: int = 0
    level: Ints = msgspec.field(default_factory=ints)
    bound: Ints = msgspec.field(default_factory=ints)
    actual: Ints = msgspec.field(default_factory=ints)
    period: Ints = msgspec.field(default_factory=ints)


@message("risk.stops-lifted.v1")
class StopsLifted(Message, frozen=True, kw_only=True):
    """The day, week or month is over for which losses had stopped accounts; `stop` as in `TradingStateChanged`."""

    account: Ints
    stop: Ints


@message("risk.limits-changed.v1")
class LimitsChanged(Message, frozen=True, kw_only=True):
    """A level has these limits from now on, and no others."""

    limits: Limits
    account: int = -1
    instrument: str = ""
    reason: str = ""


@message("risk.instruments-allowed.v1")
class InstrumentsAllowed(Message, frozen=True, kw_only=True):
    """An account may trade these instruments and no others; None: all."""

    account: int
    instruments: list[str] | None


@message("risk.sessions-changed.v1")
class SessionsChanged(Message, frozen=True, kw_only=True):
    """An instrument may be traded in these windows from now on; None: always."""

    instrument: str
    time_zone: str
    windows: list[SessionWindow] | None


@message("risk.command-refused.v1")
class CommandRefused(Message, frozen=True, kw_only=True):
    """What a person asked for cannot be, and nothing has changed; `command` is its wire name."""

    command: str
    reason: str


# ---- what only risk's own log holds ---------------------------------------------------------------------------------


@message("risk.quotes-noted.v1")
class QuotesNoted(Message, frozen=True, kw_only=True):
    """The quotes that a decision was taken on, and the margin that its instruments need.

    They are of `quoted_at_ns`, where there is nothing of the decision.
    """

    decided_at_ns: int
    instruments: list[str]
    bid_ticks: Ints
    ask_ticks: Ints
    margin_e9: Ints = msgspec.field(default_factory=ints)
    quoted_at_ns: Ints = msgspec.field(default_factory=ints)


@message("risk.reservations-cut.v1")
class ReservationsCut(Message, frozen=True, kw_only=True):
    """Orders have only `left_steps` to come: the rest was filled, or never will be."""

    instruments: list[str]
    account: Ints
    instrument: Ints
    decision: Ints
    left_steps: Ints = msgspec.field(default_factory=ints)


@message("risk.positions-noted.v1")
class PositionsNoted(Message, frozen=True, kw_only=True):
    """What accounts hold; of a hedging account's `steps` those that are held short."""

    instruments: list[str]
    account: Ints
    instrument: Ints
    steps: Ints
    short_steps: Ints = msgspec.field(default_factory=ints)


@message("risk.account-noted.v1")
class AccountNoted(Message, frozen=True, kw_only=True):
    """An account may trade; the balance counts when it is new."""

    account: int
    time_zone: str
    leverage_e9: int
    balance_micro: int
    hedging: bool = False


@message("risk.values-noted.v1")
class ValuesNoted(Message, frozen=True, kw_only=True):
    """What accounts are worth, on the days (counted from 0001-01-01 as 1) that it was then in their zones."""

    zones: list[str]
    days: Ints
    account: Ints
    balance_micro: Ints
    equity_micro: Ints
    margin_micro: Ints
    gross_micro: Ints
    net_micro: Ints
    paid_in_micro: Ints = msgspec.field(default_factory=ints)
