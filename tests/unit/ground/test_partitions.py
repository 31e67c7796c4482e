"""Tables partitioned by time. `tests/integration/test_timescale.py` runs this file against TimescaleDB too."""

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connections, models, transaction
from django.db.models import Sum
from django.test.utils import isolate_apps

from banyan.timescale import PartitionError, TimeBucket, TimePartitionField, ensure_partitions
from banyan.timescale.intervals import Interval
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(databases=["feeds"])

TIMES = [
    datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2000, 1, 2, 23, 0, tzinfo=UTC),
    datetime(2007, 1, 1, tzinfo=UTC),
    datetime(2007, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2008, 2, 29, 12, 0, tzinfo=UTC),
]


def nanoseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def make_model(interval: str) -> type[models.Model]:
    with isolate_apps("apps.feeds"):

        class Sample(models.Model):
            pk = models.CompositePrimaryKey("series", "time")
            series = models.IntegerField()
            time = TimePartitionField(interval=interval)
            value = models.FloatField()

            class Meta:
                app_label = "feeds"

    return Sample


@pytest.fixture
def samples() -> Any:
    """A model whose table is partitioned by year, on the database that bars are on."""
    model = make_model("1 year")
    with connections["feeds"].schema_editor() as editor:
        editor.create_model(model)
    return model


def partitions(model: type[models.Model]) -> list[str]:
    with connections["feeds"].cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1",
            [model._meta.db_table],
        )
        return [name for (name,) in cursor.fetchall()]


def insert(model: Any, times: list[datetime]) -> None:
    model.objects.bulk_create([model(series=1, time=time, value=number) for number, time in enumerate(times)])


def test_rows_of_any_time_can_be_written_and_read_back_in_order(samples):
    insert(samples, TIMES)
    assert list(samples.objects.order_by("time").values_list("time", flat=True)) == TIMES


def test_rows_that_were_there_before_their_partition_stay(samples):
    insert(samples, TIMES)
    ensure_partitions(connections["feeds"], samples, nanoseconds(TIMES[0]), nanoseconds(TIMES[-1]))
    assert list(samples.objects.order_by("time").values_list("time", "value")) == [
        (time, number) for number, time in enumerate(TIMES)
    ]


def test_the_primary_key_refuses_the_same_time_twice_before_and_after_partitions_are_made(samples):
    for _ in range(2):
        samples.objects.filter(series=1).delete()
        insert(samples, TIMES)
        with pytest.raises(IntegrityError), transaction.atomic(using="feeds"):
            insert(samples, TIMES[2:3])
        ensure_partitions(connections["feeds"], samples, nanoseconds(TIMES[0]), nanoseconds(TIMES[-1]))


def test_on_conflict_do_nothing_keeps_the_first_row(samples):
    ensure_partitions(connections["feeds"], samples, nanoseconds(TIMES[0]), nanoseconds(TIMES[2]))
    insert(samples, TIMES)
    samples.objects.bulk_create(
        [samples(series=1, time=time, value=-1.0) for time in TIMES],
        ignore_conflicts=True,
    )
    assert samples.objects.count() == len(TIMES)
    assert samples.objects.aggregate(total=Sum("value"))["total"] == sum(range(len(TIMES)))


@pytest.mark.parametrize("interval", ["1 day", "3 days", "2 weeks", "1 month", "1 year"])
def test_time_buckets_begin_where_the_grid_of_the_interval_does(samples, interval):
    insert(samples, TIMES)
    buckets = samples.objects.order_by("time").annotate(bucket=TimeBucket("time", interval))
    expected = [Interval.parse(interval).floor(time) for time in TIMES]
    assert list(buckets.values_list("bucket", flat=True)) == expected


def test_time_buckets_can_be_grouped_by(samples):
    insert(samples, TIMES)
    totals = samples.objects.annotate(year=TimeBucket("time", "1 year")).values("year").annotate(total=Sum("value"))
    assert {row["year"].year: row["total"] for row in totals} == {1999: 0.0, 2000: 1.0, 2007: 5.0, 2008: 4.0}


def test_ensuring_partitions_makes_one_per_interval_and_again_none(samples):
    if connections["feeds"].has_timescale:
        insert(samples, TIMES)
        assert partitions(samples) == []  # chunks are TimescaleDB's own
        return
    for _ in range(2):
        ensure_partitions(connections["feeds"], samples, nanoseconds(TIMES[2]), nanoseconds(TIMES[4]))
        assert partitions(samples) == ["feeds_sample_20070101", "feeds_sample_20080101", "feeds_sample_other"]


def test_moved_rows_leave_the_default_partition(samples):
    if connections["feeds"].has_timescale:
        return
    insert(samples, TIMES)
    ensure_partitions(connections["feeds"], samples, nanoseconds(TIMES[2]), nanoseconds(TIMES[2]))
    with connections["feeds"].cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM feeds_sample_20070101), (SELECT count(*) FROM feeds_sample_other)")
        assert cursor.fetchone() == (2, 3)


