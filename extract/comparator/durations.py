"""Durations counted in classes, of which percentiles of any time can be told: a few numbers for each minute."""

from bisect import bisect_left
from collections.abc import Sequence

EDGES_NS = tuple(round(100e6 * 2 ** (half / 2)) for half in range(-26, 20))
"""Up to how long each class goes, in ns: two classes for a doubling, from 12 µs to 72 s, one of them up to 100 ms."""


def no_durations() -> list[int]:
    """Return how many durations there are of each class: none."""
    return [0] * len(EDGES_NS)


def class_of(ns: int) -> int:
    """Return the class of a duration; what is longer than all classes is in the last."""
    return min(bisect_left(EDGES_NS, ns), len(EDGES_NS) - 1)


def percentile_ms(counts: Sequence[int], share: float) -> float | None:
    """Return within how many ms so large a share of durations is, as the end of a class; None: there are none."""
    wanted, passed = share * sum(counts), 0
    if not wanted:
        return None
    for edge, count in zip(EDGES_NS, counts, strict=True):
        passed += count
        if passed >= wanted:
            return edge / 1e6
    raise AssertionError("all durations are within the last class")
