"""From whatever a user calls bars (Bars, a DataFrame, a dict of arrays) to checked `Bars`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from apps.backtest.beside import beside
from apps.backtest.kernels.checks import first_bad_row, first_late_row
from trading.bars import Bars
from trading.intervals import DAY, parse_interval

PRICES = ("open", "high", "low", "close")
QUOTES = tuple(f"{side}_{price}" for side in ("bid", "ask") for price in PRICES)
TIMES = ("time", "ts", "timestamp", "date", "datetime")


# What times were read from (kept, so that its id stays its own), as nanoseconds, and their interval.
Seen = dict[int, tuple[Any, Any, int]]


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
        seen: Seen = {}
        return {str(name): _read_one(each, str(name), spacing, seen) for name, each in given.items()}
    return {"bars": _read_one(given, "bars", spacing, {})}


def _is_columns(given: Mapping[Any, Any]) -> bool:
    names = {str(name).lower() for name in given}
    return "close" in names or "bid_close" in names


def _read_one(given: Any, name: str, interval: int, seen: Seen) -> Bars:
    bars = given if isinstance(given, Bars) else _from_columns(given, name, interval, seen)
    if len(bars) == 0:
        raise BarsError(f"{name}: there are no bars")
    if bars.interval <= 0:
        bars = replace(bars, interval=spacing_of(bars.time))
    return bars


def _from_columns(given: Any, name: str, interval: int, seen: Seen) -> Bars:
    is_frame = hasattr(given, "columns") and hasattr(given, "index")
    if not is_frame and not isinstance(given, Mapping):
        raise BarsError(
            f"{name}: give a DataFrame or a dict of arrays with open, high, low, close, not {type(given).__name__}"
        )
    labels = {str(label).lower(): label for label in (given.columns if is_frame else given)}
    columns = {key: _floats(given[labels[key]], name, key) for key in (*PRICES, *QUOTES, "volume") if key in labels}
    if all(quote in columns for quote in QUOTES):
        for price in PRICES:
            columns.setdefault(price, (columns[f"bid_{price}"] + columns[f"ask_{price}"]) / 2.0)
    elif any(quote in columns for quote in QUOTES):
        raise BarsError(f"{name}: quote bars need all of {', '.join(QUOTES)}")
    missing = [price for price in PRICES if price not in columns]
    if missing:
        raise BarsError(f"{name}: no column {', '.join(missing)}; the columns are {', '.join(labels)}")
    rows = columns["close"].size
    for key, column in columns.items():
        if column.size != rows:
            raise BarsError(f"{name}: {key} has {column.size} rows, close has {rows}")
    time, interval = _time(given, labels, is_frame, rows, name, interval, seen)
    return Bars(time=time, interval=interval, **columns)


def _floats(column: Any, name: str, key: str) -> Any:
    try:
        values = np.ascontiguousarray(column, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BarsError(f"{name}: column {key} is not numbers ({error})") from None
    if values.ndim != 1:
        raise BarsError(f"{name}: column {key} has {values.ndim} dimensions, bars have one")
    return values


def _time(
    given: Any, labels: dict[str, Any], is_frame: bool, rows: int, name: str, interval: int, seen: Seen
) -> tuple[Any, int]:
    key = next((each for each in TIMES if each in labels), None)
    if key is not None:
        raw = given[labels[key]]
    elif is_frame and type(given.index).__name__ == "DatetimeIndex":
        raw = given.index
    else:
        step = interval or DAY
        return np.arange(rows, dtype=np.int64) * step, step
    if id(raw) not in seen:
        time = _nanoseconds(raw, name)
        seen[id(raw)] = raw, time, interval or spacing_of(time)
    _, time, interval = seen[id(raw)]
    if time.size != rows:
        raise BarsError(f"{name}: {key} has {time.size} rows, close has {rows}")
    return time, interval


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
    wait = beside(len(bars), first_bad_row, bars.open, bars.high, bars.low, bars.close)
    try:
        check_quotes(bars, name)
        check_volume(bars, name)
        check_times(bars, name)
    finally:
        row = wait()
    if row >= 0:
        raise bad_row(bars, name, row)


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
    if bars.volume is None or (np.fmin.reduce(bars.volume) >= 0.0 and np.fmax.reduce(bars.volume) < np.inf):
        return
    bad = np.flatnonzero((bars.volume < 0.0) | np.isinf(bars.volume))
    if bad.size:
        row = int(bad[0])
        raise BarsError(f"{name}, row {row}: volume is {bars.volume[row]:g}, volumes are finite and not negative")


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