def test_a_model_without_a_partition_field_is_refused():
    with isolate_apps("apps.feeds"):

        class Plain(models.Model):
            class Meta:
                app_label = "feeds"

    with pytest.raises(PartitionError, match="Plain has no TimePartitionField"):
        ensure_partitions(connections["feeds"], Plain, 0, 1)


def test_times_in_the_wrong_order_are_refused(samples):
    with pytest.raises(PartitionError, match="before the first"):
        ensure_partitions(connections["feeds"], samples, 1, 0)


def test_a_range_of_time_that_needs_too_many_partitions_is_refused():
    daily = make_model("1 day")
    with connections["feeds"].schema_editor() as editor:
        editor.create_model(daily)
    ten_years = nanoseconds(TIMES[2]) + 3650 * 86_400 * 10**9
    if connections["feeds"].has_timescale:
        ensure_partitions(connections["feeds"], daily, nanoseconds(TIMES[2]), ten_years)
        return
    with pytest.raises(PartitionError, match="more than 1000 partitions of 1 day"):
        ensure_partitions(connections["feeds"], daily, nanoseconds(TIMES[2]), ten_years)
    assert partitions(daily) == ["feeds_sample_other"]


def test_a_primary_key_without_the_time_column_is_refused():
    with isolate_apps("apps.feeds"):

        class Keyed(models.Model):
            time = TimePartitionField(interval="1 year")

            class Meta:
                app_label = "feeds"

    with pytest.raises(PartitionError, match="needs it in its primary key"):
        with connections["feeds"].schema_editor() as editor:
            editor.create_model(Keyed)


def test_a_table_that_exists_cannot_become_partitioned(samples):
    field = TimePartitionField(interval="1 year", name="other", null=True)
    field.set_attributes_from_name("other")
    with pytest.raises(PartitionError, match="cannot be partitioned by other"):
        with connections["feeds"].schema_editor() as editor:
            editor.add_field(samples, field)


@pytest.fixture
def committed_samples(transactional_db: None) -> Iterator[Any]:
    model = make_model("1 year")
    with connections["feeds"].schema_editor() as editor:
        editor.create_model(model)
    yield model
    with connections["feeds"].schema_editor() as editor:
        editor.delete_model(model)


@pytest.mark.django_db(transaction=True, databases=["feeds"])
def test_several_loaders_can_ensure_the_same_partitions_at_once(committed_samples):
    failures: list[Exception] = []
    together = threading.Barrier(4)

    def load(series: int) -> None:
        try:
            together.wait(timeout=PATIENCE_SECONDS)
            ensure_partitions(connections["feeds"], committed_samples, nanoseconds(TIMES[0]), nanoseconds(TIMES[-1]))
            committed_samples.objects.bulk_create(
                [committed_samples(series=series, time=time, value=0.0) for time in TIMES]
            )
        except Exception as failure:
            failures.append(failure)
        finally:
            connections["feeds"].close()

    loaders = [threading.Thread(target=load, args=(series,)) for series in range(4)]
    for loader in loaders:
        loader.start()
    for loader in loaders:
        loader.join()
    assert failures == []
    assert committed_samples.objects.count() == 4 * len(TIMES)


def test_with_the_extension_a_hypertable_is_made_and_keeps_its_primary_key(monkeypatch):
    connection = connections["feeds"]
    monkeypatch.setitem(connection.__dict__, "has_timescale", True)
    with connection.schema_editor(collect_sql=True) as editor:
        editor.create_model(make_model("1 year"))
    script = "\n".join(editor.collected_sql)
    assert 'PRIMARY KEY ("series", "time")' in script
    assert (
        "create_hypertable('feeds_sample', 'time', chunk_time_interval => interval '1 year', migrate_data => false)"
        in script
    )
    assert "DROP CONSTRAINT" not in script
    assert "PARTITION" not in script


def test_with_the_extension_time_buckets_are_its_own_function(monkeypatch):
    monkeypatch.setitem(connections["feeds"].__dict__, "has_timescale", True)
    query = make_model("1 year").objects.using("feeds").annotate(bucket=TimeBucket("time", "2 weeks"))
    statement, _ = query.query.get_compiler("feeds").as_sql()
    assert """time_bucket(INTERVAL '0 months 14 days', "feeds_sample"."time")""" in statement


def test_with_the_extension_no_partition_is_made_by_hand(monkeypatch, samples, django_assert_num_queries):
    monkeypatch.setitem(connections["feeds"].__dict__, "has_timescale", True)
    with django_assert_num_queries(0, connection=connections["feeds"]):
        ensure_partitions(connections["feeds"], samples, 0, 1)


def test_the_extension_is_there_where_it_is_expected():
    assert connections["feeds"].has_timescale == bool(os.environ.get("TIMESCALE_EXPECTED"))
