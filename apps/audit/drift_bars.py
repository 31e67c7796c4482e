"""The bars that a set has decided on, as a backtest takes them."""

from collections.abc import Mapping, Sequence

import numpy as np

from apps.feeds.contracts import BarClosed
from apps.feeds.interface import NoData, bars_before, feed_of
from apps.reporting import interface as reporting
from apps.signals.contracts import ChannelSpec, MemberSpec
from apps.signals.interface import Strategy
from trading.bars import Bars
from trading.instruments import Instrument

_WHOLE_HISTORY = 5_000
"""Bars to warm up a strategy with to which all of its history matters."""
_PRICES = ("open", "high", "low", "close")


def bars_of(
    member: MemberSpec, strategy: Strategy, kinds: Mapping[str, Instrument], began_ns: int
) -> dict[str, Bars]:  # fmt: skip
    """Return the bars of a strategy's channels, those before `began_ns` for its warm-up. Raises NoData."""
    settles = strategy.settles(strategy.bind(**member.parameters)) if strategy.settles is not None else _WHOLE_HISTORY
    found = {}
    for channel in member.channels:
        last_ns = reporting.closed_at_ns(channel.instrument)
        count = max(last_ns - began_ns, 0) // channel.interval_ns + 2 + settles
        key = channel.instrument, channel.interval_ns
        told = bars_before(feed_of(channel.instrument), {key: count}, last_ns + 1)
        if not told or told[-1].closed_at_ns <= began_ns:
            raise NoData(
                f"{channel.instrument}: its feed has let in no bar since the first order of the account, so there is "
                "nothing to run a backtest on"
            )
        found[channel.instrument] = _bars(channel, told, kinds[channel.instrument])
    return found


def _bars(channel: ChannelSpec, told: Sequence[BarClosed], instrument: Instrument) -> Bars:
    at = [each.instruments.index(channel.instrument) for each in told]
    ticks = {
        f"{side}_{price}": np.array([getattr(each, f"{side}_{price}")[row] for each, row in zip(told, at, strict=True)])
        for side in ("bid", "ask")
        for price in _PRICES
    }
    per_unit = round(1.0 / instrument.tick_size)
    is_whole = per_unit >= 1 and abs(per_unit * instrument.tick_size - 1.0) < 1e-9
    quotes = {name: each / per_unit if is_whole else each * instrument.tick_size for name, each in ticks.items()}
    middles = {price: (quotes[f"bid_{price}"] + quotes[f"ask_{price}"]) / 2.0 for price in _PRICES}
    closed_ns = np.array([each.closed_at_ns for each in told], np.int64)
    return Bars(closed_ns - channel.interval_ns, **middles, **quotes, interval=channel.interval_ns)
