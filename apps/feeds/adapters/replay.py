"""Records of the past, given again: as fast as they are taken, at a multiple of their speed, or in lock step."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.feeds.adapters.port import Given, Reading
from apps.feeds.records import COLUMNS, Kind, Records
from banyan.clock import Clock

AT_ONCE = 5_000
"""How many records are given at once where nobody says when."""

_POLL_SECONDS = 0.01


class Past(NamedTuple):
    """An instrument's records: `time` int64[n], ns UTC, rising; `values` float64[columns, n]; `interval_ns` 0: ticks.

    The time of a bar is its open.
    """

    kind: Kind
    interval_ns: int
    time: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the past is given again.

    As fast as it is taken, unless `speed` says how many times faster than it came; its times are then moved and
    pressed together so that it comes now. With `is_ready` it goes in lock step: the records of the next `step_ns` of
    time (0: of the next time) are given once `is_ready()`, and keep their times.
    """

    speed: float | None = None
    is_ready: Callable[[], bool] | None = None
    step_ns: int = 0


class ReplayAdapter:
    """Gives the past of some instruments, in the order in which ticks came and bars closed.

    `load` returns what is stored from a time on; it is asked at every opening.
    """

    def __init__(self, load: Callable[[int], Mapping[str, Past]], clock: Clock, pace: Pace | None = None) -> None:
        self._load = load
        self._clock = clock
        self._pace = pace or Pace()
        self._closed = threading.Event()
        self._steps: Iterator[tuple[int, tuple[Given, ...]]] = iter(())
        self._next: tuple[int, tuple[Given, ...]] | None = None
        self._begun_ns = 0
        self._first_ns: int | None = None

    def open(self, after_ns: int) -> int:
        """Load the past from `after_ns` on; at a speed all of it, and opened again from where it would be by now.

        At a speed `after_ns` is a time of today, to which nothing of the past has been moved yet.
        """
        if self._pace.speed is not None:
            past = self._load(0 if self._first_ns is None else self._original(after_ns))
        else:
            past = self._load(after_ns)
        self._steps = self._cut({name: each for name, each in past.items() if each.time.size})
        self._closed.clear()
        self._next = next(self._steps, None)
        if self._first_ns is None and self._next is not None:
            self._begun_ns, self._first_ns = self._clock.wall_ns(), self._next[0]
        return after_ns

    def read(self, seconds: float) -> Reading | None:
        """Return the next step, once it is its turn."""
        if self._next is not None and not self._is_turn(self._next[0]):
            self._closed.wait(min(seconds, self._pause(self._next[0])))
        if self._next is None or self._closed.is_set():
            return None
        if self._is_turn(self._next[0]):
            return self._step()
        return Reading(is_current=self._pace.speed is not None)

    def close(self) -> None:
        """Stop."""
        self._closed.set()

    def _step(self) -> Reading:
        assert self._next is not None
        given = self._next[1]
        self._next = next(self._steps, None)
        if self._pace.speed is None:
            return Reading(given)
        return Reading(tuple(each._replace(records=self._moved(each)) for each in given), is_current=True)

    def _is_turn(self, time_ns: int) -> bool:
        if self._pace.is_ready is not None:
            return self._pace.is_ready()
        return self._pace.speed is None or self._now(time_ns) <= self._clock.wall_ns()

    def _pause(self, time_ns: int) -> float:
        if self._pace.speed is None:
            return _POLL_SECONDS
        return max(0.0, (self._now(time_ns) - self._clock.wall_ns()) / 1e9)

    def _now(self, time_ns: int) -> int:
        assert self._pace.speed is not None
        assert self._first_ns is not None
        return self._begun_ns + int((time_ns - self._first_ns) / self._pace.speed)

    def _original(self, now_ns: int) -> int:
        assert self._pace.speed is not None
        assert self._first_ns is not None
        return self._first_ns + int((now_ns - self._begun_ns) * self._pace.speed)

    def _moved(self, given: Given) -> Records:
        records, interval_ns = given.records, given.interval_ns
        closes = [self._now(time) for time in (records.time + interval_ns).tolist()]
        return Records(records.kind, np.array(closes, np.int64) - interval_ns, records.values, records.line)

    def _cut(self, past: Mapping[str, Past]) -> Iterator[tuple[int, tuple[Given, ...]]]:
        """Yield (time of the last record, records of all instruments) in the order in which they came."""
        if not past:
            return
        comes = {name: each.time + each.interval_ns for name, each in past.items()}
        times: NDArray[np.int64] = np.unique(np.concatenate(list(comes.values())))
        columns = {name: _columns(each) for name, each in past.items()}
        at = dict.fromkeys(past, 0)
        for last_ns in times[self._ends(times, list(comes.values()))].tolist():
            given = []
            for name, each in past.items():
                stop = int(np.searchsorted(comes[name], last_ns, side="right"))
                if stop > at[name]:
                    rows = slice(at[name], stop)
                    records = Records(each.kind, each.time[rows], each.values[:, rows], np.arange(at[name], stop) + 1)
                    given.append(Given(name, each.interval_ns, records, columns[name]))
                    at[name] = stop
            yield last_ns, tuple(given)

    def _ends(self, times: NDArray[np.int64], comes: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Return the rows of `times` with which a step ends."""
        if self._pace.speed is not None:
            return np.arange(times.size)
        if self._pace.is_ready is not None:
            if not self._pace.step_ns:
                return np.arange(times.size)
            steps = times // self._pace.step_ns
            return np.append(np.flatnonzero(np.diff(steps)), times.size - 1)
        upto = np.sum([np.searchsorted(each, times, side="right") for each in comes], axis=0)
        return np.append(np.flatnonzero(np.diff(upto // AT_ONCE)), times.size - 1)


def _columns(past: Past) -> tuple[str, ...]:
    return tuple(
        name for name, column in zip(COLUMNS[past.kind], past.values, strict=True) if not np.isnan(column).all()
    )
