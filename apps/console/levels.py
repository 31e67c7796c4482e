"""What is said of trading for a set, an account, or how it follows one, as a line of text that an address can hold.

Such as "sizing=vol:15; multiplier=2; close_only=yes". What is left out is left to the level before.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

_YES = {"yes": True, "no": False}
_DIGITS_MAX = 9


class LevelError(ValueError):
    """What was typed is no setting: the message names it, and says what it looks like."""

    exit_code = 2


class Asked(NamedTuple):
    """A setting as a form asks for it: in words, what it means, and what it can be (nothing: it is typed)."""

    name: str
    title: str
    doc: str
    choices: tuple[str, ...] = ()


OF_ACCOUNT = (
    Asked("sizing", "Sizing",
          "what a weight of 1 is: percent:50 (of equity), vol:15 (percent of volatility a year), risk:1 (percent lost "
          "at the stop loss), lots:2, kelly:0.5, all-in, equal, weights"),
    Asked("multiplier", "Multiplier", "times each quantity: 0.5 halves it"),
    Asked("lots_max", "Most lots", "of one instrument, such as 2.5"),
    Asked("below_min", "Less than the smallest lot", "skip: nothing is traded; round-up: the smallest lot is",
          ("skip", "round-up")),
    Asked("instruments", "Only these instruments",
          "such as OANDA:EURUSD, several with commas; nothing else is traded"),
    Asked("reverse", "Reversed", "yes: it buys where the set sells, and sells where it buys", ("yes", "no")),
    Asked("close_only", "Only closes", "yes: positions may become smaller, never larger", ("yes", "no")),
)  # fmt: skip
OF_SET = tuple(each for each in OF_ACCOUNT if each.name != "instruments")
"""What is set for all who follow a set: it trades what it trades, whoever follows it."""
_OF_SUBSCRIPTION = (
    Asked("is_active", "Follows the set", "no: it opens nothing more of it", ("yes", "no")),
    Asked("allocation", "Share of equity", "from 0 to 1: 0.5 trades with half of it"),
    Asked("join", "Begins", "converge: at once, with what the set holds; next-change: with the set's next word",
          ("converge", "next-change")),
    Asked("symbols", "Traded instead", "such as OANDA:EURUSD=FX:EURUSD, several with commas"),
)  # fmt: skip
OF_FOLLOWING = (*_OF_SUBSCRIPTION, *OF_ACCOUNT)
"""What holds for how an account follows a set; of what only that has, all but `symbols` must be given."""


_TITLES = {each.name: each.title for each in OF_FOLLOWING}


def title(name: str) -> str:
    """Return what a setting is called in words."""
    return _TITLES.get(name, name)


def written(told: Mapping[str, Any]) -> dict[str, str]:
    """Return settings, as execution tells them, as they are typed; those that are left to others are left out."""
    return {name: _text(value) for name, value in told.items() if value not in (None, {}, "")}


def line(typed: Mapping[str, str]) -> str:
    """Return settings that were typed as one line."""
    return "; ".join(f"{name}={text.strip()}" for name, text in typed.items() if text.strip())


def typed_in(text: str) -> dict[str, str]:
    """Return what a line says, as it was typed. Raises LevelError."""
    parts = [each.strip().partition("=") for each in text.split(";") if each.strip()]
    for name, equals, _ in parts:
        if not equals:
            raise LevelError(f"{name!r} is no setting such as multiplier=2")
    return {name.strip(): value.strip() for name, _, value in parts}


def given(typed: Mapping[str, str], asked: tuple[Asked, ...]) -> dict[str, Any]:
    """Return settings of a level, at which `asked` can be given, as execution takes them. Raises LevelError."""
    known = {each.name: each for each in asked}
    if unknown := sorted(set(typed) - set(known)):
        raise LevelError(f"there is no setting {', '.join(unknown)}; there are {', '.join(known)}")
    values = {name: _value(each, typed.get(name, "").strip()) for name, each in known.items()}
    if asked is OF_FOLLOWING:
        values["symbols"] = values["symbols"] or {}
        if missing := [each.name for each in _OF_SUBSCRIPTION if values[each.name] is None]:
            raise LevelError(f"{', '.join(missing)}: say what it is to be")
    return values


def _value(of: Asked, text: str) -> Any:
    if not text:
        return None
    if of.choices and text not in of.choices:
        raise LevelError(f"{of.name}: {text!r} is none of {', '.join(of.choices)}")
    if of.choices == tuple(_YES):
        return _YES[text]
    if of.name == "instruments":
        return [each.strip().upper() for each in text.split(",") if each.strip()]
    if of.name == "symbols":
        return _symbols(text)
    if of.name in ("multiplier", "lots_max", "allocation"):
        return _number(of.name, text)
    return text


def _number(name: str, text: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or number.adjusted() > _DIGITS_MAX:
        raise LevelError(f"{name}: {text!r} is no number below a billion: write one as 1234.5")
    return text


def _symbols(text: str) -> dict[str, str]:
    pairs = [each.partition("=") for each in text.split(",") if each.strip()]
    if any(not of.strip() or not traded.strip() for of, _, traded in pairs):
        raise LevelError(f"symbols: {text!r} is no list such as OANDA:EURUSD=FX:EURUSD")
    return {of.strip().upper(): traded.strip().upper() for of, _, traded in pairs}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ",".join(f"{of}={traded}" for of, traded in value.items())
    return ",".join(value) if isinstance(value, list) else str(value)
