"""What needs a person, worst first, each with where it is dealt with."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.urls import reverse

from apps.alerts.interface import AlertTold
from apps.console.doing import kind_of
from apps.console.models import Proposal
from apps.console.proposing import address
from apps.feeds.interface import FeedStanding
from apps.reporting.interface import Restriction, Speed, Unresolved

LIMIT_MS = 100.0
"""From a bar to the broker: what the platform promises."""
SPEED_MINUTES = 5
LAG_MAX = 5_000
_STUCK_SECONDS = 10.0
_LISTED_MAX = 6
_TOLD_BY_ALERTS = ("refusals", "loss", "stopped", "slippage")
"""Measures of alerts that nothing else on the overview tells of."""


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


class Trading(NamedTuple):
    """What may be traded: the state of all, other restrictions, and why the kill switch was thrown, if it was."""

    state: str
    since_ns: int | None
    why: str
    others: list[Restriction]
    thrown: str


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


def of_reporting(rows: Sequence[ContextRow], marks: dict[str, dict[str, int]]) -> list[Need]:
    """Tell that reporting has taken nothing for a while although there is something."""
    lag = sum(row.lag or 0 for row in rows)
    seconds = _PROGRESS.stuck_seconds(sum(sum(of.values()) for of in marks.values()), lag)
    if seconds < _STUCK_SECONDS:
        return []
    text = f"Reporting is {lag:,} records behind and has taken nothing for {seconds:.0f} s: what is shown here is old."
    return [Need("bad", text, "The log of `manage.py run` says why.", "", "", False)]


def _act(name: str, **about: str) -> str:
    url = reverse("act", args=[name])
    return f"{url}?{urlencode(about)}" if about else url


def of_trading(trading: Trading | None) -> list[Need]:
    """Tell of the kill switch, of halts and of other restrictions."""
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
        needs.append(Need("warn", f"{_whose(each)} {each.state}.", each.reason, "Look at it", _where(each), False))
    if len(trading.others) > _LISTED_MAX:
        text = f"{len(trading.others) - _LISTED_MAX:,} more restrictions."
        needs.append(Need("warn", text, "", "Look at them", reverse("risk"), False))
    return needs


def _where(each: Restriction) -> str:
    """Return where a restriction is lifted."""
    of_one = each.level == "account" and each.accounts == 1
    return reverse("account", args=[each.name]) if of_one else reverse("risk")


def _whose(each: Restriction) -> str:
    if each.level == "account":
        by = " stopped by a loss, and" if each.is_stop else ""
        more = f" and {each.accounts - 1:,} more accounts are" if each.accounts > 1 else " is"
        return f"Account {each.name}{more}{by}"
    return f"{each.level.capitalize()} {each.name} is"


def of_orders(found: Unresolved | None) -> list[Need]:
    """Tell of orders that are UNKNOWN."""
    if found is None or not found.orders:
        return []
    many = f"{found.orders:,} orders are" if found.orders > 1 else "An order is"
    return [Need("warn", f"{many} UNKNOWN: nobody knows whether the broker has it.", "The edge asks the broker; "
                 "its account and instrument stand still meanwhile.", "Look at them", reverse("unknown"),
                 False)]  # fmt: skip


def of_proposals(proposals: Sequence[Proposal]) -> list[Need]:
    """Tell of acts that wait for a second person."""
    return [
        Need("warn", f"{each.user} asks for “{_title(each)}”.",
             f"A second person confirms or declines it: {each.why}", "Look at it", address(each), True)
        for each in proposals
    ]  # fmt: skip


def _title(of: Proposal) -> str:
    kind = kind_of(of.name)
    return of.name if kind is None else ": ".join(filter(None, (kind.title, kind.subject(of.given))))


def of_feeds(feeds: Sequence[FeedStanding]) -> list[Need]:
    """Tell of feeds that give nothing."""
    needs = []
    for feed in feeds:
        if feed.state in ("stale", "failing", "not run"):
            why = feed.problem or ("no process runs it" if feed.state == "not run" else "nothing comes any more")
            where = reverse("feed", args=[feed.name])
            needs.append(Need("bad", f"Feed {feed.name} is {feed.state}.", why, "Look at it", where, False))
        elif feed.state in ("stopped", "ended"):
            act = _act("feed.start", feed=feed.name) if feed.state == "stopped" else ""
            needs.append(
                Need("warn", f"Feed {feed.name} has {feed.state}.", "", "Start it" if act else "", act, bool(act))
            )
    return needs


def of_contexts(standing: dict[str, dict[str, Any]], rows: Sequence[ContextRow]) -> list[Need]:
    """Tell of keys that nobody holds, of dead letters, and of what contexts say themselves."""
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
        if row.lag is not None and row.lag >= LAG_MAX:
            text = f"Reporting is {row.lag:,} records behind {row.name}: what is shown here is old."
            needs.append(Need("warn", text, "", "", "", False))
    for name, each in standing.items():
        if name != "feeds":
            needs += [Need("bad", notice, "", "", "", False) for notice in each["notices"][:_LISTED_MAX]]
    return needs


def of_speed(speed: Speed | None) -> list[Need]:
    """Tell that the way from a bar to the broker is slower than promised."""
    if speed is None or speed.p99_ms is None or speed.p99_ms <= LIMIT_MS:
        return []
    text = f"From a bar to the broker takes {speed.p99_ms:,.0f} ms (p99) where {LIMIT_MS:.0f} ms are promised."
    return [Need("warn", text, f"{speed.orders:,} orders of the last {SPEED_MINUTES} minutes.", "", "", False)]


def of_alerts(alerts: Sequence[AlertTold]) -> list[Need]:
    """Tell of alerts that nothing else here tells of, and that nobody has acknowledged or silenced."""
    told = [
        each.of
        for each in alerts
        if each.of.measure in _TOLD_BY_ALERTS and not each.of.acknowledged_at and not each.silenced_until
    ]
    needs = [
        Need("bad" if each.is_grave else "warn", each.text, f"Alert: {each.rule}.", "Acknowledge",
             _act("alert.acknowledge", alert=str(each.pk)), True)
        for each in told[:_LISTED_MAX]
    ]  # fmt: skip
    if len(told) > _LISTED_MAX:
        text = f"{len(told) - _LISTED_MAX:,} more alerts are open."
        needs.append(Need("warn", text, "", "Look at them", reverse("alerts"), False))
    return needs
