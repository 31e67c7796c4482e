"""The bars of a run as the loops read them: T rows of closes, N channels."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading.books import At, Desk, Spec
from trading.compiled import inner_kernel
from trading.matching import expire
from trading.orders import Place, Quote, Rules
from trading.sizing import VOLATILITY
from trading.targets import GTC
from trading.volatility import VOLATILITY_BARS, yearly


class Market(NamedTuple):
    """Prices as C-contiguous float64[N, T]; columns that a run does not have are of shape (0, 0).

    A row is a close time: row t closes at `time[t] + row_interval`, ns UTC, and channel i's bar opened `intervals[i]`
    before that. `fresh[i, t]` is 0 where channel i has no bar at row t and the row repeats its last close; prices are
    nan before its first. Where channels have bars of their own, the rows of channel i's are
    `bar_rows[bar_starts[i] : bar_starts[i + 1]]`; without those two every row is a bar of every channel. `day_ends` is
    the last row of each session day and `day_numbers` that day's date, in days since the epoch.
    """

    time: Any  # int64[T]
    row_interval: int
    intervals: Any  # int64[N]
    day_ends: Any  # int64[D]
    day_numbers: Any  # int64[D]
    open: Any
    high: Any
    low: Any
    close: Any
    volume: Any
    ask_open: Any
    ask_high: Any
    ask_low: Any
    ask_close: Any
    bid_open: Any
    bid_high: Any
    bid_low: Any
    bid_close: Any
    conversion: Any  # account currency per unit of quote currency, at the row's close
    opening: Any  # the same, when the channel's bar of the row opened
    fresh: Any  # uint8[N, T]
    bar_rows: Any  # int64, or of length 0
    bar_starts: Any  # int64[N + 1], or of length 0
    bars_per_year: Any  # float64[N]; nan: not known


class Closes(NamedTuple):
    """What of a market its marks need: the fields of Market."""

    time: Any  # int64[T]
    row_interval: int
    close: Any  # float64[N, T]
    conversion: Any  # float64[N, T] or (0, 0)
    opening: Any


SPEC_DTYPE = np.dtype(
    [
        ("tick_size", np.float64),
        ("lot_step", np.float64),
        ("lot_min", np.float64),
        ("contract_size", np.float64),
        ("margin_rate", np.float64),
        ("exact", np.int64),
    ],
    align=True,
)
"""The fields of `trading.books.Spec`: the instruments of all channels are an array of these."""

Specs = NDArray[Any]


@inner_kernel
def spec_of(specs: Specs, i: int) -> Spec:
    """Return channel i's instrument."""
    row = specs[i]
    return Spec(row.tick_size, row.lot_step, row.lot_min, row.contract_size, row.margin_rate, row.exact)


@inner_kernel
def conversion_of(rates: Any, t: int, i: int) -> float:
    """Return what one unit of channel i's quote currency is worth in account currency at row t.

    `rates` is a market's `conversion`, at the row's close, or its `opening`.
    """
    if rates.size == 0:
        return 1.0
    return float(rates[i, t])


@inner_kernel
def count_before(rows: Any, t: int) -> int:
    """Return how many of `rows`, rising, are before t: `np.searchsorted`, which takes long to compile."""
    low, high = 0, rows.size
    while low < high:
        middle = (low + high) >> 1
        if rows[middle] < t:
            low = middle + 1
        else:
            high = middle
    return low


@inner_kernel
def is_fresh(market: Market, t: int, i: int) -> bool:
    """Tell whether channel i has a bar of its own at row t."""
    return bool(market.fresh.size == 0 or market.fresh[i, t] != 0)


