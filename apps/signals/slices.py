"""Bars as they arrive, until a strategy's channels have all closed at one time."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.feeds.contracts import BarClosed
from apps.signals.contracts import ChannelSpec
from trading.bars import Bar, Slice
from trading.volatility import VOLATILITY_BARS, volatility_of

FIELDS = ("open", "high", "low", "close", "volume", "bid", "ask")
PAST_BARS = VOLATILITY_BARS + 2  # so many closes give all returns before the last bar
_CLOSE = FIELDS.index("close")


@dataclass(slots=True)
class Slices:
    """What the channels of strategies have shown: float64[7, channels] of FIELDS, nan before a channel's first bar.

    `bid_ticks` and `ask_ticks` are the closing quotes, int64[channels]; `fresh` tells which channels have closed at
    `closed_at_ns`, which is 0 while no slice waits. `times`, int64[2], are `closed_at_ns` and `shown_at_ns`. `past` are
    the last closes of channels whose volatility is told, float64[channels, PAST_BARS], each in the place of the oldest;
    `counts`, int64[2, channels], says how many there were, and when the last one closed.
    """

    channels: tuple[ChannelSpec, ...]
    prices: NDArray[np.float64]
    bid_ticks: NDArray[np.int64]
    ask_ticks: NDArray[np.int64]
    fresh: NDArray[np.int64]
    times: NDArray[np.int64]
    past: NDArray[np.float64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, channels: tuple[ChannelSpec, ...]) -> "Slices":
        """Return slices of channels that have shown nothing."""
        count = len(channels)
        return cls(
            channels,
            np.full((len(FIELDS), count), np.nan),
            np.zeros(count, np.int64),
            np.zeros(count, np.int64),
            np.zeros(count, np.int64),
            np.zeros(2, np.int64),
            np.zeros((count if tells_volatility(channels) else 0, PAST_BARS)),
            np.zeros((2, count), np.int64),
        )

    @property
    def closed_at_ns(self) -> int:
        """The close time of the slice that waits, 0 where none does."""
        return int(self.times[0])

    @property
    def shown_at_ns(self) -> int:
        """The close time of the slice that was shown last, 0 before the first."""
        return int(self.times[1])

    def arrays(self) -> list[NDArray[Any]]:
        """Return all that changes, as arrays that can be written to."""
        return [self.prices, self.bid_ticks, self.ask_ticks, self.fresh, self.times, self.past, self.counts]

    def moved(self, places: Iterator[NDArray[Any]]) -> "Slices":
        """Return these slices in other arrays, as many as `arrays` gives."""
        return Slices(self.channels, *(next(places) for _ in self.arrays()))

    def take(self, closed: "Closed") -> bool:
        """Take those bars that belong to these channels; tell whether there were any.

        Revisions and bars at or before what was shown already change nothing: a decision is not taken twice.
        """
        if closed.at_ns <= self.shown_at_ns:
            return False
        if len(self.channels) == 1:
            return self._take_one(closed)
        mine, theirs = [], []
        for row, channel in enumerate(self.channels):
            place = closed.places.get(channel.instrument)
            if place is not None and channel.interval_ns == closed.interval_ns:
                mine.append(row)
                theirs.append(place)
        if not mine:
            return False
        self.prices[:, mine] = closed.prices[:, theirs]
        self.bid_ticks[mine], self.ask_ticks[mine] = closed.bid_ticks[theirs], closed.ask_ticks[theirs]
        self.fresh[mine] = 1
        self.times[0] = closed.at_ns
        if self.past.size:
            self._remember(mine, closed.at_ns)
        return True

    def _take_one(self, closed: "Closed") -> bool:
        channel = self.channels[0]
        place = closed.places.get(channel.instrument)
        if place is None or channel.interval_ns != closed.interval_ns:
            return False
        self.prices[:, 0] = closed.prices[:, place]
        self.bid_ticks[0], self.ask_ticks[0] = closed.bid_ticks[place], closed.ask_ticks[place]
        self.fresh[0] = 1
        self.times[0] = closed.at_ns
        if self.past.size:
            self._remember([0], closed.at_ns)
        return True

    def volatility(self, row: int) -> float | None:
        """Return a channel's yearly volatility by its bars before the slice that was shown last, None if not known."""
        if not self.past.size or not self.channels[row].bars_per_year > 0.0:
            return None
        upto = int(self.counts[0, row]) - (int(self.counts[1, row]) == self.shown_at_ns)
        places = np.arange(max(0, upto - VOLATILITY_BARS - 1), upto) % PAST_BARS
        found = float(volatility_of(self.past[row, places], self.channels[row].bars_per_year))
        return None if math.isnan(found) else found

    def _remember(self, rows: list[int], closed_at_ns: int) -> None:
        for row in rows:
            if self.counts[1, row] != closed_at_ns:
                self.counts[0, row] += 1
                self.counts[1, row] = closed_at_ns
            self.past[row, (self.counts[0, row] - 1) % PAST_BARS] = self.prices[_CLOSE, row]

    def is_complete(self) -> bool:
        """Tell whether every channel has closed at the time of the slice that waits."""
        return bool(self.closed_at_ns) and (len(self.channels) == 1 or bool(self.fresh.all()))

    def show(self) -> "Shown":
        """Return the slice that waits, and begin the next one."""
        self.times[:] = 0, self.times[0]
        shown = Shown(self.shown_at_ns, self.prices, self.fresh.copy())
        self.fresh[:] = 0
        return shown


