"""Whose rows a question is about. Every question goes through here, so that no answer shows another's rows."""

from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from django.db import connections

ALIAS = "reporting"


class ScopeError(ValueError):
    """A question is about something that is not there; the message says what, and how to find what is."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a question is limited to; "" and None: not. A client sees the rows of its own accounts and no others."""

    client: str = ""
    account: str = ""
    set: str = ""
    instrument: str = ""
    day: date | None = None


class Columns(NamedTuple):
    """What a query calls what a scope limits; `a` is the account's row in all of them. "": it has no such column.

    `at_ns` is the time by which a row is of a day, in the account's zone, where it has no day of its own.
    """

    set: str = ""
    instrument: str = ""
    day: str = ""
    at_ns: str = ""


def where(scope: Scope, columns: Columns) -> tuple[str, list[Any]]:
    """Return SQL that holds for rows within a scope, and its parameters."""
    day = columns.day or (
        f"(to_timestamp({columns.at_ns} / 1e9) AT TIME ZONE a.time_zone)::date" if columns.at_ns else ""
    )  # fmt: skip
    limits = [
        ("a.client", scope.client), ("a.id", scope.account), (columns.set, scope.set),
        (columns.instrument, scope.instrument), (day, scope.day),
    ]  # fmt: skip
    wanted = [(column, value) for column, value in limits if value]
    missing = [str(value) for column, value in wanted if not column]
    if missing:
        raise ScopeError(f"this report cannot be limited to {', '.join(missing)}")
    return " AND ".join(["true", *(f"{column} = %s" for column, _ in wanted)]), [value for _, value in wanted]


def check(scope: Scope) -> None:
    """Raise ScopeError for a client or an account that reporting has never heard of."""
    for column, value in (("client", scope.client), ("id", scope.account)):
        if value and not rows(f"SELECT 1 FROM reporting_account WHERE {column} = %s LIMIT 1", [value]):  # noqa: S608
            name = "client" if column == "client" else "account"
            raise ScopeError(f"there is no {name} {value}: `manage.py report accounts` lists those that there are")


def rows(statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    """Return what a query gives."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
