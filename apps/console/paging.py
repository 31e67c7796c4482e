"""Pages of rows by a cursor: the last row that was shown, so that no page counts or skips what came before it."""

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from banyan.cursors import decoded, encoded

M = TypeVar("M", bound=Model)
T = TypeVar("T")


class Page(NamedTuple, Generic[T]):
    """Rows, and the cursor of those after them; "": there are no more."""

    rows: Sequence[T]
    next: str


def cut(found: "QuerySet[M]", columns: tuple[str, str], cursor: str, most: int) -> Page[M]:
    """Return the rows after a cursor, ordered by two columns, the largest first."""
    first, second = columns
    values = _typed(found, columns, decoded(cursor, 2) if cursor else None)
    if values is not None:
        found = found.filter(before(columns, values))
    rows = list(found.order_by(f"-{first}", f"-{second}")[: most + 1])
    last = rows[most - 1] if len(rows) > most else None
    return Page(rows[:most], encoded([getattr(last, name) for name in columns]) if last is not None else "")


def before(columns: tuple[str, str], place: Sequence[Any]) -> Q:
    """Return what holds for rows that come after a place, the largest first."""
    first, second = columns
    return Q(**{f"{first}__lt": place[0]}) | Q(**{first: place[0], f"{second}__lt": place[1]})


def _typed(found: "QuerySet[M]", columns: tuple[str, str], values: list[Any] | None) -> list[Any] | None:
    """Return what a cursor holds as the columns have it; None where somebody has made it up."""
    if values is None:
        return None
    try:
        fields: list[Any] = [found.model._meta.get_field(name) for name in columns]
        return [field.to_python(value) for field, value in zip(fields, values, strict=True)]
    except ValidationError:
        return None
