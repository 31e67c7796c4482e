"""Orders as people type them: lots and prices into whole steps and ticks, at the last quote of the feed."""

from dataclasses import dataclass
from datetime import UTC, datetime

from apps.execution.contracts import InstrumentTerms, PlaceManualOrder
from apps.execution.interface import AccountError
from apps.execution.terms import terms_of
from apps.feeds.interface import last_quote
from trading.targets import DAY, FOK, GTC, GTD, IOC, LIMIT, MARKET, STOP, STOP_LIMIT

IN_FORCE = {"gtc": GTC, "day": DAY, "ioc": IOC, "fok": FOK, "gtd": GTD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """An order as it was typed: lots signed, prices in quote currency; `until` is an ISO time, UTC, for gtd."""

    instrument: str
    lots: float
    limit: float | None = None
    stop: float | None = None
    in_force: str = "gtc"
    until: str = ""


def order_of(typed: Typed) -> PlaceManualOrder:
    """Return the order, at the last quote. Raises AccountError and InstrumentNotFound."""
    terms = terms_of(typed.instrument)
    quote = last_quote(terms.id)
    if quote is None:
        raise AccountError(f"{terms.id}: its feed has let no price in yet, and an order is checked against one")
    limits = {(False, False): MARKET, (True, False): LIMIT, (False, True): STOP, (True, True): STOP_LIMIT}
    return PlaceManualOrder(
        account=0,
        terms=terms,
        steps=_whole(typed.lots, terms.lot_step_e9, f"{terms.id}: {typed.lots:g} lots are not whole steps"),
        bid_ticks=quote.bid_ticks,
        ask_ticks=quote.ask_ticks,
        quoted_at_ns=quote.closed_at_ns,
        order_type=int(limits[typed.limit is not None, typed.stop is not None]),
        limit_ticks=_ticks(terms, typed.limit),
        stop_ticks=_ticks(terms, typed.stop),
        time_in_force=int(IN_FORCE[typed.in_force]),
        expires_ns=_until_ns(typed.until),
    )


def _ticks(terms: InstrumentTerms, price: float | None) -> int:
    if price is None:
        return 0
    if not price > 0.0:
        raise AccountError(f"{terms.id}: a price of {price:g} is not above 0")
    return _whole(price, terms.tick_e9, f"{terms.id}: a price of {price:.12g} is not whole ticks")


def _whole(number: float, unit_e9: int, problem: str) -> int:
    count = round(number * 1e9 / unit_e9)
    if abs(count * unit_e9 - number * 1e9) > 1e-6 * unit_e9:
        raise AccountError(f"{problem} of {unit_e9 / 1e9:g}")
    return count


def _until_ns(text: str) -> int:
    if not text:
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise AccountError(f"--until {text}: it is no time such as 2026-03-02T16:00") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e9)
