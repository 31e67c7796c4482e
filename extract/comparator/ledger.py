"""What the comparator keeps: counts by minute, how far each key is, and the rows that differ."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.db import connections, transaction
from django.db.models import Max, Sum

from banyan.facade import Routing, Side
from banyan.facade.models import Compared, ComparedPlace, Comparison, Mismatch, Noise, Route, Rule
from banyan.facade.routing import ALIAS
from extract.comparator.durations import no_durations
from extract.comparator.rows import Allowance

Sums = dict[str, int]
"""What was counted, by the names of COUNTS, and `lag_ns_max`."""

COUNTS = (
    "same", "differing", "late", "problems", "matched", "mismatched", "missing", "extra", "ignored", "digests_same",
    "digests_differing", "leader_ns", "follower_ns",
)  # fmt: skip
MISMATCHES_MOST = 10_000
_DAYS = 30


class Counts(msgspec.Struct):
    """What came of the records of a key in a minute, as `banyan.facade.models.Comparison` has it."""

    same: int = 0
    differing: int = 0
    late: int = 0
    problems: int = 0
    matched: int = 0
    mismatched: int = 0
    missing: int = 0
    extra: int = 0
    ignored: int = 0
    digests_same: int = 0
    digests_differing: int = 0
    leader_ns: int = 0
    follower_ns: int = 0
    lag_ns_max: int = 0
    leader_took: list[int] = msgspec.field(default_factory=no_durations)
    follower_took: list[int] = msgspec.field(default_factory=no_durations)


class Took(msgspec.Struct):
    """How long deciding took whoever led, from an input's coming to its commit, and whoever followed, for that alone.

    Each as counts by the classes of `durations`.
    """

    leader: list[int] = msgspec.field(default_factory=no_durations)
    follower: list[int] = msgspec.field(default_factory=no_durations)

    @classmethod
    def added(cls, those: Iterable["Took"]) -> "Took":
        """Return several together."""
        pairs = [(each.leader, each.follower) for each in those]
        return cls(*([sum(counts) for counts in zip(*each, strict=True)] for each in zip(*pairs, strict=True)))


class Reached(msgspec.Struct):
    """How far a key has been compared, and what the last digest on the way there told."""

    number: int
    at_ns: int
    digest: str = ""
    digest_number: int = 0


def rules(context: str) -> list[Allowance]:
    """Return the rules of a context that have not expired."""
    found = Rule.objects.using(ALIAS).filter(context=context, expires_at__gt=datetime.now(UTC)).order_by("name")
    return [Allowance(each.name, each.event, each.field, each.tolerance) for each in found]


def next_offset(context: str) -> int | None:
    """Return from where on to read what followers tell; None: nothing has been read yet."""
    row = ComparedPlace.objects.using(ALIAS).filter(context=context).first()
    return None if row is None else row.next_offset


def keep(
    context: str,
    counts: dict[tuple[str, int], Counts],
    reached: dict[str, Reached],
    found: Sequence[Mismatch],
    offset: int,
) -> None:
    """Keep what has been compared, all of it or nothing."""
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        for (key, minute), each in counts.items():
            cursor.execute(
                _ADD, [context, key, datetime.fromtimestamp(minute * 60, UTC), *msgspec.structs.astuple(each)]
            )
        for key, there in reached.items():
            cursor.execute(
                _REACH,
                [
                    context,
                    key,
                    there.number,
                    datetime.fromtimestamp(there.at_ns / 1e9, UTC),
                    there.digest,
                    there.digest_number,
                ],
            )
        Mismatch.objects.using(ALIAS).bulk_create(found)
        ComparedPlace.objects.using(ALIAS).update_or_create(context=context, defaults={"next_offset": offset})


def tidy(context: str) -> None:
    """Drop what is older than it is kept."""
    Comparison.objects.using(ALIAS).filter(minute__lt=datetime.now(UTC) - timedelta(days=_DAYS)).delete()
    oldest = (
        Mismatch.objects.using(ALIAS)
        .filter(context=context)
        .order_by("-id")[MISMATCHES_MOST:]
        .values_list("id")
        .first()
    )
    if oldest is not None:
        Mismatch.objects.using(ALIAS).filter(context=context, id__lte=oldest[0]).delete()


def by_key(context: str, since: datetime) -> dict[str, Sums]:
    """Return the sums of what was compared since a time, by key."""
    found: Iterable[Mapping[str, Any]] = (
        Comparison.objects.using(ALIAS)
        .filter(context=context, minute__gte=since)
        .values("key")
        .annotate(**{f"sum_{name}": Sum(name) for name in COUNTS}, sum_lag_ns_max=Max("lag_ns_max"))
    )
    return {each["key"]: {name: int(each[f"sum_{name}"]) for name in _SUMMED} for each in found}


def added(sums: Iterable[Mapping[str, int]]) -> Sums:
    """Return the sums of several keys, or times, together."""
    total = dict.fromkeys(_SUMMED, 0)
    for each in sums:
        for name in COUNTS:
            total[name] += each.get(name, 0)
        total["lag_ns_max"] = max(total["lag_ns_max"], each.get("lag_ns_max", 0))
    return total


def totals(context: str, since: datetime) -> Sums:
    """Return the sums of what was compared since a time, of all keys."""
    return added(by_key(context, since).values())


def took(context: str, since: datetime) -> dict[str, Took]:
    """Return how long deciding took since a time, by key."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(_TOOK, [context, since, context, since])
        rows = cursor.fetchall()
    found: dict[str, Took] = {}
    for key, role, at, count in rows:
        getattr(found.setdefault(key, Took()), role)[at - 1] = int(count)
    return found


