"""What all views of the API are: a thing, or a page of a list by a cursor."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api import asking
from apps.api.access import Caller
from apps.api.asking import Parameter
from apps.api.deprecation import Deprecation, headers_of, of_row
from apps.api.problems import Problem
from apps.api.rendering import Csv, Json
from apps.api.rows import Row, fields_of, told
from apps.api.sealing import cursor_of, place_of
from apps.api.versions import MIN_VERSION, VERSION, wait_for

_ANY = "*/*"


class Page(NamedTuple):
    """Rows of a list, and the place of the last of them where there are more."""

    rows: Sequence[Any]
    last: tuple[Any, ...] | None = None


class View(APIView):
    """A view: `scope` is what a key must have (None: none is asked for), `post_scope` to write.

    `is_firm_only` keeps clients' keys out.
    """

    http_method_names: ClassVar[Sequence[str]] = ("get", "head")
    scope: ClassVar[str | None] = "read"
    post_scope: ClassVar[str | None] = None
    is_firm_only: ClassVar[bool] = False
    row: ClassVar[type[Row]]
    parameters: ClassVar[Sequence[Parameter]] = ()
    tag: ClassVar[str] = ""
    is_versioned: ClassVar[bool] = False
    """Whether it can wait for what a write did."""
    deprecation: ClassVar[Deprecation | None] = None
    """Where it is on its way out itself."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Return how the answer is told. Raises Problem for a format that there is not."""
        query, usual = request.META["QUERY_STRING"], self.renderer_classes[0]
        has_format = "format" in query or "%" in query  # by which it may be written otherwise
        if not has_format and request.META.get("HTTP_ACCEPT", _ANY) in (_ANY, usual.media_type):
            return usual(), usual.media_type
        try:
            return super().perform_content_negotiation(request, force)
        except Http404:
            forms = ", ".join(each.format for each in self.renderer_classes)
            error = {"parameter": "format", "detail": f"Choose from {forms}."}
            raise Problem("parameter-invalid", errors=[error]) from None

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the answer, which says what of it is on its way out."""
        finished = super().finalize_response(request, response, *args, **kwargs)
        if finished.status_code < 400:
            found = [] if self.deprecation is None else [self.deprecation]
            if request.method in ("GET", "HEAD"):
                found += self.deprecated(request)
            for name, value in headers_of(found).items():
                finished[name] = f"{finished[name]}, {value}" if name in finished else value
        return finished

    def deprecated(self, request: Request) -> Sequence[Deprecation]:
        """Return what is on its way out of what a read is answered with."""
        row: type[Row] | None = getattr(self, "row", None)
        return [] if row is None else [each for of in of_row(row).values() for each in of]

    def asked(self, request: Request) -> dict[str, Any]:
        """Return the values of the query's parameters. Raises Problem."""
        asked = asking.read(request.query_params, _parameters_of(type(self)))
        for version in (asked.pop(MIN_VERSION.name, None), asked.get(VERSION.name)):
            if version is not None:
                wait_for(version, request.user.client)
        return asked

    @classmethod
    def all_parameters(cls) -> list[Parameter]:
        """Return what a query can say."""
        return [*cls.parameters, *([MIN_VERSION] if cls.is_versioned else [])]

    @classmethod
    def answers(cls) -> dict[str, Any]:
        """Return what is answered, by its media type."""
        return {"application/json": cls.row}


_PARAMETERS: dict[type[View], Sequence[Parameter]] = {}


def _parameters_of(view: type[View]) -> Sequence[Parameter]:
    found = _PARAMETERS.get(view)
    if found is None:
        found = _PARAMETERS[view] = view.all_parameters()
    return found


class Thing(View):
    """One thing. `find` returns it, None where there is none."""

    def get(self, request: Request, **place: Any) -> Response:
        """Answer with it."""
        found = self.find(request.user, self.asked(request), **place)
        if found is None:
            raise Problem("not-found")
        return Response(told(self.row, [found])[0])

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return the thing."""
        raise NotImplementedError


class Listing(View):
    """A list. `rows` returns a page of it; `sorts` are the orders it can have, the first if none is asked for."""

    renderer_classes: ClassVar[Sequence[Any]] = (Json, Csv)
    sorts: ClassVar[Sequence[str]] = ()
    kinds: ClassVar[Sequence[type]] = ()
    """Of the values that a place in it consists of; none: it has one page."""

    @classmethod
    def all_parameters(cls) -> list[Parameter]:
        """Return what a query can say."""
        names = list(fields_of(cls.row))
        fields = asking.several("fields", names, "Only these fields.", default=())
        forms = [each.format for each in cls.renderer_classes]
        form = asking.choice("format", forms, "The format, where the header Accept does not say it.")
        paged = [asking.LIMIT, asking.CURSOR] if cls.kinds else []
        sort = (
            [asking.choice("sort", cls.sorts, "The order: a name, or with - the largest first.", default=cls.sorts[0])]
            if len(cls.sorts) > 1
            else []
        )
        return [*super().all_parameters(), *sort, *paged, fields, form]

    def get(self, request: Request, **place: Any) -> Response:
        """Answer with a page."""
        asked = self.asked(request)
        sort = asked.get("sort", "")
        after = place_of(asked.get("cursor"), sort, self.kinds_of(asked))
        page = self.rows(request.user, asked, after, asked.get("limit", 0), **place)
        following = cursor_of(sort, page.last) if page.last else None
        headers = {}
        if following is not None:
            query = request.query_params.copy()
            query["cursor"] = following
            headers["Link"] = f'<{request.path}?{query.urlencode()}>; rel="next"'
        return Response({"data": told(self.row, page.rows, asked["fields"]), "next": following}, headers=headers)

    @classmethod
    def answers(cls) -> dict[str, Any]:
        """Return what is answered, by its media type."""
        return {"application/json": page_of(cls.row), "text/csv": OpenApiTypes.STR}

    def kinds_of(self, asked: Mapping[str, Any]) -> tuple[type, ...]:
        """Return what a place in the list consists of."""
        return tuple(self.kinds)

    def rows(
        self, caller: Caller, asked: Mapping[str, Any], after: tuple[Any, ...] | None, most: int, **place: Any
    ) -> Page:
        """Return the rows after a place."""
        raise NotImplementedError

    def deprecated(self, request: Request) -> Sequence[Deprecation]:
        """Return what is on its way out of the fields that were asked for."""
        found = of_row(self.row)
        return [each for name in self.names_of(request) for each in found.get(name, ())] if found else []

    def names_of(self, request: Request) -> list[str]:
        """Return the names of the fields that were asked for."""
        wanted = ",".join(request.query_params.getlist("fields"))
        return wanted.split(",") if wanted else list(fields_of(self.row))


def cut(placed: Sequence[tuple[tuple[Any, ...], Any]], most: int) -> Page:
    """Return a page of rows with their places, of which one more than `most` was looked up."""
    last = placed[most - 1][0] if len(placed) > most else None
    return Page([row for _, row in placed[:most]], last)


def page_of(row: type[Row]) -> type[Row]:
    """Return what a page of rows is."""
    name = row.__name__.removesuffix("Row")
    fields = {
        "data": row(many=True),
        "next": serializers.CharField(allow_null=True, help_text="The cursor of the next page; null: there is none."),
        "__doc__": "A page of a list.",
    }
    return type(f"{name}PageRow", (Row,), fields)


class Missing(APIView):
    """What is at no address of ours."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Say that there is nothing, whatever was to be done."""
        raise Problem("not-found")
