"""Limits and sessions as people write and read them."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from enum import Enum, auto
from typing import ClassVar

import msgspec

from apps.risk.contracts import Limits, SessionWindow
from apps.risk.sessions import WEEK_MINUTES

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
UNSET = "none"
_WINDOW = re.compile(r"([A-Z][a-z]{2}) (\d\d):(\d\d)-([A-Z][a-z]{2}) (\d\d):(\d\d)")
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(\D*)")
_DAY_MINUTES = 24 * 60


class WordsError(ValueError):
    """What was written is no limit or session: the message says what is wrong and what one looks like."""

    exit_code: ClassVar = 2


class Unit(Enum):
    """What a limit is counted in."""

    QUANTITY = auto()
    MONEY = auto()
    SHARE = auto()
    TIME = auto()
    TIMES = auto()
    COUNT = auto()
    ANSWER = auto()


_WRITTEN: Mapping[Unit, tuple[str, int]] = {
    Unit.MONEY: ("", 6), Unit.SHARE: ("%", 7), Unit.TIME: ("s", 9), Unit.TIMES: ("", 9), Unit.COUNT: ("", 0),
}  # fmt: skip
"""How it ends in writing, and the power of ten between that and the contract's number."""

_TOLD: Mapping[Unit, str] = {
    Unit.MONEY: " in the account's currency", Unit.SHARE: " %", Unit.TIME: " s", Unit.TIMES: " times equity",
    Unit.COUNT: "",
}  # fmt: skip
"""How it ends where people read it."""

WORDS: Mapping[str, tuple[str, Unit, str]] = {
    "position": ("position_steps_max", Unit.QUANTITY, "5lots (of an instrument) or 50steps"),
    "order": ("order_steps_max", Unit.QUANTITY, "5lots (of an instrument) or 50steps"),
    "order-notional": ("order_notional_micro_max", Unit.MONEY, "50000, in the account's currency"),
    "collar": ("collar_e9_max", Unit.SHARE, "2%, of the quote"),
    "price-age": ("price_age_ns_max", Unit.TIME, "30s"),
    "gross": ("gross_micro_max", Unit.MONEY, "200000, in the account's currency"),
    "net": ("net_micro_max", Unit.MONEY, "100000, in the account's currency"),
    "leverage": ("leverage_e9_max", Unit.TIMES, "10, of notional per unit of equity"),
    "margin": ("margin_e9_max", Unit.SHARE, "80%, of equity"),
    "orders-per-second": ("orders_per_second_max", Unit.COUNT, "5"),
    "orders-per-minute": ("orders_per_minute_max", Unit.COUNT, "60"),
    "daily-loss": ("daily_loss_e9_max", Unit.SHARE, "5%, of equity before the day"),
    "daily-balance-loss": ("daily_balance_loss_e9_max", Unit.SHARE, "5%, of balance before the day"),
    "weekly-loss": ("weekly_loss_e9_max", Unit.SHARE, "8%"),
    "weekly-balance-loss": ("weekly_balance_loss_e9_max", Unit.SHARE, "8%"),
    "monthly-loss": ("monthly_loss_e9_max", Unit.SHARE, "10%"),
    "monthly-balance-loss": ("monthly_balance_loss_e9_max", Unit.SHARE, "10%"),
    "drawdown": ("drawdown_e9_max", Unit.SHARE, "20%, of the highest equity"),
    "balance-drawdown": ("balance_drawdown_e9_max", Unit.SHARE, "20%, of the highest balance"),
    "flatten-on-stop": ("flatten_on_stop", Unit.ANSWER, "yes or no: close what is held when a loss stops it"),
}
"""Of each word: the field of `Limits`, its unit, and what a value looks like."""


def changed_limits(before: Limits, written: Iterable[str], lot_step_e9: int | None = None) -> Limits:
    """Return limits with those changed that are written as NAME=VALUE; the value `none` takes one away.

    `lot_step_e9` is that of the instrument they are for, None where they are for all. Raises WordsError.
    """
    values = msgspec.structs.asdict(before)
    for each in written:
        name, equals, value = each.partition("=")
        if name not in WORDS or not equals or not value:
            raise WordsError(f"{each!r} is no limit: write NAME=VALUE with one of {', '.join(WORDS)}")
        field, unit, _ = WORDS[name]
        values[field] = -1 if value == UNSET else _number(name, value, unit, lot_step_e9)
    return Limits(**values)


