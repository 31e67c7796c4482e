"""What is to be sent: for each webhook what has come since the place that it is at, in deliveries, each kept whole.

Webhooks that have come equally far are given what was read once for all of them, as those who listen to streams are.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from apps.api.access import Caller
from apps.api.families import FAMILIES
from apps.api.keys import OF_CLIENTS
from apps.api.models import Delivery, Key, Webhook
from apps.api.pieces import Item, Places, Reader
from apps.api.problems import Problem
from apps.api.tenancy import Whose, scope_of, scope_of_clients

_ROWS_MAX = 1_000
"""Looked at at once."""
_EVENTS_MAX = 100
"""In a delivery."""
WAITING_MAX = 100
"""How many deliveries of a webhook wait; what comes meanwhile stays where it is, and is found when these are gone."""


class Collected(NamedTuple):
    """How many webhooks have moved on, and whether one of them could at once do so again."""

    moved: int
    is_behind: bool


def collect() -> Collected:
    """Put what has come next into deliveries."""
    together: dict[tuple[str, bytes], list[Any]] = {}
    for webhook in _ready():
        at = orjson.dumps(webhook.places, option=orjson.OPT_SORT_KEYS)
        together.setdefault((webhook.family, at), []).append(webhook)
    marks: dict[str, Places] = {}
    found = [Collected(0, is_behind=False)]
    for (family, _), webhooks in together.items():
        if family not in marks:
            marks[family] = FAMILIES[family].marks()
        found.append(_collect(family, webhooks, marks[family]))
    return Collected(sum(each.moved for each in found), any(each.is_behind for each in found))


def open_webhooks(now: datetime) -> "QuerySet[Webhook]":
    """Return the webhooks that are on, and whose holder has a key that is good and may hear of it."""
    good = Key.objects.filter(revoked_at=None, expires_at__gt=now).values_list("holder", "scopes", "client")
    may = Q(pk__in=[])
    for holder, scopes, client in good:
        allowed = set(scopes) & OF_CLIENTS if client else set(scopes)
        families = [name for name, of in FAMILIES.items() if of.scope in allowed and not (client and of.is_firm_only)]
        may |= Q(holder=holder, client=client, family__in=families)
    return Webhook.objects.filter(may, is_on=True)


def _ready() -> list[Any]:
    waiting = Count("deliveries", filter=Q(deliveries__state="waiting"))
    return list(open_webhooks(timezone.now()).annotate(waiting=waiting).filter(waiting__lt=WAITING_MAX).order_by("id"))


def _collect(family: str, webhooks: Sequence[Any], upto: Places) -> Collected:
    """Put what came next into deliveries of webhooks of a family that are at the same places: it is read once."""
    places: Places = {log: tuple(place) for log, place in webhooks[0].places.items()}
    scopes = {webhook.pk: scope for webhook in webhooks if (scope := _scope_of(webhook)) is not None}
    reader = Reader(FAMILIES[family])
    if not scopes or not reader.lacks(places, upto):
        return Collected(0, is_behind=False)
    clients = sorted({scope.client for scope in scopes.values()})
    whose = next(iter(scopes.values())) if len(scopes) == 1 else scope_of_clients(clients)
    piece = reader.piece(whose, places, upto, clients, _ROWS_MAX)
    theirs = {pk: list(piece.within(scope)) for pk, scope in scopes.items()}
    # Only who finds a webhook as it was read moves it: nothing is put into two deliveries.
    same = Webhook.objects.filter(places=webhooks[0].places, is_on=True)
    count = same.filter(pk__in=[pk for pk, items in theirs.items() if not items]).update(places=_kept(piece.high))
    for webhook in webhooks:
        if items := theirs.get(webhook.pk):
            room = (WAITING_MAX - webhook.waiting) * _EVENTS_MAX
            kept = items[:room]
            after = piece.high if kept == items else {**places, **{item.log: item.place for item in kept}}
            with transaction.atomic():
                if same.filter(pk=webhook.pk).update(places=_kept(after)):
                    _queue(webhook, kept)
                    count += 1
    return Collected(count, is_behind=count > 0 and reader.lacks(piece.high, upto))


def _kept(places: Places) -> dict[str, list[Any]]:
    return {log: list(place) for log, place in places.items()}


def _scope_of(webhook: Webhook) -> Whose | None:
    caller = Caller("", webhook.holder, "", webhook.client, frozenset())
    try:
        return scope_of(caller, webhook.filters)
    except Problem:
        return None


def _queue(webhook: Webhook, items: Sequence[Item]) -> None:
    now = timezone.now()
    for begin in range(0, len(items), _EVENTS_MAX):
        delivery = Delivery.objects.create(webhook=webhook, body=b"", next_at=now, made_at=now)
        events = [orjson.Fragment(item.data) for item in items[begin : begin + _EVENTS_MAX]]
        delivery.body = orjson.dumps(
            {"delivery": delivery.pk, "webhook": webhook.pk, "family": webhook.family, "events": events}
        )
        delivery.save(update_fields=["body"])


def places_now(family: str) -> Mapping[str, list[Any]]:
    """Return the places at which a webhook of a family begins that is made now."""
    return _kept(FAMILIES[family].marks())
