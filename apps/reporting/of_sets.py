"""What a set has come to: who follows it, what its accounts hold together, and what became of what it said."""

from collections import Counter
from typing import NamedTuple

from apps.execution.book_contracts import ConfigureAccount, SettingLevel, effective_settings
from apps.execution.contracts import ConfigureSet, Subscribe
from apps.reporting.kept import Kept
from apps.reporting.reading import SignalRow, signals
from apps.reporting.scoping import Scope, rows
from banyan.codec import decode_message

_NONE = (0, 0, 0)
_KEPT = Kept("execution", "edge")
_LEFT = b'"is_active":false'
"""What a subscription that has ended says, as it is written: quicker to find than to read."""


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


class Changed(NamedTuple):
    """A setting that would hold otherwise: from what to what, and for how many accounts."""

    name: str
    before: str
    then: str
    accounts: int


class FollowersChanged(NamedTuple):
    """What a change for all who follow a set would do: how many follow it, and for how many of them nothing changes."""

    followers: int
    unchanged: int
    changed: list[Changed]


def subscribers(name: str, most: int, after: str = "") -> list[Subscriber]:
    """Return the accounts that follow a set, by id, after one."""
    found = rows(
        "SELECT a.id, a.client, s.body FROM reporting_account AS a CROSS JOIN LATERAL ("
        "SELECT t.body FROM reporting_setting AS t WHERE t.account = a.number AND t.set = %s AND t.level = %s "
        "ORDER BY t.number DESC, t.event DESC LIMIT 1) AS s WHERE a.id > %s ORDER BY a.id LIMIT %s",
        [name, int(SettingLevel.SUBSCRIPTION), after, most],
    )
    told = []
    for account, client, body in found:
        terms = decode_message(Subscribe.wire_name, bytes(body))
        assert isinstance(terms, Subscribe)
        told.append(Subscriber(account, client, terms.allocation_e9 / 1e9, terms.is_active))
    return told


def followers() -> dict[str, int]:
    """Return how many accounts follow each set now."""
    found = _KEPT.get(
        "followers",
        lambda: rows(
            "SELECT set, count(*) FROM (SELECT DISTINCT ON (set, account) set, body FROM reporting_setting "
            "WHERE level = %s ORDER BY set, account, number DESC, event DESC) AS last "
            "WHERE position(%s::bytea IN body) = 0 GROUP BY set",
            [int(SettingLevel.SUBSCRIPTION), _LEFT],
        ),
    )
    return dict(found)  # type: ignore[arg-type]


def told_of_set(name: str) -> list[ConfigureSet]:
    """Return what holds for all who follow a set, as each shard that knows it has taken it last."""
    found = rows(
        "SELECT DISTINCT ON (shard) shard, body FROM reporting_setting WHERE level = %s AND set = %s "
        "ORDER BY shard, number DESC, event DESC",
        [int(SettingLevel.SET), name],
    )
    told = [decode_message(ConfigureSet.wire_name, bytes(body)) for _, body in found]
    return [each for each in told if isinstance(each, ConfigureSet)]


def followers_changed(before: ConfigureSet, then: ConfigureSet) -> FollowersChanged:
    """Return for how many of those who follow a set each setting would hold otherwise with `then` instead of `before`.

    Both say what holds for all who follow it; subscriptions and accounts that say otherwise go before them.
    """
    last = (
        "SELECT DISTINCT ON (account) account, convert_from(body, 'UTF8')::jsonb || '{\"account\": 0}' AS terms "
        "FROM reporting_setting WHERE level = %s AND set = %s ORDER BY account, number DESC, event DESC"
    )
    found = rows(
        f"SELECT s.terms::text, own.terms::text, count(*) FROM ({last}) AS s LEFT JOIN ({last}) AS own USING (account) "  # noqa: S608  # nosec B608 # written here
        "GROUP BY s.terms, own.terms",
        [int(SettingLevel.SUBSCRIPTION), before.set, int(SettingLevel.ACCOUNT), ""],
    )
    counts: Counter[tuple[str, str, str]] = Counter()
    followers = unchanged = 0
    for subscribed, own, accounts in found:
        of = decode_message(Subscribe.wire_name, subscribed.encode())
        by = decode_message(ConfigureAccount.wire_name, own.encode()) if own is not None else None
        assert isinstance(of, Subscribe)
        assert by is None or isinstance(by, ConfigureAccount)
        if not of.is_active:
            continue
        followers += accounts
        pairs = zip(effective_settings(before, of, by), effective_settings(then, of, by), strict=True)
        changed = [(now.name, now.value, new.value) for now, new in pairs if now.value != new.value]
        counts.update(dict.fromkeys(changed, accounts))
        unchanged += 0 if changed else accounts
    return FollowersChanged(followers, unchanged, [Changed(*each, count) for each, count in counts.items()])


def answered(name: str, most: int) -> list[Answered]:
    """Return what a set said of late, newest first, with how many orders followed, and what became of them."""
    said = signals(Scope(set=name), most)
    if not said:
        return []
    since_ns = min(each.said_at_ns for each in said)
    found = _KEPT.get(
        (name, since_ns),
        lambda: rows(
            """
            SELECT o.instrument, o.signalled_at_ns, count(*), count(*) FILTER (WHERE o.end_kind IS NOT NULL),
              count(*) FILTER (WHERE o.end_kind IS NULL AND o.filled_steps = o.steps)
            FROM reporting_order AS o
            WHERE o.set = %s AND o.requested_at_ns >= %s AND o.signalled_at_ns IS NOT NULL GROUP BY 1, 2
            """,
            [name, since_ns],
        ),
    )
    counts = {(instrument, at_ns): tuple(numbers) for instrument, at_ns, *numbers in found}
    return [Answered(each, *counts.get((each.instrument, each.said_at_ns), _NONE)) for each in said]
