"""What is asked of everything at once: profit and exposure by set, orders a minute, times, what needs a person.

Sums over accounts are made by the database, so that an answer costs the same however it is cut; each is rounded once,
after the accounts of a set, an instrument and a currency were added up.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from apps.execution.contracts import CashKind
from apps.reporting.earnings import Terms
from apps.reporting.kept import Kept
from apps.reporting.rates import Rates
from apps.reporting.scoping import rows
from apps.risk.contracts import Level, TradingState

_MINUTE_NS = 60 * 10**9
_KEPT = Kept("execution")
_LATELY = Kept("feeds", "execution", "edge", "risk")
_SPEED_NS = 10 * 10**9
"""So much later is the time that orders took looked up again where nothing was read: it is of those of late."""
_Rows = list[tuple[Any, ...]]
_Closes = Mapping[str, Sequence[tuple[date, int, int]]]
_Priced = tuple[Mapping[str, Terms], _Closes, _Closes]


class SetRow(NamedTuple):
    """A set today, in one currency. `net`, `gross` and what follows from them are None where a price is missing."""

    set: str
    currency: str
    accounts: int
    today: float | None
    realised_today: float
    open: float | None
    net: float | None
    gross: float | None


class Today(NamedTuple):
    """Today by set, and by class of instrument: there `set` is the class, `accounts` the positions that are held."""

    sets: list[SetRow]
    classes: list[SetRow]


class BrokerRow(NamedTuple):
    """A broker: how many accounts are there, how many of their orders are UNKNOWN, when it acknowledged one lately."""

    broker: str
    accounts: int
    unknown: int
    accepted_at_ns: int | None


class HeldBySet(NamedTuple):
    """What the accounts that follow a set hold of an instrument in one currency; None: a price is missing."""

    set: str
    instrument: str
    currency: str
    accounts: int
    long_lots: float
    short_lots: float
    value: float | None
    unrealised: float | None


class SetNow(NamedTuple):
    """A set today, and what its accounts hold."""

    today: list[SetRow]
    held: list[HeldBySet]


class Minute(NamedTuple):
    """What was ordered and refused in a minute that began at `at_ns`."""

    at_ns: int
    orders: int
    refusals: int


class Speed(NamedTuple):
    """How long it took from a bar that was let in to the order that was sent; None: there were no orders."""

    orders: int
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    accepted_at_ns: int | None


class Funds(NamedTuple):
    """What all accounts in one currency are worth."""

    currency: str
    accounts: int
    balance: float
    equity: float
    margin: float


class Restriction(NamedTuple):
    """A trading state other than active: `level` in words, whose, which, why; how many accounts where it is theirs."""

    level: str
    name: str
    state: str
    reason: str
    changed_at_ns: int
    accounts: int
    is_stop: bool


class Unresolved(NamedTuple):
    """Orders of which nobody knows whether they arrived."""

    orders: int
    since_ns: int | None


@dataclass(slots=True)
class _Sum:
    """Micro units; None where a price is missing."""

    accounts: int = 0
    earned: int = 0
    change: int | None = 0
    open: int | None = 0
    net: int | None = 0
    gross: int | None = 0

    def add(self, part: str, amount: int | None) -> None:
        known = getattr(self, part)
        setattr(self, part, None if known is None or amount is None else known + amount)


def by_set() -> list[SetRow]:
    """Return what each set has earned today, in the accounts' days, and what it holds."""
    return today({}).sets


def today(class_of: Mapping[str, str]) -> Today:
    """Return what was earned today, in the accounts' days, and what is held: by set, and by class of instrument.

    `class_of` says of which class an instrument is; what it does not name is of the class "".
    """
    return _today(_books(), _cash_today(), class_of, _terms_and_closes())


def of_set(name: str) -> SetNow:
    """Return what `by_set` and `held` tell of a set."""
    books, priced = _books(name), _terms_and_closes()
    rows_of_all = _today(books, _cash_today(), {}, priced).sets
    return SetNow([each for each in rows_of_all if each.set == name], _held(books, priced))


def held() -> list[HeldBySet]:
    """Return what the accounts of each set hold together, by instrument and currency."""
    return _held(_books(), _terms_and_closes())


