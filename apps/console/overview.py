"""Whether all is right: what the overview shows, collected with a number of queries that does not grow."""

import time
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

from django.db import connections

from apps.alerts import interface as alerts
from apps.console import needs
from apps.console.asking import Asking, Told
from apps.console.needs import LAG_MAX, SPEED_MINUTES, ContextRow, Need, Trading
from apps.console.proposing import open_proposals
from apps.execution.interface import kill_switch
from apps.feeds.interface import FeedStanding, feed_standings, list_instruments
from apps.reporting import interface as reporting
from apps.reporting.interface import BrokerRow, Funds, Minute, Speed, Today, Unresolved
from banyan import standing as standings

MINUTES = 30
_INSTRUMENTS_MAX = 10_000
_SIZE_SECONDS = 300.0


class Database(NamedTuple):
    """The server of the read models."""

    version: str
    size_mb: float
    connections: int
    connections_max: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it."""

    at_ms: int
    trading: Told[Trading]
    feeds: Told[list[FeedStanding]]
    contexts: Told[list[ContextRow]]
    unresolved: Told[Unresolved]
    funds: Told[list[Funds]]
    today: Told[Today]
    brokers: Told[list[BrokerRow]]
    minutes: Told[list[Minute]]
    speed: Told[Speed]
    database: Told[Database]
    needs: list[Need]

    @property
    def is_new(self) -> bool:
        """Whether nothing has been set up yet."""
        return not self.funds.problem and not self.funds.value and not self.feeds.value

    @property
    def is_replayed(self) -> bool:
        """Whether all that comes in is the past, given as if it came now."""
        return bool(self.feeds.value) and all(each.source.startswith("replay") for each in self.feeds.value or [])

    @property
    def level(self) -> str:
        """How bad the worst is: good, warn or bad."""
        levels = {each.level for each in self.needs}
        return "bad" if "bad" in levels else "warn" if levels else "good"


def overview() -> Overview:
    """Return how everything is. A part that cannot be asked says why, and the others are told."""
    now_ns = time.time_ns()
    asking = Asking()
    standing = {name: asking.told(name, partial(standings.standing_of, name)) for name in standings.names()}
    known = {name: each.value for name, each in standing.items() if each.value is not None}
    marks = asking.told("reporting", reporting.marks)
    trading = asking.told("reporting", _trading)
    feeds = asking.told("feeds", feed_standings)
    classes = asking.told("feeds", _classes)
    opened = asking.told("the console", alerts.open_alerts)
    unresolved = asking.told("reporting", reporting.unresolved)
    proposals = asking.told("the console", open_proposals)
    rows = [*_contexts(known, marks.value or {}), *(_away(name, of) for name, of in standing.items() if of.problem)]
    parts: dict[str, Told[Any]] = {
        "trading": trading, "feeds": feeds, "contexts": Told(rows), "unresolved": unresolved,
        "funds": asking.told("reporting", reporting.funds),
        "today": asking.told("reporting", partial(reporting.today, classes.value or {})),
        "brokers": asking.told("reporting", lambda: reporting.brokers(now_ns, SPEED_MINUTES)),
        "minutes": asking.told("reporting", lambda: reporting.minutes(now_ns, MINUTES)),
        "speed": asking.told("reporting", lambda: reporting.speed(now_ns, SPEED_MINUTES)),
        "database": asking.told("reporting", _database),
    }  # fmt: skip
    found = [
        *needs.of_trading(trading.value),
        *needs.of_proposals(proposals.value or []),
        *needs.of_orders(unresolved.value),
        *needs.of_feeds(feeds.value or []),
        *needs.of_contexts(known, [row for row in rows if not row.problem]),
        *needs.of_reporting(rows, marks.value or {}),
        *needs.of_speed(parts["speed"].value),
        *needs.of_alerts(opened.value or []),
        *(Need("bad", each, "", "", "", False) for each in asking.away),
    ]
    return Overview(at_ms=now_ns // 1_000_000, needs=found, **parts)


def _away(name: str, told: Told[Any]) -> ContextRow:
    return ContextRow(name, 0, 0, 0, 0, None, 0, 0, False, told.problem)


def _classes() -> dict[str, str]:
    """Return of which class of assets each instrument is."""
    return {each.id: each.asset_class for each in list_instruments("", _INSTRUMENTS_MAX)}


def _trading() -> Trading:
    restrictions = reporting.restrictions()
    of_all = next((each for each in restrictions if each.level == "global"), None)
    others = [each for each in restrictions if each.level != "global"]
    thrown = kill_switch().reason()
    if of_all is None:
        return Trading("active", None, "", others, thrown)
    return Trading(of_all.state, of_all.changed_at_ns, of_all.reason, others, thrown)


def _contexts(standing: dict[str, dict[str, Any]], marks: dict[str, dict[str, int]]) -> list[ContextRow]:
    rows = []
    for name, each in standing.items():
        keys = each["keys"]
        taken = marks.get(name)
        lag = None
        if name in ("feeds", "signals", "execution"):
            lag = sum(max(0, key["number"] - (taken or {}).get(key["key"], 0)) for key in keys)
        held = sum(key["is_held"] for key in keys)
        rows.append(
            ContextRow(
                name, len(keys), held, len({key["owner"] for key in keys if key["is_held"]}), each["waiting"], lag,
                each["dead_letters"], each["stopped"],
                held == len(keys) and not each["stopped"] and not each["dead_letters"] and (lag or 0) < LAG_MAX,
            )
        )  # fmt: skip
    return rows


def _database() -> Database:
    size_mb = _size_mb(int(time.monotonic() / _SIZE_SECONDS))
    with connections["reporting"].cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), "
            "(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), "
            "current_setting('max_connections')::int, "
            "(SELECT COALESCE(extract(epoch FROM max(now() - xact_start)), 0) FROM pg_stat_activity "
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())"
        )
        version, used, most, oldest = cursor.fetchone()
    return Database(version.split()[0], size_mb, used, most, float(oldest))


@lru_cache(maxsize=1)
def _size_mb(_: int) -> float:
    """Return how large the databases of the server are; their files are looked at one by one, so only now and then."""
    with connections["reporting"].cursor() as cursor:
        cursor.execute("SELECT sum(pg_database_size(oid)) FROM pg_database WHERE datallowconn")
        return float(cursor.fetchone()[0]) / 1e6
