"""What rules can look at: each measure asks those who know, and says in words what it has found."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from apps.alerts.judging import Reading
from apps.feeds.interface import feed_standings
from apps.reporting import interface as reporting
from apps.reporting.interface import Scope
from banyan import standing
from banyan.commands import counted

_SILENT = ("stale", "failing", "not run")
_FOLLOWED = ("feeds", "signals", "execution")
_MINUTES = 5
_SLIPPAGE_NS = 900 * 10**9
_STOPPED_MOST = 10_000

Readings = dict[str, Reading]


class Measure(NamedTuple):
    """Something that can be measured: of what, in which unit, and who is asked, at most every so many seconds.

    `bound` is a good one to begin with.
    """

    title: str
    of: str
    unit: str
    bound: float
    for_seconds: int
    read: Callable[[], Readings]
    every: int


def _feeds() -> Readings:
    found = {}
    for feed in feed_standings():
        age = (datetime.now(UTC) - feed.last_record_at).total_seconds() if feed.last_record_at else 0.0
        value = max(1.0, age) if feed.state in _SILENT else 0.0
        why = f": {feed.problem}" if feed.problem else ""
        found[feed.name] = Reading(
            value, f"Feed {feed.name} is {feed.state}, and gave its last record {age:,.0f} s ago{why}."
        )
    return found


def _lag() -> Readings:
    marks, found = reporting.marks(), {}
    for name in _FOLLOWED:
        taken = marks.get(name, {})
        keys = standing.standing_of(name)["keys"]
        behind = sum(max(0, key["number"] - taken.get(key["key"], 0)) for key in keys)
        found[name] = Reading(behind, f"Reporting is {behind:,} records behind {name}.")
    return found


def _refusals() -> Readings:
    minutes = reporting.minutes(time.time_ns(), _MINUTES)
    refused, orders = (sum(getattr(each, name) for each in minutes) for name in ("refusals", "orders"))
    return {"": Reading(refused, f"{refused:,} orders were refused in the last {_MINUTES} minutes, of {orders:,}.")}


def _unknown() -> Readings:
    orders = reporting.unresolved().orders
    return {"": Reading(orders, f"{orders:,} orders are UNKNOWN: nobody knows whether the broker has them.")}


def _losses() -> Readings:
    return {
        f"{each.set} {each.currency}": Reading(
            max(0.0, -each.today), f"Set {each.set} has made {each.today:+,.2f} {each.currency} today."
        )
        for each in reporting.by_set()
        if each.today is not None
    }


def _stopped() -> Readings:
    accounts = len(reporting.stopped_by_losses(_STOPPED_MOST))
    return {
        "": Reading(accounts, f"{counted(accounts, 'account')} {'is' if accounts == 1 else 'are'} stopped by a loss.")
    }


def _slippage() -> Readings:
    found = {}
    for each in reporting.slippage(Scope(since_ns=time.time_ns() - _SLIPPAGE_NS)):
        bps = each.decision_bps or 0.0
        found[f"{each.set} {each.broker} {each.currency}"] = Reading(
            bps,
            f"Fills of set {each.set} cost {bps:,.2f} basis points against the quote of the decision, in 15 minutes.",
        )
    return found


def _letters() -> Readings:
    found = {}
    for name in standing.names():
        of = standing.standing_of(name)
        count = of["dead_letters"] + of["stopped"]
        found[name] = Reading(
            count, f"{name} has {of['dead_letters']:,} dead letters and {of['stopped']:,} stopped keys."
        )
    return found


def _speed() -> Readings:
    of = reporting.speed(time.time_ns(), _MINUTES)
    if of.p99_ms is None:
        return {"": Reading(0.0, "No order was sent.")}
    return {"": Reading(of.p99_ms, f"From a bar to the broker takes {of.p99_ms:,.0f} ms (p99 of {_MINUTES} minutes).")}


MEASURES: Mapping[str, Measure] = {
    "stale-feed": Measure("A feed is silent", "feed", "s", 30, 10, _feeds, 5),
    "lag": Measure("Reporting is behind", "context", "records", 5_000, 30, _lag, 5),
    "refusals": Measure("Orders are refused", "", f"in {_MINUTES} min", 1_000, 60, _refusals, 30),
    "unknown": Measure("Orders are UNKNOWN", "", "orders", 1, 30, _unknown, 5),
    "loss": Measure("A set loses money today", "set and currency", "of its currency", 10_000, 10, _losses, 30),
    "stopped": Measure("Accounts are stopped by losses", "", "accounts", 1, 10, _stopped, 30),
    "slippage": Measure(
        "Fills cost more than they should", "set, broker, currency", "bp in 15 min", 5, 60, _slippage, 60
    ),
    "dead-letters": Measure("Messages cannot be processed", "context", "letters and keys", 1, 10, _letters, 5),
    "speed": Measure("From a bar to the broker takes long", "", "ms, p99", 100, 60, _speed, 30),
}
"""What can be measured, by the name that rules have it under."""
