"""From whatever a user calls bars (Bars, a DataFrame, a dict of arrays) to checked `Bars`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from apps.backtest.beside import beside
from apps.backtest.kernels.checks import first_bad_row, first_bad_volume, first_late_row, is_same
from trading.bars import Bars
from trading.intervals import DAY, format_interval, parse_interval

PRICES = ("open", "high", "low", "close")
QUOTES = tuple(f"{side}_{price}" for side in ("bid", "ask") for price in PRICES)
TIMES = ("time", "ts", "timestamp", "date", "datetime")
_FLOAT = np.dtype(np.float64)
_LAST_TIME = 2**63 - 1  # ns UTC
_BESIDE = 0.75  # share of the rows whose prices the other core looks at; this one has more than prices to check


class BarsError(ValueError):
    """Bars that cannot be traded on: a column is missing, a price is impossible, time does not rise."""


def read_channels(given: Any, interval: str | int | None = None) -> dict[str, Bars]:
    """Return the bars of each channel by name; a single one is called "bars". Prices and times are yet to be checked.

    Arrays of float64 are used as they are, without a copy. Raises BarsError, which names the channel and the column.
    """
    spacing = parse_interval(interval) if isinstance(interval, str) else int(interval or 0)
    if isinstance(given, Mapping) and not _is_columns(given):
        if not given:
            raise BarsError("no bars: give at least one instrument's")
        reading = _Reading(spacing)
        return {str(name): _read_one(each, str(name), reading) for name, each in given.items()}
    return {"bars": _read_one(given, "bars", _Reading(spacing))}


def _is_columns(given: Mapping[Any, Any]) -> bool:
    names = {str(name).lower() for name in given}
    return "close" in names or "bid_close" in names


class _Layout(NamedTuple):
    """Which labels of a frame or dict hold which columns of Bars, and which its times; several channels share one."""

    columns: tuple[tuple[str, Any], ...]
    time: tuple[Any, ...]  # one label or, where the times are the index or not given, none


def _layout(labels: tuple[Any, ...], name: str) -> _Layout:
    known = {str(label).lower(): label for label in labels}
    columns = tuple((key, known[key]) for key in (*PRICES, *QUOTES, "volume") if key in known)
    found = dict(columns)
    quotes = [quote in found for quote in QUOTES]
    if any(quotes) and not all(quotes):
        raise BarsError(f"{name}: quote bars need all of {', '.join(QUOTES)}")
    missing = [price for price in PRICES if price not in found and not any(quotes)]
    if missing:
        raise BarsError(f"{name}: no column {', '.join(missing)}; the columns are {', '.join(known)}")
    return _Layout(columns, tuple(known[each] for each in TIMES if each in known)[:1])


@dataclass(slots=True)
class _Reading:
    """One call's reading: what many channels have in common is found out once."""

    interval: int  # as given, 0 if it was not
    layouts: dict[tuple[Any, ...], _Layout] = field(default_factory=dict)
    raw_time: Any = None  # what the last times were read from, those times, and their interval
    time: Any = None
    spacing: int = 0

    def layout(self, labels: tuple[Any, ...], name: str) -> _Layout:
        found = self.layouts.get(labels)
        if found is None:
            found = self.layouts[labels] = _layout(labels, name)
        return found

    def times(self, raw: Any, name: str) -> tuple[Any, int]:
        """Return times, and their interval; channels with equal times, one after the other, share one array."""
        if raw is not self.raw_time:
            time = _nanoseconds(raw, name)
            if self.time is None or not is_same(time, self.time):
                self.time, self.spacing = time, self.interval or spacing_of(time)
            self.raw_time = raw
        return self.time, self.spacing


def _read_one(given: Any, name: str, reading: _Reading) -> Bars:
    bars = given if isinstance(given, Bars) else _from_columns(given, name, reading)
    if len(bars) == 0:
        raise BarsError(f"{name}: there are no bars")
    if bars.interval <= 0:
        bars = replace(bars, interval=spacing_of(bars.time))
    return bars


def _from_columns(given: Any, name: str, reading: _Reading) -> Bars:
    is_frame = not isinstance(given, Mapping)
    if is_frame and not (hasattr(given, "columns") and hasattr(given, "index")):
        raise BarsError(
            f"{name}: give a DataFrame or a dict of arrays with open, high, low, close, not {type(given).__name__}"
        )
    layout = reading.layout(tuple(given.columns if is_frame else given), name)
    columns = {key: _floats(given[label], name, key) for key, label in layout.columns}
    rows = columns["close" if "close" in columns else "bid_close"].size
    for key, column in columns.items():
        if column.size != rows:
            raise BarsError(f"{name}: {key} has {column.size} rows, close has {rows}")
    for price in PRICES:
        if price not in columns:
            columns[price] = (columns[f"bid_{price}"] + columns[f"ask_{price}"]) / 2.0
    if layout.time:
        time, interval = reading.times(given[layout.time[0]], name)
    elif is_frame and type(given.index).__name__ == "DatetimeIndex":
        time, interval = reading.times(given.index, name)
    else:
        interval = reading.interval or DAY
        if rows * interval > _LAST_TIME:
            raise BarsError(
                f"{name}: {rows:,} bars without times, counted as {format_interval(interval)} each, end after 2262: "
                'give their times, or an interval such as "1m"'
            )
        time = np.arange(rows, dtype=np.int64) * interval
    if time.size != rows:
        raise BarsError(f"{name}: {layout.time[0]} has {time.size} rows, close has {rows}")
    return Bars(time=time, interval=interval, **columns)


