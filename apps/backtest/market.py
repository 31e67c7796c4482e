"""The market of a run: bars of one or many channels laid side by side on one time axis."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.backtest.bars_input import (
    PRICES,
    QUOTES,
    BarsError,
    bad_row,
    check_bars,
    check_quotes,
    check_times,
    check_volume,
    read_channels,
)
from apps.backtest.kernels.checks import first_bad_row
from apps.backtest.kernels.market import SPEC_DTYPE, Closes, Market, Specs
from apps.backtest.options import Options
from trading.bars import Bars
from trading.instruments import Instrument
from trading.intervals import DAY
from trading.metrics import periods_per_year
from trading.metrics.definitions import HOURS_PER_SESSION
from trading.sessions import calendar_of_days, days_per_week, session_day_ends, session_days

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
        each = self.instruments
        step = np.array([instrument.lot_step for instrument in each])
        tick = np.array([instrument.tick_size for instrument in each])
        margin = np.array([max(instrument.margin_rate, 1.0 / options.leverage) for instrument in each])
        out = np.empty(len(each), SPEC_DTYPE)
        out["tick_size"] = tick
        out["lot_step"] = step
        out["lot_min"] = [instrument.lot_min for instrument in each]
        out["contract_size"] = [instrument.contract_size for instrument in each]
        out["margin_rate"] = margin
        out["exact"] = (tick > 0.0) & (step > 0.0)
        return out.view(np.recarray)

    @property
    def closes(self) -> Closes:
        """What marks need of the market."""
        market = self.market
        return Closes(market.time, market.row_interval, market.close, market.conversion)


def prepare(
    given: Any,
    options: Options,
    *,
    instruments: Instrument | Mapping[str, Instrument] | None = None,
    conversion: Mapping[str, Any] | None = None,
    interval: str | int | None = None,
) -> Prepared:
    """Return bars as a market. `conversion` maps a currency to bars whose close is its price in account currency.

    Raises BarsError for bars that cannot be traded on, CurrencyError where a conversion is missing.
    """
    channels = read_channels(given, interval)
    kinds = _instruments(channels, instruments, options.currency)
    bars = tuple(channels.values())
    currency = options.currency or kinds[0].currency
    rows = _Axis.of(bars, kinds)
    quoted = any(each.is_quotes for each in bars)
    columns = _checked_prices(channels, rows)
    quotes = {name: rows.lay(_both_sides(bars, name, options), name) if quoted else _NONE for name in QUOTES}
    volumes = [each.volume for each in bars]
    if options.volume_cap > 0.0 or options.slippage_volume > 0.0:
        for name, volume in zip(channels, volumes, strict=True):
            if volume is None or not np.isfinite(volume).all():
                raise BarsError(f"{name}: volume_cap and slippage_volume need a volume in every bar")
    volume = _NONE
    if any(each is not None for each in volumes):
        volume = rows.lay([np.full(len(b), np.nan) if b.volume is None else b.volume for b in bars], "volume")
    calendars, week = _calendars(kinds, rows.day_numbers), days_per_week(rows.day_numbers)
    longest = max(each.interval for each in bars)
    market = Market(
        time=rows.time,
        row_interval=rows.interval,
        intervals=np.array([each.interval for each in bars], np.int64),
        day_ends=rows.day_ends,
        day_numbers=rows.day_numbers,
        volume=volume,
        conversion=_conversions(kinds, currency, conversion, rows),
        fresh=rows.fresh,
        bar_rows=_NO_ROWS if rows.places is None else np.concatenate(rows.places),
        bar_starts=_NO_ROWS if rows.places is None else np.cumsum([0, *(place.size for place in rows.places)]),
        bars_per_year=np.array([_bars_per_year(*each, week) for each in zip(calendars, bars, strict=True)]),
        **columns,
        **quotes,
    )
    periods = periods_per_year(calendars[0], longest, options.returns, week)
    return Prepared(tuple(channels), kinds, bars, market, currency, calendars[0], periods)


def _checked_prices(channels: Mapping[str, Bars], rows: "_Axis") -> dict[str, NDArray[np.float64]]:
    """Return the prices of all channels on the axis.

    Many channels on one axis are checked together, which is cheaper.
    """
    bars = list(channels.values())
    if len(bars) == 1 or rows.places is not None:
        for name, each in channels.items():
            check_bars(each, name)
        return {price: rows.lay([getattr(each, price) for each in bars], price) for price in PRICES}
    check_times(bars[0], next(iter(channels)))
    for name, each in channels.items():
        check_quotes(each, name)
        check_volume(each, name)
    stacked = {price: np.stack([getattr(each, price) for each in bars]) for price in PRICES}
    bad = first_bad_row(*(stacked[price].reshape(-1) for price in PRICES))
    if bad >= 0:
        channel, row = divmod(bad, rows.time.size)
        raise bad_row(bars[channel], list(channels)[channel], row)
    return stacked


def _instruments(channels: Mapping[str, Bars], given: Any, currency: str) -> tuple[Instrument, ...]:
    """Return each channel's instrument; one that is not known, or has no currency, is in the account's."""
    known = dict.fromkeys(channels, given) if isinstance(given, Instrument) else dict(given or {})
    strangers = [name for name in known if name not in channels]
    if strangers:
        raise BarsError(f"instruments: no bars for {', '.join(strangers)}; there are bars for {', '.join(channels)}")
    told = [known[name].currency for name in channels if name in known and known[name].currency]
    currency = currency or next(iter(told), "USD")
    kinds = (known.get(name) or Instrument(id=name, currency="") for name in channels)
    return tuple(each if each.currency else replace(each, currency=currency) for each in kinds)


def _calendars(kinds: tuple[Instrument, ...], days: NDArray[np.int64]) -> list[str]:
    """Return each channel's calendar; of an instrument that nobody has described, the one that its days show."""
    seen = calendar_of_days(days)
    return [seen if each.asset_class == "unknown" and each.calendar == "24x7" else each.calendar for each in kinds]


def _bars_per_year(calendar: str, bars: Bars, week: int) -> float:
    """Return how many bars a year has; nan where the length of the calendar's session is not known."""
    if bars.interval < DAY and calendar not in HOURS_PER_SESSION:
        return math.nan
    return periods_per_year(calendar, bars.interval, "bar", week)


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
            each.interval == first.interval and (each.time is first.time or np.array_equal(each.time, first.time))
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
            if len(columns) == 1:
                return np.ascontiguousarray(columns[0], dtype=np.float64).reshape(1, -1)
            return np.stack(columns)
        out = np.full((len(columns), self.time.size), np.nan)
        for i, (place, column) in enumerate(zip(self.places, columns, strict=True)):
            if name.endswith("close"):
                known = np.searchsorted(place, np.arange(self.time.size), side="right") - 1
                out[i] = np.where(known >= 0, np.asarray(column)[np.maximum(known, 0)], np.nan)
            else:
                out[i, place] = column
        return out


def _conversions(kinds: tuple[Instrument, ...], currency: str, given: Any, rows: _Axis) -> Any:
    foreign = [kind.currency != currency for kind in kinds]
    if not any(foreign):
        return _NONE
    closes = rows.time + rows.interval
    out = np.ones((len(kinds), closes.size))
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
        known = np.searchsorted(rate.time + rate.interval, closes, side="right") - 1
        if known[0] < 0:
            raise CurrencyError(f"the conversion of {kind.currency} begins after the first bar of {kind.id}")
        out[i] = rate.close[known]
    return out
