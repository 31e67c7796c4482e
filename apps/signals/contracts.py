"""What strategy sets tell the other contexts."""

import msgspec

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
    close of the bar that decided, at `decided_at_ns`.
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
    band_e9: int = -1
    """Drift of weight, in billionths, beyond which an unchanged target is traded back to; -1: never."""
