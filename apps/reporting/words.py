"""Why orders were refused and targets skipped, in sentences for whoever has to explain it to a client."""

from collections.abc import Callable, Mapping, Sequence

from apps.execution.book_contracts import SkipReason
from apps.execution.contracts import EdgeRefusal
from apps.reporting.reading import OrderRow, place_of
from apps.reporting.unfolding import RefusalRow, refusals_of
from apps.risk.contracts import RefusalReason


def _micro(value: int) -> str:
    return f"{value / 1e6:,.2f}"


def _percent(value: int) -> str:
    return f"{value / 1e7:,.2f} %"


def _times(value: int) -> str:
    return f"{value / 1e9:,.2f}"


def _seconds(value: int) -> str:
    return f"{value / 1e9:,.1f} s"


def _whole(value: int) -> str:
    return f"{value:,}"


_RISK: Mapping[RefusalReason, tuple[str, Callable[[int], str]]] = {
    RefusalReason.HALTED: ("Trading was halted.", _whole),
    RefusalReason.REDUCING: ("Only orders that make a position smaller were let through.", _whole),
    RefusalReason.MAX_POSITION: (
        "The position would have become {actual} lot steps where {bound} are the most.",
        _whole,
    ),
    RefusalReason.MAX_ORDER: ("It was for {actual} lot steps where an order may have {bound}.", _whole),
    RefusalReason.MAX_NOTIONAL: ("It was worth {actual} where an order may be worth {bound}.", _micro),
    RefusalReason.GROSS_EXPOSURE: ("Gross exposure would have become {actual} where {bound} is the most.", _micro),
    RefusalReason.NET_EXPOSURE: ("Net exposure would have become {actual} where {bound} is the most.", _micro),
    RefusalReason.LEVERAGE: ("Leverage would have become {actual} where {bound} is the most.", _times),
    RefusalReason.MARGIN: ("Margin would have taken {actual} of equity where it may take {bound}.", _percent),
    RefusalReason.ORDERS_PER_SECOND: (
        "It would have been order {actual} of a second where {bound} are the most.",
        _whole,
    ),
    RefusalReason.ORDERS_PER_MINUTE: (
        "It would have been order {actual} of a minute where {bound} are the most.",
        _whole,
    ),
    RefusalReason.PRICE_COLLAR: ("Its price was {actual} from the quote where {bound} is the most.", _percent),
    RefusalReason.STALE_PRICE: (
        "The price that it was decided on was {actual} old where {bound} is the most.",
        _seconds,
    ),
    RefusalReason.DAILY_LOSS: ("The account had lost {actual} of the day's equity where {bound} stops it.", _percent),
    RefusalReason.WEEKLY_LOSS: ("The account had lost {actual} of the week's equity where {bound} stops it.", _percent),
    RefusalReason.MONTHLY_LOSS: (
        "The account had lost {actual} of the month's equity where {bound} stops it.",
        _percent,
    ),
    RefusalReason.DRAWDOWN: ("Equity was {actual} under its highest where {bound} stops the account.", _percent),
    RefusalReason.DAILY_BALANCE_LOSS: (
        "The account had lost {actual} of the day's balance where {bound} stops it.",
        _percent,
    ),
    RefusalReason.WEEKLY_BALANCE_LOSS: (
        "The account had lost {actual} of the week's balance where {bound} stops it.",
        _percent,
    ),
    RefusalReason.MONTHLY_BALANCE_LOSS: (
        "The account had lost {actual} of the month's balance where {bound} stops it.",
        _percent,
    ),
    RefusalReason.BALANCE_DRAWDOWN: (
        "Balance was {actual} under its highest where {bound} stops the account.",
        _percent,
    ),
    RefusalReason.NOT_ALLOWED: ("The account may not trade this instrument.", _whole),
    RefusalReason.DUPLICATE: ("An order with this number had been decided on before.", _whole),
    RefusalReason.SESSION_CLOSED: ("The instrument's session was closed.", _whole),
    RefusalReason.UNKNOWN_ACCOUNT: ("Risk did not know the account yet.", _whole),
    RefusalReason.NO_EQUITY: ("The account had no equity left.", _whole),
    RefusalReason.NOT_REDUCING: ("It said that it only reduces, and would have opened or enlarged a position.", _whole),
    RefusalReason.IMPOSSIBLE: ("It is no order that can be.", _whole),
}

