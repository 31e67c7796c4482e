"""Session days, months and years are those that pandas finds by converting every bar."""

import zoneinfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trading.instruments import Instrument
from trading.intervals import DAY, HOUR, MINUTE
from trading.sessions import (
    AMBIGUOUS,
    EXISTS,
    MISSING,
    ZoneError,
    _firsts,
    calendar_of_days,
    days_per_week,
    local_to_utc,
    session_day_ends,
    session_days,
    session_starts,
    utc_to_local,
)

ZONES = sorted(zoneinfo.available_timezones() - {"localtime"})


def at(text: str) -> int:
    return int(pd.Timestamp(text).value)


def clock(times, zone):
    """What the wall clock shows, by pandas, as naive timestamps."""
    return pd.DatetimeIndex(pd.to_datetime(times, utc=True)).tz_convert(zone).tz_localize(None)


def dates(times, zone, turn_minutes=0):
    """Each bar's session day, by pandas, never earlier than one that has begun."""
    minutes = np.arange(times[0] // MINUTE * MINUTE - 2 * DAY, times[-1] + MINUTE, MINUTE)
    every = np.union1d(minutes, times)
    shown = (clock(every, zone) - pd.Timedelta(minutes=turn_minutes)).normalize()
    begun = np.maximum.accumulate(shown.to_numpy("M8[D]"))
    return begun[np.searchsorted(every, times)]


def last_of_each(labels):
    return np.flatnonzero(np.append(labels[1:] != labels[:-1], True))


# Minutes around every kind of change: the clock over midnight, a day that was skipped, one that came twice.
awkward = st.sampled_from(
    [
        ("America/Sao_Paulo", "2018-11-04T03:00"),
        ("America/St_Johns", "2005-10-30T02:31"),
        ("America/Havana", "2020-11-01T05:00"),
        ("Asia/Beirut", "2021-03-27T22:00"),
        ("Pacific/Apia", "2011-12-30T10:00"),
        ("Pacific/Kwajalein", "1993-08-21T12:00"),
        ("Asia/Pyongyang", "2018-05-04T15:00"),
        ("Africa/Casablanca", "2021-04-11T02:00"),
        ("America/New_York", "2024-03-10T07:00"),
        ("Europe/London", "2024-10-27T01:00"),
    ]
)
anywhere = st.tuples(
    st.sampled_from(ZONES), st.integers(0, 24_000).map(lambda day: str(np.datetime64("1971-01-01") + day))
)


@given(awkward | anywhere, st.lists(st.integers(-6000, 6000), min_size=1, max_size=40, unique=True))
@example(("America/St_Johns", "2005-10-30T02:31"), [-200, -1, 0, 30, 58, 59, 60, 200])
@example(("America/St_Johns", "2005-10-30T02:31"), [-200, -1, 0, 30])
@example(("America/St_Johns", "2005-10-30T02:31"), [0, 30, 59, 200])
@example(("Pacific/Kwajalein", "1993-08-21T12:00"), [-1, 0, 1, 1440])
def test_day_ends_are_those_of_pandas(place, minutes):
    zone, moment = place
    times = at(moment) + np.sort(np.array(minutes)) * MINUTE
    found = session_day_ends(times, zone)
    np.testing.assert_array_equal(found, last_of_each(dates(times, zone)))
    assert found.dtype == np.int64


@given(
    awkward | anywhere, st.lists(st.integers(-100, 100), min_size=1, max_size=40, unique=True), st.integers(-720, 720)
)
def test_days_may_turn_at_any_minute(place, hours, turn_minutes):
    zone, moment = place
    times = at(moment) + np.sort(np.array(hours)) * HOUR
    found = session_day_ends(times, zone, turn_minutes)
    np.testing.assert_array_equal(found, last_of_each(dates(times, zone, turn_minutes)))


@given(awkward | anywhere, st.lists(st.integers(-9000, 9000), min_size=1, max_size=30))
def test_wall_clock_is_that_of_pandas(place, minutes):
    zone, moment = place
    times = at(moment) + np.array(minutes) * MINUTE
    np.testing.assert_array_equal(utc_to_local(times, zone), clock(times, zone).as_unit("ns").asi8)


def test_no_change_of_any_zone_is_overlooked():
    days = np.arange(at("2005-01-01T12:00"), at("2026-01-01"), 7 * DAY)
    for zone in ZONES:
        np.testing.assert_array_equal(utc_to_local(days, zone), clock(days, zone).as_unit("ns").asi8, err_msg=zone)


@given(awkward | anywhere, st.lists(st.integers(-9000, 9000), min_size=1, max_size=30))
def test_times_come_back_from_the_wall_clock(place, minutes):
    zone, moment = place
    times = at(moment) + np.array(minutes) * MINUTE
    utc, status = local_to_utc(utc_to_local(times, zone), zone)
    assert (status != MISSING).all()
    np.testing.assert_array_equal(utc[status == EXISTS], times[status == EXISTS])
    assert (utc <= times).all()


def test_wall_clock_times_may_be_missing_or_ambiguous():
    walls = np.array([at("2024-03-10T01:59"), at("2024-03-10T02:00"), at("2024-03-10T02:59"), at("2024-11-03T01:30")])
    utc, status = local_to_utc(walls, "America/New_York")
    assert status.tolist() == [EXISTS, MISSING, MISSING, AMBIGUOUS]
    assert utc[3] == at("2024-11-03T05:30")


def test_foreign_exchange_days_turn_at_five_in_the_afternoon_in_new_york():
    # Sunday 17:00 New York opens Monday's session; clocks change on the second Sunday, which moves the turn in UTC.
    times = np.arange(at("2024-03-03T22:00"), at("2024-03-15T21:00"), HOUR)
    weekend = (times >= at("2024-03-08T22:00")) & (times < at("2024-03-10T21:00"))
    times = times[~weekend]
    opens = [at("2024-03-07T21:00"), at("2024-03-08T21:00"), at("2024-03-11T20:00"), at("2024-03-14T20:00")]
    ends = times[session_day_ends(times, "America/New_York", -7 * 60)]
    assert ends.size == 10
    assert set(opens) <= set(ends.tolist())


def test_session_days_and_their_starts_belong_together():
    euro = Instrument("OANDA:EURUSD", time_zone="America/New_York", day_turn_minutes=-420)
    times = np.arange(at("2024-03-03T22:00"), at("2024-03-15T21:00"), 15 * MINUTE)
    days = session_days(times, euro)
    starts, following = session_starts(days, euro), session_starts(days + 1, euro)
    assert (starts <= times).all()
    assert (times < following).all()
    assert session_days(np.array([at("2024-03-10T21:00")]), euro)[0] == np.datetime64("2024-03-11").astype(int)


@given(
    st.lists(st.sampled_from([0, 1, 1, 1, 7]), min_size=1, max_size=30),
    st.lists(st.integers(-3, 60), max_size=12).map(sorted),
)
@example([1, 1, 7, 1], [3, 5, 9, 11, 12])
@example([7, 1, 1, 7], [3, 5, 9, 11, 12, 20])
def test_where_a_time_falls_among_bars_is_found_with_gaps_and_without(steps, starts):
    for distances in (steps, [3] * len(steps)):
        times, looked_for = np.cumsum(distances), np.array(starts, np.int64)
        assert _firsts(times, looked_for).tolist() == np.searchsorted(times, looked_for).tolist()


def test_no_bar_has_no_day():
    empty = np.empty(0, np.int64)
    assert session_day_ends(empty, "Europe/Berlin").size == 0
    assert calendar_of_days(empty) == "weekdays"
    assert days_per_week(empty) == 5


def test_one_bar_ends_its_day():
    assert session_day_ends(np.array([at("2024-02-29T23:59")]), "Asia/Kolkata").tolist() == [0]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe"])
def test_unknown_zone_is_refused_by_name(zone):
    with pytest.raises(ZoneError, match="IANA"):
        session_day_ends(np.array([0, DAY]), zone)


def test_calendar_is_seen_from_the_days_that_trade():
    hours = np.arange(at("2024-01-01"), at("2024-03-01"), HOUR)
    assert calendar_of_days(np.unique(hours // DAY)) == "24x7"
    weekday = pd.to_datetime(hours).day_of_week
    assert calendar_of_days(np.unique(hours[weekday < 5] // DAY)) == "weekdays"
    assert calendar_of_days(np.unique(hours[(weekday != 4) & (weekday != 5)] // DAY)) == "weekdays"  # as in Riyadh
    assert calendar_of_days(np.unique(hours[weekday != 5] // DAY)) == "24x5"


def test_days_of_a_week_of_foreign_exchange_depend_on_their_turn():
    hours = np.arange(at("2024-01-01"), at("2024-12-31"), HOUR)
    york = pd.to_datetime(hours, utc=True).tz_convert("America/New_York")
    since_monday = york.day_of_week * 24 + york.hour
    hours = hours[(since_monday < 4 * 24 + 17) | (since_monday >= 6 * 24 + 17)]
    euro = Instrument("OANDA:EURUSD", time_zone="America/New_York", day_turn_minutes=-420)
    for instrument, week in ((euro, 5), (Instrument("V:X"), 6), (Instrument("V:X", time_zone="Europe/Athens"), 5)):
        days = np.unique(session_days(hours, instrument))
        assert days_per_week(days) == week, instrument
        assert days.size == pytest.approx(52 * week, abs=week + 1)
