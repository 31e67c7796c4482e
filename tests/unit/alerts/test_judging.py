"""When an alert is raised and over: one alert for a value that swings, none for a moment's peak."""

from hypothesis import given
from hypothesis import strategies as st

from apps.alerts.judging import Bounds, Change, Reading, Tracked, judged

BOUNDS = Bounds(bound=10, clears_below=5, for_seconds=30)


def told(values, bounds=BOUNDS, step=10):
    """The changes that values give that are read every `step` seconds; None: there is no such subject."""
    known, changes = Tracked(), []
    for at, value in enumerate(values):
        reading = None if value is None else Reading(value, "")
        known, change = judged(bounds, known, reading, at * step)
        changes.append(change)
    return changes


def test_an_alert_is_raised_once_its_bound_has_been_met_for_long_enough():
    changes = told([0, 10, 11, 12, 13, 14])
    assert changes == [Change.NONE] * 4 + [Change.RAISED, Change.GOES_ON]


def test_a_peak_raises_nothing():
    assert told([0, 99, 99, 99, 9.9, 99, 99, 99]) == [Change.NONE] * 8


def test_between_the_bounds_an_alert_goes_on_and_below_it_is_over_after_a_while():
    changes = told([10, 10, 10, 10, 6, 5, 4, 4, 6, 4, 4, 4, 4, 4])
    assert changes[3] is Change.RAISED
    assert changes.count(Change.OVER) == 1
    assert changes.index(Change.OVER) == 12  # 30 s below, anew after it had been above once more
    assert changes[13] is Change.NONE


def test_what_is_no_more_is_over_at_once():
    assert told([10] * 4 + [None, None])[-3:] == [Change.RAISED, Change.OVER, Change.NONE]


def test_without_a_time_it_is_raised_and_over_at_once():
    at_once = Bounds(bound=1, clears_below=1, for_seconds=0)
    assert told([0, 1, 1, 0], at_once) == [Change.NONE, Change.RAISED, Change.GOES_ON, Change.OVER]


@given(st.lists(st.floats(0, 20) | st.none(), max_size=60), st.floats(0, 100))
def test_raised_and_over_take_turns(values, seconds):
    changes = told(values, Bounds(10, 5, seconds))
    turns = [each for each in changes if each in (Change.RAISED, Change.OVER)]
    assert turns == [Change.RAISED, Change.OVER] * (len(turns) // 2) + [Change.RAISED] * (len(turns) % 2)
    is_open = False
    for each in changes:
        assert each in ((Change.GOES_ON, Change.OVER) if is_open else (Change.NONE, Change.RAISED))
        is_open = each in (Change.RAISED, Change.GOES_ON)
