"""What risk tells the other contexts, and what people ask of it. Units are those of `apps.execution.contracts`."""

from enum import IntEnum

import msgspec

from banyan.columns import Ints, ints
from banyan.messages import Message, message


class TradingState(IntEnum):
    """What may be traded."""

    ACTIVE = 0
    REDUCING = 1
    HALTED = 2


class Level(IntEnum):
    """Where a limit or a trading state was set: of limits the narrowest counts, of states the strictest."""

    GLOBAL = 0
    SET = 1
    ACCOUNT = 2
    INSTRUMENT = 3


class RefusalReason(IntEnum):
    """Why an order was refused."""

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


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Bounds of an account or of all; -1: not set at this level. Units by name: e9 billionths of equity, counts, ns."""

    position_steps_max: int = -1
    order_steps_max: int = -1
    order_notional_micro_max: int = -1
    gross_e9_max: int = -1
    net_e9_max: int = -1
    leverage_e9_max: int = -1
    margin_e9_max: int = -1
    orders_per_second_max: int = -1
    orders_per_minute_max: int = -1
    collar_e9: int = -1
    price_age_ns_max: int = -1
    daily_loss_e9_max: int = -1
    drawdown_e9_max: int = -1
    flatten_on_stop: int = -1


@message("risk.set-limits.v1")
class SetLimits(Message, frozen=True, kw_only=True):
    """Set limits at a level: account -1 and instrument "" is global; both given is the narrowest."""

    limits: Limits
    account: int = -1
    instrument: str = ""
    reason: str = ""


@message("risk.set-trading-state.v1")
class SetTradingState(Message, frozen=True, kw_only=True):
    """Set what may be traded at a level: `accounts` empty, `set` "" and `instrument` "" mean all."""

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


@message("risk.orders-approved.v1")
class OrdersApproved(Message, frozen=True, kw_only=True):
    """Orders that may be sent. What they take of the limits is reserved until they are filled or end."""

    instruments: list[str]
    account: Ints
    instrument: Ints
    decision: Ints
    steps: Ints


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
    """What may be traded has changed, by a person or because a limit stopped an account."""

    state: int
    accounts: Ints = msgspec.field(default_factory=ints)
    set: str = ""
    instrument: str = ""
    reason: str = ""
    flatten: bool = False
