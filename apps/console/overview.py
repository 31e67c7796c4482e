"""Whether all is right: what the overview shows, collected with a number of queries that does not grow."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.db import connections
from django.urls import reverse

from apps.console.asking import Asking, Told
from apps.execution.interface import kill_switch
from apps.feeds.interface import FeedStanding, feed_standings
from apps.reporting import interface as reporting
from apps.reporting.interface import Funds, Minute, Restriction, SetRow, Speed, Unresolved
from banyan import standing as standings

LIMIT_MS = 100.0
"""From a bar to the broker: what the platform promises."""
MINUTES = 30
SPEED_MINUTES = 5
_LAG_MAX = 5_000
_STUCK_SECONDS = 10.0
_LISTED_MAX = 6


class Need(NamedTuple):
    """Something that needs a person: how bad, what, more about it, and where it is dealt with."""

    level: str
    text: str
    detail: str
    button: str
    url: str
    is_act: bool


class ContextRow(NamedTuple):
    """A context as it stands: its keys, who holds them, what waits for it, how far reporting is behind it."""

    name: str
    keys: int
    held: int
    processes: int
    waiting: int
    lag: int | None
    dead_letters: int
    stopped: int
    is_right: bool
    problem: str = ""


class Database(NamedTuple):
    """The server of the read models."""

    version: str
    size_mb: float
    connections: int
    connections_max: int
    oldest_seconds: float


class Trading(NamedTuple):
    """What may be traded: the state of all, other restrictions, and why the kill switch was thrown, if it was."""

    state: str
    since_ns: int | None
    why: str
    others: list[Restriction]
    thrown: str


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it."""

    at_ms: int
    trading: Told[Trading]
    feeds: Told[list[FeedStanding]]
    contexts: Told[list[ContextRow]]
    unresolved: Told[Unresolved]
    funds: Told[list[Funds]]
    sets: Told[list[SetRow]]
    minutes: Told[list[Minute]]
    speed: Told[Speed]
    database: Told[Database]
    needs: list[Need]

    @property
    def is_new(self) -> bool:
        """Whether nothing has been set up yet."""
        return not self.funds.problem and not self.funds.value and not self.feeds.value

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
    unresolved = asking.told("reporting", reporting.unresolved)
    rows = [*_contexts(known, marks.value or {}), *(_away(name, of) for name, of in standing.items() if of.problem)]
    parts: dict[str, Told[Any]] = {
        "trading": trading, "feeds": feeds, "contexts": Told(rows), "unresolved": unresolved,
        "funds": asking.told("reporting", reporting.funds),
        "sets": asking.told("reporting", reporting.by_set),
        "minutes": asking.told("reporting", lambda: reporting.minutes(now_ns, MINUTES)),
        "speed": asking.told("reporting", lambda: reporting.speed(now_ns, SPEED_MINUTES)),
        "database": asking.told("reporting", _database),
    }  # fmt: skip
    needs = [
        *_needs_of_trading(trading.value),
        *_needs_of_orders(unresolved.value),
        *_needs_of_feeds(feeds.value or []),
        *_needs_of_contexts(known, [row for row in rows if not row.problem]),
        *_needs_of_reporting(rows, marks.value or {}),
        *_needs_of_speed(parts["speed"].value),
        *(Need("bad", each, "", "", "", False) for each in asking.away),
    ]
    return Overview(at_ms=now_ns // 1_000_000, needs=needs, **parts)


def _away(name: str, told: Told[Any]) -> ContextRow:
    return ContextRow(name, 0, 0, 0, 0, None, 0, 0, False, told.problem)


def _trading() -> Trading:
    restrictions = reporting.restrictions()
    of_all = next((each for each in restrictions if each.level == "global"), None)
    others = [each for each in restrictions if each.level != "global"]
    thrown = kill_switch().reason()
    if of_all is None:
        return Trading("active", None, "", others, thrown)
    return Trading(of_all.state, of_all.changed_at_ns, of_all.reason, others, thrown)


class _Progress:
    """How long reporting has been behind without taking anything, as this process has seen it."""

    def __init__(self) -> None:
        self._taken = -1
        self._since = 0.0

    def stuck_seconds(self, taken: int, lag: int) -> float:
        now = time.monotonic()
        if taken != self._taken or not lag:
            self._taken, self._since = taken, now
        return now - self._since


_PROGRESS = _Progress()


def _needs_of_reporting(rows: Sequence[ContextRow], marks: dict[str, dict[str, int]]) -> list[Need]:
    lag = sum(row.lag or 0 for row in rows)
    seconds = _PROGRESS.stuck_seconds(sum(sum(of.values()) for of in marks.values()), lag)
    if seconds < _STUCK_SECONDS:
        return []
    text = f"Reporting is {lag:,} records behind and has taken nothing for {seconds:.0f} s: what is shown here is old."
    return [Need("bad", text, "The log of `manage.py run` says why.", "", "", False)]


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
                held == len(keys) and not each["stopped"] and not each["dead_letters"] and (lag or 0) < _LAG_MAX,
            )
        )  # fmt: skip
    return rows


