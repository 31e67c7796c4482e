"""Bars straight off files: headers, forms of time, zones, lines that cannot be read."""

import gzip
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from apps.feeds.catalogue import shipped_instruments
from apps.feeds.files import NoGoodRows, read_bars_file
from apps.feeds.layouts import LayoutError
from apps.feeds.records import Reason
from trading.intervals import DAY, HOUR, MINUTE
from trading.sessions import ZoneError

SAMPLE = Path(__file__).parents[3] / "apps/feeds/sample"
HEADER = "ts,open,high,low,close,volume"
FIRST = int(np.datetime64("2020-03-02T10:00", "ns").astype(np.int64))


def hours(count: int, form: str = "%Y-%m-%dT%H:%M:%SZ") -> list[str]:
    first = datetime(2020, 3, 2, 10, tzinfo=UTC)
    return [f"{(first + timedelta(hours=hour)).strftime(form)},10,12,9,11,100" for hour in range(count)]


@pytest.mark.parametrize(
    "header",
    [
        "ts,open,high,low,close,volume",
        "Date,Open,High,Low,Close,Volume",
        "datetime,o,h,l,c,v",
        "<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
        "timestamp,Open,High,Low,Close,Vol.",
        '"ts","open","high","low","close","volume"',
        "\ufeffts,open,high,low,close,volume",
        "ts_utc,open,high,low,close,tick_volume",
    ],
)
def test_header_names_are_recognised(write_csv, header: str) -> None:
    bars, report = read_bars_file(write_csv(header, *hours(3)))
    assert bars.time.tolist() == [FIRST, FIRST + HOUR, FIRST + 2 * HOUR]
    assert bars.volume is not None
    assert bars.volume.tolist() == [100.0] * 3
    assert (report.rows_read, report.rows_good, bars.interval) == (3, 3, HOUR)


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%d %H:%M:%S.000",
        "%Y-%m-%dT%H:%M:%S+00:00",
        "%Y.%m.%d %H:%M",
        "%Y/%m/%d %H:%M:%S",
        "%Y%m%d %H:%M:%S",
        "%Y%m%d %H%M%S",
        "%Y%m%dT%H%M%S",
        "%Y-%m-%d %H:%M:%S UTC",
    ],
)
def test_forms_of_time_are_recognised(write_csv, form: str) -> None:
    bars, report = read_bars_file(write_csv(HEADER, *hours(40, form)))
    assert report.rejects == []
    assert bars.time.tolist() == [FIRST + hour * HOUR for hour in range(40)]


@pytest.mark.parametrize(("unit", "text"), [(10**9, ""), (10**6, ""), (10**3, ""), (1, ""), (10**9, ".0")])
def test_epoch_numbers_are_recognised_in_any_unit(write_csv, unit: int, text: str) -> None:
    lines = [f"{(FIRST + hour * HOUR) // unit}{text},10,12,9,11,100" for hour in range(3)]
    bars, _ = read_bars_file(write_csv(HEADER, *lines))
    assert bars.time.tolist() == [FIRST, FIRST + HOUR, FIRST + 2 * HOUR]


def test_a_date_and_a_clock_column_are_one_time(write_csv) -> None:
    path = write_csv(
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
        "2020.03.02\t10:00:00\t10\t12\t9\t11\t5\t0\t2",
        "2020.03.02\t11:00:00\t10\t12\t9\t11\t6\t0\t2",
    )
    bars, _ = read_bars_file(path)
    assert bars.time.tolist() == [FIRST, FIRST + HOUR]


def test_columns_can_be_named_where_there_is_no_header(write_csv) -> None:
    path = write_csv("20200302;10;12;9;11;x;7", "20200303;10;12;9;11;x;8")
    columns = ["date", "open", "high", "low", "close", "-", "volume"]
    bars, report = read_bars_file(path, columns=columns)
    assert bars.time.tolist() == [FIRST - 10 * HOUR, FIRST - 10 * HOUR + DAY]
    assert bars.volume is not None
    assert bars.volume.tolist() == [7.0, 8.0]
    assert report.rows_read == 2


def test_named_columns_replace_a_header_that_is_there(write_csv) -> None:
    path = write_csv("when,a,b,c,d", "2020-03-02,10,12,9,11")
    bars, report = read_bars_file(path, columns=["ts", "open", "high", "low", "close"])
    assert (len(bars), bars.volume, report.rows_read) == (1, None, 1)


