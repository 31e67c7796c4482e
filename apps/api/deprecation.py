"""What is on its way out, told with every answer that it is in (RFC 9745), and if it goes, when (RFC 8594)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from django.utils.http import http_date
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from apps.api.rows import Row, fields_of

WHERE = "/api/docs"


class Deprecation(NamedTuple):
    """Since when something is to be used no more, and, where that is known, from when on it is not there any more."""

    since: datetime
    sunset: datetime | None = None


_FIELDS: dict[type[Row], dict[str, Deprecation]] = {}
_FOUND: dict[type[Row], Mapping[str, Sequence[Deprecation]]] = {}


def deprecates(**fields: Deprecation) -> Callable[[type[Row]], type[Row]]:
    """Return what marks fields of a row as on their way out, for answers and for the contract."""

    def mark(row: type[Row]) -> type[Row]:
        _FIELDS[row] = fields
        marked: type[Row] = extend_schema_serializer(deprecate_fields=list(fields))(row)
        return marked

    return mark


def of_row(row: type[Row]) -> Mapping[str, Sequence[Deprecation]]:
    """Return by a row's fields what is on its way out of them, and of the rows in them."""
    found = _FOUND.get(row)
    if found is None:
        own = next((_FIELDS[each] for each in row.__mro__ if each in _FIELDS), {})
        found = {}
        for name, field in fields_of(row).items():
            inner = field.child if isinstance(field, serializers.ListSerializer) else field
            of_inner = [each for of in of_row(type(inner)).values() for each in of] if isinstance(inner, Row) else []
            if said := [*([own[name]] if name in own else []), *of_inner]:
                found[name] = said
        _FOUND[row] = found
    return found


def headers_of(found: Sequence[Deprecation]) -> Mapping[str, str]:
    """Return what an answer says of what is on its way out: what began first, and what ends first."""
    if not found:
        return {}
    since = min(each.since for each in found)
    sunsets = [each.sunset for each in found if each.sunset is not None]
    headers = {"Deprecation": f"@{int(since.timestamp())}", "Link": f'<{WHERE}>; rel="deprecation"'}
    return headers | ({"Sunset": http_date(min(sunsets).timestamp())} if sunsets else {})


def since(year: int, month: int, day: int) -> Deprecation:
    """Return what begins on a day, UTC, and has no end yet."""
    return Deprecation(datetime(year, month, day, tzinfo=UTC))
