"""How rows are told: exact decimals as strings, times in UTC with nanoseconds, and the contract's types of both."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, NamedTuple

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

_DECIMAL = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "examples": ["1023.5"]}


class Row(serializers.Serializer):
    """A row of an answer. It has the fields that are declared, and no others."""


_FIELDS: dict[type[Row], Mapping[str, serializers.Field]] = {}


def fields_of(row: type[Row]) -> Mapping[str, serializers.Field]:
    """Return the fields of a row, bound once: each serializer would copy all of them."""
    found = _FIELDS.get(row)
    if found is None:
        found = _FIELDS[row] = dict(row().fields)
    return found


class _Cell(NamedTuple):
    """How a field of a row is told."""

    name: str
    source: str
    field: serializers.Field
    tell: Callable[[Any], Any]


_CELLS: dict[type[Row], Mapping[str, _Cell]] = {}


def _cells_of(row: type[Row]) -> Mapping[str, _Cell]:
    found = _CELLS.get(row)
    if found is None:
        fields = fields_of(row)
        found = {name: _Cell(name, str(each.source), each, _teller_of(each)) for name, each in fields.items()}
        _CELLS[row] = found
    return found


def _teller_of(field: Any) -> Callable[[Any], Any]:
    if isinstance(field, serializers.ListSerializer) and isinstance(field.child, Row):
        return partial(told, type(field.child))
    if isinstance(field, Row):
        return lambda value: told(type(field), [value])[0]
    return str if type(field) is serializers.CharField else field.to_representation  # type: ignore[no-any-return]


@extend_schema_field(_DECIMAL)
class Amount(serializers.Field):
    """Money, a price or a quantity, as a decimal string of at most `places`; unknown: null."""

    def __init__(self, places: int = 6, *, allow_null: bool = True, **more: Any) -> None:
        super().__init__(read_only=True, allow_null=allow_null, **more)
        self._places = places

    def to_representation(self, value: float) -> str | None:
        """Return the string."""
        return decimal(value, self._places)


@extend_schema_field({"type": "string", "format": "date-time", "examples": ["2026-03-31T12:00:00.123456789Z"]})
class Time(serializers.Field):
    """A time, given in ns since 1970 UTC."""

    def __init__(self, *, allow_null: bool = True, **more: Any) -> None:
        super().__init__(read_only=True, allow_null=allow_null, **more)

    def to_representation(self, value: int) -> str | None:
        """Return it in ISO 8601."""
        return time_text(value)


@extend_schema_field({"type": "string", "format": "date-time", "examples": ["2026-03-31T12:00:00.123456Z"]})
class Moment(serializers.Field):
    """A time, given as a datetime."""

    def __init__(self, *, allow_null: bool = True, **more: Any) -> None:
        super().__init__(read_only=True, allow_null=allow_null, **more)

    def to_representation(self, value: datetime) -> str:
        """Return it in ISO 8601."""
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def decimal(value: float, places: int = 6) -> str | None:
    """Return a number as a decimal string without an exponent; None for what is no number."""
    if not math.isfinite(value):
        return None
    text = f"{value:.{places}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def time_text(at_ns: int) -> str | None:
    """Return a time in ns as ISO 8601, with all nine digits; None for 0, which is never."""
    if not at_ns:
        return None
    return f"{_second_text(at_ns // 10**9)}.{at_ns % 10**9:09d}Z"


@lru_cache(4096)
def _second_text(at: int) -> str:
    """Return a second as ISO 8601: rows of a list share few of them."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}"


def told(row: type[Row], found: Sequence[Any], names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return rows as they are answered, with only the fields `names` where some are given."""
    cells = _cells_of(row)
    wanted = [cells[name] for name in names or cells]
    return [_told(each, wanted) for each in found]


def _told(row: Any, wanted: Sequence[_Cell]) -> dict[str, Any]:
    get = row.__getitem__ if isinstance(row, dict) else partial(getattr, row)
    values = {}
    for name, source, field, tell in wanted:
        try:
            value = get(source)
            is_plain = not callable(value)
        except (AttributeError, KeyError):
            is_plain = False
        if not is_plain:  # a default, a method, a part of a part: what serializers know to look for
            value = field.get_attribute(row)
        values[name] = None if value is None else tell(value)
    return values
