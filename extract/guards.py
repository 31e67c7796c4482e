"""Guards: a context whose service does badly is brought back by itself, and it is kept why."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from banyan.facade import Routing, Side, Stage
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from extract.comparator.durations import percentile_ms
from extract.comparator.ledger import Sums, Took, added, of_cohorts, reached, took, watched
from extract.keys import keys_of
from extract.moving import Mover
from extract.sides import Waiting, fences, held_by_nobody, led_by, waiting_inputs

DRAINED = "drained"
_LOGGER = logging.getLogger(__name__)


class Limits(NamedTuple):
    """What a service that leads may be like. A limit must be passed at `looks` looks, one a second, in a row.

    Rates are those of the last `minutes`, of the keys that the service leads and of the others apart, each from
    `records` on. `leader_ms` and `follower_ms` are what 99 of 100 of the service's records may take, from
    `timed_records` on: to be committed where it leads, to be decided where it follows. A dead leader is one that leads
    and whose lease has run out so long ago; one that has given its keys back is being replaced, and has time for
    `drained_looks`. What Kafka has for a key that the service leads may wait for `unheard_seconds`.
    """

    mismatch_rate: float = 0.01
    error_rate: float = 0.01
    leader_ms: float = 1_000.0
    follower_ms: float = 100.0
    lag_seconds: float = 10.0
    behind: int = 1_000
    dead_seconds: float = 1.0
    unheard_seconds: float = 15.0
    looks: int = 3
    drained_looks: int = 60
    minutes: int = 2
    records: int = 50
    timed_records: int = 300


@dataclass(slots=True)
class Hysteresis:
    """Counts for how many looks in a row each limit has been passed, and how many that may be."""

    limits: Limits
    passed: dict[str, int] = field(default_factory=dict)

    def tripped(self, problems: Mapping[str, str]) -> list[str]:
        """Take in a look and return the problems that have lasted."""
        self.passed = {name: self.passed.get(name, 0) + 1 for name in problems}
        return [text for name, text in problems.items() if self.passed[name] >= self._most(name)]

    def _most(self, name: str) -> int:
        return self.limits.drained_looks if name == DRAINED else self.limits.looks


@dataclass(slots=True)
class Unheard:
    """Counts since when each stream has stood where it stands."""

    since: dict[Waiting, float] = field(default_factory=dict)

    def lasting(self, waiting: Iterable[Waiting], seconds: float) -> list[Waiting]:
        """Take in what waits now, and return what has waited for so long."""
        now = time.monotonic()
        self.since = {each: self.since.get(each, now) for each in waiting}
        return [each for each, began in self.since.items() if now - began > seconds]


def problems_of(
    context: str, routing: Routing, keys: Sequence[str], limits: Limits, unheard: Unheard
) -> dict[str, str]:  # fmt: skip
    """Return which limits a context in canary or live passes now."""
    found: dict[str, str] = {}
    dead, drained = held_by_nobody(context, Side.SERVICE, keys, limits.dead_seconds)
    for name, those in (("dead", dead), (DRAINED, drained)):
        if those:
            found[name] = f"nobody holds {len(those)} keys that the service leads, such as {min(those)}"
    there = reached(context)
    headless = sorted(key for key, side in led_by(context, keys).items() if side is None and key in there)
    if headless:
        found["headless"] = f"neither side leads {len(headless)} keys, such as {headless[0]}"
    led = [key for key in keys if routing.leader(key) is Side.SERVICE]
    if mute := unheard.lasting(waiting_inputs(context, led), limits.unheard_seconds):
        key, sender = min((each.key, each.sender) for each in mute)
        found["inputs"] = (
            f"the service has not taken what Kafka has for {len(mute)} streams to keys that it leads, such as from "
            f"{sender} to {key}, for {limits.unheard_seconds:.0f} s"
        )
    most = timedelta(minutes=limits.minutes)
    lasted, sums = watched(context, most)
    for side, cohort in of_cohorts(routing, sums).items():
        found |= _rates(side, cohort, limits)
    found |= _lag(context, {key: each for key, each in sums.items() if routing.leader(key) is Side.APP}, limits)
    return found | _slowness(routing, took(context, datetime.now(UTC) - min(most, lasted)), limits)


def _lag(context: str, sums: Mapping[str, Sums], limits: Limits) -> dict[str, str]:
    """Return whether the service is behind where it follows. Where it leads, it is the app that may be behind."""
    if _records(added(sums.values())) < limits.records:
        return {}
    app, there = fences(context, Side.APP, list(sums)), reached(context)
    behind = max((app[key].number - there[key].number for key in sums if key in app and key in there), default=0)
    late_ns = max(each["lag_ns_max"] for each in sums.values())
    if behind <= limits.behind and late_ns / 1e9 <= limits.lag_seconds:
        return {}
    return {"lag": f"the service is {behind:,} records behind, {late_ns / 1e9:.1f} s at most"}


def _records(sums: Sums) -> int:
    return sums["same"] + sums["differing"]


def _rates(side: Side, sums: Sums, limits: Limits) -> dict[str, str]:
    """Return which rates are passed among the keys that a side is to lead."""
    records = _records(sums)
    if records < limits.records:
        return {}
    return {
        f"{name} ({side})": f"{name} {count / records:.2%} of {records:,} records of keys that the {side} leads, "
        f"{most:.2%} allowed"
        for name, count, most in (
            ("mismatch rate", sums["differing"], limits.mismatch_rate),
            ("error rate", sums["problems"], limits.error_rate),
        )
        if count / records > most
    }


def _slowness(routing: Routing, times: Mapping[str, Took], limits: Limits) -> dict[str, str]:
    """Return where the service is too slow: of keys that it leads to commit, of others to decide."""
    of = {side: Took.added(each for key, each in times.items() if routing.leader(key) is side) for side in Side}
    found = {}
    for name, counts, most in (
        ("commit", of[Side.SERVICE].leader, limits.leader_ms),
        ("decide", of[Side.APP].follower, limits.follower_ms),
    ):
        p99 = percentile_ms(counts, 0.99) if sum(counts) >= limits.timed_records else None
        if p99 is not None and p99 > most:
            found[f"p99 to {name}"] = f"the service takes {p99:,.0f} ms to {name} (p99), {most:,.0f} allowed"
    return found


class Guard:
    """Watches one context whose service leads keys, and brings it back to shadow once a limit is passed for long."""

    def __init__(
        self, context: str, cluster: Cluster, topics: Topics, limits: Limits | None = None,
        problems: Callable[[str, Routing, Sequence[str], Limits, Unheard], dict[str, str]] = problems_of,
    ) -> None:  # fmt: skip
        self._context = context
        self._cluster = cluster
        self._topics = topics
        self._limits = limits or Limits()
        self._problems = problems
        self._passed = Hysteresis(self._limits)
        self._unheard = Unheard()

    def look(self, routing: Routing) -> None:
        """Look once, and bring the context back where it must be. Raises StageError where it could not be."""
        keys = keys_of(self._context, self._topics)
        found = self._problems(self._context, routing, keys, self._limits, self._unheard)
        lasting = self._passed.tripped(found)
        if lasting:
            why = "; ".join(lasting)
            _LOGGER.error("%s goes back to shadow: %s", self._context, why)
            evidence = [{"check": "guard", "ok": False, "found": each} for each in lasting]
            mover = Mover(self._context, self._cluster, self._topics, keys, _LOGGER.warning)
            mover.move(routing, Stage.SHADOW, frozenset(), "guard", why, evidence)
