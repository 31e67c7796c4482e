"""When an alert is raised and when it is over: a bound, another one that ends it, and a time for which either holds.

Pure: it knows no clock and no database. A value that swings about the bound raises one alert, not many.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple


class Reading(NamedTuple):
    """What a measure is of a subject, and how that is said."""

    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """What of a rule decides: raised at `bound` or above, over below `clears_below`, each after `for_seconds`."""

    bound: float
    clears_below: float
    for_seconds: float


@dataclass(frozen=True, slots=True)
class Tracked:
    """What is known of a rule's subject: whether its alert is open, and since when the opposite has held."""

    is_open: bool = False
    turning_since: float | None = None


class Change(Enum):
    """What became of an alert."""

    NONE = auto()
    RAISED = auto()
    GOES_ON = auto()
    OVER = auto()


def judged(bounds: Bounds, known: Tracked, reading: Reading | None, now: float) -> tuple[Tracked, Change]:
    """Return what is known after a reading (None: there is no such subject any more), and what became of the alert.

    `now` is in seconds of a clock that only goes on.
    """
    if reading is None:
        return Tracked(), Change.OVER if known.is_open else Change.NONE
    turns = reading.value < bounds.clears_below if known.is_open else reading.value >= bounds.bound
    same = Change.GOES_ON if known.is_open else Change.NONE
    if not turns:
        return Tracked(known.is_open), same
    since = now if known.turning_since is None else known.turning_since
    if now - since < bounds.for_seconds:
        return Tracked(known.is_open, since), same
    return Tracked(not known.is_open), Change.OVER if known.is_open else Change.RAISED


def subjects(known: Mapping[str, Tracked], readings: Mapping[str, Reading], only: str) -> list[str]:
    """Return the subjects that a rule has to look at: those that are measured, and those that were."""
    found = {*readings, *known}
    return sorted(found & {only} if only else found)
