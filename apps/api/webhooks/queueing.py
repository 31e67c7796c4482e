"""What is to be sent: for each webhook what has come since the place that it is at, in deliveries, each kept whole."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from apps.api.access import Caller
from apps.api.families import FAMILIES
from apps.api.keys import OF_CLIENTS
from apps.api.models import Delivery, Key, Webhook
from apps.api.problems import Problem
from apps.api.rows import told
from apps.api.tenancy import scope_of
from apps.reporting.interface import Place

_EVENTS_MAX = 100
WAITING_MAX = 100
"""How many deliveries of a webhook wait; what comes meanwhile stays where it is, and is found when these are gone."""


def collect() -> int:
    """Put what has come into deliveries; return of how many webhooks there was something."""
    count = 0
    for webhook in _ready():
        count += _collect(webhook)
    return count


def open_webhooks(now: datetime) -> "QuerySet[Webhook]":
    """Return the webhooks that are on, and whose holder has a key that is good and may hear of it."""
    good = Key.objects.filter(revoked_at=None, expires_at__gt=now).values_list("holder", "scopes", "client")
    may = Q(pk__in=[])
    for holder, scopes, client in good:
        allowed = set(scopes) & OF_CLIENTS if client else set(scopes)
        families = [name for name, of in FAMILIES.items() if of.scope in allowed and not (client and of.is_firm_only)]
        may |= Q(holder=holder, client=client, family__in=families)
    return Webhook.objects.filter(may, is_on=True)


def _ready() -> list[Webhook]:
    waiting = Count("deliveries", filter=Q(deliveries__state="waiting"))
    return list(open_webhooks(timezone.now()).annotate(waiting=waiting).filter(waiting__lt=WAITING_MAX).order_by("id"))


def _collect(webhook: Webhook) -> bool:
    of = FAMILIES[webhook.family]
    places: dict[str, Place] = {log: tuple(place) for log, place in webhook.places.items()}
    upto = of.marks()
    if upto == places:
        return False
    caller = Caller("", webhook.holder, "", webhook.client, frozenset())
    try:
        found = of.onward(scope_of(caller, webhook.filters), places, upto, _EVENTS_MAX)
    except Problem:
        return False
    rows = [row for *_, row in found]
    after = places | {log: place for log, place, _ in found}
    if len(found) < _EVENTS_MAX:
        after |= upto
    with transaction.atomic():
        # Only who finds the webhook as it was read moves it: nothing is put into two deliveries.
        same = Webhook.objects.filter(pk=webhook.pk, places=webhook.places, is_on=True)
        if same.update(places={log: list(place) for log, place in after.items()}) and rows:
            _keep(webhook, of.row, of.told(rows))
    return bool(rows)


def _keep(webhook: Webhook, row: Any, rows: Any) -> None:
    now = timezone.now()
    delivery = Delivery.objects.create(webhook=webhook, body=b"", next_at=now, made_at=now)
    delivery.body = orjson.dumps(
        {"delivery": delivery.pk, "webhook": webhook.pk, "family": webhook.family, "events": told(row, rows)}
    )
    delivery.save(update_fields=["body"])


def places_now(family: str) -> Mapping[str, list[Any]]:
    """Return the places at which a webhook of a family begins that is made now."""
    return {log: list(place) for log, place in FAMILIES[family].marks().items()}
