"""The field that makes its model's table partitioned by time."""

from typing import Any

from timescale.db.models.fields import TimescaleDateTimeField

from banyan.timescale.intervals import Interval


class TimePartitionField(TimescaleDateTimeField):
    """A `timestamptz` column by whose ranges of `interval` ("1 year", "3 months", "7 days") the table is partitioned.

    Raises `IntervalError` when the interval is not a whole number of days, weeks, months or years.
    """

    def __init__(self, *args: Any, interval: str, **kwargs: Any) -> None:
        Interval.parse(interval)
        super().__init__(*args, interval=interval, **kwargs)
