"""Bars as they arrive, until a strategy's channels have all closed at one time."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from apps.feeds.contracts import BarClosed
from apps.signals.contracts import ChannelSpec

FIELDS = ("open", "high", "low", "close", "volume", "bid", "ask")


@dataclass(slots=True)
class Slices:
    """What a strategy's channels have shown: float64[7, channels] of FIELDS, nan before a channel's first bar.

    `bid_ticks` and `ask_ticks` are the closing quotes, int64[channels]; `fresh` tells which channels have closed at
    `closed_at_ns`, which is 0 while no slice waits.
    """

    channels: tuple[ChannelSpec, ...]
    prices: NDArray[np.float64]
    bid_ticks: NDArray[np.int64]
    ask_ticks: NDArray[np.int64]
    fresh: NDArray[np.int64]
    closed_at_ns: int = 0
    shown_at_ns: int = 0
    _rows: dict[tuple[str, int], int] = field(default_factory=dict)

    @classmethod
    def of(cls, channels: tuple[ChannelSpec, ...]) -> "Slices":
        """Return slices of channels that have shown nothing."""
        count = len(channels)
        rows = {(each.instrument, each.interval_ns): row for row, each in enumerate(channels)}
        return cls(
            channels,
            np.full((len(FIELDS), count), np.nan),
            np.zeros(count, np.int64),
            np.zeros(count, np.int64),
            np.zeros(count, np.int64),
            _rows=rows,
        )

    def take(self, bars: BarClosed) -> bool:
        """Take those bars that belong to these channels; tell whether there were any.

        Revisions and bars at or before what was shown already change nothing: a decision is not taken twice.
        """
        taken = False
        for index, instrument in enumerate(bars.instruments):
            row = self._rows.get((instrument, bars.interval_ns))
            if row is None or bars.revision[index] or bars.closed_at_ns <= self.shown_at_ns:
                continue
            self._put(row, bars, index)
            taken = True
        if taken:
            self.closed_at_ns = bars.closed_at_ns
        return taken

    def is_complete(self) -> bool:
        """Tell whether every channel has closed at the time of the slice that waits."""
        return bool(self.closed_at_ns and self.fresh.all())

    def show(self) -> Iterator[int]:
        """Yield the close time of the slice that waits, and begin the next one after it was seen."""
        if self.closed_at_ns:
            closed_at_ns, self.closed_at_ns, self.shown_at_ns = self.closed_at_ns, 0, self.closed_at_ns
            yield closed_at_ns
            self.fresh[:] = 0

    def copy(self) -> "Slices":
        """Return slices of their own."""
        return Slices(
            self.channels, self.prices.copy(), self.bid_ticks.copy(), self.ask_ticks.copy(), self.fresh.copy(),
            self.closed_at_ns, self.shown_at_ns, self._rows,
        )  # fmt: skip

    def _put(self, row: int, bars: BarClosed, index: int) -> None:
        tick_e9 = self.channels[row].tick_e9
        for field_row, name in enumerate(("open", "high", "low", "close")):
            bid, ask = getattr(bars, f"bid_{name}")[index], getattr(bars, f"ask_{name}")[index]
            self.prices[field_row, row] = (_price(bid, tick_e9) + _price(ask, tick_e9)) / 2.0
        volume_e6 = bars.volume_e6[index]
        self.prices[4, row] = volume_e6 / 1e6 if volume_e6 >= 0 else np.nan
        self.bid_ticks[row], self.ask_ticks[row] = bars.bid_close[index], bars.ask_close[index]
        self.prices[5, row] = _price(bars.bid_close[index], tick_e9)
        self.prices[6, row] = _price(bars.ask_close[index], tick_e9)
        self.fresh[row] = 1


def _price(ticks: int, tick_e9: int) -> float:
    """Return a price as the float64 next to its decimal value, as if it had been read from text."""
    return int(ticks) * tick_e9 / 1e9
