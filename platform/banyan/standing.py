"""How the contexts stand: who holds their keys, how far these are, what waits, and what needs a person."""

from typing import Any

from django.conf import settings
from django.db import connections
from django.utils import timezone
from django.utils.module_loading import import_string

from banyan.models import DeadLetter, Key

_COUNTS = """
    SELECT (SELECT count(*) FROM banyan_request), (SELECT count(*) FROM banyan_timer),
      (SELECT count(*) FROM banyan_deadletter WHERE status = %s)"""


def standings() -> dict[str, dict[str, Any]]:
    """Return how each context stands, and who works beside them, in the same form. Raises OperationalError."""
    return {name: standing_of(name) for name in names()}


def names() -> list[str]:
    """Return the contexts, and who works beside them."""
    return [*import_string(settings.HOSTED_CONTEXTS), *settings.STANDINGS]


def standing_of(name: str) -> dict[str, Any]:
    """Return how one of them stands. Raises OperationalError."""
    if name in settings.STANDINGS:
        beside: dict[str, Any] = import_string(settings.STANDINGS[name])()
        return beside
    now = timezone.now()
    keys = [
        {
            "key": key.key,
            "owner": key.owner,
            "is_held": bool(key.owner and key.lease_until and key.lease_until > now),
            "epoch": key.epoch,
            "number": key.number,
            "parked_because": key.parked_because,
        }
        for key in Key.objects.using(name).order_by("key")
    ]
    with connections[name].cursor() as cursor:
        cursor.execute(_COUNTS, [DeadLetter.Status.OPEN])
        waiting, timers, dead_letters = cursor.fetchone()
    notices = settings.NOTICES.get(name)
    return {
        "keys": keys,
        "notices": import_string(notices)() if notices else [],
        "stopped": sum(1 for key in keys if key["parked_because"]),
        "waiting": waiting,
        "timers": timers,
        "dead_letters": dead_letters,
    }
