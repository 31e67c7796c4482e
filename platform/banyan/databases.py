"""The databases of the contexts, as a whole."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from django.core.management import call_command
from django.db import Error, OperationalError, ProgrammingError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import OperationalError as ConnectionProblem
from psycopg import errors, sql

from banyan.embedded import EmbeddedServerError
from banyan.system_user import SystemUserError

_LOCK = 0x42414E59  # any number that nobody else locks


def create_missing(alias: str) -> bool:
    """Create the database of `alias` on its server unless it is there; return whether it was created."""
    connection = connections[alias]
    name = connection.settings_dict["NAME"]
    # Not PostgreSQL's own `_nodb_cursor`, which on failure goes on with a warning to the database that is missing.
    with BaseDatabaseWrapper._nodb_cursor(connection) as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])  # until this connection closes
        cursor.execute("SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", [name])
        if cursor.fetchone()[0]:
            return False
        cursor.execute(sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(sql.Identifier(name)))
    return True


@contextmanager
def migrating(alias: str) -> Iterator[None]:
    """Hold the right to migrate the database of `alias`; another process that wants it waits."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


@contextmanager
def scratch(aliases: Sequence[str], suffix: str) -> Iterator[None]:
    """Let these databases be new and empty ones beside themselves, called `suffix` more, which are dropped at the end.

    Whoever has a connection to one already goes on with the old one.
    """
    names = {alias: connections[alias].settings_dict["NAME"] for alias in aliases}
    try:
        for alias, name in names.items():
            connections[alias].close()
            connections[alias].settings_dict["NAME"] = f"{name}_{suffix}"
            create_missing(alias)
            call_command("migrate", database=alias, verbosity=0)
        yield
    finally:
        for alias, name in names.items():
            connection = connections[alias]
            connection.close()
            made = connection.settings_dict["NAME"]
            if made != name:
                with BaseDatabaseWrapper._nodb_cursor(connection) as cursor:
                    cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(made)))
            connection.settings_dict["NAME"] = name


class NotSetUpError(RuntimeError):
    """A database was never made, or never migrated; the message says which and what to do."""


def check_set_up(aliases: Iterable[str]) -> None:
    """Raise NotSetUpError where a database is not there, or was never migrated; one that is away may be either."""
    for alias in aliases:
        try:
            with connections[alias].cursor() as cursor:
                cursor.execute("SELECT FROM django_migrations LIMIT 1")
        except Error as problem:
            cause = problem.__cause__ or problem
            if _is_missing(problem) or isinstance(cause, errors.UndefinedTable):
                raise NotSetUpError(f"{alias}: {explain(problem)}") from None
        finally:
            connections[alias].close()


def forget_broken() -> None:
    """Close connections that are of no use any more, so that the next question opens new ones."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def explain(problem: BaseException) -> str | None:
    """Return what a person can do about a database that cannot be used, or None when `problem` is something else."""
    if isinstance(problem, EmbeddedServerError | SystemUserError):
        return str(problem)
    is_operational = isinstance(problem, OperationalError | ConnectionProblem)
    if is_operational and _is_missing(problem):
        return f"{_first_line(problem)}: run `make setup` (or manage.py migrate), which creates it."
    if isinstance(problem, ProgrammingError) and isinstance(problem.__cause__, errors.UndefinedTable):
        return f"The database is not set up: {_first_line(problem)}. Run `make setup` (or manage.py migrate)."
    if is_operational and getattr(problem.__cause__ or problem, "sqlstate", None) is None:
        return f"The database cannot be reached: {_first_line(problem)} Check DATABASE_URL, or unset it."
    return None


def _is_missing(problem: BaseException) -> bool:
    """Tell whether a database does not exist: libpq gives no code for what goes wrong while connecting, only words."""
    return isinstance(problem.__cause__ or problem, errors.InvalidCatalogName) or bool(
        re.search(r'FATAL: +database "[^"]*" does not exist', str(problem))
    )


def _first_line(problem: BaseException) -> str:
    return str(problem).strip().splitlines()[0]
