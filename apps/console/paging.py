"""Pages of rows by a cursor: the last row that was shown, so that no page counts or skips what came before it."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

M = TypeVar("M", bound=Model)
T = TypeVar("T")


class Page(NamedTuple, Generic[T]):
    """Rows, and the cursor of those after them; "": there are no more."""

    rows: Sequence[T]
    next: str


def encoded(values: Sequence[Any]) -> str:
    """Return a cursor as it stands in an address."""
    return base64.urlsafe_b64encode(json.dumps(list(values), default=str).encode()).decode().rstrip("=")


def decoded(cursor: str, length: int) -> list[Any] | None:
    """Return what a cursor holds; None for what is none, which begins at the beginning."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        return None
    is_ours = isinstance(values, list) and len(values) == length and all(isinstance(v, str | int) for v in values)
    return values if is_ours else None


def cut(found: "QuerySet[M]", columns: tuple[str, str], cursor: str, most: int) -> Page[M]:
    """Return the rows after a cursor, ordered by two columns, the largest first."""
    first, second = columns
    values = _typed(found, columns, decoded(cursor, 2) if cursor else None)
    if values is not None:
        found = found.filter(Q(**{f"{first}__lt": values[0]}) | Q(**{first: values[0], f"{second}__lt": values[1]}))
    rows = list(found.order_by(f"-{first}", f"-{second}")[: most + 1])
    last = rows[most - 1] if len(rows) > most else None
    return Page(rows[:most], encoded([getattr(last, name) for name in columns]) if last is not None else "")


def _typed(found: "QuerySet[M]", columns: tuple[str, str], values: list[Any] | None) -> list[Any] | None:
    """Return what a cursor holds as the columns have it; None where somebody has made it up."""
    if values is None:
        return None
    try:
        fields: list[Any] = [found.model._meta.get_field(name) for name in columns]
        return [field.to_python(value) for field, value in zip(fields, values, strict=True)]
    except ValidationError:
        return None
