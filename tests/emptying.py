"""Emptying databases after a test that commits: a few rows in a few tables, of hundreds.

Django truncates every table of every database that the test may have used, and makes all content types and permissions
anew: for most of these tests that is more work than the test.
"""

from functools import cache
from typing import Any

from django.db import connections, transaction
from django.test import TransactionTestCase

KEPT = {"django_migrations", "django_content_type", "auth_permission"}
"""What says how a database is made, and what Django would make anew from the models, the same."""


def empty_quickly() -> None:
    """Let tests that commit be followed by `empty` for each database that they may use."""

    def teardown(test: Any) -> None:
        for alias in test._databases_names(include_mirrors=False):
            empty(alias)

    TransactionTestCase._fixture_teardown = teardown  # type: ignore[attr-defined]


def empty(alias: str) -> None:
    """Delete all rows of a database, but for what is KEPT."""
    tables = _tables(alias)
    looks = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in tables)
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        # What a process that was killed had begun to commit is waited for.
        cursor.execute(f"LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(looks)
        if full := [table for (table,) in cursor.fetchall()]:
            # No trigger is fired, so no row keeps another that it points at.
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("; ".join(f"DELETE FROM {table}" for table in full))


@cache
def _tables(alias: str) -> list[str]:
    connection = connections[alias]
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return [connection.ops.quote_name(table) for table in tables if table not in KEPT]
