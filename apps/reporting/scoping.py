"""Whose rows a question is about. Every question goes through here, so that no answer shows another's rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from django.db import connections

from banyan.store import again

ALIAS = "reporting"
_FEW, _VERY_FEW = 200, 8


class ScopeError(ValueError):
    """A question is about something that is not there; the message says what, and how to find what is."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a question is limited to; "", () and None: not. A client sees the rows of its own accounts and no others.

    `clients` and `accounts` are several, for who reads for all of them. `since_ns` is the first time that is meant,
    `until_ns` the first that is not any more.
    """

    client: str = ""
    account: str = ""
    set: str = ""
    instrument: str = ""
    day: date | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    clients: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


class Columns(NamedTuple):
    """What a query calls what a scope limits; `a` is the account's row in all of them. "": it has no such column.

    `at_ns` is the time of a row; by it a row is of a day, in the account's zone, where it has no day of its own.
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
        ("a.client", "=", scope.client), ("a.id", "=", scope.account), (columns.set, "=", scope.set),
        (columns.instrument, "=", scope.instrument), (day, "=", scope.day), (columns.at_ns, ">=", scope.since_ns),
        (columns.at_ns, "<", scope.until_ns),
    ]  # fmt: skip
    wanted = [(column, how, value) for column, how, value in limits if value not in ("", None)]
    missing = [str(value) for column, _, value in wanted if not column]
    if missing:
        raise ScopeError(f"this report cannot be limited to {', '.join(missing)}")
    conditions = ["true", *(f"{column} {how} %s" for column, how, _ in wanted)]
    values: list[Any] = [value for *_, value in wanted]
    for column, several in (("a.client", scope.clients), ("a.id", scope.accounts)):
        if several:
            conditions.append(f"{column} = ANY(%s)")
            values.append(list(several))
    return " AND ".join(conditions), values


NUMBER_OF = "(SELECT n.number FROM reporting_account AS n WHERE n.id = %s)"
"""The number of an account by its id: rows of one time stand in the order of their accounts' numbers."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Rows by unique columns, from the largest place on, or from the smallest; `after` is a place to go on from.

    `given` is SQL for what a place says of a column, where it says something else than is in the column.
    """

    columns: tuple[str, ...]
    after: tuple[Any, ...] | None = None
    is_rising: bool = False
    given: Mapping[str, str] = field(default_factory=dict)

    def beyond(self) -> tuple[str, list[Any]]:
        """Return SQL that holds for rows after the place, and its parameters; the first column is told by itself."""
        if self.after is None:
            return "true", []
        sign = ">" if self.is_rising else "<"
        marks = ", ".join(self.given.get(each, "%s") for each in self.columns)
        condition = f"{self.columns[0]} {sign}= %s AND ({', '.join(self.columns)}) {sign} ({marks})"
        return condition, [self.after[0], *self.after]

    def order(self, *columns: str) -> str:
        """Return what to order by: the columns of the place, or others that stand for them."""
        return ", ".join(f"{each}{'' if self.is_rising else ' DESC'}" for each in columns or self.columns)


def few_of(scope: Scope) -> int:
    """Return of how many accounts a scope is, where they are so few that each is better looked at by itself, else 0."""
    if scope.account or not scope.client:
        return int(bool(scope.account))
    (found,) = rows(
        "SELECT count(*) FROM (SELECT FROM reporting_account WHERE client = %s LIMIT %s) AS f",
        [scope.client, _FEW + 1],
    )
    return int(found[0]) if found[0] <= _FEW else 0


class Source(NamedTuple):
    """SQL for the rows of a table, each with its account's, and its parameters."""

    sql: str
    values: Sequence[Any] = ()


