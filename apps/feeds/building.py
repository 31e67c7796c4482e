"""Ticks into bars while they come. Pure: it is given times, and asks for timers as a context does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.feeds.kernels.aggregate import aggregate, merge
from apps.feeds.resampling import in_hours, periods_of
from banyan.messages import TimerDue, TimerSet
from trading.instruments import Instrument
from trading.intervals import SECOND

CLOSE_TIMER = "close"
LATENESS_NS = 60 * SECOND


class BuiltBar(NamedTuple):
    """A bar whose period is over; `values` float64[5 or 9] as the columns of bars or quotes. Times are ns UTC.

    `revision` is 0 for its first close and counts up with every change.
    """

    instrument: str
    interval_ns: int
    open_ns: int
    values: NDArray[np.float64]
    revision: int

    @property
    def closed_at_ns(self) -> int:
        """When it closed, by the name that bars go under: its open and its interval."""
        return self.open_ns + self.interval_ns


@dataclass(slots=True)
class _Bar:
    values: NDArray[np.float64]
    over_ns: int
    first_ns: int
    last_ns: int
    revision: int = 0


@dataclass(slots=True)
class _Series:
    """The bars of one instrument at one interval by their open: those that form, and those that may still change."""

    forming: dict[int, _Bar] = field(default_factory=dict)
    closed: dict[int, _Bar] = field(default_factory=dict)
    last_open_ns: int = -(2**62)
    known_ns: int = -(2**62)


class BarBuilder:
    """Makes bars of the ticks of some instruments at some intervals.

    A bar closes when the timer `close` comes due, `wait_ns` after the end of its period and not with the next tick;
    a period without a tick has no bar. **Late ticks**: one for a period newer than the last bar that has closed makes
    a bar, however late it comes. One for a period at or before that changes its bar, which closes again with the next
    revision, if it comes within `lateness_ns` of its end; later ones are only counted.

    `known` says up to which close time (ns UTC) the bars of an (instrument, interval) were made before: ticks of those
    are passed over, they have only been given again.
    """

    def __init__(
        self, instruments: Mapping[str, Instrument], intervals: Sequence[int], *, wait_ns: int = 0,
        lateness_ns: int = LATENESS_NS, known: Mapping[tuple[str, int], int] | None = None,
    ) -> None:  # fmt: skip
        self._instruments = instruments
        self._wait_ns = wait_ns
        self._lateness_ns = lateness_ns
        self._since_ns = -(2**62)
        self._series = {(name, interval): _Series() for name in instruments for interval in intervals}
        self._of: dict[str, list[tuple[int, _Series]]] = {name: [] for name in instruments}
        for (name, interval), series in self._series.items():
            self._of[name].append((interval, series))
        for key, closed_at_ns in (known or {}).items():
            if key in self._series:
                self._series[key].known_ns = closed_at_ns

    def begin(self, since_ns: int) -> None:
        """Forget what forms: the source was opened again, and from `since_ns` on nothing is missing.

        Bars that opened before are not made: they were seen in part.
        """
        self._since_ns = since_ns
        for (_, interval), series in self._series.items():
            series.known_ns = max(series.known_ns, series.last_open_ns + interval)
            series.forming.clear()
            series.closed.clear()

    def known_until_ns(self) -> int:
        """Return the time from which on ticks are needed again if the source is opened again."""
        return max(0, min(max(each.known_ns, each.last_open_ns + key[1]) for key, each in self._series.items()))

    def take(
        self, instrument: str, time: NDArray[np.int64], values: NDArray[np.float64], now_ns: int
    ) -> tuple[list[BuiltBar], int]:
        """Take ticks as bars of one tick each; return the bars that late ones have changed, and how many were too late.

        `time` is int64[n], in any order; `values` float64[5 or 9, n], prices in whole ticks and volumes in whole
        millionths, so that adding them is exact. `now_ns` is the source's time.
        """
        if (time[1:] < time[:-1]).any():
            order = np.argsort(time, kind="stable")
            time, values = time[order], values[:, order]
        changed: list[BuiltBar] = []
        late = 0
        for interval, series in self._of[instrument]:
            wanted, columns = in_hours(time, values, interval, self._instruments[instrument])
            if not wanted.size:
                continue
            rows, opens, overs = periods_of(wanted, interval, self._instruments[instrument])
            bars = aggregate(columns, rows)
            firsts, lasts = wanted[rows.starts].tolist(), wanted[rows.ends].tolist()
            for place, (open_ns, over_ns) in enumerate(zip(opens.tolist(), overs.tolist(), strict=True)):
                closed_at_ns = open_ns + interval
                part = _Bar(bars[:, place], over_ns, firsts[place], lasts[place])
                if open_ns < self._since_ns or (closed_at_ns <= series.known_ns and open_ns not in series.closed):
                    continue
                if open_ns > series.last_open_ns:
                    _put(series.forming, open_ns, part)
                elif self._is_final(part, now_ns):
                    late += int(rows.ends[place] - rows.starts[place]) + 1
                else:
                    bar = _put(series.closed, open_ns, part)
                    bar.revision += 1
                    changed.append(BuiltBar(instrument, interval, open_ns, bar.values, bar.revision))
        return changed, late

    def timer(self) -> TimerSet | None:
        """Return when the next bar closes, None where none forms."""
        overs = [bar.over_ns for series in self._series.values() for bar in series.forming.values()]
        return TimerSet(name=CLOSE_TIMER, due_ns=min(overs) + self._wait_ns) if overs else None

    def close(self, timer: TimerDue) -> list[BuiltBar]:
        """Close the bars whose time has come, oldest first, and forget those that cannot change any more."""
        closed = []
        for (name, interval), series in self._series.items():
            over = [each for each in series.forming if series.forming[each].over_ns + self._wait_ns <= timer.due_ns]
            for open_ns in sorted(over):
                bar = series.forming.pop(open_ns)
                series.closed[open_ns] = bar
                series.last_open_ns = open_ns
                closed.append(BuiltBar(name, interval, open_ns, bar.values, bar.revision))
            for open_ns in [each for each in series.closed if self._is_final(series.closed[each], timer.due_ns)]:
                del series.closed[open_ns]
        return sorted(closed, key=lambda bar: (bar.closed_at_ns, bar.interval_ns))

    def _is_final(self, bar: _Bar, now_ns: int) -> bool:
        return bar.over_ns + self._wait_ns + self._lateness_ns < now_ns


def _put(bars: dict[int, _Bar], open_ns: int, part: _Bar) -> _Bar:
    bar = bars.get(open_ns)
    if bar is None:
        bars[open_ns] = part
        return part
    is_before, is_after = part.first_ns < bar.first_ns, part.last_ns >= bar.last_ns
    bar.values = merge(bar.values, part.values, is_before=is_before, is_after=is_after)
    bar.first_ns, bar.last_ns = min(bar.first_ns, part.first_ns), max(bar.last_ns, part.last_ns)
    return bar
