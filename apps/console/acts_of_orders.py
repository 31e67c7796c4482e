"""Acts on orders: placed by hand, cancelled, and what people say of those that are UNKNOWN."""

import time
from collections.abc import Callable
from typing import Any

from apps.console.kinds import Danger, Done, Given, Kind
from apps.console.recording import Facts
from apps.execution import interface as execution
from apps.execution.book_contracts import Resolution
from apps.execution.contracts import PlaceManualOrder
from apps.feeds.interface import get_instrument
from apps.reporting import interface as reporting
from apps.reporting.interface import OrderRow, Scope

PLACED = ("account", "instrument", "lots", "limit", "stop", "in_force", "until")
IN_FORCE = {
    "gtc": "until it is cancelled", "day": "for the day", "ioc": "at once, or not at all in part",
    "fok": "at once and whole, or not at all", "gtd": "until a time",
}  # fmt: skip


RESOLVED_AFTER_SECONDS = 10
"""For how long an order has to have been UNKNOWN before somebody says that it never arrived."""


class OrderError(ValueError):
    """What was asked of an order cannot be: the message says why."""

    exit_code = 2


def wanted(given: Given) -> PlaceManualOrder:
    """Return the order that is written so. Raises OrderError, AccountError and InstrumentNotFound."""
    if reporting.account(Scope(account=given["account"])) is None:
        raise OrderError(f"there is no account {given['account']}")
    in_force = given["in_force"] or "gtc"
    if in_force not in IN_FORCE:
        raise OrderError(f"there is no time in force {in_force}: choose one of {', '.join(IN_FORCE)}")
    if (in_force == "gtd") != bool(given["until"]):
        raise OrderError("until: it belongs to gtd, and gtd needs it")
    lots = _number(given, "lots")
    if not lots:
        raise OrderError("lots: write how many; below 0 to sell")
    return execution.order_of(
        given["instrument"], lots, limit=_number(given, "limit"), stop=_number(given, "stop"), in_force=in_force,
        until=given["until"],
    )  # fmt: skip


def _number(given: Given, name: str) -> float | None:
    text = given[name].strip()
    try:
        return float(text) if text else None
    except ValueError:
        raise OrderError(f"{name}: {text!r} is no number: write one as 1234.5") from None


def _places(given: Given) -> list[str]:
    order, of = wanted(given), get_instrument(given["instrument"])
    lots = float(given["lots"])
    bid, ask = (ticks * of.tick_size for ticks in (order.bid_ticks, order.ask_ticks))
    how = " and ".join(f"{name} {given[name]}" for name in ("limit", "stop") if given[name]) or "at market"
    until = f" ({given['until']})" if given["until"] else ""
    held = [each for each in reporting.positions(Scope(account=given["account"], instrument=of.id), 100) if each.steps]
    holds = ", ".join(f"{each.lots:+,.10g} lots in {each.set}" for each in held) or "nothing"
    price = float(given["limit"] or given["stop"] or (ask if lots > 0 else bid))
    side, worth = "Buys" if lots > 0 else "Sells", abs(lots) * of.contract_size * price
    what = f"{abs(lots):,.10g} lots of {of.id} for {given['account']}"
    return [
        f"{side} {what}, {how}, {IN_FORCE[given['in_force'] or 'gtc']}{until}.",
        f"That is worth about {worth:,.2f} {of.currency}. Last close of its feed: bid {bid:.10g}, ask {ask:.10g}.",
        f"The account holds {holds} of it. What is traded here is of its book `manual`: strategy sets leave it alone.",
        "Risk decides on it like on any other order.",
    ]


def _place(given: Given, _: str, request: str) -> Done:
    execution.place_order(given["account"], wanted(given), request=request)
    told = {name: given[name] for name in PLACED if given[name]}
    return f"Asked: {given['lots']} lots of {given['instrument']} for {given['account']}.", dict(told)


def _order(given: Given) -> OrderRow:
    number: Any = given["decision"]
    found = None
    if number.isdecimal() and len(number) < 16:
        found = reporting.order(Scope(account=given["account"], instrument=given["instrument"]), int(number))
    if found is None:
        raise OrderError(f"there is no order {number} of {given['account']} in {given['instrument']}")
    return found


