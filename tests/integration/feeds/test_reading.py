"""Bars out of a real PostgreSQL: the local copy, its truth, bounds, and errors that say what to do."""

import numpy as np
import pytest
from django.db import connections

from apps.feeds import cache
from apps.feeds.cache import cache_file, cached_rows
from apps.feeds.interface import InstrumentNotFound, NoData, data_hash, get_instrument, read_bars
from apps.feeds.models import Bar, Instrument, Series
from apps.feeds.rows import read_rows
from tests.integration.feeds.conftest import FIRST, bar_lines
from trading.intervals import MINUTE, IntervalError

pytestmark = pytest.mark.django_db(databases=["feeds"], transaction=True)


@pytest.fixture
def series(instrument, write_bars, load) -> Series:
    load(write_bars(bar_lines(2_000)))
    return Series.objects.get()


@pytest.fixture
def reads(monkeypatch) -> list[int]:
    """Count how often rows are read from the table."""
    found: list[int] = []

    def counted(series: Series) -> object:
        found.append(series.version)
        return read_rows(series)

    monkeypatch.setattr(cache, "read_rows", counted)
    return found


def test_the_second_read_does_not_touch_the_table(series, reads) -> None:
    first = read_bars("TEST:WALK", "1m")
    second = read_bars("TEST:WALK", "1m")
    assert reads == [1]
    assert data_hash(first) == data_hash(second)
    assert cache_file(series).exists()


def test_one_query_tells_whether_the_copy_is_true(series, reads, django_assert_max_num_queries) -> None:
    read_bars("TEST:WALK", "1m", adjust="none")
    with django_assert_max_num_queries(2, using="feeds"):  # the instrument, and its series with the version
        read_bars("TEST:WALK", "1m", adjust="none")


def test_rows_that_come_are_seen(series, reads, write_bars, load) -> None:
    read_bars("TEST:WALK", "1m")
    load(write_bars(bar_lines(2_100), "longer.csv"))
    assert len(read_bars("TEST:WALK", "1m")) == 2_100
    assert reads == [1, 2]
    assert len(list(cache_file(series).parent.glob("*"))) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE feeds_bar SET close = 77 WHERE series_id = %s AND time = '2020-12-31T20:05Z'",
        "DELETE FROM feeds_bar WHERE series_id = %s AND time = '2020-12-31T20:05Z'",
    ],
)
def test_rows_that_others_change_are_seen(series, statement: str) -> None:
    before = read_bars("TEST:WALK", "1m")
    with connections["feeds"].cursor() as cursor:
        cursor.execute(statement, [series.pk])
    after = read_bars("TEST:WALK", "1m")
    assert data_hash(after) != data_hash(before)
    assert len(after) == Bar.objects.count()


def test_rows_that_the_orm_changes_are_seen(series) -> None:
    read_bars("TEST:WALK", "1m")
    Bar.objects.filter(time="2020-12-31T20:05Z").update(volume=123_456)
    volume = read_bars("TEST:WALK", "1m").volume
    assert volume is not None
    assert volume[5] == 123_456


def test_a_broken_copy_is_read_again_from_the_table(series, reads) -> None:
    read_bars("TEST:WALK", "1m")
    for broken in (b"", b"rubbish", cache_file(series).read_bytes()[:5_000]):
        cache_file(series).write_bytes(broken)
        assert len(read_bars("TEST:WALK", "1m")) == 2_000
    assert reads == [1] * 4


def test_arrays_belong_to_the_reader(series) -> None:
    read_bars("TEST:WALK", "1m")
    bars = read_bars("TEST:WALK", "1m", adjust="none")
    kept = bars.close[3]
    bars.close[3] = -1.0
    assert read_bars("TEST:WALK", "1m", adjust="none").close[3] == kept
    assert type(bars.close) is np.ndarray


def test_no_copy_is_kept_of_rows_that_changed_meanwhile(series, monkeypatch) -> None:
    def read_while_another_writes(series: Series) -> object:
        rows = read_rows(series)
        Series.objects.update(version=99)
        return rows

    monkeypatch.setattr(cache, "read_rows", read_while_another_writes)
    assert len(cached_rows(series)) == 2_000
    assert not cache_file(series).exists()


def test_bounds_are_of_open_times_the_end_left_out(series) -> None:
    bars = read_bars("TEST:WALK", "1m", "2020-12-31T20:10", "2020-12-31T20:15")
    assert bars.time.tolist() == [FIRST + minute * MINUTE for minute in range(10, 15)]
    same = read_bars("TEST:WALK", MINUTE, np.datetime64("2020-12-31T20:10"), FIRST + 15 * MINUTE)
    assert same.time.tolist() == bars.time.tolist()
    year = read_bars("TEST:WALK", "1m", start="2021-01-01")
    assert len(year) == 2_000 - 240
    part = read_rows(series, FIRST + 10 * MINUTE, FIRST + 15 * MINUTE)
    assert part.time.tolist() == bars.time.tolist()


def test_errors_say_what_there_is_and_what_to_do(series, instrument) -> None:
    with pytest.raises(NoData, match=r"Make them with `manage.py resample TEST:WALK --from 1m --to 1h`"):
        read_bars("TEST:WALK", "1h")
    with pytest.raises(
        NoData, match=r"Import them with `manage.py import_bars FILE --instrument TEST:WALK --interval 1s`"
    ):
        read_bars("TEST:WALK", "1s")
    with pytest.raises(NoData, match="from 2030-01-01 00:00 to the last: .* 2020-12-31 20:00 to 2021-01-02 05:19"):
        read_bars("TEST:WALK", "1m", "2030-01-01")
    with pytest.raises(NoData, match="nothing is stored for NYSE:IBM.*load_sample_data"):
        read_bars("NYSE:IBM", "1d")
    with pytest.raises(InstrumentNotFound, match=r"TEST:WALK.*add_instrument NO:SUCH"):
        read_bars("no:such", "1d")
    with pytest.raises(IntervalError):
        read_bars("TEST:WALK", "1y")
    with pytest.raises(ValueError, match="adjust is one of"):
        read_bars("TEST:WALK", "1m", adjust="some")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is not a time"):
        read_bars("TEST:WALK", "1m", "yesterday")


def test_the_databases_instrument_comes_before_the_shipped_one() -> None:
    assert get_instrument("oanda:eurusd").tick_size == 0.00001
    Instrument.from_instrument(get_instrument("OANDA:EURUSD")).save()
    Instrument.objects.filter(pk="OANDA:EURUSD").update(margin_rate=0.05)
    assert get_instrument("OANDA:EURUSD").margin_rate == 0.05
    assert get_instrument("OANDA:EURUSD", database=False).margin_rate == 0.02
    Instrument.objects.create(id="MY:OWN", tick_size=0.5)
    assert get_instrument("MY:OWN").tick_size == 0.5
    with pytest.raises(InstrumentNotFound):
        get_instrument("MY:OWN", database=False)
