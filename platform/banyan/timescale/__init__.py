"""Tables partitioned by time, with TimescaleDB where the server has it and with PostgreSQL's own partitions where not.

As Django's database engine this package is django-timescaledb's backend with guards. A model asks for partitions by its
time column's field, and needs a primary key that holds it:

    class Bar(models.Model):
        pk = models.CompositePrimaryKey("series_id", "time")
        series_id = models.IntegerField()
        time = TimePartitionField(interval="1 year")

The migration that creates the model then makes

- with the extension: a hypertable with chunks of that interval, its primary key kept;
- without: a table `PARTITION BY RANGE (time)` with a default partition, so that any row can be written. Before a bulk
  load call `ensure_partitions` for its range of time; rows that wait in the default partition are moved then.

`INSERT`, `COPY`, `ON CONFLICT (series_id, time)` and every query are the same on both; `TimeBucket` is `time_bucket`,
or what gives the same buckets without it.
"""

from banyan.timescale.expressions import TimeBucket
from banyan.timescale.fields import TimePartitionField
from banyan.timescale.partitions import PartitionError, ensure_partitions

__all__ = ["PartitionError", "TimeBucket", "TimePartitionField", "ensure_partitions"]
