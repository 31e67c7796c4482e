"""Expressions for queries over time that give the same with TimescaleDB and without."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Expression, F, Func
from django.db.models.sql.compiler import SQLCompiler

from banyan.timescale.intervals import ORIGIN, Interval, IntervalError


class TimeBucket(Func):
    """The beginning, in UTC, of the bucket of `interval` ("1 day", "2 weeks", "1 month", "1 year") that holds a time.

    It is TimescaleDB's `time_bucket`, and `date_bin` or `date_trunc` where the extension is missing. Raises
    `IntervalError` for several months or years, which PostgreSQL alone does not count.
    """

    def __init__(self, expression: str | Expression | F, interval: str) -> None:
        self.interval = Interval.parse(interval)
        if self.interval.months not in (0, 1, 12):
            raise IntervalError(f"{interval!r}: time buckets are of days, weeks, one month or one year")
        super().__init__(expression, output_field=DateTimeField())

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> tuple[str, Any]:
        """Return the SQL for what the server has, and its parameters."""
        time, parameters = compiler.compile(self.get_source_expressions()[0])
        months, days = self.interval.months, self.interval.days
        if connection.has_timescale:  # type: ignore[attr-defined]
            return f"time_bucket(INTERVAL '{months} months {days} days', {time})", parameters
        if months:
            return f"date_trunc('{'month' if months == 1 else 'year'}', {time}, 'UTC')", parameters
        return f"date_bin(INTERVAL '{days} days', {time}, '{ORIGIN.isoformat()}')", parameters
