"""Settings as people write them, and as they are told: of an account, and of what it follows."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from apps.execution.book_contracts import NUMBERED, ConfigureAccount
from apps.execution.contracts import Subscribe
from apps.execution.interface import AccountError
from apps.execution.settings_chain import RULES

_E9 = 10**9
_LARGEST = 10**9


def sizing_of(text: str) -> tuple[str, int]:
    """Return the rule and its number in billionths, as `Subscribe` has them, of "vol:15". Raises AccountError."""
    rule, _, number = text.partition(":")
    if rule and rule not in RULES:
        raise AccountError(f"sizing {text}: choose one of {', '.join(RULES)}")
    if rule in NUMBERED and not number:
        raise AccountError(f"sizing {rule}: it takes a number, such as {rule}:{NUMBERED[rule]}")
    try:
        size = float(number) if number else -1e-9
    except ValueError:
        raise AccountError(f"sizing {text}: {number!r} is not a number") from None
    if number and not 0.0 < size < _LARGEST:
        raise AccountError(f"sizing {text}: {number} is not above 0 and below a billion")
    return rule, round(size * 1e9)


def level_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a level of settings that are written by name; None: left to others. Raises AccountError."""
    rule, number = sizing_of(given.get("sizing") or "")
    return {
        "sizing": rule,
        "sizing_number_e9": number,
        "multiplier_e9": _in_e9("multiplier", given.get("multiplier")),
        "lots_max_e9": _in_e9("lots_max", given.get("lots_max")),
        "below_min": given.get("below_min") or "",
        "instruments": given.get("instruments"),
        "reverse": given.get("reverse"),
        "close_only": given.get("close_only"),
    }


def level_told(level: ConfigureAccount | Subscribe) -> dict[str, Any]:
    """Return a level of settings as `level_of` reads it."""
    number = f":{level.sizing_number_e9 / 1e9:.15g}" if level.sizing_number_e9 > 0 else ""
    return {
        "sizing": f"{level.sizing}{number}" if level.sizing else None,
        "multiplier": _told_e9(level.multiplier_e9),
        "lots_max": _told_e9(level.lots_max_e9),
        "below_min": level.below_min or None,
        "instruments": level.instruments,
        "reverse": level.reverse,
        "close_only": level.close_only,
    }


def followers_level_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is written by name for all who follow a set, as fields of `ConfigureSet`; None: its default.

    Raises AccountError.
    """
    level = level_of({name: value for name, value in given.items() if name != "instruments"})
    return given_of({name: value for name, value in level.items() if name != "instruments"})


def given_of(level: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a level that are given, as `ConfigureSet` takes them."""
    given = {name: value for name, value in level.items() if value not in (None, "", -1)}
    return given | ({"sizing_number_e9": max(0, level["sizing_number_e9"])} if "sizing" in given else {})


def subscription_told(found: Subscribe) -> dict[str, Any]:
    """Return a subscription as `subscription_of` reads it."""
    more = {"allocation": _told_e9(found.allocation_e9), "join": found.join, "symbols": found.symbols}
    return {"is_active": found.is_active, **more, **level_told(found)}


def subscription_of(name: str, given: Mapping[str, Any]) -> Subscribe:
    """Return the subscription to a set that is written by name. Raises AccountError."""
    return Subscribe(
        account=0,
        set=name,
        allocation_e9=_in_e9("allocation", given["allocation"]),
        join=given["join"],
        symbols=given["symbols"],
        is_active=given["is_active"],
        **level_of(given),
    )


def _in_e9(name: str, written: str | None) -> int:
    if written is None:
        return -1
    number = Decimal(written) * _E9
    if not 0 < number < _LARGEST * _E9 or number != number.to_integral_value():
        raise AccountError(f"{name} {written}: give a number above 0 and below a billion, with at most nine decimals")
    return int(number)


def _told_e9(number: int) -> str | None:
    return f"{(Decimal(number) / _E9).normalize():f}" if number > 0 else None