_EDGE: Mapping[EdgeRefusal, str] = {
    EdgeRefusal.DEADLINE_PASSED: "Its deadline had passed before it could be sent.",
    EdgeRefusal.KILL_SWITCH: "The kill switch was thrown, or not heard.",
    EdgeRefusal.EPOCH_ENDED: "Who had decided on it was not in charge any more.",
    EdgeRefusal.DECISION_PASSED: "A later decision of this account and instrument had been sent already.",
    EdgeRefusal.NOT_RECONCILED: "The broker had not said yet what the account holds.",
    EdgeRefusal.NO_SESSION: "There was no session with the broker.",
    EdgeRefusal.LEASE_LOST: "The process that would have sent it had lost its right to.",
    EdgeRefusal.BROKER_CANNOT: "The broker does not take orders of this kind.",
    EdgeRefusal.RATE_LIMIT: "The broker takes no more orders for now.",
    EdgeRefusal.CLOCK_STEPPED: "This machine's clock had stepped.",
    EdgeRefusal.GATED: "The account is gated: a person has to look at it.",
    EdgeRefusal.FROZEN: "An order of this account and instrument is UNKNOWN, so nothing else is sent.",
    EdgeRefusal.RECALLED: "It was cancelled before it had been sent.",
}

_SKIPPED: Mapping[SkipReason, str] = {
    SkipReason.UNCHANGED: "Nothing was to be done: it holds what the set wants.",
    SkipReason.BELOW_MIN: "What was to be done is less than the smallest quantity.",
    SkipReason.NOT_ALLOWED: "The account's settings leave this instrument out.",
    SkipReason.CLOSE_ONLY: "The account only closes.",
    SkipReason.WAITS_FOR_CHANGE: "It joined late, and waits for the set's next change.",
    SkipReason.NO_PRICE: "There was no price.",
    SkipReason.NOT_SIZED: "The sizing rule gave no quantity.",
    SkipReason.FROZEN: "An order of this instrument is UNKNOWN, so nothing else is ordered.",
    SkipReason.NOT_RECONCILED: "The broker had not said yet what the account holds.",
    SkipReason.FLATTENED: "The account was flattened, and nobody has resumed it.",
    SkipReason.NO_EQUITY: "The account had no equity left.",
    SkipReason.CROSSED: "Another book of the account gave the lots: no order was needed.",
    SkipReason.WAITS_FOR_ORDER: "An order the other way was on its way; the rest is ordered when that has ended.",
    SkipReason.ENTRY_NOT_SUPPORTED: "The broker does not take entries of this kind.",
    SkipReason.BRACKET_NOT_SUPPORTED: "The broker does not take stops and targets like these.",
    SkipReason.HEDGING_NOT_SUPPORTED: "Hedging accounts were not traded then.",
    SkipReason.NO_CONVERSION: "There is no rate from the instrument's currency to the account's.",
    SkipReason.NO_TERMS: "The terms of the instrument were not known.",
}


def with_reasons(orders: Sequence[OrderRow]) -> list[OrderRow]:
    """Return orders, those of them that were refused with the reason in a sentence."""
    refusals = refusals_of(orders)
    return [
        row if (refusal := refusals.get(place_of(row))) is None else row._replace(why=refusal_in_words(refusal))
        for row in orders
    ]


def refusal_in_words(row: RefusalRow) -> str:
    """Return why an order was refused, with the limit, the value, and the level at which the limit was set."""
    if row.by == "risk":
        reason = next((each for each in RefusalReason if _plain(each.name) == row.reason), None)
        if reason is None or reason not in _RISK:
            return row.reason
        text, told = _RISK[reason]
        sentence = text.format(actual=told(row.actual), bound=told(row.bound))
        return f"{sentence} Set for {_LEVELS.get(row.level, row.level)}." if "{bound}" in text else sentence
    if row.by == "edge":
        return next((text for each, text in _EDGE.items() if _plain(each.name) == row.reason), row.reason)
    return row.reason


def skip_in_words(reason: str) -> str:
    """Return why an account got no order for a target."""
    return next((text for each, text in _SKIPPED.items() if _plain(each.name) == reason), reason)


_LEVELS = {
    "global": "all accounts", "set": "the set", "account": "the account", "instrument": "the instrument",
    "account instrument": "the account in this instrument",
}  # fmt: skip


def _plain(name: str) -> str:
    return name.lower().replace("_", " ")
