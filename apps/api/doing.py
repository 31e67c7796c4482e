"""What changes anything: each POST is checked, recorded, and done once; each PUT replaces what its caller has read."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

from django.db import connections
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request

from apps.api import asking
from apps.api.access import Caller, address_of
from apps.api.middleware import tag_of
from apps.api.once import Answer, once
from apps.api.problems import Problem
from apps.api.rendering import to_json
from apps.api.rows import Row, fields_of, told
from apps.api.versions import version_of
from apps.api.views import Thing, View
from apps.console import interface as console
from apps.console.interface import Actor, Became
from apps.execution.interface import Asked
from banyan.commands import explained
from banyan.ids import derive

_CONTENT = "application/json"


class Body(serializers.Serializer):
    """The body of a POST. It has the fields that are declared, and a body with others is refused."""

    def to_internal_value(self, data: Any) -> Any:
        """Return what it says."""
        if isinstance(data, dict) and (unknown := sorted(set(map(str, data)) - set(self.fields))):
            raise serializers.ValidationError({name: ["There is no such field."] for name in unknown[:20]})
        return super().to_internal_value(data)


class Reason(Body):
    """Why it is done, for the record."""

    reason = serializers.CharField(min_length=1, max_length=500)


class MayReason(Body):
    """Why it is done, if that is to be told."""

    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class DoneRow(Row):
    """What was asked for. It is carried out by whoever runs the shards; `version` goes into `min_version` of a read."""

    act = serializers.UUIDField(help_text="Its id among those of the audit.")
    text = serializers.CharField()
    version = serializers.CharField(allow_null=True)


class Turn(NamedTuple):
    """A POST or PUT that is carried out: who asks, from where, for what, and the id by which it is one act."""

    caller: Caller
    actor: Actor
    given: Mapping[str, Any]
    request_id: str


class Doing(View):
    """A view that something is done by: `body` is what it is told, `act` does it with a record."""

    http_method_names = ("get", "head", "post")
    scope: ClassVar[str | None] = None
    post_scope: ClassVar[str | None] = "trade"
    body: ClassVar[type[Body]] = Reason
    done: ClassVar[type[DoneRow]] = DoneRow
    """What is answered; what it has beside the fields of DoneRow is among what the act says that it led to."""

    def post(self, request: Request, **place: Any) -> HttpResponse:
        """Do it, once."""
        asking.read(request.query_params, ())
        given = _given(self.body, request.data)
        caller: Caller = request.user
        key = request.headers.get("Idempotency-Key", "")
        actor = Actor(f"key {caller.key} ({caller.name})", address_of(request))
        turn = Turn(caller, actor, given, derive("api", caller.holder, key))
        content = request.path.encode() + b"\n" + to_json(given)
        answer = once(caller.holder, key, content, lambda: self._done(turn, place))
        kind = _CONTENT if answer.status < 400 else "application/problem+json"
        headers = {"Idempotency-Replayed": "true"} if answer.is_replayed else {}
        return HttpResponse(answer.body, status=answer.status, content_type=kind, headers=headers)

    def act(self, turn: Turn, **place: Any) -> tuple[Became, Asked | None]:
        """Do it; return what became of it, and the command that waits for a shard, where there is just one."""
        raise NotImplementedError

    def _done(self, turn: Turn, place: Mapping[str, Any]) -> Answer:
        return _answer(*self.act(turn, **place), self.done)


class Replacing(Thing):
    """A thing that can be read and replaced as a whole: `body` is what it is told, `replace` does it with a record.

    It is replaced only as the caller has read it, which If-Match says. So two who change it at once do not undo each
    other, and asking again, when the answer was lost, changes nothing.
    """

    http_method_names = ("get", "head", "put")
    post_scope: ClassVar[str | None] = "trade"
    body: ClassVar[type[Body]]

    def put(self, request: Request, **place: Any) -> HttpResponse:
        """Replace it."""
        asking.read(request.query_params, ())
        given = _given(self.body, request.data)
        caller: Caller = request.user
        if not (wanted := request.META.get("HTTP_IF_MATCH", "")):
            raise Problem("tag-missing")
        known = [each.strip().removeprefix("W/") for each in wanted.split(",")]
        actor = Actor(f"key {caller.key} ({caller.name})", address_of(request))
        turn = Turn(caller, actor, given, derive("api", caller.holder, secrets.token_hex(16)))
        with _alone(request.path):
            found = self.current(caller, **place)
            if found is None:
                raise Problem("not-found")
            tag = tag_of(to_json(told(self.row, [found])[0]))
            if tag not in known and "*" not in known:
                raise Problem("changed-meanwhile", headers={"ETag": tag})
            answer = _answer(*self.replace(turn, **place))
        kind = _CONTENT if answer.status < 400 else "application/problem+json"
        return HttpResponse(answer.body, status=answer.status, content_type=kind)

    def current(self, caller: Caller, **place: Any) -> Any:
        """Return the thing as it would be replaced, None where there is none."""
        return self.find(caller, {}, **place)

    def replace(self, turn: Turn, **place: Any) -> tuple[Became, Asked | None]:
        """Do it; return what became of it, and the command that waits for a shard, where there is just one."""
        raise NotImplementedError


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """Let nobody else replace what is at a path meanwhile, in any process."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"api:{path}"])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [f"api:{path}"])


def _answer(became: Became, asked: Asked | None, row: type[DoneRow] = DoneRow) -> Answer:
    if became.error is None:
        done = {name: became.outcome.after[name] for name in set(fields_of(row)) - set(fields_of(DoneRow))} | {
            "act": str(became.outcome.act_id),
            "text": became.outcome.text,
            "version": None if asked is None else version_of(asked),
        }
        return Answer(202, to_json(done))
    if explained(became.error) is None or not isinstance(became.error, ValueError | LookupError):
        raise became.error
    refused = Problem("refused", str(became.error)).answer()
    return Answer(refused.status_code, refused.content)


def by_kind(turn: Turn, name: str, **about: str) -> tuple[Became, None]:
    """Do what people can do in the console, with the same record."""
    why = turn.given.get("reason", "")
    return console.carried_out(turn.actor, console.KINDS[name], about, why, turn.request_id), None


def _given(body: type[Body], data: Any) -> dict[str, Any]:
    read = body(data=data)
    if read.is_valid():
        return dict(read.validated_data)
    raise Problem("body-invalid", errors=list(_errors(read.errors, "")))


def _errors(problems: Any, field: str) -> Iterator[dict[str, str]]:
    """Yield what is wrong with fields, each by its way through the body: members.0.share."""
    if isinstance(problems, dict):
        for name, inner in problems.items():
            own = "" if name == "non_field_errors" else str(name)
            yield from _errors(inner, ".".join(filter(None, (field, own))))
    elif isinstance(problems, list) and any(isinstance(each, dict) for each in problems):
        for at, each in enumerate(problems):
            yield from _errors(each, f"{field}.{at}")
    else:
        for each in problems if isinstance(problems, list) else [problems]:
            yield {"field": field, "detail": str(each)}