def _database() -> Database:
    with connections["reporting"].cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version'), "
            "(SELECT sum(pg_database_size(oid)) FROM pg_database WHERE datallowconn), "
            "(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), "
            "current_setting('max_connections')::int, "
            "(SELECT COALESCE(extract(epoch FROM max(now() - xact_start)), 0) FROM pg_stat_activity "
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())"
        )
        version, size, used, most, oldest = cursor.fetchone()
    return Database(version.split()[0], float(size) / 1e6, used, most, float(oldest))


# ---- what needs a person --------------------------------------------------------------------------------------------


def _act(name: str, **about: str) -> str:
    url = reverse("act", args=[name])
    return f"{url}?{urlencode(about)}" if about else url


def _needs_of_trading(trading: Trading | None) -> list[Need]:
    if trading is None:
        return []
    needs = []
    if trading.thrown:
        needs.append(
            Need("bad", "The kill switch is thrown: no new order leaves.", trading.thrown, "Lift the kill switch",
                 _act("kill-switch.lift"), True)
        )  # fmt: skip
    if trading.state != "active":
        button = "Lift the halt" if trading.state == "halted" else "Let all trade"
        text = "Trading is halted for all accounts." if trading.state == "halted" else "All accounts may only reduce."
        needs.append(Need("bad", text, trading.why, button, _act("trading.activate"), True))
    for each in trading.others[:_LISTED_MAX]:
        needs.append(Need("warn", f"{_whose(each)} {each.state}.", each.reason, "", "", False))
    if len(trading.others) > _LISTED_MAX:
        needs.append(Need("warn", f"{len(trading.others) - _LISTED_MAX:,} more restrictions.", "", "", "", False))
    return needs


def _whose(each: Restriction) -> str:
    if each.level == "account":
        by = " stopped by a loss, and" if each.is_stop else ""
        more = f" and {each.accounts - 1:,} more accounts are" if each.accounts > 1 else " is"
        return f"Account {each.name}{more}{by}"
    return f"{each.level.capitalize()} {each.name} is"


def _needs_of_orders(found: Unresolved | None) -> list[Need]:
    if found is None or not found.orders:
        return []
    many = f"{found.orders:,} orders are" if found.orders > 1 else "An order is"
    return [Need("warn", f"{many} UNKNOWN: nobody knows whether the broker has it.", "The edge asks the broker; "
                 "its account and instrument stand still meanwhile.", "", "", False)]  # fmt: skip


def _needs_of_feeds(feeds: Sequence[FeedStanding]) -> list[Need]:
    needs = []
    for feed in feeds:
        if feed.state in ("stale", "failing", "not run"):
            why = feed.problem or ("no process runs it" if feed.state == "not run" else "nothing comes any more")
            needs.append(Need("bad", f"Feed {feed.name} is {feed.state}.", why, "", "", False))
        elif feed.state in ("stopped", "ended"):
            act = _act("feed.start", feed=feed.name) if feed.state == "stopped" else ""
            needs.append(
                Need("warn", f"Feed {feed.name} has {feed.state}.", "", "Start it" if act else "", act, bool(act))
            )
    return needs


def _needs_of_contexts(standing: dict[str, dict[str, Any]], rows: Sequence[ContextRow]) -> list[Need]:
    needs = []
    idle = [row.name for row in rows if row.keys and not row.held]
    if rows and len(idle) == len([row for row in rows if row.keys]) and idle:
        needs.append(Need("bad", "The pipeline does not run.", "Start it with `manage.py run`.", "", "", False))
    else:
        for row in rows:
            if row.held < row.keys:
                text = f"{row.keys - row.held} of {row.keys} keys of {row.name} are held by nobody."
                needs.append(Need("bad", text, "A process has died, or is starting.", "", "", False))
    for row in rows:
        if row.stopped or row.dead_letters:
            text = f"{row.name}: {row.dead_letters} dead letters, {row.stopped} stopped keys."
            needs.append(Need("bad", text, "", "Look at them", reverse("dead-letters"), False))
        if row.lag is not None and row.lag >= _LAG_MAX:
            text = f"Reporting is {row.lag:,} records behind {row.name}: what is shown here is old."
            needs.append(Need("warn", text, "", "", "", False))
    for name, each in standing.items():
        if name != "feeds":
            needs += [Need("bad", notice, "", "", "", False) for notice in each["notices"][:_LISTED_MAX]]
    return needs


def _needs_of_speed(speed: Speed | None) -> list[Need]:
    if speed is None or speed.p99_ms is None or speed.p99_ms <= LIMIT_MS:
        return []
    text = f"From a bar to the broker takes {speed.p99_ms:,.0f} ms (p99) where {LIMIT_MS:.0f} ms are promised."
    return [Need("warn", text, f"{speed.orders:,} orders of the last {SPEED_MINUTES} minutes.", "", "", False)]
