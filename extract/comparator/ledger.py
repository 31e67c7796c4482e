"""What the comparator keeps: counts by minute, how far each key is, and the rows that differ."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.db import connections, transaction
from django.db.models import Max, Sum

from banyan.facade.models import Compared, ComparedPlace, Comparison, Mismatch, Route, Rule
from banyan.facade.routing import ALIAS
from extract.comparator.rows import Allowance

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


def totals(context: str, since: datetime, keys: Iterable[str] | None = None) -> dict[str, int]:
    """Return the sums of what was compared since a time, of all keys or some."""
    chosen = Comparison.objects.using(ALIAS).filter(context=context, minute__gte=since)
    if keys is not None:
        chosen = chosen.filter(key__in=list(keys))
    found: dict[str, Any] = chosen.aggregate(**{name: Sum(name) for name in COUNTS}, lag_ns_max=Max("lag_ns_max"))
    return {name: int(value or 0) for name, value in found.items()}


def watch_anew(context: str) -> None:
    """Count what comes from now on as what a stage, or followers that have begun anew, are judged by."""
    now = datetime.now(UTC)
    Route.objects.using(ALIAS).filter(context=context).update(
        watched_since=now, watched_from=totals(context, now.replace(second=0, microsecond=0))
    )


def watched(context: str, most: timedelta | None = None) -> tuple[timedelta, dict[str, int]]:
    """Return for how long followers have been watched as they are, and the sums since then, or of the last `most`."""
    row, now = Route.objects.using(ALIAS).filter(context=context).first(), datetime.now(UTC)
    if row is None or row.watched_since is None:
        return timedelta(), totals(context, now)
    lasted = now - row.watched_since
    if most is not None and most < lasted:
        return lasted, totals(context, now - most)
    sums = totals(context, row.watched_since.replace(second=0, microsecond=0))
    return lasted, {name: sums[name] - (row.watched_from.get(name, 0) if name in COUNTS else 0) for name in sums}


def reached(context: str) -> dict[str, Compared]:
    """Return how far each key has been compared."""
    return {row.key: row for row in Compared.objects.using(ALIAS).filter(context=context)}


_NAMES = (*COUNTS, "lag_ns_max")
_ADD = (
    f"INSERT INTO facade_comparison AS c (context, key, minute, {', '.join(_NAMES)}) "  # noqa: S608
    f"VALUES ({', '.join(['%s'] * (3 + len(_NAMES)))}) ON CONFLICT (context, key, minute) DO UPDATE SET "
    + ", ".join(f"{name} = c.{name} + EXCLUDED.{name}" for name in COUNTS)
    + ", lag_ns_max = GREATEST(c.lag_ns_max, EXCLUDED.lag_ns_max)"
)
_REACH = (
    "INSERT INTO facade_compared AS c (context, key, number, at, digest, digest_number) "
    "VALUES (%s, %s, %s, %s, %s, %s) "
    "ON CONFLICT (context, key) DO UPDATE SET number = EXCLUDED.number, at = EXCLUDED.at, "
    "digest = CASE WHEN EXCLUDED.digest = '' THEN c.digest ELSE EXCLUDED.digest END, "
    "digest_number = CASE WHEN EXCLUDED.digest = '' THEN c.digest_number ELSE EXCLUDED.digest_number END"
)
