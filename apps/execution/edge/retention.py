"""How long the edge's ledger is kept.

| table | kept | before it may go |
|---|---|---|
| entry | 400 days | a later snapshot that this release reads; its reports are applied, and reporting has read it |
| lease, stream, incarnation | for ever | a row per shard, stream or life |
| snapshot | the last two of each shard | |

What the ledger does not hold any more cannot be sent again: decision numbers are in the snapshots.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string
from psycopg import sql

from apps.execution.edge.entries import EntryKind
from apps.execution.edge.ledger import ALIAS
from apps.execution.edge.memory import SNAPSHOT_VERSION
from apps.execution.edge.models import Entry, Snapshot, Stream
from apps.execution.edge.shard import REPORTING, SENDER
from banyan.models import Mark
from banyan.timescale import ensure_partitions
from banyan.timescale.partitions import Partition, partitions_of

DAYS_KEPT = 400
DAYS_AHEAD = 28
_EXECUTION = "execution"


def retain(now: datetime, *, is_dry: bool) -> Iterator[str]:
    """Drop entries that are older than they are kept and that nobody needs; yield what went, in words."""
    for partition in partitions_of(connections[ALIAS], Entry):
        if partition.end <= now - timedelta(days=DAYS_KEPT) and not objection(partition):
            if not is_dry:
                with connections[ALIAS].cursor() as cursor:
                    cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(*partition.name.split("."))))
            yield partition.name
    if not is_dry:
        first_ns = int(now.timestamp() * 1e9)
        ensure_partitions(connections[ALIAS], Entry, first_ns, first_ns + DAYS_AHEAD * 86_400 * 1_000_000_000)


def objection(partition: Partition) -> str:
    """Return what stands against dropping a partition, "" where nothing does."""
    unread = import_string(settings.UNREAD)
    for key, number, reported, is_sent in _ends(partition):
        if not Snapshot.objects.using(ALIAS).filter(key=key, number__gte=number, version=SNAPSHOT_VERSION).exists():
            return f"shard {key} has no snapshot at or after its entry {number}"
        marks = Mark.objects.using(_EXECUTION).filter(key=key, sender=SENDER, sender_key=key)
        if reported and not marks.filter(position__gte=reported).exists():
            return f"{_EXECUTION}/{key} has not applied entry {reported}"
        if is_sent and (because := unread(SENDER, key, number)):
            return str(because)
    return ""


def has_taken(key: str, sender: str, sender_key: str, position: int) -> bool:
    """Tell whether a shard has taken what a sender's key has sent it, up to a position."""
    streams = Stream.objects.using(ALIAS).filter(key=key, sender=sender, sender_key=sender_key)
    return streams.filter(position__gte=position).exists()


def _ends(partition: Partition) -> list[Any]:
    statement = sql.SQL(
        "SELECT key, max(number), max(number) FILTER (WHERE kind = ANY(%s)), bool_or(kind = %s) FROM {} "
        "GROUP BY key ORDER BY key"
    ).format(sql.Identifier(*partition.name.split(".")))
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(statement, [[int(kind) for kind in REPORTING], int(EntryKind.SLICE)])
        return cursor.fetchall()
