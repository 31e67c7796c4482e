from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banyan.timescale.intervals import Interval, IntervalError

moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
intervals = st.builds("{} {}s".format, st.integers(1, 40), st.sampled_from(["day", "week", "month", "year"]))


@given(intervals, moments)
def test_every_moment_is_in_the_range_that_its_floor_begins(text, moment):
    interval = Interval.parse(text)
    beginning = interval.floor(moment)
    assert beginning <= moment < interval.following(beginning)
    assert interval.floor(beginning) == beginning


@given(intervals, moments, moments)
def test_ranges_touch_and_cover_what_was_asked_for(text, one, other):
    first, last = sorted((one, other))
    interval = Interval.parse(text)
    begin, end = next(interval.ranges(first, last))
    assert begin <= first < end
    following = list(interval.ranges(first, min(last, interval.following(end))))
    assert all(before[1] == after[0] for before, after in pairwise(following))
    assert following[-1][0] <= last


@pytest.mark.parametrize(
    "text", ["", "year", "0 days", "-1 day", "1.5 days", "1 hour", "12 fortnights", "1 year 2 days"]
)
def test_an_interval_that_is_not_whole_days_or_months_is_refused(text):
    with pytest.raises(IntervalError, match="such as '1 year'"):
        Interval.parse(text)