def _floats(column: Any, name: str, key: str) -> Any:
    if type(column) is np.ndarray and column.dtype is _FLOAT and column.strides == (8,):
        return column
    try:
        values = np.ascontiguousarray(column, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BarsError(f"{name}: column {key} is not numbers ({error})") from None
    if values.ndim != 1:
        raise BarsError(f"{name}: column {key} has {values.ndim} dimensions, bars have one")
    return values


def _nanoseconds(raw: Any, name: str) -> Any:
    if getattr(getattr(raw, "dt", raw), "tz", None) is not None:
        raw = (raw.dt if hasattr(raw, "dt") else raw).tz_convert("UTC").tz_localize(None)
    values = np.asarray(raw)
    if values.dtype.kind == "i":
        return np.ascontiguousarray(values, dtype=np.int64)
    if values.dtype.kind == "f":
        raise BarsError(f"{name}: times are numbers with a fraction: give datetimes, or int64 nanoseconds UTC")
    try:
        return values.astype("datetime64[ns]").astype(np.int64)
    except (TypeError, ValueError) as error:
        raise BarsError(f"{name}: times are not times ({error}): give datetimes, or int64 nanoseconds UTC") from None


def spacing_of(time: Any) -> int:
    """Return the most common distance between the first thousand times, in nanoseconds (a day for a single bar)."""
    if time.size < 2:
        return DAY
    steps = np.diff(time[:1001])
    if (steps == steps[0]).all():
        return int(steps[0])
    steps, counts = np.unique(steps, return_counts=True)
    return int(steps[np.argmax(counts)])


def check_bars(bars: Bars, name: str) -> None:
    """Raise BarsError, with row and values, if the bars have an impossible price, or times that do not rise."""
    check_quotes(bars, name)
    check_volume(bars, name)
    check_times(bars, name)
    row = first_bad_row(bars.open, bars.high, bars.low, bars.close)
    if row >= 0:
        raise bad_row(bars, name, row)


def seek_bad_row(*columns: Any) -> Callable[[], int]:
    """Begin to look for the first row whose prices (open, high, low, close) are no bar, on another core.

    Return a function that looks at the rest of the rows and returns that row, or -1. There is time for other checks
    before it is called.
    """
    cut = int(_BESIDE * columns[0].size)
    wait = beside(cut, first_bad_row, *(column[:cut] for column in columns))

    def finish() -> int:
        later = first_bad_row(*(column[cut:] for column in columns))
        row = int(wait())
        return cut + later if row < 0 <= later else row

    return finish


def check_quotes(bars: Bars, name: str) -> None:
    """Raise BarsError if a bid is not below or at its ask, or no price."""
    if bars.ask_open is None:
        return
    for price in PRICES:
        bid, ask = getattr(bars, f"bid_{price}"), getattr(bars, f"ask_{price}")
        row = int(np.argmin((bid > 0) & (bid <= ask) & (ask < np.inf)))
        if not (bid[row] > 0 and bid[row] <= ask[row] < np.inf):
            raise BarsError(f"{name}, row {row}: bid_{price} {bid[row]:g} and ask_{price} {ask[row]:g} are no quote")


def check_volume(bars: Bars, name: str) -> None:
    """Raise BarsError if a volume is negative or infinite; nan says that it is not known."""
    row = -1 if bars.volume is None else first_bad_volume(bars.volume)
    if row >= 0:
        raise bad_volume(bars, name, row)


def bad_volume(bars: Bars, name: str, row: int) -> BarsError:
    """Return the error that says what is wrong with the volume of a row."""
    volume = np.nan if bars.volume is None else bars.volume[row]
    return BarsError(f"{name}, row {row}: volume is {volume:g}, volumes are finite and not negative")


def check_times(bars: Bars, name: str) -> None:
    """Raise BarsError if a time is not after the one before."""
    row = first_late_row(bars.time)
    if row >= 0:
        raise BarsError(f"{name}, row {row}: its time is not after that of the row before; sort the bars, oldest first")


def bad_row(bars: Bars, name: str, row: int) -> BarsError:
    """Return the error that says what is wrong with the prices of a row."""
    return BarsError(f"{name}, row {row}: {_complaint(bars, row)}; `import_bars` sorts such rows out")


def _complaint(bars: Bars, row: int) -> str:
    values = {price: float(getattr(bars, price)[row]) for price in PRICES}
    for price, value in values.items():
        if not 0.0 < value < np.inf:
            return f"{price} is {value:g}, prices are finite and above 0"
    shown = ", ".join(f"{price} {value:g}" for price, value in values.items())
    return f"open and close must lie between low and high ({shown})"
