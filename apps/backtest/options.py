"""What a run may be told besides strategy, bars and parameters."""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

Fill = Literal["next-open", "close"]
SizeAt = Literal["fill", "decision"]
Accounting = Literal["netting", "hedging"]
Returns = Literal["daily", "bar"]
Engine = Literal["auto", "events"]

# name -> (what the number after the colon means, its default)
SIZINGS: dict[str, tuple[str, float | None]] = {
    "all-in": ("a weight of 1 spends all cash, costs included", None),
    "weights": ("a weight is that share of equity", None),
    "equal": ("a weight of 1 is an equal share of equity among all channels", None),
    "percent": ("a weight of 1 is N percent of equity", 100.0),
    "lots": ("a weight of 1 is N lots", 1.0),
    "risk": ("a weight of 1 loses N percent of equity at its stop loss", 1.0),
    "vol": ("a weight of 1 is sized to N percent of volatility a year", 15.0),
    "kelly": ("a weight of 1 is N times the Kelly share of closed trades, at most all equity", 0.5),
}


class OptionError(ValueError):
    """An option of a run has a value that cannot be used."""

    exit_code = 2  # of a command: wrong usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a run. Every one can be given to `run` by its name, and on the command line as `--its-name`.

    Raises OptionError, naming the option, its value and what it may be.
    """

    cash: float = 100_000.0
    currency: str = ""  # of the account; "" takes the first instrument's
    fill: Fill = "next-open"
    sizing: str = ""  # a name of SIZINGS, with ":N" where it takes a number; "" takes the strategy's own
    size_at: SizeAt = "fill"
    rebalance: float = math.nan  # trade an unchanged weight when it has drifted by more than this; nan: never
    accounting: Accounting = "netting"
    leverage: float = 1.0  # gross notional over equity that may be held
    margin_call: float = 0.5  # all is closed when equity falls under this share of the margin that is held
    fee_bps: float = 0.0  # of notional
    fee_per_share: float = 0.0  # per unit (share), account currency
    fee_per_lot: float = 0.0  # per lot, account currency
    fee_minimum: float = 0.0  # per fill, account currency
    spread: float = 0.0  # ask - bid in price, for bars without quotes
    slippage_bps: float = 0.0  # of price, against us
    slippage_fixed: float = 0.0  # in price, against us
    slippage_volume: float = 0.0  # k in k x (our share of the bar's volume)^2 x price, against us
    volume_cap: float = 0.0  # largest share of a bar's volume that one bar fills; 0: no cap
    swap_long_pct: float = 0.0  # a year, paid on long notional
    swap_short_pct: float = 0.0  # a year, paid on short notional: borrow
    returns: Returns = "daily"
    risk_free_pct: float = 0.0  # a year
    engine: Engine = "auto"  # "events" forbids the flip-only fast path

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            _check(option.name, value)
            if isinstance(option.default, float):  # whole numbers too, for which kernels would be compiled once more
                object.__setattr__(self, option.name, float(value))
        sizing_of(self.sizing or "all-in")

    @classmethod
    def of(cls, given: dict[str, Any]) -> "Options":
        """Return options from names and values; raise OptionError for a name that is none of them."""
        names = {option.name for option in fields(cls)}
        for name in given:
            if name not in names:
                raise OptionError(f"unknown option {name!r}; the options are {', '.join(sorted(names))}")
        return cls(**given)


def sizing_of(text: str) -> tuple[str, float]:
    """Return name and number of a sizing such as "all-in" or "percent:25" (nan where it takes no number)."""
    name, _, number = text.partition(":")
    if name not in SIZINGS:
        raise OptionError(f"sizing={text!r}: no such sizing; choose one of {', '.join(SIZINGS)}")
    default = SIZINGS[name][1]
    if not number:
        return name, math.nan if default is None else default
    if default is None:
        raise OptionError(f"sizing={text!r}: {name} takes no number")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise OptionError(f"sizing={text!r}: write a positive number after the colon, such as {name}:{default:g}")
    return name, value


_CHOICES = {
    "fill": get_args(Fill),
    "size_at": get_args(SizeAt),
    "accounting": get_args(Accounting),
    "returns": get_args(Returns),
    "engine": get_args(Engine),
}
_POSITIVE = ("cash", "leverage")
_TEXTS = ("currency", "sizing")
_ANY_SIGN = ("swap_long_pct", "swap_short_pct", "risk_free_pct")


def _check(name: str, value: Any) -> None:
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise OptionError(f"{name}={value!r}: choose one of {', '.join(_CHOICES[name])}")
        return
    if name in _TEXTS:
        if not isinstance(value, str):
            raise OptionError(f"{name}={value!r}: write a text")
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OptionError(f"{name}={value!r}: write a number")
    if name == "rebalance" and math.isnan(value):
        return
    if not math.isfinite(value):
        raise OptionError(f"{name}={value!r}: write a finite number")
    if name in _POSITIVE and value <= 0:
        raise OptionError(f"{name}={value!r}: must be above 0")
    if name not in _ANY_SIGN and value < 0:
        raise OptionError(f"{name}={value!r}: must not be negative")
    if name in ("volume_cap", "margin_call") and value > 1:
        raise OptionError(f"{name}={value!r}: is a share, at most 1")
