"""What keeps orders back: stops by losses, refusals by code; and the last orders, on which other limits are tried."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import NamedTuple

from apps.execution.contracts import EdgeRefusal
from apps.reporting.reading import ORDER_STATES, named
from apps.reporting.scoping import rows
from apps.reporting.unfolding import RefusalRow
from apps.reporting.words import refusal_in_words
from apps.risk.contracts import Level, RefusalReason

HOUR_NS = 3_600 * 10**9
HOURS = 24
DAYS = 7
_CODES: Mapping[str, type[IntEnum]] = {"risk": RefusalReason, "edge": EdgeRefusal}


class Stopped(NamedTuple):
    """An account that a loss has stopped: which loss, since when."""

    account: str
    client: str
    loss: str
    changed_at_ns: int


class RefusalCount(NamedTuple):
    """How many orders were refused for a reason: in the last hour, day and week, and by hour of the last day.

    `last` says in words why the last of them was.
    """

    by: str
    code: str
    last: str
    of_hour: int
    of_day: int
    of_week: int
    last_at_ns: int
    hours: list[int]


class LastOrder(NamedTuple):
    """The last order of an account (by number) in an instrument, and the set that it was of."""

    account: int
    instrument: str
    steps: int
    set: str


class Involved(NamedTuple):
    """How many accounts hold something, and how many orders work."""

    accounts: int
    orders: int


def involved_in(level: str, name: str) -> Involved:
    """Return what a set or an instrument ("set", "instrument") concerns."""
    held, ordered = {"set": ("book", "set"), "instrument": ("instrument", "instrument")}[level]
    ((accounts, orders),) = rows(
        f"SELECT (SELECT count(DISTINCT account) FROM reporting_position WHERE steps <> 0 AND {held} = %s), "  # noqa: S608  (names of ours)
        f"(SELECT count(*) FROM reporting_order AS o WHERE {ORDER_STATES['working']} AND o.{ordered} = %s)",
        [name, name],
    )
    return Involved(accounts, orders)


def instruments_traded() -> list[str]:
    """Return the instruments whose terms have been told, by id."""
    return [name for (name,) in rows("SELECT id FROM reporting_instrument ORDER BY id", [])]


def stopped_by_losses(most: int) -> list[Stopped]:
    """Return accounts that losses have stopped, the latest first."""
    found = rows(
        "SELECT a.id, a.client, s.cause, s.changed_at_ns FROM reporting_tradingstate AS s "
        "JOIN reporting_account AS a ON a.number = s.name::bigint "
        "WHERE s.level = %s AND s.cause <> 0 AND s.state <> 0 ORDER BY s.changed_at_ns DESC, a.id LIMIT %s",
        [int(Level.ACCOUNT), most],
    )
    return [Stopped(account, client, named(RefusalReason, cause), at_ns) for account, client, cause, at_ns in found]


def refusals_by_code(now_ns: int) -> list[RefusalCount]:
    """Return how often orders were refused for each reason in the last week, the most frequent first."""
    first_hour = now_ns // HOUR_NS - HOURS + 1
    since_ns = now_ns - DAYS * 24 * HOUR_NS
    found = rows(
        """
        SELECT f.by, f.code, max(f.refused_at_ns), sum(f.orders) FILTER (WHERE f.refused_at_ns >= %s),
          sum(f.orders) FILTER (WHERE f.refused_at_ns >= %s), sum(f.orders), max(f.last),
          array_agg(ARRAY[f.refused_at_ns / %s, f.orders]) FILTER (WHERE f.refused_at_ns / %s >= %s)
        FROM (
            SELECT r.by, CASE WHEN r.by = 'venue' THEN COALESCE(r.texts[u.reason], u.reason::text)
              ELSE u.reason::text END AS code, r.refused_at_ns, count(*) AS orders,
              max(ARRAY[r.refused_at_ns, u.level, u.bound, u.actual]) AS last
            FROM reporting_refusal AS r
            CROSS JOIN LATERAL unnest(r.reason, r.level, r.bound, r.actual) AS u(reason, level, bound, actual)
            WHERE r.at >= %s GROUP BY 1, 2, 3
        ) AS f GROUP BY 1, 2 ORDER BY 6 DESC, 1, 2
        """,
        [
            now_ns - HOUR_NS, now_ns - 24 * HOUR_NS, HOUR_NS, HOUR_NS, first_hour,
            datetime.fromtimestamp(since_ns / 1e9, UTC),
        ],
    )  # fmt: skip
    told = []
    for by, code, last_ns, of_hour, of_day, of_week, (_, *last), parts in found:
        hours = [0] * HOURS
        for hour, orders in parts or []:
            hours[hour - first_hour] += orders
        name = named(_CODES[by], int(code)) if by in _CODES else code
        counts = [int(each or 0) for each in (of_hour, of_day, of_week)]
        why = _why(by, name, last_ns, last)
        told.append(RefusalCount(by, name, why, counts[0], counts[1], counts[2], last_ns, hours))
    return told


def last_orders(since_ns: int) -> list[LastOrder]:
    """Return the last order of each account in each instrument that was asked for since a time, and its set."""
    found = rows(
        "SELECT DISTINCT ON (account, instrument) account, instrument, steps, COALESCE(set, '') FROM reporting_order "
        "WHERE requested_at_ns >= %s AND steps IS NOT NULL AND NOT COALESCE(reduce_only, false) "
        "ORDER BY account, instrument, decision DESC",
        [since_ns],
    )
    return [LastOrder(*row) for row in found]


def _why(by: str, name: str, at_ns: int, last: list[int | None]) -> str:
    level, bound, actual = (each or 0 for each in last)
    of = named(Level, level) if by == "risk" else ""
    return refusal_in_words(RefusalRow(at_ns, "", "", 0, "", by, name, of, bound, actual))
