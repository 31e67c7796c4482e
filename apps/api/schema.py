"""The contract of the API, OpenAPI 3.1, made from the views, and what of a change callers could not live with."""

from collections.abc import Iterator, Mapping
from inspect import cleandoc
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from apps.api.doing import Doing, DoneRow, Replacing
from apps.api.families import FAMILIES, Family
from apps.api.problems import KINDS, MEDIA_TYPE
from apps.api.rows import Row
from apps.api.views import Listing, View

_TITLE = "Banyan"
_TOLD = (
    "What clients, operators and their programs ask of Banyan. Money, prices and quantities are decimal strings; times "
    "are UTC, to the nanosecond where they are known so; lists go on at `next`. An error is a problem of RFC 9457 with "
    "a `code`."
)


class ErrorRow(Row):
    """What is wrong with a parameter or a field of the body."""

    parameter = serializers.CharField(required=False)
    field = serializers.CharField(required=False)
    detail = serializers.CharField()


class ProblemRow(Row):
    """A problem, as RFC 9457 has it: `code` is stable, `remedy` says what to do."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.ChoiceField(choices=sorted(KINDS))
    detail = serializers.CharField()
    remedy = serializers.CharField()
    request_id = serializers.CharField()
    errors = ErrorRow(many=True, required=False)


class KeyScheme(OpenApiAuthenticationExtension):
    """How a key is sent."""

    target_class = "apps.api.access.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return it."""
        return {"type": "http", "scheme": "bearer", "description": "A key of `manage.py api_keys`."}


_WRITES = ("POST", "PUT")
_IF_MATCH = OpenApiParameter(
    "If-Match", {"type": "string", "maxLength": 200}, OpenApiParameter.HEADER, required=True,
    description="The ETag of what was read, or * to replace whatever is there.",
)  # fmt: skip
_IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key", {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}, OpenApiParameter.HEADER, required=True,
    description="New for each act: asking again with the same one does nothing more, and gives the same answer.",
)  # fmt: skip


class Schema(AutoSchema):
    """Tells a view from what it declares."""

    view: View

    def get_operation_id(self) -> str:
        """Return a name for it, such as listOrders or placeOrder."""
        name = self._means().__name__
        if self.method in _WRITES:
            return f"replace{name}" if self.method == "PUT" else name[0].lower() + name[1:]
        return f"{'list' if isinstance(self.view, Listing) else 'get'}{name}"

    def get_tags(self) -> list[str]:
        """Return what it is about."""
        return [self.view.tag]

    def get_description(self) -> str:
        """Return what it does, and which scope it needs."""
        told = cleandoc(self._means().__doc__ or "")
        if self._scope() is None:
            return told
        whose = "; not for keys of clients" if self.view.is_firm_only else ""
        return f"{told}\n\nScope: `{self._scope()}`{whose}."

    def is_deprecated(self) -> bool:
        """Return whether it is on its way out."""
        return self.view.deprecation is not None

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Return that it needs a key, unless everybody may call it."""
        return [] if self._scope() is None else [{"key": []}]

    def get_override_parameters(self) -> list[OpenApiParameter | Any | type[Any]]:
        """Return what its query can say, or how a write is known again."""
        if self.method == "POST":
            return [_IDEMPOTENCY_KEY]
        if self.method == "PUT":
            return [_IF_MATCH]
        return [
            OpenApiParameter(
                each.name, dict(each.schema), OpenApiParameter.QUERY, required=each.is_required, description=each.told,
                explode=False if each.schema["type"] == "array" else None,
            )
            for each in self.view.all_parameters()
        ]  # fmt: skip

    def _resolve_path_parameters(self, variables: list[str]) -> list[Any]:
        """Return what its address has in it; what has to be a number is told as one."""
        found: list[Any] = super()._resolve_path_parameters(variables)
        for each in found:
            if f"<number:{each['name']}>" in self.path_regex:
                each["schema"] = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
        return found

    def _get_format_parameters(self) -> list[Any]:
        """Return nothing: what a read can be told in is among its own parameters, and a write has one form."""
        return []

    def get_request_serializer(self) -> Any:
        """Return what its body says."""
        return self.view.body if isinstance(self.view, Doing | Replacing) else None

    def get_response_serializers(self) -> dict[Any, Any]:
        """Return its answers."""
        return {**self._answers(), **{(status, MEDIA_TYPE): ProblemRow for status in self._failures()}}

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        """Return a row's name without saying that it is one."""
        name: str = super().get_serializer_name(serializer, direction)
        return name.removesuffix("Row")

    def _means(self) -> type:
        """Return the class that says what the method does."""
        names = {"POST": {"act", "turn"}, "PUT": {"replace"}}.get(self.method, {"rows", "find", "get"})
        return next(each for each in type(self.view).__mro__ if names & set(vars(each)))

    def _scope(self) -> str | None:
        return self.view.post_scope if self.method in _WRITES else self.view.scope

    def _answers(self) -> dict[Any, Any]:
        if self.method in _WRITES:
            return {(202, "application/json"): self.view.done if isinstance(self.view, Doing) else DoneRow}
        return {(200, media_type): kind for media_type, kind in self.view.answers().items()}

    def _failures(self) -> Iterator[int | str]:
        yield 400
        if self._scope() is not None:
            yield from (401, 403, 429)
        if self.method == "GET" and self.view.is_versioned:
            yield 422
        if self.method == "POST":
            yield from (409, 411, 413, 415, 422)
        if self.method == "PUT":
            yield from (411, 412, 413, 415, 422, 428)
        yield from (404, 406, 503, "default")


