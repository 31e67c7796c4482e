"""How the system is: health, contexts, stages, trading states, limits, dead letters, what people did."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connections
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import asking
from apps.api.access import Caller
from apps.api.models import Key
from apps.api.problems import Problem
from apps.api.resources.accounts import account_of
from apps.api.resources.strategies import moment_of
from apps.api.rows import Moment, Row, Time, told
from apps.api.tenancy import scope_of_client
from apps.api.views import Listing, Page, Thing, View, cut
from apps.console import interface as console
from apps.execution.interface import kill_switch
from apps.reporting import interface as reporting
from apps.risk.interface import in_force
from banyan.dead_letters import LetterError, letters_after
from banyan.facade.routing import routings
from banyan.standing import standings

VERSION = "1"


class VersionRow(Row):
    """Which interface this is."""

    api = serializers.CharField()


class LiveRow(Row):
    """That the process answers."""

    status = serializers.CharField()


class DependencyRow(Row):
    """A database, and whether it answers."""

    name = serializers.CharField()
    is_ready = serializers.BooleanField()


class ReadyRow(Row):
    """Whether all databases answer."""

    is_ready = serializers.BooleanField()
    dependencies = DependencyRow(many=True)


class KeyRow(Row):
    """The key that the call was made with."""

    id = serializers.CharField()
    name = serializers.CharField()
    client = serializers.CharField()
    scopes = serializers.ListField(child=serializers.CharField())
    networks = serializers.ListField(child=serializers.CharField())
    calls_per_minute = serializers.IntegerField()
    streams = serializers.IntegerField(help_text="That may be open at once, in each process of a server.")
    made_at = Moment(allow_null=False)
    expires_at = Moment(allow_null=False)
    used_at = Moment()


class ContextRow(Row):
    """How a context stands, or the edge."""

    name = serializers.CharField()
    keys = serializers.IntegerField()
    held = serializers.IntegerField(help_text="Of the keys, those that a process holds.")
    waiting = serializers.IntegerField()
    dead_letters = serializers.IntegerField()
    stopped = serializers.IntegerField()
    notices = serializers.ListField(child=serializers.CharField())


class StageRow(Row):
    """In which stage a context is, and in canary which keys its service leads."""

    context = serializers.CharField()
    stage = serializers.CharField()
    service_keys = serializers.ListField(child=serializers.CharField())
    version = serializers.IntegerField()


class LetterRow(Row):
    """A message, or rows of one, that could not be processed."""

    context = serializers.CharField()
    id = serializers.IntegerField()
    key = serializers.CharField()
    number = serializers.IntegerField()
    message = serializers.CharField()
    rows = serializers.IntegerField(allow_null=True)
    parked_at = Moment(allow_null=False)
    reason = serializers.CharField()


class CommandRow(Row):
    """A command to a key of a context: by its id logs and envelopes know it."""

    context = serializers.CharField()
    key = serializers.CharField()
    id = serializers.CharField()


class ActRow(Row):
    """What a person asked for, and what became of it; `is_done` is null where it was cut off."""

    id = serializers.UUIDField()
    at = Moment(allow_null=False)
    user = serializers.CharField()
    address = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    subject = serializers.CharField()
    why = serializers.CharField()
    before = serializers.DictField()
    is_done = serializers.BooleanField(allow_null=True)
    text = serializers.CharField()
    after = serializers.DictField()
    request_id = serializers.CharField(help_text="The X-Request-Id of the call that asked for it, or one of its own.")
    commands = CommandRow(many=True, help_text="What was asked for it, of each key the first.")
    unmet = serializers.ListField(
        child=serializers.CharField(),
        help_text="Why commands were refused when their turn came, or nothing was ordered by them.",
    )


class StateRow(Row):
    """A trading state other than active, and how many accounts have it where it is theirs."""

    level = serializers.CharField()
    name = serializers.CharField()
    state = serializers.CharField()
    reason = serializers.CharField()
    changed_at = Time(source="changed_at_ns", allow_null=False)
    accounts = serializers.IntegerField()
    is_by_loss = serializers.BooleanField(source="is_stop")


class SwitchRow(Row):
    """Whether the kill switch of this machine is thrown, and why."""

    is_thrown = serializers.BooleanField()
    reason = serializers.CharField()


class LimitRow(Row):
    """A limit, as `manage.py risk limit` writes it, and for whom it was set."""

    limit = serializers.CharField()
    value = serializers.CharField()
    set_for = serializers.CharField()


class InForceRow(Row):
    """What an account may do: the narrowest limits, trading states, sessions, and (null: all) instruments."""

    limits = LimitRow(many=True)
    trading_state = serializers.DictField(child=serializers.CharField())
    sessions = serializers.DictField(child=serializers.CharField())
    stopped_by = serializers.ListField(child=serializers.CharField())
    allowed = serializers.ListField(child=serializers.CharField(), allow_null=True)


class Version(Thing):
    """Tell which interface this is."""

    tag = "system"
    scope = None
    row = VersionRow

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        return {"api": VERSION}


class Live(Thing):
    """Tell that the process answers."""

    tag = "system"
    scope = None
    row = LiveRow

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        return {"status": "live"}


class Ready(View):
    """Tell whether all databases answer; 503 where one does not."""

    tag = "system"
    scope = None
    row = ReadyRow
    statuses = (200, 503)

    def get(self, request: Request) -> HttpResponse:
        """Answer with it."""
        self.asked(request)
        found = [{"name": name, "is_ready": _answers(name)} for name in settings.DATABASES]
        is_ready = all(each["is_ready"] for each in found)
        if not is_ready:
            missing = ", ".join(str(each["name"]) for each in found if not each["is_ready"])
            raise Problem("unavailable", f"No answer from {missing}.", headers={"Retry-After": "2"})
        return Response(told(ReadyRow, [{"is_ready": is_ready, "dependencies": found}])[0])


class OwnKey(Thing):
    """Show the key that the call is made with."""

    tag = "system"
    row = KeyRow

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        return Key.objects.get(id=caller.key)


class Contexts(Listing):
    """List the contexts and the edge, and how each stands."""

    tag = "system"
    row = ContextRow
    is_firm_only = True

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return them."""
        told_contexts = [
            each | {"name": name, "keys": len(each["keys"]), "held": sum(key["is_held"] for key in each["keys"])}
            for name, each in standings().items()
        ]
        return Page(told_contexts)