def _today(books: _Rows, cash: _Rows, class_of: Mapping[str, str], priced: _Priced) -> Today:
    terms, now, before = priced
    rates_now, rates_before = (
        Rates({name: (each.currency, each.tick_e9) for name, each in terms.items()}, closes) for closes in (now, before)
    )
    sums: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
    classes: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    for book, instrument, currency, via, accounts, *numbers in books:
        steps, long, cost, realised, fees, steps_before, cost_before = map(int, numbers)
        of, total = terms.get(instrument), sums[book, currency]
        of_class = classes[class_of.get(instrument, ""), currency]
        worth, above, below = (
            _value(of, each, now.get(instrument), rates_now, (currency, via)) for each in (steps, long, long - steps)
        )
        was = _value(of, steps_before, before.get(instrument), rates_before, (currency, via))
        if was is None:  # the first day of an instrument: there is nothing to compare with
            was = _value(of, steps_before, now.get(instrument), rates_now, (currency, via))
        is_known = worth is not None and above is not None and below is not None and was is not None
        counts[book, currency, instrument] += accounts
        total.accounts = max(total.accounts, counts[book, currency, instrument])
        of_class.accounts += accounts
        for each in (total, of_class):
            each.earned += realised - fees
            each.add("change", worth - cost - (was - cost_before) if is_known else None)  # type: ignore[operator]
            each.add("open", worth - cost if is_known else None)  # type: ignore[operator]
            each.add("net", worth)
            each.add("gross", above + below if is_known else None)  # type: ignore[operator]
    for book, instrument, currency, amount in cash:
        sums[book, currency].earned += int(amount)
        classes[class_of.get(instrument, ""), currency].earned += int(amount)
    return Today(_rows_of(sums), _rows_of(classes))


def _rows_of(sums: Mapping[tuple[str, str], _Sum]) -> list[SetRow]:
    return [_set_row(name, currency, of) for (name, currency), of in sorted(sums.items())]


def _held(books: _Rows, priced: _Priced) -> list[HeldBySet]:
    terms, now, _ = priced
    rates = Rates({each: (of.currency, of.tick_e9) for each, of in terms.items()}, now)
    sums: dict[tuple[str, str, str], _Sum] = defaultdict(_Sum)
    sides: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for book, instrument, currency, via, accounts, *numbers in books:
        steps, long, cost = map(int, numbers[:3])
        if not accounts:
            continue
        worth = _value(terms.get(instrument), steps, now.get(instrument), rates, (currency, via))
        total, of_sides = sums[book, instrument, currency], sides[book, instrument, currency]
        total.accounts += accounts
        total.add("net", worth)
        total.add("open", None if worth is None else worth - cost)
        of_sides[0] += long
        of_sides[1] += steps - long
    told = []
    for (book, instrument, currency), of in sorted(sums.items(), key=lambda each: each[0]):
        step = terms[instrument].lot_step_e9 / 1e9 if instrument in terms else 0.0
        lots = (each * step for each in sides[book, instrument, currency])
        worths = (None if each is None else each / 1e6 for each in (of.net, of.open))
        told.append(HeldBySet(book, instrument, currency, of.accounts, *lots, *worths))
    return told


def _set_row(name: str, currency: str, of: _Sum) -> SetRow:
    today = None if of.change is None else (of.earned + of.change) / 1e6
    held = (None if each is None else each / 1e6 for each in (of.open, of.net, of.gross))
    return SetRow(name, currency, of.accounts, today, of.earned / 1e6, *held)


def minutes(now_ns: int, count: int) -> list[Minute]:
    """Return the last `count` minutes, oldest first, the one that goes on as the last."""
    last = now_ns // _MINUTE_NS
    ordered, refused = _LATELY.get(
        ("minutes", count), lambda: _counted_since((last - count + 1) * _MINUTE_NS)
    )  # by minute: those that have gone by since are left out
    return [
        Minute(minute * _MINUTE_NS, ordered.get(minute, 0), int(refused.get(minute, 0)))
        for minute in range(last - count + 1, last + 1)
    ]


def _counted_since(first_ns: int) -> tuple[dict[int, int], dict[int, int]]:
    """Return how many orders and refusals there were, by minute."""
    ordered = rows(
        "SELECT requested_at_ns / 60000000000, count(*) FROM reporting_order WHERE requested_at_ns >= %s GROUP BY 1",
        [first_ns],
    )
    refused = rows(
        "SELECT refused_at_ns / 60000000000, sum(cardinality(account)) FROM reporting_refusal "
        "WHERE at >= %s AND refused_at_ns >= %s GROUP BY 1",
        [_moment(first_ns), first_ns],
    )
    return dict(ordered), dict(refused)  # type: ignore[arg-type]


