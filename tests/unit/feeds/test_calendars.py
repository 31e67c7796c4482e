"""Session calendars and gaps."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from apps.feeds.calendars import CalendarError, check_calendar, find_gaps, regular_hours, sessions
from apps.feeds.catalogue import shipped_instruments
from apps.feeds.records import COLUMNS, Kind, Records
from trading.instruments import Instrument
from trading.intervals import DAY, HOUR, MINUTE

EURUSD = shipped_instruments()["OANDA:EURUSD"]
SPY = shipped_instruments()["NYSEARCA:SPY"]
CRYPTO = Instrument(id="X:BTC")


def at(text: str, zone: str = "America/New_York") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 10**9


def records(times: list[int]) -> Records:
    values = np.ones((len(COLUMNS[Kind.BARS]), len(times)))
    return Records(Kind.BARS, np.array(times, np.int64), values, np.arange(2, len(times) + 2))


def missing(times: list[int], interval: int, instrument: Instrument) -> list[tuple[int, int]]:
    found = find_gaps(records(times), interval, instrument)
    return [(gap.line, int(gap.detail.split()[0].replace(",", ""))) for gap in found]


def test_around_the_clock_every_bar_is_expected() -> None:
    assert missing([0, HOUR, 4 * HOUR], HOUR, CRYPTO) == [(4, 2)]


def test_foreign_exchange_rests_from_friday_to_sunday_17_00_new_york() -> None:
    for friday in ("2021-03-12", "2021-11-05", "2021-07-02"):  # two of them before the clock is changed
        last = at(f"{friday}T16:00")
        sunday = last + int(np.timedelta64(2, "D") / np.timedelta64(1, "ns")) + HOUR
        opened = at(str(np.datetime64(friday) + 2) + "T17:00")
        assert missing([last, opened], HOUR, EURUSD) == [], sunday
        assert missing([last - HOUR, opened + HOUR], HOUR, EURUSD) == [(3, 2)]


def test_equity_days_miss_neither_weekends_nor_holidays() -> None:
    thanksgiving = [at(f"2020-11-{day}T00:00") for day in (24, 25, 27, 30)]
    assert missing(thanksgiving, DAY, SPY) == []
    assert missing([thanksgiving[0], thanksgiving[3]], DAY, SPY) == [(3, 2)]


@pytest.mark.parametrize(
    ("last", "first", "interval"),
    [
        ("2021-03-12T15:59", "2021-03-15T09:30", MINUTE),
        ("2021-03-12T15:30", "2021-03-15T09:30", HOUR),  # hours from the open
        ("2021-03-12T15:00", "2021-03-15T09:00", HOUR),  # full hours
        ("2020-11-27T12:59", "2020-11-30T09:30", MINUTE),  # a short day
        ("2021-03-12T19:59", "2021-03-15T04:00", MINUTE),  # with hours before and after
    ],
)
def test_equity_bars_within_a_day_are_expected_in_sessions_only(last: str, first: str, interval: int) -> None:
    assert missing([at(last), at(first)], interval, SPY) == []


def test_missing_equity_minutes_are_counted_over_nights() -> None:
    assert missing([at("2021-03-12T15:57"), at("2021-03-15T09:33")], MINUTE, SPY) == [(3, 5)]
    assert missing([at("2021-03-11T15:59"), at("2021-03-15T09:30")], MINUTE, SPY) == [(3, 390)]


def test_weeks_are_counted_by_the_calendar_of_days() -> None:
    assert missing([0, 7 * DAY, 28 * DAY], 7 * DAY, CRYPTO) == [(4, 2)]


def test_regular_hours_are_those_of_the_exchange() -> None:
    times = [at(f"2021-03-15T{clock}") for clock in ("09:29", "09:30", "15:59", "16:00")]
    assert regular_hours(np.array(times), SPY).tolist() == [False, True, True, False]


def test_an_unknown_calendar_is_refused() -> None:
    with pytest.raises(CalendarError, match="24x7, 24x5 or an exchange"):
        check_calendar("NOPE")
    for name in ("24x7", "24x5", "XNYS"):
        check_calendar(name)


def test_the_week_of_foreign_exchange_covers_the_asked_time() -> None:
    now = at("2021-03-16T12:00")
    opens, closes = sessions(now, now, "24x5")
    assert ((opens <= now) & (now < closes)).sum() == 1
