"""What came of comparing leader and follower, as people and programs look at it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Max, Min, Sum

from banyan.facade.models import Comparison, Mismatch
from banyan.facade.routing import ALIAS

_SUMS = (
    "same", "differing", "late", "problems", "matched", "mismatched", "missing", "extra", "ignored", "digests_same",
    "digests_differing", "leader_ns", "follower_ns",
)  # fmt: skip


class Summary(NamedTuple):
    """What came of comparing a key's records in a time; latencies are means of a record, None where there was none."""

    key: str
    first: datetime
    last: datetime
    same: int
    differing: int
    late: int
    problems: int
    matched: int
    mismatched: int
    missing: int
    extra: int
    ignored: int
    digests_same: int
    digests_differing: int
    leader_ns: float | None
    follower_ns: float | None
    lag_ns_max: int


def summaries(context: str, since: datetime) -> list[Summary]:
    """Return what came of comparing each key of a context since a time."""
    found: Any = (
        Comparison.objects.using(ALIAS)
        .filter(context=context, minute__gte=since)
        .values("key")
        .annotate(first=Min("minute"), last=Max("minute"), lag=Max("lag_ns_max"), **{f"sum_{n}": Sum(n) for n in _SUMS})
        .order_by("key")
    )
    told = []
    for each in found:
        records = each["sum_same"] + each["sum_differing"]
        counts = [each[f"sum_{name}"] for name in _SUMS[:-2]]
        means = [each[f"sum_{name}"] / records if records else None for name in _SUMS[-2:]]
        told.append(Summary._make([each["key"], each["first"], each["last"], *counts, *means, each["lag"]]))
    return told


def differences(context: str, most: int, before: int | None = None, *, key: str = "") -> Sequence[Mismatch]:
    """Return rows in which leader and follower differ, newest first: those before the one of that id, or of a key."""
    found = Mismatch.objects.using(ALIAS).filter(context=context).order_by("-id")
    found = found.filter(**({"id__lt": before} if before else {}), **({"key": key} if key else {}))
    return list(found[:most])