def contract() -> dict[str, Any]:
    """Return the contract as it is."""
    found: dict[str, Any] = SchemaGenerator(urlconf="apps.api.urls").get_schema(request=None, public=True)
    found["paths"] |= {f"/api/v1/streams/{name}": {"get": _stream(name, of)} for name, of in FAMILIES.items()}
    found["info"] = {"title": _TITLE, "version": "1", "description": _TOLD}
    listed = {name.removesuffix("Page") for name in found["components"]["schemas"] if name.endswith("Page")}
    for name in listed:  # a caller may have asked for some of the fields
        found["components"]["schemas"][name].pop("required", None)
    return found


def _stream(name: str, of: Family) -> dict[str, Any]:
    """Return what a stream is; what an event of it says is told by `x-event-data`."""
    row = of.row.__name__.removesuffix("Row")
    last = {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}}
    query = [
        {"name": each.name, "in": "query", "schema": dict(each.schema), "description": each.told}
        for each in of.parameters
    ]
    problem = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}, "description": ""}
    events = {"schema": {"type": "string"}, "x-event-data": row}
    whose = "; not for keys of clients" if of.is_firm_only else ""
    return {
        "operationId": f"stream{name.capitalize()}",
        "description": f"Hear of {name} as they come, by events `{name}` as {row} tells one; "
        "an event `problem` has a Problem.\n\n"
        f"Scope: `{of.scope}`{whose}.",
        "parameters": [*query, last | {"description": "The id of the last event that was heard."}],
        "tags": ["streams"],
        "security": [{"key": []}],
        "responses": {
            "200": {"content": {"text/event-stream": events}, "description": ""},
            **{str(status): problem for status in (400, 401, 403, 404, 405, 429, 503, "default")},
        },
    }


# ---- what callers could not live with -----------------------------------------------------------------------------


def incompatibilities(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what somebody who relies on the old contract would miss in the new one."""
    found: list[str] = []
    for path, methods in old["paths"].items():
        for method, operation in methods.items():
            where = f"{method.upper()} {path}"
            there = new["paths"].get(path, {}).get(method)
            if there is None:
                found.append(f"{where} is gone")
            else:
                found += [f"{where}: {each}" for each in _operation(operation, there)]
    for name, schema in old["components"]["schemas"].items():
        there = new["components"]["schemas"].get(name)
        found += [f"{name} is gone"] if there is None else [f"{name}: {each}" for each in _shape(schema, there)]
    return found


def _operation(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, now = ({each["name"]: each for each in of.get("parameters", ())} for of in (old, new))
    for name, parameter in before.items():
        if name not in now:
            yield f"parameter {name} is gone"
        else:
            narrowed = set(_choices(parameter["schema"])) - set(_choices(now[name]["schema"]))
            if narrowed:
                yield f"parameter {name} takes {', '.join(sorted(narrowed))} no longer"
            if parameter["schema"].get("type") != now[name]["schema"].get("type"):
                yield f"parameter {name} is of another type"
    yield from (
        f"parameter {name} is needed"
        for name, parameter in now.items()
        if parameter.get("required") and not before.get(name, {}).get("required")
    )
    for status in old["responses"]:
        if status not in new["responses"]:
            yield f"the answer {status} is gone"
        else:
            gone = set(old["responses"][status].get("content", ())) - set(new["responses"][status].get("content", ()))
            yield from (f"the answer {status} is no longer given as {each}" for each in sorted(gone))
    if "requestBody" in new and "requestBody" not in old:
        yield "a body is needed"


def _shape(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, now = old.get("properties", {}), new.get("properties", {})
    for name, field in before.items():
        if name not in now:
            yield f"{name} is gone"
        elif _types(now[name]) - _types(field):
            yield f"{name} can be {', '.join(sorted(_types(now[name]) - _types(field)))} now"
        elif _types(field) - _types(now[name]) - {"null"}:
            yield f"{name} is of another type"
    yield from (
        f"{name} is not sure to be there" for name in set(old.get("required", ())) - set(new.get("required", ()))
    )


def _types(field: Mapping[str, Any]) -> set[str]:
    if "$ref" in field:
        return {str(field["$ref"])}
    parts = [*field.get("allOf", ()), *field.get("oneOf", ()), *field.get("anyOf", ())]
    if parts:
        return set().union(*map(_types, parts))
    kind = field.get("type", "any")
    return {kind} if isinstance(kind, str) else set(kind)


def _choices(schema: Mapping[str, Any]) -> list[str]:
    found: list[str] = schema.get("enum") or schema.get("items", {}).get("enum") or []
    return found
