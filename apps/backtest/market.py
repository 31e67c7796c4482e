"""The market of a run: bars of one or many channels laid side by side on one time axis."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from apps.backtest.bars_input import (
    PRICES,
    QUOTES,
    BarsError,
    bad_row,
    bad_volume,
    check_bars,
    check_quotes,
    check_times,
    read_channels,
    seek_bad_row,
)
from apps.backtest.beside import beside
from apps.backtest.kernels.checks import first_bad_volume, is_same
from apps.backtest.kernels.market import SPEC_DTYPE, Closes, Market, Specs
from apps.backtest.options import Options
from apps.backtest.tables import table_of
from trading.bars import Bars
from trading.instruments import Instrument
from trading.intervals import DAY
from trading.metrics import periods_per_year
from trading.metrics.definitions import HOURS_PER_SESSION
from trading.sessions import calendar_of_days, days_per_week, session_day_ends, session_days

_TERMS = ("tick_size", "lot_step", "lot_min", "contract_size", "margin_rate")
_NONE: NDArray[np.float64] = np.empty((0, 0))
_NO_ROWS: NDArray[np.int64] = np.empty(0, np.int64)
_ALL_FRESH: NDArray[np.uint8] = np.empty((0, 0), np.uint8)


class CurrencyError(ValueError):
    """A channel's currency is not the account's, and no conversion was given."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run reads: bars by channel, and the same as arrays for the loops.

    Made once, used by any number of runs.
    """

    channels: tuple[str, ...]
    instruments: tuple[Instrument, ...]
    bars: tuple[Bars, ...]
    market: Market
    currency: str
    calendar: str
    periods_per_year: float

    def close_times(self, rows: Any = slice(None)) -> NDArray[np.int64]:
        """Return the close, ns UTC, of the given rows of the time axis."""
        return np.asarray(self.market.time[rows] + self.market.row_interval)

    def specs(self, options: Options) -> Specs:
        """Return the instruments as arrays, with the margin rates that the account's leverage gives."""
        out = np.empty(len(self.instruments), SPEC_DTYPE)
        for name, column in zip(_TERMS, zip(*map(attrgetter(*_TERMS), self.instruments), strict=True), strict=True):
            out[name] = column
        out["margin_rate"] = np.maximum(out["margin_rate"], 1.0 / options.leverage)
        out["exact"] = (out["tick_size"] > 0.0) & (out["lot_step"] > 0.0)
        return out.view(np.recarray)

    @property
    def closes(self) -> Closes:
        """What marks need of the market."""
        market = self.market
        return Closes(market.time, market.row_interval, market.close, market.conversion, market.opening)


def prepare(
    given: Any,
    options: Options,
    *,
    instruments: Instrument | Mapping[str, Instrument] | None = None,
    conversion: Mapping[str, Any] | None = None,
    interval: str | int | None = None,
) -> Prepared:
    """Return bars as a market. `conversion` maps a currency to bars of its price in account currency.

    Raises BarsError for bars that cannot be traded on, CurrencyError where a conversion is missing.
    """
    prepared, check = prepare_unchecked(given, options, instruments, conversion, interval)
    check()
    return prepared


def prepare_unchecked(
    given: Any,
    options: Options,
    instruments: Instrument | Mapping[str, Instrument] | None,
    conversion: Mapping[str, Any] | None,
    interval: str | int | None,
) -> tuple[Prepared, Callable[[], None]]:
    """Return what `prepare` does while another core still looks at the bars, and a function that waits for that.

    The function raises BarsError for bars that cannot be traded on. Until then what only computes may go on with them.
    """
    channels = read_channels(given, interval)
    kinds = _instruments(channels, instruments, options.currency)
    bars = tuple(channels.values())
    currency = options.currency or kinds[0].currency
    check = beside(len(bars[0]), check_bars, bars[0], *channels) if len(bars) == 1 else _nothing_left
    rows = _Axis.of(bars, kinds)
    columns = _columns(channels, rows)
    if options.volume_cap > 0.0 or options.slippage_volume > 0.0:
        for name, each in channels.items():
            if each.volume is None or not np.isfinite(each.volume).all():
                raise BarsError(f"{name}: volume_cap and slippage_volume need a volume in every bar")
    quoted = any(each.is_quotes for each in bars)
    quotes = {name: rows.lay(_both_sides(bars, name, options), name) if quoted else _NONE for name in QUOTES}
    calendars, week = _calendars(kinds, rows.day_numbers), days_per_week(rows.day_numbers)
    intervals = [each.interval for each in bars]
    at_close, at_open = _conversions(kinds, currency, conversion, rows, intervals)
    market = Market(
        time=rows.time,
        row_interval=rows.interval,
        intervals=np.array(intervals, np.int64),
        day_ends=rows.day_ends,
        day_numbers=rows.day_numbers,
        conversion=at_close,
        opening=at_open,
        fresh=rows.fresh,
        bar_rows=_NO_ROWS if rows.places is None else np.concatenate(rows.places),
        bar_starts=_NO_ROWS if rows.places is None else np.cumsum([0, *(place.size for place in rows.places)]),
        bars_per_year=_bars_per_year(calendars, intervals, week),
        **columns,
        **quotes,
    )
    periods = periods_per_year(calendars[0], max(intervals), options.returns, week)
    return Prepared(tuple(channels), kinds, bars, market, currency, calendars[0], periods), check


