"""How long a host's tables keep their rows, and which partitions may go.

| table | kept | before it may go |
|---|---|---|
| log | 90 days | every key has a verified snapshot at or after its last record; who follows the log has read it |
| outbox | 90 days | every receiver's mark has passed its last row in the partition |
| seen | 180 days | nothing: longer than any sender could send the same again |
| stream, mark, key, timer, place, relayed | for ever | one row per stream, key, timer or partition read |
| snapshot | the last verified one and all after it | |
| request | until its key has applied it | |
| dead letter | until a person has redriven or dropped it, and 90 days more | |
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connections, models, router
from django.utils.module_loading import import_string
from psycopg import sql

from banyan.models import DeadLetter, Log, Mark, Outbox, Seen, Snapshot
from banyan.timescale import ensure_partitions
from banyan.timescale.partitions import Partition, partitions_of

DAYS_KEPT: Mapping[type[models.Model], int] = {Log: 90, Outbox: 90, Seen: 180}
DAYS_AHEAD = 28


@dataclass(frozen=True, slots=True)
class Verdict:
    """A partition that is older than its table keeps; `because` says what still stands against dropping it, or ""."""

    alias: str
    partition: Partition
    because: str


Unread = Callable[[str, str, int], str]
"""Tells of (context, key, record) who follows the log and has not read that far, "" where nobody has to."""


def verdicts(alias: str, now: datetime, unread: Unread = lambda *_: "") -> Iterator[Verdict]:
    """Yield every partition of a context's database that is old enough to go, oldest first."""
    for model, days in DAYS_KEPT.items():
        for partition in partitions_of(connections[alias], model):
            if partition.end <= now - timedelta(days=days):
                yield Verdict(alias, partition, _objection(alias, model, partition, unread))


def drop(verdict: Verdict) -> None:
    """Drop a partition that nothing stands against."""
    assert not verdict.because, verdict
    name = sql.Identifier(verdict.partition.name)
    with connections[verdict.alias].cursor() as cursor:
        cursor.execute(sql.SQL("DROP TABLE {}").format(name))


def tidy(alias: str, now: datetime) -> tuple[int, int]:
    """Delete snapshots before each key's last verified one, and dead letters that are long done with; return both."""
    older = Snapshot.objects.using(alias).filter(
        models.Exists(
            Snapshot.objects.using(alias).filter(
                key=models.OuterRef("key"), number__gt=models.OuterRef("number"), is_verified=True
            )
        )
    )
    done = DeadLetter.objects.using(alias).exclude(status=DeadLetter.Status.OPEN)
    snapshots = _deleted(older)
    letters, _ = done.filter(parked_at__lt=now - timedelta(days=90)).delete()
    return snapshots, letters


def make_ahead(alias: str, now: datetime) -> None:
    """Make the partitions that rows of the next weeks will belong to."""
    first_ns = int(now.timestamp() * 1e9)
    for model in DAYS_KEPT:
        ensure_partitions(connections[alias], model, first_ns, first_ns + DAYS_AHEAD * 86_400 * 1_000_000_000)


def _deleted(rows: "models.QuerySet[Any]") -> int:
    places = list(rows.values_list("key", "number"))
    for key, number in places:
        Snapshot.objects.using(rows.db).filter(key=key, number=number).delete()
    return len(places)


def _objection(alias: str, model: type[models.Model], partition: Partition, unread: Unread) -> str:
    if model is Log:
        return _unverified(alias, partition, unread)
    return _unconfirmed(alias, partition) if model is Outbox else ""


def _unverified(alias: str, partition: Partition, unread: Unread) -> str:
    for key, number in _rows(alias, "SELECT key, max(number) FROM {} GROUP BY key ORDER BY key", partition):
        if not Snapshot.objects.using(alias).filter(key=key, is_verified=True, number__gte=number).exists():
            return (
                f"key {key} has no verified snapshot at or after its record {number}: `manage.py events verify {alias}`"
            )
        if because := unread(alias, key, number):
            return because
    return ""


def _unconfirmed(alias: str, partition: Partition) -> str:
    sent = _rows(
        alias,
        "SELECT receiver, receiver_key, key, max(position) FROM {} "
        "GROUP BY receiver, receiver_key, key ORDER BY receiver, receiver_key, key",
        partition,
    )
    for receiver, receiver_key, key, position in sent:
        if receiver in settings.TAKEN:
            has_taken = import_string(settings.TAKEN[receiver])(receiver_key, alias, key, position)
        elif receiver not in connections or not router.allow_migrate(receiver, "banyan"):
            return f"{receiver} cannot be asked how far it is"
        else:
            marks = Mark.objects.using(receiver).filter(key=receiver_key, sender=alias, sender_key=key)
            has_taken = marks.filter(position__gte=position).exists()
        if not has_taken:
            return f"{receiver}/{receiver_key} has not applied all that {key} sent it"
    return ""


def _rows(alias: str, statement: str, partition: Partition) -> list[Any]:
    with connections[alias].cursor() as cursor:
        cursor.execute(sql.SQL(statement).format(sql.Identifier(partition.name)))
        return cursor.fetchall()
