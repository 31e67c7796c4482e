"""The connections that hosts and ledgers work through."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from django.db import connections

# Their statements are few, come again and again, and look up single rows by their keys. A plan is made once for each,
# and must be right for any size of a table: with what a first commit knows of it, it would be made for an empty one.
_PLANS = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "enable_bitmapscan": "off",
        "enable_hashjoin": "off",
        "enable_mergejoin": "off",
    }.items()
)

_PREPARED_AFTER = 1_000_000
"""Calls of a statement that nobody says is to be prepared; Django's own never are."""

SOON = "WITH soon AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))"
"""Begins a statement whose commit need not wait for the disk; it has to read `soon`."""


def lent(alias: str) -> "psycopg.Connection[Any] | None":
    """Return the connection that Django keeps for this thread: connecting anew takes longer than asking for something.

    None while it is in a transaction, which what is asked for would have to wait for.
    """
    django: Any = connections[alias]
    if django.in_atomic_block:
        return None
    django.ensure_connection()
    connection: psycopg.Connection[Any] = django.connection
    return connection


def again(alias: str, statement: str, parameters: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a statement that is asked again and again, over the connection that Django keeps.

    It is planned once for each connection, so its plan has to be right for all parameters.
    """
    django: Any = connections[alias]
    with django.cursor(), django.wrap_database_errors:  # which connects, and looks whether a connection is still good
        django.connection.prepare_threshold = _PREPARED_AFTER
        with psycopg.Cursor(django.connection) as cursor:
            return cursor.execute(statement, parameters, prepare=True).fetchall()


def connect(alias: str) -> "psycopg.Connection[Any]":
    """Return a connection to the database of a context, on which every statement is a transaction of its own."""
    parameters = connections[alias].get_connection_params()
    wanted = {name: value for name, value in parameters.items() if name not in ("cursor_factory", "context")}
    options = f"{wanted.pop('options', '')} {_PLANS}".strip()
    return psycopg.connect(**{**wanted, "options": options, "autocommit": True, "prepare_threshold": 2})
