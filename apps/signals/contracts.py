"""What strategy sets tell the other contexts."""

import msgspec

from apps.feeds.contracts import BarClosed
from banyan.columns import Ints
from banyan.messages import Message, message


class Quoted(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument and the quote that a decision was taken on, in whole ticks of it."""

    instrument: str
    bid_ticks: int
    ask_ticks: int


@message("signals.target-set.v1")
class TargetSet(Message, frozen=True, kw_only=True):
    """What a strategy set wants to hold, one row per instrument that it has a new opinion on; key: the set.

    `mode`, `entry` and `time_in_force` are the numbers of `trading.targets`. `value` is a share of equity or lots,
    signed; prices are in quote currency, None where there is none; both travel as float64, digit for digit, because
    sizing must see what a backtest sees. `version` rises with each new version of a row's target. The quotes are the
    close of the bar that decided, at `decided_at_ns`; 0 where a set wants nothing any more of what it does not follow.
    """

    set: str
    set_version: int
    decided_at_ns: int
    quotes: list[Quoted]
    version: Ints
    mode: Ints
    value: list[float]
    entry: Ints
    price: list[float | None]
    limit_price: list[float | None]
    stop_loss: list[float | None]
    take_profit: list[float | None]
    trail: list[float | None]
    time_in_force: Ints
    expires_ns: Ints
    marks: list[Quoted] = []
    """Closes of the other instruments of strategies that have decided here, and of pairs of currencies that the set
    follows for their rates: what is held of them, and what a currency is worth, is worth that."""
    band_e9: int = -1
    """Drift of weight, in billionths, beyond which an unchanged target is traded back to; -1: never."""
    volatility: list[float | None] = []
    """Of each row's instrument, a year, as a share, by the bars before the one that decided; None: not known."""


class ChannelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A channel of a strategy in a set; `tick_e9` is the instrument's tick in billionths of its quote currency.

    `bars_per_year` annualises its volatility; 0: it is not told.
    """

    instrument: str
    interval_ns: int
    tick_e9: int
    bars_per_year: float = 0.0


class MemberSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy in a set: its weights count `share_e9` billionths of what the set is given.

    `code_hash` is the strategy's: a set that was defined with another code is not run with this one.
    """

    strategy: str
    code_hash: str
    parameters: dict[str, int | float | str]
    channels: list[ChannelSpec]
    share_e9: int = 1_000_000_000


@message("signals.define-set.v1")
class DefineSet(Message, frozen=True, kw_only=True):
    """Define a strategy set, or replace it by a new version. Key: the set.

    Its strategies start cold, or are warmed up with the bars before the first that they get.
    """

    set: str
    members: list[MemberSpec]
    grace_ns: int = 1_000_000_000
    """How long a slice of several channels waits for bars that are missing."""
    warms_up: bool = False
    conversions: list[ChannelSpec] = []
    """Pairs of currencies that nobody trades here, whose closes are the rates for accounts in other currencies."""


@message("signals.run-set.v1")
class RunSet(Message, frozen=True, kw_only=True):
    """Let a set give targets, or make it only follow its bars."""

    set: str
    is_running: bool


@message("signals.warm-up.v1")
class WarmUp(Message, frozen=True, kw_only=True):
    """Bars from before the first that a set gets, oldest first: strategies see them, and no target follows."""

    bars: list[BarClosed]


@message("signals.set-defined.v1")
class SetDefined(Message, frozen=True, kw_only=True):
    """A set has a new version."""

    set: str
    set_version: int
    members: list[MemberSpec]
    grace_ns: int
    warms_up: bool = False
    conversions: list[ChannelSpec] = []


@message("signals.set-refused.v1")
class SetRefused(Message, frozen=True, kw_only=True):
    """A set could not be defined, and is what it was before."""

    set: str
    reason: str


@message("signals.set-run.v1")
class SetRun(Message, frozen=True, kw_only=True):
    """A set gives targets from now on, or does not.

    `given_up` are instruments that it has traded before it was replaced while it gave none: it is told with this that
    it wants nothing of them.
    """

    set: str
    is_running: bool
    given_up: list[str] = []


@message("signals.bars-applied.v1")
class BarsApplied(Message, frozen=True, kw_only=True):
    """A set's strategies have seen bars. `digest` is that of their state after it, 16 hex digits.

    `closed_now` is a close time whose slices are complete enough to be shown now, 0 where there is none.
    """

    bars: BarClosed | None
    closed_now_ns: int
    digest: str


@message("signals.warmed-up.v1")
class WarmedUp(Message, frozen=True, kw_only=True):
    """A set's strategies have seen the bars before the first that they got. `digest` is that of their state then."""

    bars: list[BarClosed]
    digest: str
