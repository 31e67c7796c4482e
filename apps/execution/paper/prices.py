"""Prices as they reach the paper broker."""

import msgspec
import numpy as np

from apps.execution.packed import PackedError, unpack
from apps.execution.paper.book import Book
from apps.execution.paper.protocol import Prices
from banyan.columns import Ints

_DAY_NS = 86_400_000_000_000
_SIDES = ("ask", "bid")


def closing(bars: Prices) -> Prices:
    """Return the quotes that bars close with."""
    return msgspec.structs.replace(
        bars, time_ns=bars.closed_ns, ask_open=bars.ask_close, bid_open=bars.bid_close,
        **{f"{side}_{point}": b"" for side in _SIDES for point in ("high", "low", "close")},
    )  # fmt: skip


def set_prices(book: Book, request: Prices) -> Ints:
    """Make a request's prices those of its instruments; return which these are. Raises PackedError for bad ones."""
    n = request.rows
    if n != len(request.terms):
        raise PackedError("prices have one row for each of their terms")
    columns = {}
    for side in _SIDES:
        opened = unpack(getattr(request, f"{side}_open"), n)
        columns[f"{side}_open"] = opened
        for point in ("high", "low", "close"):
            packed = getattr(request, f"{side}_{point}")
            columns[f"{side}_{point}"] = unpack(packed, n) if packed else opened
    if any(np.any(column <= 0) for column in columns.values()):
        raise PackedError("a price is not above 0")
    instruments = np.array([book.instruments[each.id] for each in request.terms], np.int64)
    prices = book.prices
    for name, column in columns.items():
        prices[name][instruments] = column / 1e9
    prices["time"][instruments] = request.time_ns
    prices["closed"][instruments] = max(request.closed_ns, request.time_ns)
    prices["day"][instruments] = request.day if request.day >= 0 else request.time_ns // _DAY_NS
    prices["known"][instruments] = 1
    book.convert(instruments)
    return instruments
