"""What `manage.py status` tells of the edge."""

from typing import Any

from django.conf import settings
from django.db import connections
from django.utils import timezone

from apps.execution.edge.ledger import ALIAS
from apps.execution.edge.memory import SNAPSHOT_VERSION
from apps.execution.edge.models import Entry, Lease, Snapshot, Stream
from apps.execution.edge.shard import SENDER, unreadable

_WAITING = """
    SELECT count(*) FROM banyan_outbox AS o JOIN unnest(%s::text[], %s::bigint[]) AS m(key, position) ON o.key = m.key
    WHERE o.receiver = %s AND o.receiver_key = o.key AND o.position > m.position"""
_EXECUTION = "execution"


def standing() -> dict[str, Any]:
    """Return the edge's keys, and how many messages of execution have orders that wait for their turn."""
    now = timezone.now()
    leases = list(Lease.objects.using(ALIAS).order_by("key"))
    marks = dict(Stream.objects.using(ALIAS).filter(sender=_EXECUTION).values_list("key", "position"))
    with connections[_EXECUTION].cursor() as cursor:
        positions = [marks.get(lease.key, 0) for lease in leases]
        cursor.execute(_WAITING, [[lease.key for lease in leases], positions, SENDER])
        (waiting,) = cursor.fetchone()
    per_session, per_account = settings.PAPER_RATES
    parked = _parked([lease.key for lease in leases])
    keys = [
        {
            "key": lease.key,
            "owner": lease.owner,
            "is_held": bool(lease.owner and lease.lease_until and lease.lease_until > now),
            "epoch": lease.epoch,
            "number": lease.number,
            "parked_because": parked.get(lease.key, ""),
        }
        for lease in leases
    ]
    stopped = sum(bool(each["parked_because"]) for each in keys)
    rates = f"paper takes {per_session or 'any number of'} orders a second, {per_account or 'any number'} of an account"
    return {
        "keys": keys, "notices": [], "stopped": stopped, "waiting": waiting, "timers": 0, "dead_letters": 0,
        "facts": [rates],
    }  # fmt: skip


def _parked(keys: list[str]) -> dict[str, str]:
    """Return why no edge of this release takes a shard, of those of some that none does."""
    newest = Snapshot.objects.using(ALIAS).filter(key__in=keys).order_by("key", "-number").distinct("key")
    whole = set(Entry.objects.using(ALIAS).filter(key__in=keys, number=1).values_list("key", flat=True))
    return {
        key: unreadable(key, version)
        for key, version in newest.values_list("key", "version")
        if version != SNAPSHOT_VERSION and key not in whole
    }