def of_each(table: str, limits: tuple[str, Sequence[Any]], walk: Walk, few: int, most: int) -> Source:
    """Return the rows of a table account by account, of so `few` of them, and of each not more than are wanted.

    `table` is what the limits call it, as in "reporting_order AS o"; `a` is the account's row, and the walk's first
    column a time. Where they are several, each tells its part of what is wanted first: of none is more looked at than
    is not before the last time of those.
    """
    name, at_ns = table.rpartition(" ")[2], walk.columns[0]
    beyond, place = walk.beyond()
    theirs, values = f"{name}.account = a.number AND {limits[0]} AND {beyond}", [*limits[1], *place]

    def each_of(condition: str, order: str) -> str:
        return (
            f"reporting_account AS a CROSS JOIN LATERAL (SELECT {name}.* FROM {table} WHERE {condition} "  # noqa: S608  (names of ours)
            f"ORDER BY {order} LIMIT %s) AS {name}"
        )

    if few == 1:
        return Source(each_of(theirs, walk.order()), [*values, most])
    sign, end = ("<=", 2**63 - 1) if walk.is_rising else (">=", 0)
    by_time = walk.order(at_ns)
    first = f"SELECT {at_ns} FROM {each_of(theirs, by_time)} WHERE {limits[0]} ORDER BY {by_time} OFFSET %s LIMIT 1"  # noqa: S608  (names of ours)
    bound = f"{at_ns} {sign} COALESCE(({first}), {end})"
    values += [*values, -(-most // few), *limits[1], most - 1]
    return Source(each_of(f"{theirs} AND {bound}", walk.order()), [*values, most])


def of_all(table: str) -> Source:
    """Return all rows of a table, each with its account's, as `of_each` does."""
    name = table.rpartition(" ")[2]
    return Source(f"{table} JOIN reporting_account AS a ON a.number = {name}.account")


def of_page(table: str, page: str, values: Sequence[Any]) -> Source:
    """Return the rows of a page of a table, each with its account's, where nothing of it is asked of accounts."""
    name = table.rpartition(" ")[2]
    return Source(
        f"(SELECT {name}.* FROM {table} WHERE {page}) AS {name} "  # noqa: S608  (names of ours)
        f"JOIN reporting_account AS a ON a.number = {name}.account",
        values,
    )


def numbers_of(scope: Scope) -> list[int] | None:
    """Return the numbers of a scope's accounts, where rows in arrays are better looked for by them: None: of many."""
    if not (scope.account or scope.client):
        return None
    limits, values = where(Scope(client=scope.client, account=scope.account), Columns())
    statement = f"SELECT a.number FROM reporting_account AS a WHERE {limits} LIMIT %s"  # noqa: S608  (names of ours)
    found = [number for (number,) in rows(statement, [*values, _FEW + 1])]
    return found if len(found) <= _FEW else None


def among(array: str, row: str, numbers: Sequence[int]) -> tuple[str, list[Any]]:
    """Return SQL that holds for a row of an array of accounts that is one of a few accounts', and its parameters.

    Where they are very few, arrays without them are not unfolded; most have one of many.
    """
    has_one = f"{array} && %s::bigint[] AND " if len(numbers) <= _VERY_FEW else ""
    return f"{has_one}{row} = ANY(%s::bigint[])", [list(numbers)] * (2 if has_one else 1)


def check(scope: Scope) -> None:
    """Raise ScopeError for a client or an account that reporting has never heard of."""
    for column, value in (("client", scope.client), ("id", scope.account)):
        if value and not rows(f"SELECT 1 FROM reporting_account WHERE {column} = %s LIMIT 1", [value]):  # noqa: S608  (names of ours)
            name = "client" if column == "client" else "account"
            raise ScopeError(f"there is no {name} {value}: `manage.py report accounts` lists those that there are")


def rows(statement: str, parameters: list[Any], *, is_planned_once: bool = False) -> list[tuple[Any, ...]]:
    """Return what a query gives; `is_planned_once` for one that finds few rows by unique columns, whatever they are."""
    if is_planned_once:
        return again(ALIAS, statement, parameters)
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
