"""Guards: a context whose service does badly is brought back by itself, and it is kept why."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from banyan.facade import Routing, Side, Stage
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from extract.comparator.ledger import reached, watched
from extract.keys import keys_of
from extract.moving import Mover
from extract.sides import fences, held_by_nobody, led_by

DRAINED = "drained"
_LOGGER = logging.getLogger(__name__)


class Limits(NamedTuple):
    """What a service that leads may be like. A limit must be passed at `looks` looks, one a second, in a row.

    A dead leader is one that leads and whose lease has run out so long ago; one that has given its keys back is being
    replaced, and has time for `drained_looks`.
    """

    mismatch_rate: float = 0.01
    error_rate: float = 0.01
    follower_ms: float = 100.0
    lag_seconds: float = 10.0
    behind: int = 1_000
    dead_seconds: float = 1.0
    looks: int = 3
    drained_looks: int = 60
    minutes: int = 2
    records: int = 50


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


def problems_of(context: str, keys: Sequence[str], limits: Limits) -> dict[str, str]:
    """Return which limits a context in canary or live passes now."""
    found: dict[str, str] = {}
    dead, drained = held_by_nobody(context, Side.SERVICE, keys, limits.dead_seconds)
    for name, those in (("dead", dead), (DRAINED, drained)):
        if those:
            found[name] = f"nobody holds {len(those)} keys that the service leads, such as {min(those)}"
    headless = sorted(key for key, side in led_by(context, keys).items() if side is None and key in reached(context))
    if headless:
        found["headless"] = f"neither side leads {len(headless)} keys, such as {headless[0]}"
    _, sums = watched(context, timedelta(minutes=limits.minutes))
    records = sums["same"] + sums["differing"]
    if records < limits.records:
        return found
    for name, count, most in (
        ("mismatch rate", sums["differing"], limits.mismatch_rate), ("error rate", sums["problems"], limits.error_rate),
    ):  # fmt: skip
        if count / records > most:
            found[name] = f"{name} {count / records:.2%} of {records:,} records, {most:.2%} allowed"
    if sums["follower_ns"] / records / 1e6 > limits.follower_ms:
        found["latency"] = f"{sums['follower_ns'] / records / 1e6:.0f} ms to decide, {limits.follower_ms:.0f} allowed"
    app, there = fences(context, Side.APP, keys), reached(context)
    behind = max((app[key].number - row.number for key, row in there.items() if key in app), default=0)
    if behind > limits.behind or sums["lag_ns_max"] / 1e9 > limits.lag_seconds:
        found["lag"] = f"{behind:,} records behind, {sums['lag_ns_max'] / 1e9:.1f} s at most"
    return found


class Guard:
    """Watches one context whose service leads keys, and brings it back to shadow once a limit is passed for long."""

    def __init__(
        self, context: str, cluster: Cluster, topics: Topics, limits: Limits | None = None,
        problems: Callable[[str, Sequence[str], Limits], dict[str, str]] = problems_of,
    ) -> None:  # fmt: skip
        self._context = context
        self._cluster = cluster
        self._topics = topics
        self._limits = limits or Limits()
        self._problems = problems
        self._passed = Hysteresis(self._limits)

    def look(self, routing: Routing) -> None:
        """Look once, and bring the context back where it must be. Raises StageError where it could not be."""
        keys = keys_of(self._context, self._topics)
        lasting = self._passed.tripped(self._problems(self._context, keys, self._limits))
        if lasting:
            why = "; ".join(lasting)
            _LOGGER.error("%s goes back to shadow: %s", self._context, why)
            evidence = [{"check": "guard", "ok": False, "found": each} for each in lasting]
            mover = Mover(self._context, self._cluster, self._topics, keys, _LOGGER.warning)
            mover.move(routing, Stage.SHADOW, frozenset(), "guard", why, evidence)
