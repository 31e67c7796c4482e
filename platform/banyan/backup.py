"""Copies of all databases as one consistent set, and the way back.

A backup is a folder: `manifest.json`, and for each database a folder with a file for each table, in PostgreSQL's own
COPY format. For the set to be of one moment, commits of all hosts are held up while every database takes its snapshot,
a few milliseconds; they go on while the rows are copied.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from django.apps import apps
from django.db import connections, router
from django.db.migrations.recorder import MigrationRecorder
from psycopg import sql

FORMAT = 1
_MANIFEST = "manifest.json"
_LOCK_SECONDS = 10
_HELD = {"banyan_key": "number", "edge_lease": "number"}
"""Tables whose rows every commit moves: who locks them holds up all commits."""
RESTORING = "restore"
"""Who holds every key from the moment at which rows are replaced until what follows from that is done."""


class BackupError(RuntimeError):
    """A backup cannot be made or used; the message says why, and that nothing was changed."""


class Table(msgspec.Struct, frozen=True):
    """A file of a backup."""

    columns: list[str]
    rows: int
    digest: str


class Database(msgspec.Struct, frozen=True):
    """A database of a backup. `keys` gives (epoch, last number) by key, where the database has keys."""

    migrations: list[str]
    tables: dict[str, Table]
    keys: dict[str, tuple[int, int]]


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds."""

    format: int
    made_at: str
    server: str
    databases: dict[str, Database]


def make(folder: Path, aliases: Sequence[str]) -> Manifest:
    """Write a backup of databases to a folder that does not exist yet. Raises BackupError and OSError."""
    if folder.exists():
        raise BackupError(f"{folder} exists already: give a folder that is to be made")
    staging = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True, mode=0o700)  # all that clients have is in there
    databases = {}
    with ExitStack() as stack:
        held = {alias: stack.enter_context(_snapshot(alias)) for alias in aliases}
        server = str(next(iter(held.values())).info.server_version)
        with ExitStack() as locks:
            for alias in aliases:
                locks.enter_context(_commits_held_up(alias))
            for connection in held.values():
                connection.execute("SELECT 1 FROM pg_class LIMIT 1")  # the snapshot is that of the first statement
        for alias, connection in held.items():
            databases[alias] = _copy_out(connection, alias, staging / alias)
    manifest = Manifest(FORMAT, datetime.now(UTC).isoformat(timespec="seconds"), server, databases)
    _write(staging / _MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    staging.rename(folder)
    return manifest


def check(folder: Path, aliases: Sequence[str]) -> Manifest:
    """Return the manifest of a backup that is whole and fits these databases. Raises BackupError."""
    try:
        manifest = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=Manifest)
    except OSError:
        raise BackupError(f"{folder} is no backup: it has no {_MANIFEST}. Nothing was changed") from None
    except msgspec.DecodeError as problem:
        raise BackupError(f"{folder / _MANIFEST} cannot be read: {problem}. Nothing was changed") from None
    if manifest.format != FORMAT:
        raise BackupError(f"{folder} is of format {manifest.format}, this release reads {FORMAT}. Nothing was changed")
    for alias in aliases:
        if alias not in manifest.databases:
            raise BackupError(f"{folder} has no copy of {alias}. Nothing was changed")
        kept = manifest.databases[alias]
        here = _migrations(alias)
        if kept.migrations != here:
            odd = sorted(set(kept.migrations) ^ set(here))
            raise BackupError(
                f"{alias} was copied under other migrations ({', '.join(odd[:3])}): restore it with the release that "
                "made it, then migrate. Nothing was changed"
            )
        for name, table in kept.tables.items():
            path = _file(folder / alias, name)
            if not path.exists() or _digest(path) != table.digest:
                raise BackupError(f"{path} is missing or not what was written. Nothing was changed")
    return manifest