def limits_in_words(limits: Limits, lot_step_e9: int | None = None) -> dict[str, str]:
    """Return the limits that are set, by their words, as `changed_limits` reads them."""
    values = msgspec.structs.asdict(limits)
    return {
        name: value_in_words(name, values[field], lot_step_e9)
        for name, (field, *_) in WORDS.items()
        if values[field] != -1
    }


def value_in_words(name: str, number: int, lot_step_e9: int | None = None) -> str:
    """Return the value of the limit `name` as `changed_limits` reads it."""
    unit = WORDS[name][1]
    if unit is Unit.ANSWER:
        return "yes" if number else "no"
    if unit is Unit.QUANTITY:
        if lot_step_e9 is None:
            return f"{number}steps"
        return f"{_plain(Decimal(number) * lot_step_e9 / 10**9)}lots"
    ending, power = _WRITTEN[unit]
    return f"{_plain(Decimal(number).scaleb(-power))}{ending}"


def value_told(name: str, written: str) -> str:
    """Return a value as `value_in_words` writes it, for people: with separators, and its unit in words."""
    found = _AMOUNT.fullmatch(written)
    if found is None:
        return written
    number, ending = found.groups()
    return f"{Decimal(number):,f}{_TOLD.get(WORDS[name][1], f' {ending}')}"


def window_of(written: str) -> SessionWindow:
    """Return the weekly window that is written as "Sun 17:00-Fri 17:00". Raises WordsError."""
    found = _WINDOW.fullmatch(written)
    if found is None:
        raise WordsError(f'{written!r} is no session: write one as "Sun 17:00-Fri 17:00"')
    opens, closes = (_minute(written, *found.groups()[first : first + 3]) for first in (0, 3))
    return SessionWindow(opens_minute=opens % WEEK_MINUTES, closes_minute=closes or WEEK_MINUTES)


def window_in_words(window: SessionWindow) -> str:
    """Return a window as `window_of` reads it."""
    return "-".join(_moment(minute) for minute in (window.opens_minute, window.closes_minute))


def _number(name: str, value: str, unit: Unit, lot_step_e9: int | None) -> int:
    looks = f"write it as {name}={WORDS[name][2]}; {name}={UNSET} takes it away"
    if unit is Unit.ANSWER:
        if value not in ("yes", "no"):
            raise WordsError(f"{name}={value}: {looks}")
        return int(value == "yes")
    if unit is Unit.QUANTITY:
        ending, per_unit = "steps", Decimal(1)
        if value.endswith("lots"):
            if lot_step_e9 is None:
                raise WordsError(f"{name}={value}: lots are those of an instrument, give --instrument, or write steps")
            ending, per_unit = "lots", Decimal(10**9) / lot_step_e9
    else:
        ending, power = _WRITTEN[unit]
        per_unit = Decimal(10) ** power
    try:
        amount = Decimal(value.removesuffix(ending)) * per_unit
    except InvalidOperation:
        amount = Decimal("nan")
    if not value.endswith(ending) or not amount.is_finite() or amount < 0:
        raise WordsError(f"{name}={value}: {looks}")
    if amount != amount.to_integral_value():
        smallest = value_in_words(name, 1, lot_step_e9)
        raise WordsError(f"{name}={value} is no multiple of {smallest}")
    return int(amount)


def _minute(written: str, day: str, hour: str, minute: str) -> int:
    if day not in DAYS or int(minute) > 59 or int(hour) * 60 + int(minute) > _DAY_MINUTES:
        raise WordsError(f"{written!r}: {day} {hour}:{minute} is no time of the week; days are {', '.join(DAYS)}")
    return DAYS.index(day) * _DAY_MINUTES + int(hour) * 60 + int(minute)


def _moment(minute: int) -> str:
    day, of_day = divmod(minute % WEEK_MINUTES, _DAY_MINUTES)
    return f"{DAYS[day]} {of_day // 60:02d}:{of_day % 60:02d}"


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
