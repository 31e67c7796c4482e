"""Stored bars as a source gives them: whole ticks, one message for each close time."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from apps.feeds.contracts import ReceiveBars
from banyan.columns import ints
from trading.bars import Bars
from trading.instruments import Instrument

PRICES = ("open", "high", "low", "close")


class TickError(ValueError):
    """A price is not on a whole tick of its instrument."""

    exit_code: ClassVar = 2


def replayed(feed: str, given: Mapping[str, tuple[Instrument, Bars]]) -> Iterator[ReceiveBars]:
    """Yield bars of several instruments of one interval in the order of their closes, oldest first.

    Raises TickError for an instrument without a tick, and for a price that is further than a thousandth of a tick from
    a whole one.
    """
    columns = {name: _in_ticks(instrument, bars) for name, (instrument, bars) in given.items()}
    intervals = {bars.interval for _, bars in given.values()}
    assert len(intervals) == 1, f"bars of one interval are replayed at a time, not of {sorted(intervals)}"
    interval_ns = intervals.pop()
    rows = {name: dict(zip(bars.time.tolist(), range(len(bars)), strict=True)) for name, (_, bars) in given.items()}
    times: NDArray[np.int64] = np.unique(np.concatenate([bars.time for _, bars in given.values()]))
    for time in times.tolist():
        names = [name for name in given if time in rows[name]]
        yield _message(
            feed, interval_ns, time + interval_ns, names, [(columns[name], rows[name][time]) for name in names]
        )


def _message(
    feed: str, interval_ns: int, closed_at_ns: int, names: list[str],
    found: Sequence[tuple[dict[str, NDArray[np.int64]], int]],
) -> ReceiveBars:  # fmt: skip
    def column(name: str) -> NDArray[np.int64]:
        return ints([int(columns[name][row]) for columns, row in found])

    return ReceiveBars(
        feed=feed,
        interval_ns=interval_ns,
        closed_at_ns=closed_at_ns,
        instruments=names,
        bid_open=column("bid_open"),
        bid_high=column("bid_high"),
        bid_low=column("bid_low"),
        bid_close=column("bid_close"),
        ask_open=column("ask_open"),
        ask_high=column("ask_high"),
        ask_low=column("ask_low"),
        ask_close=column("ask_close"),
        volume_e6=column("volume_e6"),
    )


def _in_ticks(instrument: Instrument, bars: Bars) -> dict[str, NDArray[np.int64]]:
    if not instrument.tick_size > 0.0:
        raise TickError(f"{instrument.id} has no tick size, so its prices are no whole numbers of ticks")
    columns = {}
    for side in ("bid", "ask"):
        for price in PRICES:
            values = getattr(bars, f"{side}_{price}" if bars.is_quotes else price)
            ticks = np.rint(values / instrument.tick_size)
            off = np.abs(values / instrument.tick_size - ticks) > 1e-3
            if off.any():
                row = int(np.argmax(off))
                raise TickError(
                    f"{instrument.id}: {side} {price} {values[row]!r} of row {row} is not on its tick of "
                    f"{instrument.tick_size:g}: adjusted prices are not, read them with adjust=none"
                )
            columns[f"{side}_{price}"] = ticks.astype(np.int64)
    volume = bars.volume
    columns["volume_e6"] = (
        np.full(len(bars), -1, np.int64)
        if volume is None
        else np.where(np.isnan(volume), -1, np.rint(np.nan_to_num(volume) * 1e6)).astype(np.int64)
    )
    return columns
