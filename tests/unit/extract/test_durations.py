"""Percentiles of durations that are only counted by classes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract.comparator.durations import EDGES_NS, class_of, no_durations, percentile_ms


def test_one_class_ends_at_a_hundred_ms_and_what_is_longer_is_in_the_next():
    assert 100_000_000 in EDGES_NS
    assert class_of(100_000_001) == class_of(100_000_000) + 1


@pytest.mark.parametrize(("ns", "expected"), [(-5, 0), (0, 0), (10**15, len(EDGES_NS) - 1)])
def test_what_no_clock_can_have_measured_is_in_a_class_too(ns, expected):
    assert class_of(ns) == expected


def test_of_nothing_there_is_no_percentile():
    assert percentile_ms(no_durations(), 0.99) is None


@given(st.lists(st.integers(12_500, 70_000_000_000), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_percentile_is_never_below_what_it_is_and_above_it_by_less_than_a_class(found, share):
    counts = no_durations()
    for each in found:
        counts[class_of(each)] += 1
    exact = min(each for each in found if sum(other <= each for other in found) >= share * len(found))
    told = percentile_ms(counts, share)
    assert told is not None
    assert exact <= told * 1e6 + 1
    assert told * 1e6 <= exact * 2**0.5 * (1 + 1e-6)