def replace(folder: Path, manifest: Manifest, aliases: Sequence[str], is_gone: Callable[[str], bool]) -> None:
    """Put the rows of a backup in the place of all that databases hold, in each all or nothing.

    Every key is then held by `RESTORING`, in an epoch later than anybody has heard of. Raises BackupError while
    somebody holds a key, of whatever database, who is not gone.
    """
    with ExitStack() as stack:
        opened = {alias: stack.enter_context(_connected(alias)) for alias in aliases}
        heard = _heard()
        for alias, connection in opened.items():
            for table in (each for each in _HELD if _has(alias, each)):
                connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
                connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(table)))
        for alias in connections:
            _check_free(opened.get(alias), alias, is_gone)
        for alias, connection in opened.items():
            _copy_in(connection, folder / alias, manifest.databases[alias])
            _take_keys(connection, alias, heard)
        for connection in opened.values():
            connection.commit()


def rewind(aliases: Sequence[str], others: Sequence[str]) -> None:
    """Let receivers that were not restored wait for what senders that were will send, from where these are now."""
    for sender in aliases:
        if not _has(sender, "banyan_stream"):
            continue
        with connections[sender].cursor() as cursor:
            cursor.execute("SELECT receiver, receiver_key, key, position FROM banyan_stream")
            sent = cursor.fetchall()
        for receiver in others:
            for table in (each for each in ("banyan_mark", "edge_stream") if _has(receiver, each)):
                rows = [(position, key, sender, theirs) for to, key, theirs, position in sent if to == receiver]
                with connections[receiver].cursor() as cursor:
                    cursor.executemany(
                        f"UPDATE {table} SET position = LEAST(position, %s) "  # noqa: S608  (names of ours)
                        "WHERE key = %s AND sender = %s AND sender_key = %s",
                        rows,
                    )


def release(aliases: Sequence[str]) -> None:
    """Let go of the keys that a restore has held."""
    for alias in aliases:
        for table in (each for each in _HELD if _has(alias, each)):
            with connections[alias].cursor() as cursor:
                cursor.execute(
                    f"UPDATE {table} SET owner = '', lease_until = NULL WHERE owner = %s",  # noqa: S608  (names of ours)
                    [RESTORING],
                )


@contextmanager
def _connected(alias: str) -> "Iterator[psycopg.Connection[Any]]":
    parameters = connections[alias].get_connection_params()
    wanted = {name: value for name, value in parameters.items() if name not in ("cursor_factory", "context")}
    connection: psycopg.Connection[Any] = psycopg.connect(**wanted)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def _snapshot(alias: str) -> "Iterator[psycopg.Connection[Any]]":
    with _connected(alias) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection


@contextmanager
def _commits_held_up(alias: str) -> Iterator[None]:
    with _connected(alias) as connection:
        connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
        for table in (each for each in _HELD if _has(alias, each)):
            connection.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier(table)))
        yield
        connection.rollback()


def _check_free(connection: "psycopg.Connection[Any] | None", alias: str, is_gone: Callable[[str], bool]) -> None:
    with ExitStack() as stack:
        asked = connection or stack.enter_context(_connected(alias))
        for table in (each for each in _HELD if _has(alias, each)):
            query = sql.SQL("SELECT DISTINCT owner FROM {} WHERE owner NOT IN ('', %s) AND lease_until > now()")
            for (owner,) in asked.execute(query.format(sql.Identifier(table)), [RESTORING]).fetchall():
                if not is_gone(owner):
                    raise BackupError(f"{alias} is in use by {owner}: stop `manage.py run`. Nothing was changed")


def _heard() -> dict[tuple[str, str], int]:
    """Return the last epoch that anybody has heard of, by (context, key)."""
    heard: dict[tuple[str, str], int] = {}
    for alias in connections:
        with _connected(alias) as connection:
            for name, query in _EPOCHS.items():
                for sender, key, epoch in connection.execute(query).fetchall() if _has(alias, name) else ():
                    at = sender or alias, key
                    heard[at] = max(heard.get(at, 0), epoch)
    return heard


_EPOCHS = {
    "banyan_key": "SELECT '', key, epoch FROM banyan_key",
    "banyan_mark": "SELECT sender, sender_key, max(epoch) FROM banyan_mark GROUP BY 1, 2",
    "edge_lease": "SELECT 'edge', key, epoch FROM edge_lease",
    "edge_stream": "SELECT sender, sender_key, max(epoch) FROM edge_stream GROUP BY 1, 2",
}


