"""Coarser bars, against pandas."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.feeds.catalogue import shipped_instruments
from apps.feeds.files import read_bars_file, read_checked
from apps.feeds.records import COLUMNS, Kind, from_bars
from apps.feeds.resampling import ResampleError, resample
from apps.feeds.sample_data import SAMPLE
from trading.bars import Bars
from trading.instruments import Instrument
from trading.intervals import DAY, HOUR, MINUTE, WEEK

EURUSD = shipped_instruments()["OANDA:EURUSD"]
SPY = shipped_instruments()["NYSEARCA:SPY"]
CRYPTO = Instrument(id="X:BTC")
HOW = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def frame(bars: Bars) -> pd.DataFrame:
    kind, values = from_bars(bars)
    return pd.DataFrame(dict(zip(COLUMNS[kind], values, strict=True)), index=pd.to_datetime(bars.time, utc=True))


def how(table: pd.DataFrame) -> dict[str, str]:
    return {
        name: HOW[name.rpartition("_")[2]] for name in table.columns if name != "volume" or table[name].notna().any()
    }


def assert_equal(time: np.ndarray, values: np.ndarray, kind: Kind, expected: pd.DataFrame) -> None:
    assert time.tolist() == expected.index.as_unit("ns").astype("int64").tolist()
    for name, column in zip(COLUMNS[kind], values, strict=True):
        if name in expected:
            np.testing.assert_allclose(column, expected[name], rtol=1e-12, err_msg=name)


def eurusd() -> Bars:
    return read_bars_file(SAMPLE / "eurusd_1h_quotes.csv.gz")[0]


@pytest.mark.parametrize("hours", [2, 4, 12])
def test_quotes_below_a_day_are_cut_by_the_utc_clock(hours: int) -> None:
    bars = eurusd()
    kind, values = from_bars(bars)
    made, time, got = resample(kind, bars.time, values, HOUR, hours * HOUR, EURUSD)
    table = frame(bars)
    assert made is Kind.QUOTES
    assert_equal(time, got, made, table.resample(f"{hours}h").agg(how(table)).dropna())


def test_days_of_foreign_exchange_run_from_17_00_to_17_00_in_new_york() -> None:
    bars = eurusd()
    kind, values = from_bars(bars)
    made, time, got = resample(kind, bars.time, values, HOUR, DAY, EURUSD)
    table = frame(bars)
    local = table.index.tz_convert("America/New_York").tz_localize(None)
    table.index = (local + pd.Timedelta(hours=7)).normalize()  # the day in which 17:00 is the beginning
    expected = table.groupby(level=0).agg(how(table))
    expected.index = (expected.index - pd.Timedelta(hours=7)).tz_localize("America/New_York").tz_convert("UTC")
    assert_equal(time, got, made, expected)
    assert set((time - time[0]) // HOUR % 24) <= {0, 1, 23}


def test_weeks_begin_with_mondays_session() -> None:
    bars = eurusd()
    kind, values = from_bars(bars)
    made, time, got = resample(kind, bars.time, values, HOUR, WEEK, EURUSD)
    _, day_time, days = resample(kind, bars.time, values, HOUR, DAY, EURUSD)
    _, again_time, again = resample(made, day_time, days, DAY, WEEK, EURUSD)
    assert again_time.tolist() == time.tolist()
    assert np.array_equal(again, got, equal_nan=True)
    opens = pd.to_datetime(time, utc=True).tz_convert("America/New_York")
    assert set(opens.strftime("%a %H")) == {"Sun 17"}


def test_days_of_an_exchange_are_made_of_its_regular_hours() -> None:
    minutes, _ = read_bars_file(SAMPLE / "spy_1m_2013-10-07_11.csv.gz", tz="America/New_York")
    days, _ = read_bars_file(SAMPLE / "spy_1d.csv.gz", tz=None, instrument=SPY)
    kind, values = from_bars(minutes)
    _, time, got = resample(kind, minutes.time, values, MINUTE, DAY, SPY)
    place = np.searchsorted(days.time, time)
    assert days.time[place].tolist() == time.tolist()
    np.testing.assert_allclose(got[1], days.high[place], atol=0.02)
    np.testing.assert_allclose(got[2], days.low[place], atol=0.02)
    np.testing.assert_allclose(got[0], days.open[place], atol=0.02)
    _, all_time, everything = resample(kind, minutes.time, values, MINUTE, DAY, SPY, all_hours=True)
    assert all_time.tolist() == time.tolist()
    assert (everything[4] > got[4]).all()


def test_ticks_make_quotes_on_both_sides() -> None:
    records, _ = read_checked(SAMPLE / "eurusd_ticks_2014-05-02.csv.gz", (Kind.TICKS,), "UTC", None)
    kind, time, values = resample(Kind.TICKS, records.time, records.values, 0, MINUTE, EURUSD)
    table = pd.DataFrame(
        {"bid": records.column("bid"), "ask": records.column("ask")}, index=pd.to_datetime(records.time, utc=True)
    )
    expected = pd.concat(
        [table[side].resample("1min").ohlc().add_prefix(f"{side}_") for side in ("bid", "ask")], axis=1
    ).dropna()
    assert kind is Kind.QUOTES
    assert_equal(time, values, kind, expected)


def test_trade_ticks_make_bars_with_volume() -> None:
    time = np.array([0, 10, MINUTE, MINUTE + 5], np.int64)
    none = np.full(4, np.nan)
    ticks = np.array([none, none, [5.0, 6.0, 4.0, 4.5], [1.0, 2.0, 3.0, 4.0]])
    kind, opens, values = resample(Kind.TICKS, time, ticks, 0, MINUTE, CRYPTO)
    assert kind is Kind.BARS
    assert opens.tolist() == [0, MINUTE]
    assert values.tolist() == [[5.0, 4.0], [6.0, 4.5], [5.0, 4.0], [6.0, 4.5], [3.0, 7.0]]


@given(
    st.lists(st.integers(min_value=0, max_value=3000), min_size=1, max_size=80, unique=True),
    st.sampled_from([5, 60, 240]),
)
def test_bars_equal_pandas_whatever_is_missing(minutes: list[int], target: int) -> None:
    time = np.array(sorted(minutes), np.int64) * MINUTE
    rng = np.random.default_rng(len(minutes))
    close = rng.uniform(1, 2, time.size)
    bars = Bars(time, close + 0.1, close + 0.3, close - 0.1, close, rng.uniform(0, 9, time.size), interval=MINUTE)
    kind, values = from_bars(bars)
    made, opens, got = resample(kind, time, values, MINUTE, target * MINUTE, CRYPTO)
    table = frame(bars)
    assert_equal(opens, got, made, table.resample(f"{target}min").agg(how(table)).dropna())


@pytest.mark.parametrize(("source", "target"), [(HOUR, MINUTE), (HOUR, HOUR), (HOUR, 90 * MINUTE), (HOUR, 36 * HOUR)])
def test_impossible_intervals_are_refused(source: int, target: int) -> None:
    with pytest.raises(ResampleError):
        resample(Kind.BARS, np.zeros(1, np.int64), np.ones((5, 1)), source, target, CRYPTO)


def test_no_rows_make_no_bars() -> None:
    kind, time, values = resample(Kind.BARS, np.zeros(0, np.int64), np.ones((5, 0)), MINUTE, HOUR, CRYPTO)
    assert (kind, time.size, values.shape) == (Kind.BARS, 0, (5, 0))
