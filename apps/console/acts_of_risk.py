"""Acts on what may be traded: limits at each level, and the trading states of sets and instruments."""

import time
from collections.abc import Callable

from apps.console.kinds import Danger, Done, Given, Kind, NothingChangesError
from apps.console.limits import limit_title
from apps.console.recording import Facts
from apps.feeds.interface import get_instrument
from apps.reporting import interface as reporting
from apps.risk import interface as risk
from apps.risk.contracts import Limits, TradingState
from apps.signals.interface import get_set
from banyan.commands import counted

_DAY_NS = 24 * 3_600 * 10**9


def level_of(given: Given) -> str:
    """Return in words for whom limits are."""
    return " in ".join(filter(None, (given["account"], given["instrument"]))) or "all accounts"


def _changed(given: Given) -> tuple[Limits, Limits]:
    """Return the limits of a level as they were asked for last, and as they would be."""
    before = risk.limits_asked_for(given["account"], given["instrument"])
    return before, risk.limits_changed(before, given["limits"].split(), given["instrument"])


def _limits(given: Given) -> Facts:
    return {"limits": risk.limits_words(_changed(given)[0], given["instrument"])}


def _previewed(given: Given) -> list[str]:
    before, then = _changed(given)
    old, new = (risk.limits_words(each, given["instrument"]) for each in (before, then))
    told = [
        f"{limit_title(name)}: {_told(name, old)} becomes {_told(name, new)}, for {level_of(given)}."
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]
    if not told:
        raise NothingChangesError(f"Nothing changes: this is what is set for {level_of(given)}.")
    last = reporting.last_orders(time.time_ns() - _DAY_NS)
    found = risk.preview_limits(then, last, account=given["account"], instrument=given["instrument"])
    of = f"of {counted(found.accounts, 'account')}"
    whose, no, nothing = (given["account"], "no", "nothing") if given["account"] else ("No account", "an", "anything")
    told += [
        _refused(found.again, of, "asked for its last order of the last 24 hours once more")
        or f"{whose} has asked for {no} order in the last 24 hours.",
        _refused(found.turned, of, "turned round what it holds")
        or f"{whose} holds {nothing} that could be turned round.",
    ]
    if found.stopped:
        told.append(f"{counted(len(found.stopped), 'account')} {of} would be stopped by a loss at once.")
    told.append("Counted by risk on what it knows now, each order by itself, at market and at a price of now.")
    return told


def _told(name: str, values: dict[str, str]) -> str:
    return risk.limit_told(name, values[name]) if name in values else "not set"


def _refused(found: risk.Judged, of: str, asked: str) -> str:
    """Return what would be refused, "" where no account has anything to ask for."""
    if not found.accounts:
        return ""
    why = ", ".join(f"{reason} {count:,}" for reason, count in found.reasons.items())
    newly = f"would newly refuse {len(found.newly):,} {of}" if found.newly else f"would newly refuse none {of}"
    return (
        f"If each {asked}, it {newly}{f' ({why})' if why else ''}. {found.accounts:,} would ask; "
        f"{found.refused_now:,} are refused as limits are, {found.refused_then:,} would be."
    )


def _set_limits(given: Given, why: str, request: str) -> Done:
    then = _changed(given)[1]
    risk.set_limits(then, account=given["account"], instrument=given["instrument"], reason=why, request=request)
    words = risk.limits_words(then, given["instrument"])
    told = ", ".join(f"{limit_title(name).lower()} {risk.limit_told(name, value)}" for name, value in words.items())
    return f"Asked: limits of {level_of(given)} are {told or 'none'}.", {"asked": told or "none"}


def _states(level: str) -> Callable[[Given], Facts]:
    def before(given: Given) -> Facts:
        found = [each for each in reporting.restrictions() if (each.level, each.name) == (level, given[level])]
        return {"state": found[0].state if found else "active"}

    return before


def _state(level: str, state: TradingState) -> Callable[[Given, str, str], Done]:
    def do(given: Given, why: str, request: str) -> Done:
        _known(level, given[level])
        of_set, instrument = (given[level] if level == each else "" for each in ("set", "instrument"))
        risk.set_trading_state(state, set_name=of_set, instrument=instrument, reason=why, request=request)
        return f"Asked every shard: {level} {given[level]} is {state.name.lower()}.", {"asked": state.name.lower()}

    return do


def _means(level: str, state: TradingState) -> Callable[[Given], list[str]]:
    means = {
        TradingState.HALTED: "Only orders that are reduce-only pass; positions stay as they are.",
        TradingState.REDUCING: "Only orders that make a position smaller pass.",
        TradingState.ACTIVE: "Its orders pass within their limits again, unless something else is halted.",
    }

    def effect(given: Given) -> list[str]:
        name = given[level]
        _known(level, name)
        found = reporting.involved_in(level, name)
        held = (
            f"Accounts that hold something {_OF[level]} {name}: {found.accounts:,}. Working orders: {found.orders:,}."
        )
        return [held, means[state]]

    return effect


_OF = {"set": "of set", "instrument": "in"}


def _known(level: str, name: str) -> None:
    """Raise SetError or InstrumentNotFound for a name that nothing has."""
    if level == "set":
        get_set(name)
    else:
        get_instrument(name)


def _kinds_of(level: str) -> list[Kind]:
    parts = (
        ("halt", "Halt", TradingState.HALTED),
        ("reduce", "Reduce only", TradingState.REDUCING),
        ("activate", "Let it trade", TradingState.ACTIVE),
    )
    return [
        Kind(f"{level}.{name}", f"{button}: {level}", button, Danger.SOME, _means(level, state), _states(level),
             _state(level, state), about=(level,))
        for name, button, state in parts
    ]  # fmt: skip


RISK_KINDS = (
    Kind("risk.limits", "Change limits", "Change the limits", Danger.SOME, _previewed, _limits, _set_limits,
         about=("account", "instrument", "limits"), named_by=("account", "instrument")),
    *_kinds_of("set"),
    *_kinds_of("instrument"),
)  # fmt: skip