def _nothing_left() -> None:
    """Wait for no check."""


def _columns(channels: Mapping[str, Bars], rows: "_Axis") -> dict[str, NDArray[np.float64]]:
    """Return the prices and volumes of all channels on the axis; several channels are checked.

    Many channels on one axis are checked together, which is cheaper.
    """
    bars = list(channels.values())
    if rows.places is not None:
        for name, each in channels.items():
            check_bars(each, name)
    columns = {price: rows.lay([getattr(each, price) for each in bars], price) for price in PRICES}
    columns["volume"] = _NONE
    if any(each.volume is not None for each in bars):
        volumes = [np.full(len(each), np.nan) if each.volume is None else each.volume for each in bars]
        columns["volume"] = rows.lay(volumes, "volume")
    if rows.places is None and len(bars) > 1:
        _check_together(channels, columns)
    return columns


def _check_together(channels: Mapping[str, Bars], columns: Mapping[str, NDArray[np.float64]]) -> None:
    names, bars = list(channels), list(channels.values())
    rows = len(bars[0])
    finish = seek_bad_row(*(columns[price].reshape(-1) for price in PRICES))
    try:
        check_times(bars[0], names[0])
        for name, each in channels.items():
            check_quotes(each, name)
        bad = first_bad_volume(columns["volume"].reshape(-1))
        if bad >= 0:
            raise bad_volume(bars[bad // rows], names[bad // rows], bad % rows)
    finally:
        bad = finish()
    if bad >= 0:
        raise bad_row(bars[bad // rows], names[bad // rows], bad % rows)


def _instruments(channels: Mapping[str, Bars], given: Any, currency: str) -> tuple[Instrument, ...]:
    """Return each channel's instrument; one that is not known, or has no currency, is in the account's."""
    known = dict.fromkeys(channels, given) if isinstance(given, Instrument) else dict(given or {})
    strangers = [name for name in known if name not in channels]
    if strangers:
        raise BarsError(f"instruments: no bars for {', '.join(strangers)}; there are bars for {', '.join(channels)}")
    told = [known[name].currency for name in channels if name in known and known[name].currency]
    currency = currency or next(iter(told), "USD")

    def kind(name: str) -> Instrument:
        found = known.get(name) or Instrument(id=name, currency=currency)
        return found if found.currency else replace(found, currency=currency)

    return tuple(map(kind, channels))


def _calendars(kinds: tuple[Instrument, ...], days: NDArray[np.int64]) -> list[str]:
    """Return each channel's calendar; of an instrument that nobody has described, the one that its days show."""
    seen = calendar_of_days(days)
    return [seen if each.asset_class == "unknown" and each.calendar == "24x7" else each.calendar for each in kinds]


def _bars_per_year(calendars: list[str], intervals: list[int], week: int) -> NDArray[np.float64]:
    """Return how many bars a year each channel has; nan where the length of its calendar's session is not known."""
    pairs = list(zip(calendars, intervals, strict=True))
    found = {
        (calendar, interval): periods_per_year(calendar, interval, "bar", week)
        for calendar, interval in set(pairs)
        if interval >= DAY or calendar in HOURS_PER_SESSION
    }
    return np.array([found.get(pair, math.nan) for pair in pairs])


def _both_sides(bars: tuple[Bars, ...], name: str, options: Options) -> list[Any]:
    half = options.spread / 2.0 if name.startswith("ask") else -options.spread / 2.0
    return [getattr(each, name) if each.is_quotes else getattr(each, name.partition("_")[2]) + half for each in bars]


@dataclass(frozen=True, slots=True)
class _Axis:
    """The rows that all channels share, and where each channel's bars lie on them."""

    time: NDArray[np.int64]
    interval: int
    day_ends: NDArray[np.int64]
    day_numbers: NDArray[np.int64]
    places: tuple[NDArray[np.int64], ...] | None  # None: every channel has a bar at every row
    fresh: Any

    @classmethod
    def of(cls, bars: tuple[Bars, ...], kinds: tuple[Instrument, ...]) -> "_Axis":
        first = bars[0]
        same = all(
            each.interval == first.interval and (each.time is first.time or is_same(each.time, first.time))
            for each in bars[1:]
        )
        zone, turn = kinds[0].time_zone, kinds[0].day_turn_minutes
        if same:
            ends = session_day_ends(first.time, zone, turn)
            return cls(first.time, first.interval, ends, session_days(first.time[ends], kinds[0]), None, _ALL_FRESH)
        closes = [each.time + each.interval for each in bars]
        time = np.unique(np.concatenate(closes))
        places = tuple(np.searchsorted(time, each) for each in closes)
        fresh = np.zeros((len(bars), time.size), np.uint8)
        for i, place in enumerate(places):
            fresh[i, place] = 1
        ends = session_day_ends(time - 1, zone, turn)
        return cls(time, 0, ends, session_days(time[ends] - 1, kinds[0]), places, fresh)

    def lay(self, columns: list[Any], name: str) -> NDArray[np.float64]:
        """Return a column of all channels as float64[N, T]; without a bar a close goes on, any other price is nan."""
        if self.places is None:
            return table_of(columns)
        out = np.full((len(columns), self.time.size), np.nan)
        for i, (place, column) in enumerate(zip(self.places, columns, strict=True)):
            if name.endswith("close"):
                known = np.searchsorted(place, np.arange(self.time.size), side="right") - 1
                out[i] = np.where(known >= 0, np.asarray(column)[np.maximum(known, 0)], np.nan)
            else:
                out[i, place] = column
        return out


def _conversions(
    kinds: tuple[Instrument, ...], currency: str, given: Any, rows: _Axis, intervals: list[int]
) -> tuple[Any, Any]:
    """Return the conversions of each row, float64[N, T], at its close and when each channel's bar opened."""
    foreign = [kind.currency != currency for kind in kinds]
    if not any(foreign):
        return _NONE, _NONE
    closes = rows.time + rows.interval
    at_close, at_open = np.ones((2, len(kinds), closes.size))
    for i, kind in enumerate(kinds):
        if not foreign[i]:
            continue
        if not given or kind.currency not in given:
            raise CurrencyError(
                f"{kind.id} is quoted in {kind.currency}, the account is in {currency}: give conversion="
                f"{{{kind.currency!r}: bars}}, the price of one {kind.currency} in {currency} (as a command: "
                f"--conversion {kind.currency}=ID, or a file where the bars come from one)"
            )
        rate = read_channels(given[kind.currency])["bars"]
        check_bars(rate, kind.currency)
        at_close[i] = _last_price(rate, closes, "left")
        at_open[i] = _last_price(rate, closes - intervals[i], "right")
        if math.isnan(at_close[i, 0]):
            raise CurrencyError(f"the conversion of {kind.currency} begins after the first bar of {kind.id}")
    return at_close, at_open


def _last_price(bars: Bars, moments: NDArray[np.int64], side: Literal["left", "right"]) -> NDArray[np.float64]:
    """Return the last price there was at each moment, nan before the first.

    A bar that opens at that very moment counts with its open where `side` is "right", and not where it is "left".
    """
    closed = np.searchsorted(bars.time + bars.interval, moments, side="right") - 1
    opened = np.searchsorted(bars.time, moments, side=side) - 1
    price = np.where(opened > closed, bars.open[opened], bars.close[closed])
    return np.where(opened >= 0, price, np.nan)
