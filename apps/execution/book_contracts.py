"""What execution tells of accounts, settings and books, beside orders. Units: those of `apps.execution.contracts`."""

from enum import IntEnum
from typing import Any, NamedTuple

import msgspec

from apps.execution.contracts import ConfigureSet, InstrumentTerms, Subscribe
from apps.signals.contracts import TargetSet
from banyan.columns import Ints, ints
from banyan.messages import Message, message

MANUAL = "manual"
EXTERNAL = "external"
FLATTEN = "flatten"
"""What `OrdersRequested.set` says of orders that close an account: they are of the books that are listed as shares."""


class Booking(IntEnum):
    """Why a book holds more or less without an order of ours being filled."""

    CROSSED = 0
    OUTSIDE = 1
    RECONCILED = 2


class SkipReason(IntEnum):
    """Why an account got no order for a target."""

    NONE = 0
    UNCHANGED = 1
    BELOW_MIN = 2
    NOT_ALLOWED = 3
    CLOSE_ONLY = 4
    WAITS_FOR_CHANGE = 5
    NO_PRICE = 6
    NOT_SIZED = 7
    FROZEN = 8
    NOT_RECONCILED = 9
    FLATTENED = 10
    NO_EQUITY = 11
    CROSSED = 12
    WAITS_FOR_ORDER = 13
    """An order the other way is on its way: what is left to do is ordered when that one has ended."""
    ENTRY_NOT_SUPPORTED = 14
    BRACKET_NOT_SUPPORTED = 15
    """Of logs from before brackets were traded live."""
    HEDGING_NOT_SUPPORTED = 16
    """Of logs from before hedging accounts were traded."""
    NO_CONVERSION = 17
    """The instrument is quoted in another currency than the account's."""
    NO_TERMS = 18


class SettingLevel(IntEnum):
    """At which level of the chain a setting was given."""

    NONE = 0
    SET = 1
    SUBSCRIPTION = 2
    ACCOUNT = 3


class Resolution(IntEnum):
    """What a person wants of an order that is UNKNOWN."""

    QUERY = 0
    """Its broker is asked for it again, now."""
    ADOPT = 1
    """The broker has it: it works there."""
    RESOLVE = 2
    """It has never arrived, and nothing will come of it."""


@message("execution.resolve-order.v1")
class ResolveOrder(Message, frozen=True, kw_only=True):
    """Do what a person says of an order that is UNKNOWN; `how` is a Resolution."""

    account: int
    instrument: str
    decision: int
    how: int
    reason: str


@message("execution.resolution-asked.v1")
class ResolutionAsked(Message, frozen=True, kw_only=True):
    """What a person says of an order, for the edge, which alone knows whether it is UNKNOWN still."""

    account: int
    instrument: str
    decision: int
    how: int
    reason: str


@message("execution.configure-account.v1")
class ConfigureAccount(Message, frozen=True, kw_only=True):
    """Set what holds for all subscriptions of an account, before what they and their sets say; -1, "", None: not."""

    account: int
    sizing: str = ""
    sizing_number_e9: int = -1
    multiplier_e9: int = -1
    lots_max_e9: int = -1
    below_min: str = ""
    instruments: list[str] | None = None
    reverse: bool | None = None
    close_only: bool | None = None


@message("execution.lift-gates.v1")
class LiftGates(Message, frozen=True, kw_only=True):
    """Let accounts trade again that the edge has gated because something of theirs cannot be: a person has looked."""

    accounts: Ints
    reason: str


@message("execution.set-configured.v1")
class SetConfigured(Message, frozen=True, kw_only=True):
    """What holds for a set's subscriptions was set."""

    settings: ConfigureSet


@message("execution.subscribed.v1")
class Subscribed(Message, frozen=True, kw_only=True):
    """An account follows a set, or does so otherwise than before."""

    settings: Subscribe


@message("execution.account-configured.v1")
class AccountConfigured(Message, frozen=True, kw_only=True):
    """What holds for all subscriptions of an account was set."""

    settings: ConfigureAccount


@message("execution.command-refused.v1")
class CommandRefused(Message, frozen=True, kw_only=True):
    """A command that cannot be, with the reason in words for whoever gave it; nothing has changed."""

    command: str
    account: int
    reason: str


@message("execution.books-targeted.v1")
class BooksTargeted(Message, frozen=True, kw_only=True):
    """What the books of a set's accounts want to hold from here on: `working_steps`, whole lot steps.

    `target` is the target that this follows from, None where accounts take up what had been said before. `instrument`
    is an index into `instruments`, the set's own names.
    """

    set: str
    target: TargetSet | None
    instruments: list[str]
    account: Ints
    instrument: Ints
    working_steps: Ints


@message("execution.targets-skipped.v1")
class TargetsSkipped(Message, frozen=True, kw_only=True):
    """Accounts that a target gave no order, and why: `reason` is a SkipReason, `level` a SettingLevel."""

    set: str
    instruments: list[str]
    account: Ints
    instrument: Ints
    reason: Ints
    level: Ints


@message("execution.brackets-postponed.v1")
class BracketsPostponed(Message, frozen=True, kw_only=True):
    """Books whose brackets move when risk has decided on what was asked for before, in the same account and instrument.

    A protective order needs no approval, so it would be sent first, and the edge takes no lower number after its own.
    """

    books: list[str]
    instruments: list[str]
    account: Ints
    instrument: Ints
    book: Ints