def _take_keys(connection: "psycopg.Connection[Any]", alias: str, heard_of: Mapping[tuple[str, str], int]) -> None:
    for table in (each for each in _HELD if _has(alias, each)):
        name = sql.Identifier(table)
        heard = [(epoch, key) for (context, key), epoch in heard_of.items() if context == alias]
        with connection.cursor() as cursor:
            cursor.executemany(sql.SQL("UPDATE {} SET epoch = GREATEST(epoch, %s) WHERE key = %s").format(name), heard)
        connection.execute(
            sql.SQL("UPDATE {} SET epoch = epoch + 1, owner = %s, lease_until = now() + interval '100 years'").format(
                name
            ),
            [RESTORING],
        )


def _copy_out(connection: "psycopg.Connection[Any]", alias: str, folder: Path) -> Database:
    folder.mkdir()
    tables = {}
    for name in _tables(alias):
        columns = _columns(connection, name)
        query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(_names(columns), sql.Identifier(name))
        digest, rows = hashlib.blake2b(digest_size=16), 0
        with _file(folder, name).open("wb") as file, connection.cursor().copy(query) as copy:
            for block in copy:
                file.write(block)
                digest.update(block)
                rows += bytes(block).count(b"\n")
            file.flush()
            os.fsync(file.fileno())
        tables[name] = Table(columns, rows, digest.hexdigest())
    keys = {}
    for table in (each for each in _HELD if each in tables):
        query = sql.SQL("SELECT key, epoch, number FROM {}").format(sql.Identifier(table))
        keys = {key: (epoch, number) for key, epoch, number in connection.execute(query).fetchall()}
    return Database(_migrations(alias), tables, keys)


def _copy_in(connection: "psycopg.Connection[Any]", folder: Path, kept: Database) -> None:
    names = list(kept.tables)
    if names:
        connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(map(sql.Identifier, names))))
    for name in names:
        columns = kept.tables[name].columns
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(name), _names(columns))
        with _file(folder, name).open("rb") as file, connection.cursor() as cursor:
            with cursor.copy(query) as copy:
                while block := file.read(1 << 20):
                    copy.write(block)
            if cursor.rowcount != kept.tables[name].rows:
                raise BackupError(f"{name}: {cursor.rowcount} rows read of {kept.tables[name].rows}")
        for column in _numbered(connection, name):
            connection.execute(
                sql.SQL("SELECT setval(pg_get_serial_sequence(%s, %s), GREATEST(max({}), 1)) FROM {}").format(
                    sql.Identifier(column), sql.Identifier(name)
                ),
                [name, column],
            )


def _numbered(connection: "psycopg.Connection[Any]", table: str) -> list[str]:
    query = (
        "SELECT attname FROM pg_attribute WHERE attrelid = quote_ident(%s)::regclass AND attnum > 0 "
        "AND NOT attisdropped AND pg_get_serial_sequence(quote_ident(%s), attname) IS NOT NULL"
    )
    return [name for (name,) in connection.execute(query, [table, table]).fetchall()]


def _columns(connection: "psycopg.Connection[Any]", table: str) -> list[str]:
    query = (
        "SELECT attname FROM pg_attribute WHERE attrelid = quote_ident(%s)::regclass AND attnum > 0 "
        "AND NOT attisdropped AND attgenerated = '' ORDER BY attnum"
    )
    return [name for (name,) in connection.execute(query, [table]).fetchall()]


def _tables(alias: str) -> list[str]:
    """Return the tables of a database: those of its models, and of the relations between them."""
    models = [
        model
        for config in apps.get_app_configs()
        for model in router.get_migratable_models(config, alias, include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    ]
    present = set(connections[alias].introspection.table_names(include_views=False))
    return sorted({model._meta.db_table for model in models} & present)


def _has(alias: str, table: str) -> bool:
    return table in _tables(alias)


def _migrations(alias: str) -> list[str]:
    applied = MigrationRecorder(connections[alias]).applied_migrations()
    return sorted(f"{app}.{name}" for app, name in applied)


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _file(folder: Path, table: str) -> Path:
    return folder / f"{table}.copy"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
