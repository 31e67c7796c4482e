"""Bars as columns of arrays, and the shapes in which strategies see them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Bars:
    """The bars of one instrument at one interval, oldest first, each column one array of the same length n.

    `time` is the bar's OPEN time in nanoseconds since the epoch, UTC (int64), strictly increasing; the bar closes at
    `time + interval`. `open` … `close` are float64 prices; where the bars are quotes they are the mid, and the
    `bid_*` and `ask_*` columns are there too. `volume` is float64 in units of the instrument, or None.
    """

    time: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats | None = None
    bid_open: Floats | None = None
    bid_high: Floats | None = None
    bid_low: Floats | None = None
    bid_close: Floats | None = None
    ask_open: Floats | None = None
    ask_high: Floats | None = None
    ask_low: Floats | None = None
    ask_close: Floats | None = None
    interval: int = 0  # nanoseconds; 0 where it is not known

    def __len__(self) -> int:
        return self.close.size

    @property
    def is_quotes(self) -> bool:
        """Whether the bars carry bid and ask prices."""
        return self.bid_close is not None


class Bar(NamedTuple):
    """One closed bar, as a strategy with one channel sees it. `time` is the CLOSE time, ns UTC.

    `bid` and `ask` are the closing quotes; without quotes both are `close`. `volume` is nan where there is none.
    """

    time: Any
    open: Any
    high: Any
    low: Any
    close: Any
    volume: Any
    bid: Any
    ask: Any


class Slice(NamedTuple):
    """All channels at one close time, as a strategy with several channels sees them: arrays of length n_channels.

    `time` is the close time, ns UTC (one int64). `fresh[i]` is 1 where channel i closed a bar at this time and 0 where
    it keeps its last one (nan before its first). Element i belongs to the i-th declared channel. The arrays are only
    valid during the call: a strategy copies what it wants to remember into its state.
    """

    time: Any
    open: Any
    high: Any
    low: Any
    close: Any
    volume: Any
    bid: Any
    ask: Any
    fresh: Any


class Close(NamedTuple):
    """The closing quote of an instrument's last bar, in ticks, and when that closed."""

    bid_ticks: int
    ask_ticks: int
    closed_at_ns: int
