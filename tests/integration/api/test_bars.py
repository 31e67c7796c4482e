"""Bars over the API are those that are stored, in every format."""

import io

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.db import connections

from apps.feeds.imports import Options, import_file
from apps.feeds.interface import read_bars
from apps.feeds.records import Kind
from apps.feeds.series import find_instrument
from tests.integration.api.conftest import ALL
from trading.intervals import HOUR

pytestmark = pytest.mark.django_db(databases=ALL)
PATH = "instruments/OANDA:EURUSD/bars?interval=1h&start=2014-05-02&end=2014-05-06T00:00:00Z"


@pytest.fixture(scope="module")
def stored(tmp_path_factory, django_db_setup, django_db_blocker):
    """Bars that are stored, once for all tests here, with local copies of their own."""
    folder = tmp_path_factory.mktemp("stored")
    lines = ["time,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close,volume"]
    closes = 1.386 + np.cumsum(np.random.default_rng(5).normal(0.0, 1e-3, 60))
    for hour, close in enumerate(closes.tolist()):
        bid = [close + each for each in (0.0, 1e-3, -1e-3, 0.0)]
        prices = [f"{price:.5f}" for price in [*bid, *(each + 1e-4 for each in bid)]]
        lines.append(f"2014-05-{2 + hour // 24:02d}T{hour % 24:02d}:00:00Z,{','.join(prices)},{hour + 1}")
    file = folder / "eurusd.csv"
    file.write_text("\n".join(lines) + "\n")
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock():
        patch.setenv("BANYAN_DATA_DIR", str(folder))
        import_file(file, find_instrument("OANDA:EURUSD"), HOUR, (Kind.QUOTES, Kind.BARS), Options())
        yield read_bars("OANDA:EURUSD", "1h", "2014-05-02", "2014-05-06")
        with connections["feeds"].cursor() as cursor:
            cursor.execute("TRUNCATE feeds_instrument, feeds_quotebar CASCADE")


def test_json_has_every_bar_once_page_by_page(callers, stored):
    rows = callers["client one"].rows(f"{PATH}&limit=17")
    assert len(rows) == len(stored) > 40
    assert [float(row["close"]) for row in rows] == stored.close.round(9).tolist()
    assert [float(row["bid_close"]) for row in rows] == stored.bid_close.round(9).tolist()
    assert rows[0]["time"] == "2014-05-02T00:00:00.000000000Z"


def test_a_page_reads_no_more_than_it_tells(callers, stored, monkeypatch):
    read = []

    def noted(*given):
        read.append(read_bars(*given))
        return read[-1]

    monkeypatch.setattr("apps.api.resources.markets.feeds.read_bars", noted)
    assert callers["client one"].get(f"{PATH}&limit=5").status_code == 200
    assert [np.array_equal(each.close, stored.close[:6]) for each in read] == [True]


def test_columns_are_the_same_in_arrow_parquet_and_csv(callers, stored):
    caller = callers["client one"]
    arrow = caller.get(f"{PATH}&format=arrow")
    assert arrow.headers["Content-Type"] == "application/vnd.apache.arrow.stream"
    table = pa.ipc.open_stream(arrow.content).read_all()
    assert np.array_equal(table["time"].cast(pa.int64()).to_numpy(), stored.time)
    assert np.array_equal(table["ask_close"].to_numpy(), stored.ask_close)
    parquet = caller.get(PATH, Accept="application/vnd.apache.parquet")
    assert pq.read_table(io.BytesIO(parquet.content)).equals(table)
    lines = caller.get(PATH, Accept="text/csv").content.decode().splitlines()
    assert len(lines) == len(stored) + 1
    assert lines[0].startswith('"time","open"')


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "parameter-invalid"), ("interval=7q", 400, "parameter-invalid"), ("interval=1d", 404, "no-data"),
        ("interval=1h&format=xml", 400, "parameter-invalid"), ("interval=1h&start=x", 400, "parameter-invalid"),
    ],
)  # fmt: skip
def test_what_there_is_not_is_told(callers, stored, query, status, code):
    response = callers["viewer"].get(f"instruments/OANDA:EURUSD/bars?{query}")
    assert (response.status_code, orjson.loads(response.content)["code"]) == (status, code)


def test_a_format_that_there_is_not_is_refused(callers, stored):
    assert callers["viewer"].get(PATH, Accept="text/html").status_code == 406


def test_instruments_are_the_stored_and_the_shipped_ones_in_order(callers, stored):
    rows = callers["viewer"].rows("instruments?limit=5")
    names = [row["id"] for row in rows]
    assert names == sorted(names)
    assert {"OANDA:EURUSD", "NYSEARCA:SPY"} <= set(names)
    found = orjson.loads(callers["viewer"].get("instruments/OANDA:EURUSD").content)
    assert found in rows
    assert found["tick_size"] == "0.00001"


TICKS = "instruments/OANDA:EURUSD/ticks"


@pytest.fixture
def ticks(tmp_path, db):
    """The bids of ticks that are stored, three at each time; one more is put into quarantine."""
    bids = (1.1 + np.random.default_rng(7).integers(-9, 10, 60) / 1e5).tolist()
    lines = ["ts,bid,ask"]
    lines += [
        f"2014-05-02T00:00:{at // 3:02d}.000{at // 3:03d}Z,{bid:.5f},{bid + 1e-4:.5f}" for at, bid in enumerate(bids)
    ]
    file = tmp_path / "ticks.csv"
    file.write_text("\n".join([*lines, "2014-05-02T00:01:00Z,-1,1.2"]) + "\n")
    import_file(file, find_instrument("OANDA:EURUSD"), 0, (Kind.TICKS,), Options())
    return [round(each, 5) for each in bids]


def test_ticks_are_told_once_each_also_those_of_one_time(callers, ticks):
    caller = callers["client one"]
    rows = caller.rows(f"{TICKS}?limit=7")
    assert [float(row["bid"]) for row in rows] == ticks
    assert [rows[4][name] for name in ("time", "last", "size")] == ["2014-05-02T00:00:01.000001000Z", None, None]
    some = caller.rows(f"{TICKS}?start=2014-05-02T00:00:05Z&end=2014-05-02T00:00:07.1Z&limit=2")
    assert some == rows[15:24]
    table = pa.ipc.open_stream(caller.get(f"{TICKS}?format=arrow").content).read_all()
    assert table.column_names == ["time", "sequence", "bid", "ask", "last", "size"]
    assert table["bid"].to_pylist() == [float(row["bid"]) for row in rows]
    assert caller.get(f"{TICKS}?format=csv").content.count(b"\n") == 61


def test_what_was_not_let_in_is_told_with_its_line_and_reason(callers, ticks):
    (row,) = callers["viewer"].rows("quarantine?instrument=oanda:eurusd&reason=not-positive")
    assert (row["line"], row["reason"], row["text"]) == (62, "not-positive", "2014-05-02T00:01:00Z,-1,1.2")
    assert orjson.loads(callers["viewer"].get(f"quarantine/{row['id']}").content) == row
    assert callers["viewer"].rows("quarantine?reason=conflict") == []
