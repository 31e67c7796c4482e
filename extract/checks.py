"""What must be so before a context goes on to a stage: each looked at, and told with what was found."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.utils.module_loading import import_string

from banyan.facade import Routing, Side, Stage
from banyan.kafka import Cluster, KafkaError
from banyan.kafka.planning import differences, rules_of
from extract.comparator.ledger import Sums, added, noise_of, of_cohorts, reached, watched
from extract.sides import heads
from extract.sources import code_hash

_ORDER = list(Stage)


class Bounds(NamedTuple):
    """How well a follower must have done, and for how long."""

    minutes: int = 10
    records: int = 1_000
    mismatch_rate: float = 0.0
    behind: int = 100
    late_seconds: float = 2.0


class Check(NamedTuple):
    """Whether something is so, and what was found."""

    name: str
    is_so: bool
    found: str

    def told(self) -> Mapping[str, Any]:
        """Return it as evidence."""
        return {"check": self.name, "ok": self.is_so, "found": self.found}


def checks(context: str, routing: Routing, stage: Stage, keys: Sequence[str], bounds: Bounds) -> list[Check]:
    """Return what has to be so for a context to come to a stage. On the way back nothing has to be."""
    if _ORDER.index(stage) <= _ORDER.index(routing.stage) and stage is not Stage.CANARY:
        return []
    found = list(_of_kafka(context))
    if stage is not Stage.SHADOW and all(each.is_so for each in found):
        found += _of_followers(context, routing, keys, bounds)
    return found


def known(context: str, routing: Routing, keys: Sequence[str]) -> list[Check]:
    """Return how those who follow do now, where nothing has to be so: what is kept with a way back."""
    return [*_level(context, keys, Bounds()), *_rates(routing, watched(context)[1], Bounds())]


def _of_kafka(context: str) -> Iterator[Check]:
    cluster: Cluster = settings.KAFKA
    try:
        admin = AdminClient(cluster.options(socket_timeout_ms=10_000))
        planned, principals = import_string(settings.TOPICS)([context])
        rules = rules_of(planned, principals, cluster.environment)
        wrong = differences(admin, planned, rules, cluster.copies, cluster.environment)
    except (KafkaError, KafkaException) as problem:
        yield Check("Kafka answers", False, str(problem))
        return
    yield Check("Kafka answers", True, cluster.address())
    detail = (
        f"{len(planned)} as planned"
        if not wrong
        else f"{len(wrong)} to do ({wrong[0].action} {wrong[0].subject}): `manage.py topics apply --with {context}`"
    )
    yield Check("topics are as planned", not wrong, detail)
    yield _of_schemas()


def _of_schemas() -> Check:
    url = settings.SCHEMA_REGISTRY_URL
    if not url:
        return Check("schemas", True, "no registry is set; those of docs/schemas hold")
    from banyan.kafka.registry import Registry, RegistryError

    try:
        registry = Registry(url)
        kept = {path.stem: json.loads(path.read_text()) for path in Path(settings.SCHEMAS).glob("*.json")}
        missing = sorted(name for name, schema in kept.items() if not registry.look(name, schema).is_ours)
    except RegistryError as problem:
        return Check("schemas are registered", False, str(problem))
    found = f"{len(kept)} at {url}" if not missing else f"{len(missing)} are not, such as {missing[0]}"
    return Check("schemas are registered", not missing, found)


def _of_followers(context: str, routing: Routing, keys: Sequence[str], bounds: Bounds) -> Iterator[Check]:
    if not routing.has_service:
        yield Check("a service follows", False, f"{context} is in the app: `manage.py extract shadow {context}` first")
        return
    yield from _level(context, keys, bounds)
    yield _of_noise(context, bounds)
    lasted, by_key = watched(context)
    minutes = lasted.total_seconds() / 60
    yield Check("minutes observed", minutes >= bounds.minutes, f"{minutes:.1f} of {bounds.minutes}")
    sums = added(by_key.values())
    records = sums["same"] + sums["differing"]
    yield Check("records observed", records >= bounds.records, f"{records:,} of {bounds.records:,}")
    yield from _rates(routing, by_key, bounds)


def _level(context: str, keys: Sequence[str], bounds: Bounds) -> Iterator[Check]:
    """Check that each key is followed, not behind, and with the state of its leader."""
    ends, there = heads(context, keys), reached(context)
    missing = [key for key in keys if key not in there]
    yield Check("every key is followed", not missing, f"{len(keys) - len(missing)} of {len(keys)}" + _some(missing))
    worst = max((max(0, end.number - there[key].number) for key, end in ends.items() if key in there), default=0)
    yield Check("followers are not behind", worst <= bounds.behind, f"{worst} records at most, {bounds.behind} allowed")
    differing = sorted(key for key, row in there.items() if row.digest == "differs")
    told = sum(key in there and there[key].digest == "same" for key in keys)
    found = f"{told} of {len(keys)}" + (", the others have none yet" if told < len(keys) else "")
    yield Check("digests are equal", not differing, found if not differing else f"not of{_some(differing)}")


def _rates(routing: Routing, by_key: Mapping[str, Sums], bounds: Bounds) -> Iterator[Check]:
    """Check how much differs, apart where the service leads and where the app does."""
    for side, cohort in of_cohorts(routing, by_key).items() or [(Side.APP, added([]))]:
        records = cohort["same"] + cohort["differing"]
        rate = cohort["differing"] / records if records else 0.0
        found = f"{rate:.2%} of {records:,} records of keys that the {side} leads, {bounds.mismatch_rate:.2%} allowed"
        yield Check("mismatch rate", rate <= bounds.mismatch_rate, found)


def _of_noise(context: str, bounds: Bounds) -> Check:
    """Check that it is known how much differs where nothing has been changed: no follower can do better."""
    name, noise = "noise floor measured", noise_of(context, code_hash(context))
    if noise is None:
        return Check(name, False, f"not of the code that is here: `manage.py extract noise {context}` does it")
    rate = noise.differing / noise.records
    found = f"{rate:.2%} of {noise.records:,} records, {noise.at:%Y-%m-%d %H:%M} UTC"
    return Check(name, rate <= bounds.mismatch_rate, found)


def _some(keys: Sequence[str]) -> str:
    return f": {', '.join(keys[:5])}{' …' if len(keys) > 5 else ''}" if keys else ""
