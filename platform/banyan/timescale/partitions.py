"""PostgreSQL's own range partitions, for servers without TimescaleDB."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

from banyan.timescale.fields import TimePartitionField
from banyan.timescale.intervals import Interval

PARTITIONS_MAX = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PartitionError(ValueError):
    """A range of time cannot be given partitions; the message says why."""


def partition_field(model: type[models.Model]) -> TimePartitionField | None:
    """Return the field by which the table of `model` is partitioned, or None."""
    return next((field for field in model._meta.local_fields if isinstance(field, TimePartitionField)), None)


def default_partition(table: str) -> str:
    """Return the name of the partition of `table` that takes rows of no other partition."""
    return f"{table}_other"


def ensure_partitions(connection: BaseDatabaseWrapper, model: type[models.Model], first_ns: int, last_ns: int) -> None:
    """Make the partitions of `model`'s table that rows from `first_ns` to `last_ns`, both included, belong to.

    Times are nanoseconds since 1970 UTC. Rows that wait in the default partition move to the new one. With TimescaleDB
    nothing is done, since it makes its chunks itself. Calling it again, or from several processes at once, is safe.
    Raises `PartitionError` when the model is not partitioned, when the times are in the wrong order, and when they
    would need more than 1000 partitions.
    """
    field = partition_field(model)
    if field is None:
        raise PartitionError(f"{model.__name__} has no TimePartitionField, so its table has no partitions")
    if last_ns < first_ns:
        raise PartitionError(f"the last time, {last_ns} ns, is before the first, {first_ns} ns")
    if connection.has_timescale:  # type: ignore[attr-defined]
        return
    interval = Interval.parse(field.interval)
    first, last = _moment(first_ns), _moment(last_ns)
    ranges = []
    for bounds in interval.ranges(first, last):
        ranges.append(bounds)
        if len(ranges) > PARTITIONS_MAX:
            raise PartitionError(
                f"{first:%Y-%m-%d} to {last:%Y-%m-%d} needs more than {PARTITIONS_MAX} partitions of {field.interval}: "
                "check the times, or choose a longer interval"
            )
    table, column = model._meta.db_table, field.column
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        wanted = {_partition_name(table, bounds[0]): bounds for bounds in ranges}
        if wanted.keys() <= _partitions(cursor, table):
            return
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [table])
        present = _partitions(cursor, table)
        for name, bounds in wanted.items():
            if name not in present:
                _add_partition(cursor, table, column, name, bounds)


class Partition(NamedTuple):
    """A partition of a table: its name, and the end of its range (excluded), UTC."""

    name: str
    end: datetime


def partitions_of(connection: BaseDatabaseWrapper, model: type[models.Model]) -> list[Partition]:
    """Return the partitions of `model`'s table, oldest first, without the one that takes what belongs to no other.

    With TimescaleDB they are its chunks.
    """
    field = partition_field(model)
    assert field is not None, model
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.has_timescale:  # type: ignore[attr-defined]
            cursor.execute(
                "SELECT chunk_schema || '.' || chunk_name, range_end FROM timescaledb_information.chunks "
                "WHERE hypertable_name = %s ORDER BY range_end",
                [table],
            )
            return [Partition(*row) for row in cursor.fetchall()]
        names = sorted(_partitions(cursor, table) - {default_partition(table)})
    interval = Interval.parse(field.interval)
    begin = [datetime.strptime(name.rpartition("_")[2], "%Y%m%d").replace(tzinfo=UTC) for name in names]
    return [Partition(name, interval.following(each)) for name, each in zip(names, begin, strict=True)]


def _moment(time_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


def _partition_name(table: str, beginning: datetime) -> str:
    return f"{table}_{beginning:%Y%m%d}"


def _partitions(cursor: Any, table: str) -> set[str]:
    cursor.execute(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
        "WHERE inhparent = quote_ident(%s)::regclass",
        [table],
    )
    return {name for (name,) in cursor.fetchall()}


def _add_partition(cursor: Any, table: str, column: str, name: str, bounds: tuple[datetime, datetime]) -> None:
    """Make a partition aside, move the rows that belong to it out of the default one, and attach it.

    Attaching locks the table less than `CREATE TABLE … PARTITION OF`, so queries go on meanwhile.
    """
    names = {
        "table": sql.Identifier(table),
        "partition": sql.Identifier(name),
        "other": sql.Identifier(default_partition(table)),
        "column": sql.Identifier(column),
        "beginning": sql.Literal(bounds[0].isoformat()),
        "end": sql.Literal(bounds[1].isoformat()),
    }
    for statement in (
        "CREATE TABLE {partition} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)",
        """WITH moved AS (DELETE FROM {other} WHERE {column} >= {beginning} AND {column} < {end} RETURNING *)
        INSERT INTO {partition} SELECT * FROM moved""",
        "ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({beginning}) TO ({end})",
    ):
        cursor.execute(sql.SQL(statement).format(**names))