@message("execution.manual-targeted.v1")
class ManualTargeted(Message, frozen=True, kw_only=True):
    """What the book `manual` of an account wants to hold from here on, at the quote that a person saw."""

    account: int
    terms: InstrumentTerms
    bid_ticks: int
    ask_ticks: int
    working_steps: int
    quoted_at_ns: int = 0


@message("execution.mark-prices.v1")
class MarkPrices(Message, frozen=True, kw_only=True):
    """Value accounts at the last closing quotes of instruments, in ticks, though nothing of theirs was traded.

    A quote of `quoted_at_ns` counts where no later one is known.
    """

    instruments: list[str]
    bid_ticks: Ints
    ask_ticks: Ints
    quoted_at_ns: Ints = msgspec.field(default_factory=ints)


@message("execution.prices-marked.v1")
class PricesMarked(Message, frozen=True, kw_only=True):
    """The closing quotes, in ticks, by which what is held counts from here on, and of when they are."""

    instruments: list[str]
    bid_ticks: Ints
    ask_ticks: Ints
    quoted_at_ns: Ints = msgspec.field(default_factory=ints)


@message("execution.lots-booked.v1")
class LotsBooked(Message, frozen=True, kw_only=True):
    """Lots that books got or gave without an order of ours: `kind` is a Booking, `amount_micro` cash before the fee."""

    kind: int
    books: list[str]
    instruments: list[str]
    account: Ints
    instrument: Ints
    book: Ints
    steps: Ints
    price_e9: Ints
    amount_micro: Ints
    fee_micro: Ints = msgspec.field(default_factory=ints)


@message("execution.orders-adopted.v1")
class OrdersAdopted(Message, frozen=True, kw_only=True):
    """Orders that the edge has sent and execution has forgotten: unknown until the broker answers, of `external`."""

    instruments: list[str]
    account: Ints
    instrument: Ints
    decision: Ints
    steps: Ints


@message("execution.accounts-ready.v1")
class AccountsReady(Message, frozen=True, kw_only=True):
    """Accounts whose holdings are what their broker says: they may trade."""

    account: Ints


@message("execution.accounts-flattened.v1")
class AccountsFlattened(Message, frozen=True, kw_only=True):
    """Books of these accounts are held at zero until `AccountsResumed`; "" as the instrument: all instruments."""

    account: Ints
    instrument: str
    reason: str


@message("execution.accounts-resumed.v1")
class AccountsResumed(Message, frozen=True, kw_only=True):
    """Accounts that may trade again."""

    account: Ints
    instrument: str


# ---- the settings that hold -----------------------------------------------------------------------------------------

Level = ConfigureSet | Subscribe | ConfigureAccount
NUMBERED = {"percent": 10, "lots": 1, "risk": 1, "vol": 15, "kelly": 0.5}
"""The rules that take a number, each with a usual one."""
_NO_VALUE: dict[str, Any] = {
    "sizing": "", "multiplier_e9": -1, "lots_max_e9": -1, "below_min": "", "instruments": None, "reverse": None,
    "close_only": None,
}  # fmt: skip
"""The settings of the chain, each with what says that a level does not give it."""
_LEVEL_NAMES = {level: level.name.lower() if level else "" for level in SettingLevel}


class Effective(NamedTuple):
    """A setting that holds: its value in words, and at which level it was given ("" where at none)."""

    name: str
    value: str
    level: str


def effective_settings(configured: ConfigureSet, of: Subscribe, by: ConfigureAccount | None) -> list[Effective]:
    """Return what holds for a subscription, in words, each with the level that gave it."""
    chain: tuple[Level | None, ...] = (configured, of, by)
    found = []
    for name, none in _NO_VALUE.items():
        givers = (None, of, by) if name == "instruments" else chain
        value, level = effective(givers, name, none)
        if name == "sizing":
            number = effective(chain, "sizing_number_e9", -1)[0]
            value = f"{value}:{number / 1e9:.15g}" if value in NUMBERED else value
        found.append(Effective(name.removesuffix("_e9"), _in_words(name, value), _LEVEL_NAMES[level]))
    own = (("allocation", f"{of.allocation_e9 / 1e9:.15g}"), ("join", of.join))
    return found + [Effective(name, value, _LEVEL_NAMES[SettingLevel.SUBSCRIPTION]) for name, value in own]


def _in_words(name: str, value: Any) -> str:
    if name == "instruments":
        return "all" if value is None else ", ".join(value)
    if name == "lots_max_e9" and value <= 0:
        return "no limit"
    return f"{value / 1e9:.15g}" if name.endswith("_e9") else {True: "yes", False: "no"}.get(value, str(value))


def effective(chain: tuple[Level | None, ...], name: str, none: Any) -> tuple[Any, SettingLevel]:
    """Return the narrowest value that was given, and its level."""
    levels = (SettingLevel.SET, SettingLevel.SUBSCRIPTION, SettingLevel.ACCOUNT)
    for level, given in reversed(list(zip(levels, chain, strict=True))):
        value = none if given is None else getattr(given, name)
        if value != none:
            return value, level
    return none, SettingLevel.NONE