class Stages(Listing):
    """List the stage of each context that can have a service."""

    tag = "system"
    scope = "extract"
    row = StageRow
    is_firm_only = True

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return them."""
        return Page(
            [
                {
                    "context": context,
                    "stage": routing.stage.value,
                    "service_keys": sorted(routing.service_keys),
                    "version": routing.version,
                }
                for context, routing in sorted(routings().items())
            ]
        )


class DeadLetters(Listing):
    """List messages that could not be processed and that nobody has dealt with, newest first in each context."""

    tag = "system"
    scope = "operate"
    row = LetterRow
    is_firm_only = True
    kinds = (str, int)
    parameters = (asking.text("context", "Only those of this context."),)

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        try:
            found = letters_after(after, most + 1, context=asked["context"])
        except LetterError as error:
            raise Problem("not-found", str(error)) from None
        return cut([((each.context, each.id), each) for each in found], most)


class Audit(Listing):
    """List what people did, newest first."""

    tag = "system"
    scope = "operate"
    row = ActRow
    is_firm_only = True
    kinds = (str, str)
    parameters = (
        asking.text("user", "Only what this user did."), asking.text("name", "Only acts such as trading.halt."),
        asking.text("request_id", "Only what the call with this X-Request-Id asked for."),
    )  # fmt: skip

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        where = (moment_of(after[0]), _uuid_of(after[1])) if after else None
        names = {each.name: asked[each.name] for each in self.parameters}
        found = console.acts(most + 1, **names, place=where)
        last = found[most - 1] if len(found) > most else None
        unmet = reporting.unmet(scope_of_client(""), [command.id for act in found for command in act.commands])
        told = [
            act._asdict() | {"unmet": [unmet[each.id].words for each in act.commands if each.id in unmet]}
            for act in found[:most]
        ]
        return Page(told, (last.at.isoformat(), str(last.id)) if last else None)


class TradingStates(Listing):
    """List what may not be traded freely, widest first."""

    tag = "risk"
    row = StateRow
    is_firm_only = True

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return them."""
        return Page(reporting.restrictions())


class KillSwitch(Thing):
    """Show whether the kill switch is thrown."""

    tag = "risk"
    row = SwitchRow
    is_firm_only = True

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        reason = kill_switch().reason()
        return {"is_thrown": bool(reason), "reason": reason}


class AccountLimits(Thing):
    """Show what an account may do, and in an instrument, and who said so."""

    tag = "risk"
    row = InForceRow
    parameters = (asking.text("instrument", "What counts in this instrument too."),)

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        account = account_of(caller, place["account"]).account
        try:
            return in_force(account, asked["instrument"])
        except LookupError as error:
            raise Problem("not-found", str(error)) from None


def _answers(alias: str) -> bool:
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _uuid_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Problem("cursor-invalid") from None
