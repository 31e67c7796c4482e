"""Splits and dividends, against numbers worked by hand."""

from datetime import date

import numpy as np
import pytest

from apps.feeds.adjustments import FactorError, adjust_bars, as_factors, read_factor_file
from apps.feeds.catalogue import shipped_instruments
from apps.feeds.files import read_bars_file
from apps.feeds.sample_data import SAMPLE
from trading.bars import Bars
from trading.intervals import DAY
from trading.sessions import session_starts

AAPL = shipped_instruments()["NASDAQ:AAPL"]


def days(*dates: str) -> np.ndarray:
    return session_starts(np.array(dates, "datetime64[D]").astype(np.int64), AAPL)


def bars() -> Bars:
    price = np.array([400.0, 499.23, 127.58, 120.0])
    time = days("2020-08-27", "2020-08-28", "2020-08-31", "2020-11-06")
    return Bars(time, price, price, price, price, np.array([10.0, 10.0, 40.0, 40.0]), interval=DAY)


def factors(write_csv):
    path = write_csv(
        "20200806,0.5,0.25,455.61", "2020-08-28,0.8,0.25,499.23", "20201105,0.9,1,119.03", "20501231,1,1,0"
    )
    return as_factors(read_factor_file(path))


def test_a_factor_holds_up_to_and_with_its_day(write_csv) -> None:
    splits = adjust_bars(bars(), factors(write_csv), AAPL, "splits")
    assert splits.close.tolist() == [400.0 * 0.25, 499.23 * 0.25, 127.58, 120.0]
    assert splits.volume is not None
    assert splits.volume.tolist() == [40.0, 40.0, 40.0, 40.0]


def test_all_multiplies_dividends_too(write_csv) -> None:
    both = adjust_bars(bars(), factors(write_csv), AAPL, "all")
    assert both.open.tolist() == [400.0 * (0.25 * 0.8), 499.23 * (0.25 * 0.8), 127.58 * 0.9, 120.0]
    assert both.volume is not None
    assert both.volume.tolist() == [40.0, 40.0, 40.0, 40.0]


def test_nothing_is_changed_in_place(write_csv) -> None:
    raw = bars()
    adjust_bars(raw, factors(write_csv), AAPL, "all")
    assert raw.close.tolist() == bars().close.tolist()
    assert adjust_bars(raw, factors(write_csv), AAPL, "none") is raw


def test_after_the_last_factor_prices_stand(write_csv) -> None:
    ended = as_factors(read_factor_file(write_csv("20200806,0.5,0.25,455.61")))
    assert adjust_bars(bars(), ended, AAPL, "all").close.tolist() == bars().close.tolist()


def test_real_splits_leave_no_jump_and_dividends_raise_the_return() -> None:
    raw, _ = read_bars_file(SAMPLE / "aapl_1d.csv.gz", tz=None, instrument=AAPL)
    real = as_factors(read_factor_file(SAMPLE / "aapl_factors.csv.gz"))
    splits = adjust_bars(raw, real, AAPL, "splits")
    both = adjust_bars(raw, real, AAPL, "all")
    assert np.diff(np.log(raw.close)).min() < np.log(1 / 6.5)  # 7 for 1 in 2014
    assert np.diff(np.log(splits.close)).min() > np.log(1 / 2.2)  # 2000-09-29, a profit warning
    split_day = int(np.searchsorted(raw.time, days("2014-06-09")[0]))
    assert splits.close[split_day] / splits.close[split_day - 1] == pytest.approx(93.70 / (645.57 / 7), rel=1e-6)
    assert both.close[-1] / both.close[0] > splits.close[-1] / splits.close[0]
    assert raw.close[-1] == both.close[-1] == 122.15


def test_factor_files_are_read_in_order_with_or_without_header(write_csv) -> None:
    path = write_csv("date,price_factor,split_factor", "20210101,1,1", "20200101,0.5,0.25", name="f.csv.gz")
    assert [row.date for row in read_factor_file(path)] == [date(2020, 1, 1), date(2021, 1, 1)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("20200101,0,1", "positive"),
        ("20200101,x,1", "is not date"),
        ("nope,1,1", "is not date"),
        ("20200101,1", "is not"),
    ],
)
def test_bad_factors_are_named_by_line(write_csv, line: str, words: str) -> None:
    with pytest.raises(FactorError, match=f"f.csv:2: .*{words}"):
        read_factor_file(write_csv("20190101,1,1", line, name="f.csv"))


def test_two_factors_of_a_day_are_refused(write_csv) -> None:
    with pytest.raises(FactorError, match="two rows"):
        read_factor_file(write_csv("20190101,1,1", "20190101,1,0.5"))