@inner_kernel
def quote_of(market: Market, t: int, i: int, rules: Rules) -> Quote:
    """Return channel i's bar at row t on both sides."""
    closed = At(i, t, market.time[t] + market.row_interval, conversion_of(market.conversion, t, i))
    at = At(i, t, closed.time - market.intervals[i], conversion_of(market.opening, t, i))
    volume = _volume(market, t, i, rules)
    volatility = _volatility(market, t, i) if rules.sizing.rule == VOLATILITY else np.nan
    if market.ask_open.size > 0:
        return Quote(
            at,
            closed,
            volume,
            volatility,
            market.ask_open[i, t],
            market.ask_high[i, t],
            market.ask_low[i, t],
            market.ask_close[i, t],
            market.bid_open[i, t],
            market.bid_high[i, t],
            market.bid_low[i, t],
            market.bid_close[i, t],
        )
    half = rules.costs.half_spread
    opened, high, low, close = market.open[i, t], market.high[i, t], market.low[i, t], market.close[i, t]
    return Quote(
        at,
        closed,
        volume,
        volatility,
        opened + half,
        high + half,
        low + half,
        close + half,
        opened - half,
        high - half,
        low - half,
        close - half,
    )


@inner_kernel
def open_of(market: Market, t: int, i: int, rules: Rules) -> Place:
    """Return `at_open(quote_of(…))`, without reading what else is in the bar."""
    at = At(i, t, market.time[t] + market.row_interval - market.intervals[i], conversion_of(market.opening, t, i))
    return _place(at, market.ask_open, market.bid_open, market.open, market, rules)


@inner_kernel
def close_of(market: Market, t: int, i: int, rules: Rules) -> Place:
    """Return row t's close as a place to fill."""
    at = At(i, t, market.time[t] + market.row_interval, conversion_of(market.conversion, t, i))
    return _place(at, market.ask_close, market.bid_close, market.close, market, rules)


@inner_kernel
def _place(at: At, asks: Any, bids: Any, prices: Any, market: Market, rules: Rules) -> Place:
    t, i = at.bar, at.channel
    volatility = _volatility(market, t, i) if rules.sizing.rule == VOLATILITY else np.nan
    volume = _volume(market, t, i, rules)
    if asks.size > 0:
        return Place(at, asks[i, t], bids[i, t], volume, volatility)
    price, half = prices[i, t], rules.costs.half_spread
    return Place(at, price + half, price - half, volume, volatility)


@inner_kernel
def _volume(market: Market, t: int, i: int, rules: Rules) -> float:
    """Return the volume of channel i's bar where a rule asks for it, else nan: it is a page of its own to read."""
    if rules.costs.volume_cap > 0.0 or rules.costs.slip_volume > 0.0:
        return float(market.volume[i, t])
    return np.nan


@inner_kernel
def expire_late(desk: Desk, market: Market, t: int, i: int) -> None:
    """Cancel channel i's working order if its time is over before row t."""
    book = desk.books[i]
    if book.working and book.time_in_force != GTC:
        closed = market.time[t] + market.row_interval
        expire(desk, At(i, t, closed - market.intervals[i], 1.0), count_before(market.day_ends, t))


@inner_kernel
def _volatility(market: Market, t: int, i: int) -> float:
    """Return the yearly standard deviation of channel i's last log returns, bar to bar, known when row t opened."""
    bars = t
    if market.bar_rows.size > 0:
        rows = market.bar_rows[market.bar_starts[i] : market.bar_starts[i + 1]]
        bars = count_before(rows, t)
    count, total, squares = 0, 0.0, 0.0
    for bar in range(max(1, bars - VOLATILITY_BARS), bars):
        step = np.log(_close_of(market, i, bar) / _close_of(market, i, bar - 1))
        if step == step:
            count += 1
            total += step
            squares += step * step
    return yearly(count, total, squares, market.bars_per_year[i])


@inner_kernel
def _close_of(market: Market, i: int, bar: int) -> float:
    """Return the close of channel i's bar number `bar`."""
    row = bar if market.bar_rows.size == 0 else market.bar_rows[market.bar_starts[i] + bar]
    close: float = market.close[i, row]
    return close
