"""The numbers that the page's scripts draw, packed and bounded: a million bars make a file of a few megabytes."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from apps.backtest.report.figures import decimals_of
from apps.backtest.report.packing import pack, scale_for
from apps.backtest.report.thinning import coarser, extreme_rows
from apps.backtest.result import Result
from trading.bars import Bars
from trading.intervals import format_interval
from trading.ledger import REASONS
from trading.metrics import drawdowns

MOST_BARS: Final = 200_000  # price bars in one page, over all instruments
MOST_CHANNELS: Final = 40
MOST_TRADES: Final = 30_000
_EQUITY_BUCKETS: Final = 15_000
_MILLISECOND: Final = 1_000_000


def shown_channels(result: Result) -> tuple[int, ...]:
    """The channels whose prices the page holds: those with most trades, in the order of the run."""
    kept = [
        channel for channel in range(len(result.channels)) if channel < len(result.bars) and len(result.bars[channel])
    ]
    trades = np.bincount(result.trade_records["channel"], minlength=len(result.channels))
    busiest = sorted(kept, key=lambda channel: -int(trades[channel]))[:MOST_CHANNELS]
    return tuple(sorted(busiest))


def shown_trades(result: Result) -> int:
    """How many trades the page lists."""
    return min(int(result.trade_records.size), MOST_TRADES)


def shown_bars(result: Result) -> list[Bars]:
    """The bars of the shown channels, coarser where they would be too many."""
    channels = shown_channels(result)
    limit = max(MOST_BARS // max(len(channels), 1), 1)
    return [coarser(result.bars[channel], limit) for channel in channels]


def run_payload(result: Result, bars: list[Bars], currency: str) -> dict[str, Any]:
    """Everything the scripts need of one run, ready for JSON."""
    return {
        "currency": currency,
        "channels": list(result.channels),
        "reasons": list(REASONS),
        "equity": curve_payload(result.time, result.equity, result.benchmark, result.exposure),
        "prices": [_price(channel, part) for channel, part in zip(shown_channels(result), bars, strict=True)],
        "trades": _trades(result),
    }


def curve_payload(
    time: NDArray[np.int64],
    equity: NDArray[np.float64],
    benchmark: NDArray[np.float64] | None = None,
    exposure: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """A curve with its drawdown: every point, or of a long one those that hold all its extremes."""
    if equity.size == 0:
        return {"time": pack(time), "equity": pack(equity), "drawdown": pack(equity)}
    below = drawdowns(equity)
    rows = extreme_rows([equity, below] if benchmark is None else [equity, below, benchmark], _EQUITY_BUCKETS)
    rows = rows[_rising(time[rows])]
    packed = {
        "time": pack(time[rows] // _MILLISECOND),
        "equity": pack(equity[rows], scale_for(equity)),
        "drawdown": pack(100 * below[rows], 1e3),
    }
    if benchmark is not None:
        packed["benchmark"] = pack(benchmark[rows], scale_for(benchmark))
    if exposure is not None and np.any(exposure):
        packed["exposure"] = pack(100 * exposure[rows], 10.0)
    return packed


def _price(channel: int, bars: Bars) -> dict[str, Any]:
    rows = _rising(bars.time)
    decimals = decimals_of(bars.close)
    columns = {name: pack(getattr(bars, name)[rows], 10.0**decimals) for name in ("open", "high", "low", "close")}
    interval = format_interval(bars.interval) if bars.interval else ""
    time = pack(bars.time[rows] // _MILLISECOND)
    return {"channel": channel, "interval": interval, "decimals": decimals, "time": time, **columns}


def _trades(result: Result) -> dict[str, Any]:
    records = result.trade_records
    records = records[records.size - shown_trades(result) :]
    packed: dict[str, Any] = {name: pack(records[name]) for name in ("channel", "exit_reason", "is_open")}
    packed["n"] = int(result.trade_records.size)
    for name in ("entry_time", "exit_time"):
        packed[name] = pack(records[name] // _MILLISECOND)
    for name, row in (("entry_mark", "entry_bar"), ("exit_mark", "exit_bar")):
        packed[name] = pack(_marks(result, records[row]))
    for name in ("quantity", "pnl", "fees"):
        packed[name] = pack(records[name], scale_for(records[name], 10))
    for name in ("entry_price", "exit_price"):
        packed[name] = pack(records[name], scale_for(records[name], 8))
    packed["return"] = pack(100 * records["return"], 1e4)
    return packed


def _marks(result: Result, bars: NDArray[np.int64]) -> NDArray[np.int64]:
    """The moment just before the close of a trade's bar, in ms: it lies within that bar on any channel's axis."""
    if result.time.size == 0:
        return bars
    return (result.time[np.clip(bars, 0, result.time.size - 1)] - 1) // _MILLISECOND


def _rising(time: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which times are the last within their millisecond: the charts want each once."""
    ticks = time // _MILLISECOND
    return np.append(ticks[1:] != ticks[:-1], True) if time.size else np.zeros(0, dtype=bool)
