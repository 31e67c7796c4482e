"""Which column of a file holds what: header names, and `--columns` for files without a header."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from apps.feeds.records import ASK, BID, COLUMNS, OHLC, Kind

IGNORED = "-"

_TIME_NAMES = ("ts", "timestamp", "datetime", "date_time", "open_time", "opentime", "time", "unix", "epoch", "date")
_TIME_WITH_SUFFIX = re.compile(rf"({'|'.join(_TIME_NAMES)})_(utc|gmt|local|s|ms|us|ns|new_york|[a-z]+_[a-z]+|open)")
_SHORT = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "vol": "volume", "price": "last",
          "last_price": "last", "trade": "last", "qty": "size", "quantity": "size", "last_size": "size",
          "tick_volume": "tickvol", "bid_price": "bid", "ask_price": "ask"}  # fmt: skip


class LayoutError(ValueError):
    """The columns of a file cannot be recognised."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a file's columns are: positions of the time (one, or a date and a clock time) and of each value column."""

    kind: Kind
    names: tuple[str, ...]  # one per column of the file, as recognised
    time: tuple[int, ...]
    values: dict[str, int]


def normalise(name: str) -> str:
    """Return a header name as Banyan calls it: "<OPEN>" is "open", "BidHigh" is "bid_high", "Vol." is "volume"."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip().lstrip("\ufeff").strip("<>\"' "))
    name = re.sub(r"[\s.\-/()]+", "_", name.lower()).strip("_")
    side = re.fullmatch(r"(bid|ask)_?(open|high|low|close|o|h|l|c)", name)
    turned = re.fullmatch(r"(open|high|low|close|o|h|l|c)_?(bid|ask)", name)
    if side:
        return f"{side[1]}_{_SHORT.get(side[2], side[2])}"
    if turned:
        return f"{turned[2]}_{_SHORT.get(turned[1], turned[1])}"
    return _SHORT.get(name, name)


def is_recognised(names: Sequence[str]) -> bool:
    """Whether header names (normalised) hold a time and at least one price."""
    prices = {*OHLC, *BID, *ASK, "bid", "ask", "last"}
    return bool(_find_time(names)) and any(name in prices for name in names)


def find_layout(names: Sequence[str], where: str, kinds: Sequence[Kind]) -> Layout:
    """Return the layout of columns called `names`, as one of `kinds`. Raises LayoutError, naming the file `where`."""
    normal = tuple(normalise(name) for name in names)
    time = _find_time(normal)
    if not time:
        raise LayoutError(
            f"{where}: no time column among {', '.join(names)}. Call it ts, time, date, datetime or timestamp, or name "
            f"all columns in order with --columns, such as --columns ts,open,high,low,close,volume."
        )
    for kind in kinds:
        found = {name: normal.index(name) for name in COLUMNS[kind] if name in normal}
        if "volume" in COLUMNS[kind] and "volume" not in found and "tickvol" in normal:
            found["volume"] = normal.index("tickvol")
        if _is_complete(kind, found):
            return Layout(kind, normal, time, found)
    wanted = " or ".join(_WANTED[kind] for kind in kinds)
    raise LayoutError(
        f"{where}: found the columns {', '.join(names)}, but need a time and {wanted}. Name them in order with "
        f"--columns ('{IGNORED}' for one to leave out)."
    )


_WANTED = {
    Kind.BARS: "open, high, low, close (and volume)",
    Kind.QUOTES: "bid_open … bid_close, ask_open … ask_close",
    Kind.TICKS: "bid and ask, or last (and size)",
}


def _is_complete(kind: Kind, found: dict[str, int]) -> bool:
    if kind is Kind.TICKS:
        return {"bid", "ask"} <= found.keys() or "last" in found
    return all(name in found for name in COLUMNS[kind][:-1])


def _find_time(names: Sequence[str]) -> tuple[int, ...]:
    if "date" in names and "time" in names and not {"ts", "timestamp", "datetime"} & set(names):
        return names.index("date"), names.index("time")
    for known in _TIME_NAMES:
        if known in names:
            return (names.index(known),)
    return tuple(position for position, name in enumerate(names) if _TIME_WITH_SUFFIX.fullmatch(name))[:1]