def tells_volatility(channels: Sequence[ChannelSpec]) -> bool:
    """Tell whether the volatility of some of these channels is told with the targets."""
    return any(channel.bars_per_year > 0.0 for channel in channels)


@dataclass(slots=True)
class Shown:
    """A slice as strategies are shown it: `prices` float64[7, channels] of FIELDS, `fresh` int64[channels]."""

    at_ns: int
    prices: NDArray[np.float64]
    fresh: NDArray[np.int64]
    _bar: Bar | None = None

    def bar(self) -> Bar:
        """Return the bar of the only channel."""
        if self._bar is None:
            self._bar = Bar(self.at_ns, *self.prices[:, 0].tolist())
        return self._bar

    def slice(self) -> Slice:
        """Return the channels' bars as columns, which are the caller's own."""
        columns: Any = (*self.prices.copy(), self.fresh.copy())
        return Slice(self.at_ns, *columns)


@dataclass(frozen=True, slots=True)
class Closed:
    """The bars of a message in prices, float64[7, bars] of FIELDS; `places` has those that are no revisions."""

    at_ns: int
    interval_ns: int
    places: dict[str, int]
    prices: NDArray[np.float64]
    bid_ticks: NDArray[np.int64]
    ask_ticks: NDArray[np.int64]

    @classmethod
    def of(cls, bars: BarClosed, ticks_e9: Mapping[str, int]) -> "Closed":
        """Return bars of instruments with these ticks, in billionths; others are left out."""
        revised = bars.revision.tolist()
        places = {
            instrument: place
            for place, instrument in enumerate(bars.instruments)
            if instrument in ticks_e9 and not revised[place]
        }
        ticks = np.array([ticks_e9.get(each, 0) for each in bars.instruments], np.int64)
        prices = np.empty((len(FIELDS), ticks.size))
        for row, name in enumerate(("open", "high", "low", "close")):
            bid, ask = getattr(bars, f"bid_{name}"), getattr(bars, f"ask_{name}")
            prices[row] = (_prices(bid, ticks) + _prices(ask, ticks)) / 2.0
        prices[4] = np.where(bars.volume_e6 >= 0, bars.volume_e6 / 1e6, np.nan)
        prices[5], prices[6] = _prices(bars.bid_close, ticks), _prices(bars.ask_close, ticks)
        return cls(bars.closed_at_ns, bars.interval_ns, places, prices, bars.bid_close, bars.ask_close)


def _prices(ticks: NDArray[np.int64], tick_e9: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return prices as the float64 next to their decimal values, as if they had been read from text."""
    return ticks * tick_e9 / 1e9
