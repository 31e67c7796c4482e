"""What a set has come to: who follows it, what its accounts hold together, and what became of what it said."""

from typing import NamedTuple

from apps.execution.book_contracts import SettingLevel
from apps.execution.contracts import Subscribe
from apps.reporting.reading import SignalRow, signals
from apps.reporting.scoping import Scope, rows
from banyan.codec import decode_message

_NONE = (0, 0, 0)


class Subscriber(NamedTuple):
    """An account that follows a set, with which part of its equity, and whether it does so now."""

    account: str
    client: str
    allocation: float
    is_active: bool


class Answered(NamedTuple):
    """What a set said of an instrument, and what became of it: accounts by what they did."""

    said: SignalRow
    ordered: int
    refused: int
    filled: int


def subscribers(name: str, most: int, after: str = "") -> list[Subscriber]:
    """Return the accounts that follow a set, by id, after one."""
    found = rows(
        "SELECT a.id, a.client, s.body FROM (SELECT DISTINCT ON (account) account, body FROM reporting_setting "
        "WHERE level = %s AND set = %s ORDER BY account, number DESC, event DESC) AS s "
        "JOIN reporting_account AS a ON a.number = s.account WHERE a.id > %s ORDER BY a.id LIMIT %s",
        [int(SettingLevel.SUBSCRIPTION), name, after, most],
    )
    told = []
    for account, client, body in found:
        terms = decode_message(Subscribe.wire_name, bytes(body))
        assert isinstance(terms, Subscribe)
        told.append(Subscriber(account, client, terms.allocation_e9 / 1e9, terms.is_active))
    return told


def followers() -> dict[str, int]:
    """Return how many accounts follow each set."""
    found = rows(
        "SELECT set, count(DISTINCT account) FROM reporting_setting WHERE level = %s GROUP BY set",
        [int(SettingLevel.SUBSCRIPTION)],
    )
    return dict(found)  # type: ignore[arg-type]


def answered(name: str, most: int) -> list[Answered]:
    """Return what a set said of late, newest first, with how many orders followed, and what became of them."""
    said = signals(Scope(set=name), most)
    if not said:
        return []
    found = rows(
        """
        SELECT o.instrument, o.signalled_at_ns, count(*), count(*) FILTER (WHERE o.end_kind IS NOT NULL),
          count(*) FILTER (WHERE o.end_kind IS NULL AND o.filled_steps = o.steps)
        FROM reporting_order AS o
        WHERE o.set = %s AND o.requested_at_ns >= %s AND o.signalled_at_ns IS NOT NULL GROUP BY 1, 2
        """,
        [name, min(each.said_at_ns for each in said)],
    )
    counts = {(instrument, at_ns): tuple(numbers) for instrument, at_ns, *numbers in found}
    return [Answered(each, *counts.get((each.instrument, each.said_at_ns), _NONE)) for each in said]