def test_quotes_are_the_mid_with_both_sides_beside_it(write_csv) -> None:
    path = write_csv(
        "time,BidOpen,BidHigh,BidLow,BidClose,AskOpen,AskHigh,AskLow,AskClose",
        "2020-03-02T10:00:00Z,1.0,1.2,0.9,1.1,1.1,1.3,1.0,1.2",
    )
    bars, _ = read_bars_file(path)
    assert bars.is_quotes
    assert bars.close.tolist() == [0.5 * (1.1 + 1.2)]
    assert bars.ask_high is not None
    assert bars.ask_high.tolist() == [1.3]


def test_gzip_is_told_by_content_and_not_by_name(write_csv) -> None:
    path = write_csv(HEADER, *hours(3), name="bars.csv.gz")
    plain_name = path.rename(path.with_name("bars.txt"))
    assert len(read_bars_file(plain_name)[0]) == 3


def test_windows_line_ends_blank_lines_and_a_missing_last_end_are_fine(write_csv) -> None:
    path = write_csv(HEADER, *hours(2), "", hours(3)[2], end="\r\n")
    path.write_bytes(path.read_bytes().rstrip())
    bars, report = read_bars_file(path)
    assert (len(bars), report.rows_read, report.rejects) == (3, 3, [])


def test_unreadable_lines_are_left_out_and_named(write_csv) -> None:
    lines = hours(2_000)
    lines[3] = "garbage"
    lines[700] = lines[700] + ",1"
    lines[1_500] = lines[1_500].replace("12", "1_2")
    lines[1_999] = "2020-13-45T10:00:00Z,10,12,9,11,100"
    path = write_csv(HEADER, *lines)
    bars, report = read_bars_file(path)
    assert [reject.line for reject in report.rejects] == [5, 702, 1_502, 2_001]
    assert {reject.reason for reject in report.rejects} == {Reason.UNREADABLE}
    assert [reject.text for reject in report.rejects] == [lines[3], lines[700], lines[1_500], lines[1_999]]
    assert (report.rows_read, report.rows_good, len(bars)) == (2_000, 1_996, 1_996)
    assert "4 left out (4 unreadable; line 5, 702, 1502, 2001)" in report.summary()


def test_a_file_written_newest_first_is_turned_round(write_csv) -> None:
    bars, report = read_bars_file(write_csv(HEADER, *reversed(hours(50))))
    assert report.rejects == []
    assert bars.time.tolist() == [FIRST + hour * HOUR for hour in range(50)]


def test_times_without_offset_are_of_the_given_zone_and_those_with_one_are_not(write_csv) -> None:
    naive = write_csv(HEADER, "2020-03-02T05:00:00,10,12,9,11,1", name="naive.csv")
    aware = write_csv(HEADER, "2020-03-02T10:00:00Z,10,12,9,11,1", name="aware.csv")
    assert read_bars_file(naive, tz="America/New_York")[0].time.tolist() == [FIRST]
    assert read_bars_file(aware, tz="America/New_York")[0].time.tolist() == [FIRST]


def test_times_that_the_clock_skips_or_shows_twice_are_left_out(write_csv) -> None:
    spring = [f"2021-03-14 {hour:02d}:30,10,12,9,11,1" for hour in range(5)]
    autumn = [f"2021-11-07 {hour:02d}:30,10,12,9,11,1" for hour in (0, 1, 1, 2)]
    bars, report = read_bars_file(write_csv(HEADER, *spring, *autumn), tz="America/New_York")
    assert [(reject.line, reject.reason) for reject in report.rejects] == [
        (4, Reason.MISSING_TIME),
        (8, Reason.AMBIGUOUS_TIME),
        (9, Reason.AMBIGUOUS_TIME),
    ]
    assert bars.time[2] - bars.time[1] == HOUR  # 01:30 EST, 03:30 EDT


