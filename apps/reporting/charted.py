"""What is drawn on an instrument's chart: its last quote, what sets wanted, and what was filled."""

from datetime import UTC, datetime
from typing import NamedTuple

from apps.reporting.reading import OrderRow
from apps.reporting.scoping import rows
from apps.signals.contracts import TargetSet
from banyan.codec import decode_message

_QUOTES_BACK = 200
_DAY_NS = 86_400 * 10**9


class QuoteRow(NamedTuple):
    """Bid and ask of an instrument, and the close of the bar that they are of."""

    bid: float
    ask: float
    closed_at_ns: int


class FillMark(NamedTuple):
    """What was bought and sold from `at_ns` on for the length of a bar: lots, and fills of any account."""

    at_ns: int
    bought_lots: float
    sold_lots: float
    fills: int


class TargetMark(NamedTuple):
    """What a set wanted of an instrument from a time on."""

    at_ns: int
    set: str
    value: float
    mode: str


def last_quotes(instruments: list[str]) -> dict[str, QuoteRow]:
    """Return the newest quote of each instrument that one of the last bars of its feed gave."""
    found = rows(
        """
        SELECT DISTINCT ON (i.name) i.name, q.bid_ticks[i.place] * t.tick_e9 / 1e9,
          q.ask_ticks[i.place] * t.tick_e9 / 1e9, q.closed_at_ns
        FROM (SELECT DISTINCT split_part(name, ':', 1) AS venue FROM unnest(%s::text[]) AS w(name)) AS f
        CROSS JOIN LATERAL (SELECT * FROM reporting_quote AS l WHERE l.feed = lower(f.venue)
          ORDER BY l.feed DESC, l.number DESC LIMIT %s) AS q
        CROSS JOIN LATERAL unnest(q.instruments) WITH ORDINALITY AS i(name, place)
        JOIN reporting_instrument AS t ON t.id = i.name
        WHERE i.name = ANY(%s) ORDER BY i.name, q.closed_at_ns DESC
        """,
        [instruments, _QUOTES_BACK, instruments],
    )
    return {name: QuoteRow(float(bid), float(ask), at_ns) for name, bid, ask, at_ns in found}


def quote_of(order: OrderRow) -> QuoteRow | None:
    """Return the quote that an order was decided on."""
    found = rows(
        """
        SELECT o.bid_ticks * i.tick_e9 / 1e9, o.ask_ticks * i.tick_e9 / 1e9, o.decided_at_ns FROM reporting_order AS o
        JOIN reporting_account AS a ON a.number = o.account JOIN reporting_instrument AS i ON i.id = o.instrument
        WHERE a.id = %s AND o.instrument = %s AND o.decision = %s AND o.bid_ticks > 0 AND o.ask_ticks > 0
        """,
        [order.account, order.instrument, order.decision],
    )
    return next((QuoteRow(float(bid), float(ask), at_ns) for bid, ask, at_ns in found), None)


def fill_marks(instrument: str, since_ns: int, until_ns: int, interval_ns: int, most: int) -> list[FillMark]:
    """Return what was traded in each bar of a window, the last bars of it, oldest first."""
    found = rows(
        """
        SELECT f.filled_at_ns / %s * %s AS at_ns, sum(greatest(f.steps, 0)) * i.lot_step_e9 / 1e9,
          sum(least(f.steps, 0)) * i.lot_step_e9 / 1e9, count(*)
        FROM reporting_fill AS f JOIN reporting_instrument AS i ON i.id = f.instrument
        WHERE f.instrument = %s AND f.kind = 0 AND f.at >= %s AND f.at < %s AND f.filled_at_ns >= %s
          AND f.filled_at_ns < %s
        GROUP BY 1, i.lot_step_e9 ORDER BY 1 DESC LIMIT %s
        """,
        [interval_ns, interval_ns, instrument, _moment(since_ns - _DAY_NS), _moment(until_ns + _DAY_NS), since_ns,
         until_ns, most],
    )  # fmt: skip
    return [FillMark(at_ns, float(bought), float(sold), count) for at_ns, bought, sold, count in reversed(found)]


def target_marks(instrument: str, since_ns: int, until_ns: int, most: int) -> list[TargetMark]:
    """Return what sets wanted of an instrument in a window, the last of it, oldest first."""
    found = rows(
        "SELECT said_at_ns, body FROM reporting_signal WHERE at >= %s AND said_at_ns >= %s AND said_at_ns < %s "
        "AND instruments @> ARRAY[%s] ORDER BY said_at_ns DESC LIMIT %s",
        [_moment(since_ns - _DAY_NS), since_ns, until_ns, instrument, most],
    )
    told = []
    for said_at_ns, body in reversed(found):
        message = decode_message(TargetSet.wire_name, bytes(body))
        assert isinstance(message, TargetSet)
        told += [
            TargetMark(said_at_ns, message.set, value, "lots" if mode else "weight")
            for quote, mode, value in zip(message.quotes, message.mode.tolist(), message.value, strict=True)
            if quote.instrument == instrument
        ]
    return told


def _moment(time_ns: int) -> datetime:
    return datetime.fromtimestamp(min(max(time_ns, 0), 4 * 10**18) / 1e9, UTC)