def _stands(given: Given) -> Facts:
    found = _order(given)
    return {"state": found.state, "lots": found.lots, "filled": found.filled}


def _cancels(given: Given) -> list[str]:
    found = _order(given)
    if found.ended_at_ns is not None or found.filled == found.lots:
        raise OrderError(f"order {found.decision} of {found.account} in {found.instrument} has ended: {found.state}")
    return [
        f"{found.account}: {found.lots:+,.10g} lots of {found.instrument}, of which {found.filled:+,.10g} are filled.",
        "The broker is asked to let it do no more. What it has filled stays, and it is not ordered again.",
        "A fill that is on its way already counts.",
    ]


def _cancel(given: Given, _: str, request: str) -> Done:
    execution.cancel_order(given["account"], given["instrument"], int(given["decision"]), request=request)
    return f"Asked: order {given['decision']} of {given['account']} does no more.", {"asked": "cancelled"}


def _unknown(given: Given) -> OrderRow:
    found = _order(given)
    if found.state != "Unknown":
        raise OrderError(
            f"order {found.decision} of {found.account} in {found.instrument} is not UNKNOWN any more: {found.state}"
        )
    return found


def _name(found: OrderRow) -> str:
    since = (time.time_ns() - (found.unknown_at_ns or time.time_ns())) / 1e9
    what = f"Order {found.decision} of {found.account}, {found.lots:+,.10g} lots of {found.instrument}"
    return f"{what}, UNKNOWN for {since:,.0f} s."


def _queries(given: Given) -> list[str]:
    return [_name(_unknown(given)), "Its broker is asked for it again, now. The edge asks by itself all the while."]


def _adopts(given: Given) -> list[str]:
    return [
        _name(_unknown(given)),
        "With this you say that the broker has it: that you have seen it there. It is taken to be working.",
        "Its fills are booked as the broker tells of them. Should the broker deny it later, the account is gated.",
        "The account may trade the instrument again.",
    ]


def _resolves(given: Given) -> list[str]:
    found = _unknown(given)
    since_ns = time.time_ns() - (found.unknown_at_ns or time.time_ns())
    if since_ns < RESOLVED_AFTER_SECONDS * 10**9:
        raise OrderError(f"it may still arrive: that it never did is not taken before {RESOLVED_AFTER_SECONDS} seconds")
    return [
        _name(found),
        "With this you say that it never arrived, and that the broker has closed the session that it was sent in.",
        "What it has reserved is released. The account trades the instrument again; a set that wants it orders anew.",
        "Should it have arrived after all, its fills are booked, and the account may hold twice as much.",
    ]


def _resolve(how: Resolution, told: str) -> Callable[[Given, str, str], Done]:
    def do(given: Given, why: str, request: str) -> Done:
        found = _unknown(given)
        execution.resolve_order(
            found.account, found.instrument, found.decision, how, reason=why, request=request
        )  # fmt: skip
        return f"Asked: order {found.decision} of {found.account} {told}.", {"asked": how.name.lower()}

    return do


_ORDER = ("account", "instrument", "decision")
ORDER_KINDS = (
    Kind("order.place", "Place an order", "Place it", Danger.SOME, _places, lambda _: {}, _place, about=PLACED,
         named_by=("account", "instrument")),
    Kind("order.cancel", "Cancel the order", "Cancel it", Danger.SOME, _cancels, _stands, _cancel, about=_ORDER),
    Kind("order.query", "Ask the broker for the order", "Ask now", Danger.NONE, _queries, _stands,
         _resolve(Resolution.QUERY, "is asked for"), about=_ORDER),
    Kind("order.adopt", "Say that the broker has the order", "Adopt it", Danger.SOME, _adopts, _stands,
         _resolve(Resolution.ADOPT, "works at the broker"), about=_ORDER),
    Kind("order.resolve", "Say that the order never arrived", "Resolve it", Danger.GREAT, _resolves, _stands,
         _resolve(Resolution.RESOLVE, "never arrived"), about=_ORDER, word="NEVER ARRIVED"),
)  # fmt: skip