def test_dates_alone_are_midnights_of_the_instruments_zone_unless_a_zone_is_given(write_csv) -> None:
    spy = shipped_instruments()["NYSEARCA:SPY"]
    path = write_csv(HEADER, "2020-03-02,10,12,9,11,1", "2020-07-02,10,12,9,11,1")
    own, _ = read_bars_file(path, tz=None, instrument=spy)
    assert [time // HOUR % 24 for time in own.time.tolist()] == [5, 4]
    utc, _ = read_bars_file(path, instrument=spy)
    assert [time // HOUR % 24 for time in utc.time.tolist()] == [0, 0]


def test_parquet_holds_the_same_as_csv(write_csv, tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import csv, parquet

    path = write_csv(HEADER, *hours(500))
    parquet.write_table(csv.read_csv(path), tmp_path / "bars.parquet")
    strings = parquet.read_table(tmp_path / "bars.parquet")
    strings = strings.set_column(0, "ts", strings.column("ts").cast(pa.string()))
    parquet.write_table(strings, tmp_path / "strings.parquet")
    plain, _ = read_bars_file(path)
    for name in ("bars.parquet", "strings.parquet"):
        packed, report = read_bars_file(tmp_path / name)
        assert report.rejects == []
        assert (packed.time == plain.time).all()
        assert (packed.close == plain.close).all()


def test_parquet_rows_are_named_by_number(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    times = pa.array([FIRST, None, FIRST + HOUR, FIRST + 2 * HOUR], pa.timestamp("ns"))
    prices = {
        name: [10.0, 10.0, value, 10.0]
        for name, value in zip(("open", "high", "low", "close"), [10, 9, 10, 10], strict=True)
    }
    parquet.write_table(pa.table({"time": times, **prices}), tmp_path / "bars.parquet")
    bars, report = read_bars_file(tmp_path / "bars.parquet")
    assert [(reject.line, reject.reason) for reject in report.rejects] == [(2, Reason.UNREADABLE), (3, Reason.HIGH_LOW)]
    assert len(bars) == 2


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["a,b,c", "1,2,3"], "not a header that can be recognised"),
        (["when,open,high,low,close", "x,1,2,3,4"], "not a header that can be recognised"),
        (["ts,open,close", "2020-01-01,1,2"], "need a time and"),
        ([HEADER, "yesterday,1,2,3,4,5"], "cannot read the time 'yesterday'"),
        ([""], "holds no lines"),
    ],
)
def test_files_that_cannot_be_understood_say_what_to_do(write_csv, lines: list[str], words: str) -> None:
    with pytest.raises(LayoutError, match=words):
        read_bars_file(write_csv(*lines))


def test_an_empty_file_one_without_rows_and_a_cut_gzip_are_refused(write_csv, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(LayoutError, match="empty"):
        read_bars_file(tmp_path / "empty.csv")
    with pytest.raises(NoGoodRows, match="none of its 0 rows"):
        read_bars_file(write_csv(HEADER))
    packed = write_csv(HEADER, *hours(2_000), name="bars.csv.gz")
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(LayoutError, match="damaged or cut short"):
        read_bars_file(packed)
    with pytest.raises(ZoneError, match="not a time zone"):
        read_bars_file(write_csv(HEADER, *hours(3)), tz="Mars/Olympus")


def test_a_file_that_unpacks_to_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.csv.gz"
    with gzip.open(bomb, "wb") as file:
        for _ in range(64):
            file.write(b"1" * (1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(LayoutError, match="a line of more than 1,048,576 bytes"):
            read_bars_file(bomb)
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


def test_the_interval_is_the_commonest_spacing_unless_it_is_given(write_csv) -> None:
    lines = hours(30)
    del lines[10:14]
    path = write_csv(HEADER, *lines)
    assert read_bars_file(path)[0].interval == HOUR
    assert read_bars_file(path, MINUTE)[0].interval == MINUTE


def test_the_shipped_files_hold_what_their_readme_says() -> None:
    left_out = {}
    for path in sorted(SAMPLE.glob("*_1[dhm]*.csv.gz")):
        bars, report = read_bars_file(path, tz="UTC" if "eurusd" in path.name else "America/New_York")
        assert report.rows_read == report.rows_good + len(report.rejects)
        assert (np.diff(bars.time) > 0).all()
        left_out[path.name.split("_")[0]] = [(r.line, r.text[:10], str(r.reason)) for r in report.rejects]
    aapl = [(2949, "2009-09-21", "jump"), (3187, "2010-08-31", "jump"), (3273, "2011-01-03", "jump")]
    assert left_out.pop("aapl") == aapl
    assert left_out == {name: [] for name in ("bac", "eem", "eurusd", "ibm", "iwm", "qqq", "spy")}


def test_reading_a_csv_file_imports_neither_pandas_nor_django_nor_numba() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from apps.feeds.interface import read_bars_file, get_instrument, data_hash; "
        f"bars, _ = read_bars_file({str(SAMPLE / 'eurusd_1h_quotes.csv.gz')!r}); get_instrument('OANDA:EURUSD'); "
        "data_hash(bars); print([m for m in ('pandas', 'django', 'numba', 'exchange_calendars') if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=SAMPLE.parents[2], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
