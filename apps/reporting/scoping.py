"""Whose rows a question is about. Every question goes through here, so that no answer shows another's rows."""

from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from django.db import connections

ALIAS = "reporting"
_FEW = 200


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


@dataclass(frozen=True, slots=True)
class Walk:
    """Rows by unique columns, from the largest place on, or from the smallest; `after` is a place to go on from."""

    columns: tuple[str, ...]
    after: tuple[Any, ...] | None = None
    is_rising: bool = False

    def beyond(self) -> tuple[str, list[Any]]:
        """Return SQL that holds for rows after the place, and its parameters; the first column is told by itself."""
        if self.after is None:
            return "true", []
        sign = ">" if self.is_rising else "<"
        marks = ", ".join(["%s"] * len(self.columns))
        condition = f"{self.columns[0]} {sign}= %s AND ({', '.join(self.columns)}) {sign} ({marks})"
        return condition, [self.after[0], *self.after]

    def order(self, without: str = "") -> str:
        """Return what to order by, where a column is the same in all rows without it."""
        return ", ".join(f"{each}{'' if self.is_rising else ' DESC'}" for each in self.columns if each != without)


def is_of_few(scope: Scope) -> bool:
    """Return whether a scope is of so few accounts that it is faster to look at the rows of each than at all rows."""
    if scope.account or not scope.client:
        return bool(scope.account)
    (found,) = rows(
        "SELECT count(*) FROM (SELECT FROM reporting_account WHERE client = %s LIMIT %s) AS f",
        [scope.client, _FEW + 1],
    )
    return bool(found[0] <= _FEW)


def of_each(table: str, limits: str, walk: Walk) -> str:
    """Return SQL for the rows of a table account by account, of each not more than are wanted.

    `table` is what the limits call it, as in "reporting_order AS o"; `a` is the account's row. Its parameters are those
    of the limits, the walk's, and how many that is.
    """
    name = table.rpartition(" ")[2]
    return (
        f"reporting_account AS a CROSS JOIN LATERAL (SELECT {name}.* FROM {table} WHERE {name}.account = a.number "  # noqa: S608  (names of ours)
        f"AND {limits} AND {walk.beyond()[0]} ORDER BY {walk.order(without='a.id')} LIMIT %s) AS {name}"
    )


def of_all(table: str) -> str:
    """Return SQL for all rows of a table, each with its account's, as `of_each` does."""
    name = table.rpartition(" ")[2]
    return f"{table} JOIN reporting_account AS a ON a.number = {name}.account"


def among(column: str, scope: Scope) -> tuple[str, list[Any]]:
    """Return SQL that holds for rows whose array of accounts has one of a scope's, and its parameters.

    Where they are many, it holds for all: most rows have some of them.
    """
    if not is_of_few(scope):
        return "true", []
    limits, values = where(Scope(client=scope.client, account=scope.account), Columns())
    return f"{column} && ARRAY(SELECT a.number FROM reporting_account AS a WHERE {limits})", values  # noqa: S608  (names of ours)


def check(scope: Scope) -> None:
    """Raise ScopeError for a client or an account that reporting has never heard of."""
    for column, value in (("client", scope.client), ("id", scope.account)):
        if value and not rows(f"SELECT 1 FROM reporting_account WHERE {column} = %s LIMIT 1", [value]):  # noqa: S608  (names of ours)
            name = "client" if column == "client" else "account"
            raise ScopeError(f"there is no {name} {value}: `manage.py report accounts` lists those that there are")


def rows(statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    """Return what a query gives."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
