"""Windows of bars, walked back through, against all bars at once."""

import numpy as np
import pytest

from apps.feeds.interface import candles, intervals_of, read_bars
from apps.feeds.models import Feed
from tests.integration.feeds.conftest import FIRST, bar_lines
from tests.integration.feeds.test_history import BEGIN, EUR, close_live, store_bars
from trading.intervals import DAY, HOUR, MINUTE

pytestmark = pytest.mark.django_db(databases=["feeds"], transaction=True)
NAME = "TEST:WALK"


def walked(interval: int, before_ns: int, count: int):
    """Return all bars before a time, taken window by window."""
    parts = []
    while True:
        window = candles(NAME, interval, before_ns, count)
        parts.insert(0, window)
        if not window.has_earlier:
            return [np.concatenate([each[at] for each in parts]) for at in range(6)]
        assert window.time_ns.size == count
        before_ns = int(window.time_ns[0])


def test_windows_put_together_are_all_that_is_stored(instrument, write_bars, load):
    lines = bar_lines(700)
    load(write_bars(lines[:200] + lines[430:]))  # with a hole of hours
    everything = read_bars(NAME, MINUTE, adjust="none")
    for count in (7, 100, 5000):
        found = walked(MINUTE, FIRST + 10 * DAY, count)
        for column, values in zip(("time", "open", "high", "low", "close", "volume"), found, strict=True):
            assert np.array_equal(values, getattr(everything, column)), (count, column)


def test_coarser_bars_are_the_same_in_whichever_windows_they_are_made(instrument, write_bars, load):
    load(write_bars(bar_lines(1500)))
    everything = walked(HOUR, FIRST + 10 * DAY, 5000)
    for count in (2, 3, 500):
        for one, other in zip(walked(HOUR, FIRST + 10 * DAY, count), everything, strict=True):
            assert np.array_equal(one, other), count
    assert everything[0].size == 25
    minutes = read_bars(NAME, MINUTE, adjust="none")
    assert everything[2].max() == minutes.high.max()
    assert everything[5].sum() == minutes.volume.sum()


def test_what_the_feed_has_closed_goes_before_what_is_stored(tmp_path):
    store_bars(tmp_path, range(10))
    close_live(*((hour, EUR, 120_000 + hour) for hour in range(8, 14)))
    Feed.objects.create(id="oanda", definition={"instruments": [{"id": EUR}], "bars_ns": [], "interval_ns": HOUR})
    found = candles(EUR, HOUR, BEGIN + 13 * HOUR, 50)
    hours = ((found.time_ns - BEGIN) // HOUR).tolist()
    assert hours == list(range(13))
    assert [round(each * 1e5) for each in found.close[-6:]] == [120_000 + hour for hour in range(8, 14)]
    assert [round(each * 1e5) for each in found.close[:7]] == [110_000 + hour for hour in range(7)]
    assert not found.has_earlier
    chosen = {each.interval_ns: (each.is_live, each.is_stored) for each in intervals_of(EUR)}
    assert chosen[HOUR] == (True, True)
    assert chosen[DAY] == (False, True)
    assert MINUTE not in chosen


def test_where_nothing_is_stored_there_is_nothing_to_draw(instrument):
    found = candles(NAME, HOUR, FIRST, 10)
    assert found.time_ns.size == 0
    assert not found.has_earlier
    assert intervals_of(NAME) == []
