"""Webhooks, made, listed, paused, removed, and their deliveries, sent once more."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
from django.db.models import F
from django.utils import timezone
from rest_framework import serializers

from apps.api import asking
from apps.api.access import Caller
from apps.api.doing import Body, Doing, DoneRow, MayReason, Turn
from apps.api.families import FAMILIES
from apps.api.models import Delivery, Webhook
from apps.api.once import Answer
from apps.api.problems import Problem
from apps.api.rendering import to_json
from apps.api.rows import Moment, Row
from apps.api.views import Listing, Page, Thing
from apps.api.webhooks.queueing import places_now
from apps.api.webhooks.reaching import target_of
from apps.api.webhooks.sending import networks_of
from apps.api.webhooks.signing import secret_of
from apps.console import interface as console
from apps.console.interface import Became

_HOOKS_MAX = 20
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_FILTERS = ("account", "set", "instrument")
_STATES = ("waiting", "delivered", "parked")


class HookError(ValueError):
    """There can be no such webhook: the message says why."""


class WebhookRow(Row):
    """Where a family of events is sent. Its secret is told once, when it is made."""

    id = serializers.CharField()
    url = serializers.CharField()
    family = serializers.CharField()
    client = serializers.CharField()
    filters = serializers.DictField(child=serializers.CharField())
    is_on = serializers.BooleanField()
    made_at = Moment(allow_null=False)


class DeliveryRow(Row):
    """Events on their way: waiting, delivered, or parked after many attempts; `problem` is why the last one failed."""

    id = serializers.IntegerField()
    state = serializers.CharField()
    attempts = serializers.IntegerField()
    problem = serializers.CharField()
    made_at = Moment(allow_null=False)
    tried_at = Moment()
    next_at = Moment(allow_null=False)


class MadeRow(DoneRow):
    """A webhook with a new secret, which is told in the first answer alone: asked again, it is null."""

    webhook = serializers.CharField()
    secret = serializers.CharField(allow_null=True)


class NewWebhook(Body):
    """Where what is to be sent, from now on."""

    url = serializers.CharField(max_length=500, help_text="It begins with https:// and leads to a public address.")
    family = serializers.ChoiceField(choices=tuple(FAMILIES))
    account = serializers.CharField(max_length=64, required=False)
    set = serializers.CharField(max_length=64, required=False)
    instrument = serializers.CharField(max_length=64, required=False)
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class NewSecret(MayReason):
    """For how many hours deliveries are signed by the old secret too."""

    overlap_hours = serializers.IntegerField(min_value=0, max_value=168, default=24)


class _TellingSecret(Doing):
    """Something by which a webhook has a new secret, which the first answer tells."""

    tag = "webhooks"
    post_scope = "read"
    done = MadeRow

    def _done(self, turn: Turn, place: Mapping[str, Any]) -> Answer:
        """Return an answer that has the secret, of which only what has none is kept."""
        answer = super()._done(turn, place)
        if answer.status != 202:
            return answer
        told = orjson.loads(answer.body)
        salt = bytes(Webhook.objects.get(id=told["webhook"]).salt)
        return answer._replace(body=to_json(told | {"secret": secret_of(told["webhook"], salt)}), kept=answer.body)


class MakeWebhook(_TellingSecret):
    """Have what a stream tells sent to an address, from now on, signed and until it has arrived."""

    body = NewWebhook

    def act(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        given, caller = turn.given, turn.caller
        _check(caller, given)

        def do() -> tuple[str, dict[str, Any]]:
            target_of(given["url"], networks_of(caller.client))
            if Webhook.objects.filter(holder=caller.holder).count() >= _HOOKS_MAX:
                raise HookError(f"a key has {_HOOKS_MAX} webhooks at most: remove one")
            made = Webhook.objects.create(
                id="".join(secrets.choice(_LETTERS) for _ in range(12)), holder=caller.holder, client=caller.client,
                url=given["url"], family=given["family"], places=places_now(given["family"]),
                filters={name: given[name] for name in _FILTERS if name in given}, salt=secrets.token_bytes(16),
                made_at=timezone.now(),
            )  # fmt: skip
            return f"Webhook {made.id} hears of {made.family}.", {"webhook": made.id, "secret": None}  # nosec B105 # there is none

        return console.recorded(turn.actor, "webhook.make", given["url"], given["reason"], before=dict, do=do), None


class RotateSecret(_TellingSecret):
    """Give a webhook another secret; for a while its deliveries are signed by both, so that none is refused."""

    body = NewSecret

    def act(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        hook = _own(turn.caller, place["webhook"])
        if hook is None:
            raise Problem("not-found")
        hours = turn.given["overlap_hours"]

        def do() -> tuple[str, dict[str, Any]]:
            until = timezone.now() + timedelta(hours=hours)
            Webhook.objects.filter(pk=hook.pk).update(salt=secrets.token_bytes(16), old_salt=F("salt"), old_until=until)
            told = f"Webhook {hook.id} has another secret; the one before is good until {until:%Y-%m-%d %H:%M} UTC."
            return told, {"webhook": hook.id, "secret": None}  # nosec B105 # there is none

        reason = turn.given["reason"]
        return console.recorded(turn.actor, "webhook.rotate", hook.id, reason, before=dict, do=do), None


class _Turning(Doing):
    """Something that is done about a webhook of one's own."""

    tag = "webhooks"
    post_scope = "read"
    body = MayReason
    name = ""

    def act(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        hook = _own(turn.caller, place["webhook"])
        if hook is None:
            raise Problem("not-found")

        def do() -> tuple[str, dict[str, Any]]:
            return self.turn(hook, **place), {}

        reason = turn.given["reason"]
        return console.recorded(turn.actor, f"webhook.{self.name}", hook.id, reason, before=dict, do=do), None

    def turn(self, hook: Webhook, **place: Any) -> str:
        """Do it; return what was done."""
        raise NotImplementedError


class PauseWebhook(_Turning):
    """Send nothing for a while: what comes meanwhile is sent when the webhook is resumed."""

    name = "pause"

    def turn(self, hook: Webhook, **place: Any) -> str:
        """Do it; return what was done."""
        Webhook.objects.filter(pk=hook.pk).update(is_on=False)
        return f"Webhook {hook.id} is paused."


class ResumeWebhook(_Turning):
    """Send again, from where it was paused."""

    name = "resume"

    def turn(self, hook: Webhook, **place: Any) -> str:
        """Do it; return what was done."""
        Webhook.objects.filter(pk=hook.pk).update(is_on=True)
        return f"Webhook {hook.id} goes on."


class RemoveWebhook(_Turning):
    """Send nothing more, and forget the webhook with its deliveries."""

    name = "remove"

    def turn(self, hook: Webhook, **place: Any) -> str:
        """Do it; return what was done."""
        Webhook.objects.filter(pk=hook.pk).delete()
        return f"Webhook {hook.id} is gone."


class RedriveWebhook(_Turning):
    """Send what was parked once more, as it was, under the same ids."""

    name = "redrive"

    def turn(self, hook: Webhook, **place: Any) -> str:
        """Do it; return what was done."""
        parked = hook.deliveries.filter(state="parked")
        count = parked.update(state="waiting", attempts=0, next_at=timezone.now())
        return f"{count} deliveries of webhook {hook.id} are sent once more."


class Webhooks(Listing):
    """List one's own webhooks."""

    tag = "webhooks"
    row = WebhookRow

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return them."""
        return Page(list(Webhook.objects.filter(holder=caller.holder, client=caller.client).order_by("made_at", "id")))


class AllWebhooks(MakeWebhook, Webhooks):
    """Webhooks, listed and made."""

    scope = "read"


class OneWebhook(Thing):
    """Show a webhook of one's own."""

    tag = "webhooks"
    row = WebhookRow

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        return _own(caller, place["webhook"])


class Deliveries(Listing):
    """List the deliveries of a webhook of one's own, newest first."""

    tag = "webhooks"
    row = DeliveryRow
    kinds = (int,)
    parameters = (asking.choice("state", _STATES, "Only in this state."),)

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        hook = _own(caller, place["webhook"])
        if hook is None:
            raise Problem("not-found")
        found = Delivery.objects.filter(webhook=hook).defer("body").order_by("-pk")
        if asked["state"]:
            found = found.filter(state=asked["state"])
        if after:
            found = found.filter(pk__lt=after[0])
        rows = list(found[: most + 1])
        return Page(rows[:most], (rows[most - 1].pk,) if len(rows) > most else None)


def _own(caller: Caller, webhook: str) -> Webhook | None:
    return Webhook.objects.filter(holder=caller.holder, client=caller.client, id=webhook).first()


def _check(caller: Caller, given: Mapping[str, Any]) -> None:
    """Raise Problem unless a caller may hear of a family, limited by what it can be limited by."""
    of = FAMILIES[given["family"]]
    if caller.client and of.is_firm_only:
        raise Problem("firm-only")
    if of.scope not in caller.scopes:
        raise Problem("scope-missing", f"This needs a key with the scope {of.scope}.")
    known = {each.name for each in of.parameters}
    if wrong := [name for name in _FILTERS if name in given and name not in known]:
        told = [{"field": name, "detail": f"What is told of {given['family']} has none."} for name in wrong]
        raise Problem("body-invalid", errors=told)