def speed(now_ns: int, minutes_back: int) -> Speed:
    """Return how fast bars became orders lately. Orders by hand, which no bar led to, do not count."""
    first_ns = now_ns - minutes_back * _MINUTE_NS
    ((orders, times, accepted_at_ns),) = _LATELY.get(
        ("speed", minutes_back, now_ns // _SPEED_NS), lambda: _asked_speed(first_ns)
    )
    p50_ms, p99_ms, max_ms = (took / 1e6 for took in times) if orders else (None, None, None)
    return Speed(orders, p50_ms, p99_ms, max_ms, accepted_at_ns)


def _asked_speed(first_ns: int) -> _Rows:
    return rows(
        """
        WITH bars AS (
            SELECT q.closed_at_ns, i.name, min(q.received_at_ns) AS at_ns
            FROM reporting_quote AS q CROSS JOIN LATERAL unnest(q.instruments) AS i(name)
            WHERE q.received_at_ns >= %s GROUP BY 1, 2
        ), recent AS (
            SELECT instrument, decided_at_ns, sent_at_ns, accepted_at_ns FROM reporting_order
            WHERE requested_at_ns >= %s
        )
        SELECT count(b.at_ns), percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY r.sent_at_ns - b.at_ns)
            FILTER (WHERE b.at_ns IS NOT NULL), max(r.accepted_at_ns)
        FROM recent AS r LEFT JOIN bars AS b
          ON b.name = r.instrument AND b.closed_at_ns = r.decided_at_ns AND r.sent_at_ns IS NOT NULL
        """,
        [first_ns - _MINUTE_NS, first_ns],
    )


def funds() -> list[Funds]:
    """Return what all accounts are worth, by currency."""
    found = _KEPT.get(
        "funds",
        lambda: rows(
            "SELECT currency, count(*), sum(balance_micro), sum(equity_micro), sum(margin_micro) "
            "FROM reporting_account GROUP BY currency ORDER BY currency",
            [],
        ),
    )
    return [Funds(currency, count, *(int(each) / 1e6 for each in money)) for currency, count, *money in found]


def restrictions() -> list[Restriction]:
    """Return what may not be traded freely, widest first; accounts are counted by state and reason, one of them named.

    At most 200: there are no more sets and instruments that people would halt one by one.
    """
    found = rows(
        """
        SELECT s.level, CASE WHEN s.level = %s THEN min(a.id) ELSE s.whose END, s.state, s.reason, max(s.changed_at_ns),
          count(*), s.is_stop
        FROM (
            SELECT level, name, state, reason, changed_at_ns, cause <> 0 AS is_stop,
              CASE WHEN level = %s THEN '' ELSE name END AS whose,
              CASE WHEN level = %s THEN name::bigint END AS account
            FROM reporting_tradingstate WHERE state <> 0
        ) AS s LEFT JOIN reporting_account AS a ON a.number = s.account
        GROUP BY s.level, s.whose, s.state, s.reason, s.is_stop ORDER BY s.level, 2 LIMIT 200
        """,
        [int(Level.ACCOUNT)] * 3,
    )
    return [
        Restriction(
            Level(level).name.lower(), name or "", TradingState(state).name.lower(), reason, at_ns, count, is_stop
        )
        for level, name, state, reason, at_ns, count, is_stop in found
    ]


def unresolved() -> Unresolved:
    """Return the orders that are UNKNOWN."""
    ((orders, since_ns),) = rows(
        "SELECT count(*), min(unknown_at_ns) FROM reporting_order WHERE is_unknown AND end_kind IS NULL", []
    )
    return Unresolved(orders, since_ns)


def brokers(now_ns: int, minutes_back: int) -> list[BrokerRow]:
    """Return the brokers that accounts are at, with the last acknowledgement of the last minutes, if there was one."""
    accounts = _KEPT.get(
        "brokers",
        lambda: rows("SELECT broker, count(*) FROM reporting_account GROUP BY broker ORDER BY broker", []),
    )
    first_ns = now_ns - minutes_back * _MINUTE_NS
    late = _LATELY.get(("brokers", minutes_back), lambda: _asked_late(first_ns))
    of_late = {broker: (int(unknown), accepted) for broker, unknown, accepted in late}
    known = ((broker, count, *of_late.get(broker, (0, None))) for broker, count in accounts)
    return [
        BrokerRow(broker, count, unknown, at_ns if (at_ns or 0) >= first_ns else None)
        for broker, count, unknown, at_ns in known
    ]


def _asked_late(first_ns: int) -> _Rows:
    """Return by broker how many orders are UNKNOWN, and when one since a time was acknowledged last."""
    return rows(
        """
        WITH late AS (
            SELECT o.account, o.accepted_at_ns, 0 AS unknown FROM reporting_order AS o WHERE o.requested_at_ns >= %s
            UNION ALL
            SELECT o.account, NULL, 1 FROM reporting_order AS o WHERE o.is_unknown AND o.end_kind IS NULL
        )
        SELECT a.broker, sum(l.unknown), max(l.accepted_at_ns)
        FROM late AS l JOIN reporting_account AS a ON a.number = l.account GROUP BY a.broker
        """,
        [first_ns],
    )


def marks() -> dict[str, dict[str, int]]:
    """Return how far the read models are: the last record taken, by source and key."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for source, key, number in rows("SELECT source, key, number FROM reporting_mark WHERE reader = 'reporting'", []):
        found[source][key] = number
    return dict(found)


def _books(name: str = "") -> _Rows:
    """Return what books, or those of one name, hold, and what they did today: those of all accounts together."""
    return [row for row in _KEPT.get("books", _asked_books) if name in ("", row[0])]


def _asked_books() -> _Rows:
    return rows(
        """
        SELECT p.book, p.instrument, a.currency, a.via, count(*) FILTER (WHERE p.steps <> 0), sum(p.steps),
          sum(greatest(p.steps, 0)), sum(p.cost_micro), sum(COALESCE(d.realised_micro, 0)),
          sum(COALESCE(d.fee_micro, 0)),
          sum(CASE WHEN d.day IS NULL THEN p.steps ELSE COALESCE(b.steps, 0) END),
          sum(CASE WHEN d.day IS NULL THEN p.cost_micro ELSE COALESCE(b.cost_micro, 0) END)
        FROM reporting_position AS p JOIN reporting_account AS a ON a.number = p.account
        LEFT JOIN reporting_day AS d ON d.account = p.account AND d.instrument = p.instrument AND d.book = p.book
          AND d.day = (now() AT TIME ZONE a.time_zone)::date
        LEFT JOIN LATERAL (
            SELECT e.steps, e.cost_micro FROM reporting_day AS e
            WHERE e.account = p.account AND e.instrument = p.instrument AND e.book = p.book AND e.day < d.day
            ORDER BY e.day DESC LIMIT 1
        ) AS b ON true
        GROUP BY p.book, p.instrument, a.currency, a.via
        """,
        [],
    )


def _cash_today() -> _Rows:
    return rows(
        "SELECT c.book, c.instrument, a.currency, sum(c.amount_micro) FROM reporting_cash AS c "
        "JOIN reporting_account AS a ON a.number = c.account "
        "WHERE c.kind <> %s AND c.day >= CURRENT_DATE - 1 AND c.day = (now() AT TIME ZONE a.time_zone)::date "
        "GROUP BY c.book, c.instrument, a.currency",
        [int(CashKind.PAYMENT)],
    )


def _terms_and_closes() -> _Priced:
    """Return the terms of instruments, their last closes, and their last closes before today (UTC)."""
    found = rows(
        """
        SELECT i.id, i.currency, i.tick_e9, i.lot_step_e9, i.contract_e9, n.day, n.bid_ticks, n.ask_ticks, b.day,
          b.bid_ticks, b.ask_ticks
        FROM reporting_instrument AS i
        LEFT JOIN LATERAL (SELECT * FROM reporting_price AS p WHERE p.instrument = i.id ORDER BY p.day DESC LIMIT 1)
          AS n ON true
        LEFT JOIN LATERAL (SELECT * FROM reporting_price AS p WHERE p.instrument = i.id
          AND p.day < (now() AT TIME ZONE 'UTC')::date ORDER BY p.day DESC LIMIT 1) AS b ON true
        """,
        [],
    )
    terms = {row[0]: Terms(*row[1:5]) for row in found}
    now = {row[0]: [tuple(row[5:8])] for row in found if row[5] is not None}
    before = {row[0]: [tuple(row[8:11])] for row in found if row[8] is not None}
    return terms, now, before  # type: ignore[return-value]


def _value(
    terms: Terms | None, steps: int, closes: Sequence[tuple[date, int, int]] | None, rates: Rates, home: tuple[str, str]
) -> int | None:
    if not steps:
        return 0
    if terms is None or not closes:
        return None
    currency, via = home
    rate = rates.of(terms.currency, currency, via=via)
    return None if rate is None else terms.value_micro(steps, closes[-1][1:], rate)


def _moment(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns / 1e9, UTC)