def of_cohorts(routing: Routing, sums: Mapping[str, Sums]) -> dict[Side, Sums]:
    """Return the sums of the keys that each side is to lead: what differs in a small canary is not lost in the rest."""
    sides = {side: [each for key, each in sums.items() if routing.leader(key) is side] for side in Side}
    return {side: added(those) for side, those in sides.items() if those}


def watch_anew(context: str) -> None:
    """Count what comes from now on as what a stage, or followers that have begun anew, are judged by."""
    now = datetime.now(UTC)
    Route.objects.using(ALIAS).filter(context=context).update(
        watched_since=now, watched_from=by_key(context, now.replace(second=0, microsecond=0))
    )


def watched(context: str, most: timedelta | None = None) -> tuple[timedelta, dict[str, Sums]]:
    """Return for how long followers have been watched as they are, and by key the sums since then, or of `most`."""
    row, now = Route.objects.using(ALIAS).filter(context=context).first(), datetime.now(UTC)
    if row is None or row.watched_since is None:
        return timedelta(), {}
    lasted = now - row.watched_since
    if most is not None and most < lasted:
        return lasted, by_key(context, now - most)
    sums = by_key(context, row.watched_since.replace(second=0, microsecond=0))
    for key, each in sums.items():
        before = row.watched_from.get(key, {})
        sums[key] = {name: count - (before.get(name, 0) if name in COUNTS else 0) for name, count in each.items()}
    return lasted, sums


def keep_noise(context: str, code: str, records: int, differing: int) -> None:
    """Keep how much of its own log the app's code, of that hash, has decided otherwise."""
    told = {"code": code, "records": records, "differing": differing}
    Noise.objects.using(ALIAS).update_or_create(context=context, defaults=told)


def noise_of(context: str, code: str) -> Noise | None:
    """Return what was measured last, None where that was other code, or nothing was."""
    return Noise.objects.using(ALIAS).filter(context=context, code=code, records__gt=0).first()


def reached(context: str) -> dict[str, Compared]:
    """Return how far each key has been compared."""
    return {row.key: row for row in Compared.objects.using(ALIAS).filter(context=context)}


_SUMMED = (*COUNTS, "lag_ns_max")
_CLASSED = ("leader_took", "follower_took")
_NAMES = (*_SUMMED, *_CLASSED)
_ADD = (
    f"INSERT INTO facade_comparison AS c (context, key, minute, {', '.join(_NAMES)}) "  # noqa: S608  (names of ours)
    f"VALUES ({', '.join(['%s'] * (3 + len(_NAMES)))}) ON CONFLICT (context, key, minute) DO UPDATE SET "
    + ", ".join(f"{name} = c.{name} + EXCLUDED.{name}" for name in COUNTS)
    + ", lag_ns_max = GREATEST(c.lag_ns_max, EXCLUDED.lag_ns_max), "
    + ", ".join(
        f"{name} = ARRAY(SELECT COALESCE(a, 0) + COALESCE(b, 0) FROM "  # noqa: S608  (names of ours)
        f"unnest(c.{name}, EXCLUDED.{name}) WITH ORDINALITY AS u (a, b, at) ORDER BY at)"
        for name in _CLASSED
    )
)
_TOOK = " UNION ALL ".join(
    f"SELECT key, '{name.removesuffix('_took')}', at, sum(count) FROM facade_comparison, "  # noqa: S608  (names of ours)
    f"unnest({name}) WITH ORDINALITY AS u (count, at) "
    "WHERE context = %s AND minute >= %s AND count > 0 GROUP BY key, at"
    for name in _CLASSED
)
_REACH = (
    "INSERT INTO facade_compared AS c (context, key, number, at, digest, digest_number) "
    "VALUES (%s, %s, %s, %s, %s, %s) "
    "ON CONFLICT (context, key) DO UPDATE SET number = EXCLUDED.number, at = EXCLUDED.at, "
    "digest = CASE WHEN EXCLUDED.digest = '' THEN c.digest ELSE EXCLUDED.digest END, "
    "digest_number = CASE WHEN EXCLUDED.digest = '' THEN c.digest_number ELSE EXCLUDED.digest_number END"
)
