"""What follows from a run's fills: the curve, the exposure, the round trips."""

from typing import Any

import numpy as np

from apps.backtest.kernels.account import lacks_margin, marked
from apps.backtest.kernels.market import Closes, Specs, conversion_of
from trading.compiled import inner_kernel, kernel
from trading.ledger import TRADE_DTYPE


@inner_kernel
def mark_curve(closes: Closes, specs: Specs, fills: Any, holding: Any, span: Any, equity: Any) -> None:
    """Write one channel's equity at the closes of rows span[0] to span[1] (excluded) into float64[T].

    `holding` is (cash, lots) before the first of the span's `fills`. A bar counts with what was held at its close. Swap
    is not in it: runs with swap are marked by the event loop.
    """
    prices = closes.close[0]
    per_price = specs[0].contract_size
    cash, held = holding
    first = span[0]
    for k in range(fills.size + 1):
        last = fills[k].bar if k < fills.size else span[1]
        if held == 0.0:
            equity[first:last] = cash
        elif closes.conversion.size > 0:
            for t in range(first, last):
                equity[t] = marked(cash, held, prices[t], per_price * conversion_of(closes.conversion, t, 0))
        else:
            for t in range(first, last):
                equity[t] = marked(cash, held, prices[t], per_price)
        if k < fills.size:
            cash, held, first = fills[k].cash, fills[k].position, last


@inner_kernel
def mark_rows(closes: Closes, specs: Specs, fills: Any, cash: float, rows: Any, equity: Any) -> None:
    """Write one channel's equity at the closes of `rows` (rising) into float64[rows], bit for bit as `mark_curve`."""
    per_price = specs[0].contract_size
    held = 0.0
    k = 0
    for j in range(rows.size):
        t = rows[j]
        while k < fills.size and fills[k].bar <= t:
            cash, held = fills[k].cash, fills[k].position
            k += 1
        if held == 0.0:
            equity[j] = cash
        else:
            equity[j] = marked(cash, held, closes.close[0, t], per_price * conversion_of(closes.conversion, t, 0))


@inner_kernel
def outgrows_margin(closes: Closes, specs: Specs, fills: Any, cash: float, margin_call: float) -> bool:
    """Tell whether one channel's equity ever falls to where the event loop would have called margin.

    The loop looks at each close, before it trades there: a position filled at a close is looked at from the next on, up
    to the close at which it ends.
    """
    rate = specs[0].margin_rate
    called = 0
    for k in range(fills.size):
        held, cash = fills[k].position, fills[k].cash
        notional = held * fills[k].price * specs[0].contract_size
        if held == 0.0 or (held > 0.0 and cash >= -1e-9 * notional and rate <= 1.0 and margin_call < 0.99):
            continue  # a long position that is paid for
        last = _begins(closes, fills[k + 1]) if k + 1 < fills.size else closes.close.shape[1]
        for t in range(_begins(closes, fills[k]), last):
            per_price = specs[0].contract_size * conversion_of(closes.conversion, t, 0)
            value = marked(cash, held, closes.close[0, t], per_price)
            called += lacks_margin(value, held, closes.close[0, t] * per_price, rate, margin_call)
    return called > 0


@inner_kernel
def _begins(closes: Closes, fill: Any) -> int:
    """Return the first row at whose close the event loop checks what was held after `fill`."""
    return int(fill.bar + (fill.time == closes.time[fill.bar] + closes.row_interval))


@inner_kernel
def _conversion_at(closes: Closes, fill: Any) -> float:
    """Return what a fill was converted at: the rate of its row's close if it is of that time, else of the open."""
    if closes.conversion.size == 0:
        return 1.0  # without a look at the time, which is far away in memory
    at_close = fill.time == closes.time[fill.bar] + closes.row_interval
    return conversion_of(closes.conversion if at_close else closes.opening, fill.bar, fill.channel)


@kernel
def time_in_market(closes: Closes, fills: Any) -> float:
    """Return the percentage of rows at whose close anything was held."""
    channels, rows = closes.close.shape
    held = np.zeros(channels)
    count, first, open_channels = 0, 0, 0
    for k in range(fills.size):
        fill = fills[k]
        if open_channels > 0:
            count += fill.bar - first
        first = fill.bar
        open_channels += int(fill.position != 0.0) - int(held[fill.channel] != 0.0)
        held[fill.channel] = fill.position
    if open_channels > 0:
        count += rows - first
    return 100.0 * count / rows


@kernel
def exposure_at(closes: Closes, specs: Specs, fills: Any, rows: Any, values: Any) -> float:
    """Return the mean of gross notional over equity, in percent, at the closes of `rows` (rising), worth `values`."""
    held = np.zeros(closes.close.shape[0])
    holding = np.zeros(held.size, np.int64)
    total = 0.0
    count = k = 0
    for j in range(rows.size):
        t = rows[j]
        if k < fills.size and fills[k].bar <= t:
            k = _take_positions(fills, k, t, held)
            count = _list_held(held, holding)
        gross = _gross(closes, specs, held, holding[:count], t)
        total += gross / values[j] if values[j] > 0.0 else 0.0
    return 100.0 * total / rows.size


@kernel
def exposures(closes: Closes, specs: Specs, fills: Any, equity: Any, out: Any) -> None:
    """Write gross notional over equity at every close into float64[T]."""
    held = np.zeros(closes.close.shape[0])
    holding = np.zeros(held.size, np.int64)
    count = k = 0
    for t in range(closes.close.shape[1]):
        if k < fills.size and fills[k].bar == t:
            k = _take_positions(fills, k, t, held)
            count = _list_held(held, holding)
        gross = _gross(closes, specs, held, holding[:count], t)
        out[t] = gross / equity[t] if equity[t] > 0.0 else np.nan


@inner_kernel
def _take_positions(fills: Any, k: int, t: int, held: Any) -> int:
    """Write the positions after the fills from number k to row t into `held`; return the number of the next fill."""
    while k < fills.size and fills[k].bar <= t:
        held[fills[k].channel] = fills[k].position
        k += 1
    return k


@inner_kernel
def _list_held(held: Any, holding: Any) -> int:
    """Write the channels that hold something into `holding`, in order; return how many there are."""
    count = 0
    for i in range(held.size):
        if held[i] != 0.0:
            holding[count] = i
            count += 1
    return count


@inner_kernel
def _gross(closes: Closes, specs: Specs, held: Any, holding: Any, t: int) -> float:
    """Return the notional of what the channels in `holding` hold, at row t's close."""
    gross = 0.0
    for i in holding:
        gross += abs(held[i]) * (closes.close[i, t] * (specs[i].contract_size * conversion_of(closes.conversion, t, i)))
    return gross


@inner_kernel
def traded_notional(closes: Closes, specs: Specs, fills: Any) -> float:
    """Return the sum of all fills' notional, in account currency."""
    total = 0.0
    for k in range(fills.size):
        fill = fills[k]
        i = fill.channel
        total += abs(fill.quantity) * fill.price * specs[i].contract_size * _conversion_at(closes, fill)
    return total


@kernel
def round_trips(closes: Closes, specs: Specs, fills: Any, swap_paid: Any, out: Any) -> int:
    """Write the round trips of all channels into `out` (TRADE_DTYPE, one row for each fill is enough); return how many.

    A round trip begins where a channel's position leaves zero or changes its sign, and ends where it does so again.
    Closed ones come in the order of their closing, then those that are still open, marked at the last close.
    `swap_paid` is float64[N]: what each channel paid in all.
    """
    channels = closes.close.shape[0]
    open_trades = np.zeros(channels, TRADE_DTYPE)
    bought = np.zeros((channels, 4))  # lots entered, their value in price, lots left, their value in price
    swaps = np.zeros(channels)
    held = np.zeros(channels)
    count = 0
    for k in range(fills.size):
        fill = fills[k]
        i = fill.channel
        per_price = specs[i].contract_size * _conversion_at(closes, fill)
        before = held[i]  # and not `position - quantity`, in which a position that is small against the fill is lost
        held[i] = fill.position
        closed = 0.0
        if before * fill.quantity < 0.0:
            closed = -before if before * fill.position <= 0.0 else fill.quantity
        share = closed / fill.quantity
        trade = open_trades[i]
        if closed != 0.0:
            _leave(trade, bought[i], fill, closed, share, per_price)
            if before * fill.position <= 0.0:
                trade["pnl"] -= fill.swap - swaps[i]
                _finish(trade, bought[i], fill, out[count])
                count += 1
        if share < 1.0:
            if before * fill.position <= 0.0:
                _begin(trade, bought[i], fill)
                swaps[i] = fill.swap
            _enter(trade, bought[i], fill, 1.0 - share, per_price)
    for i in range(channels):
        if bought[i, 0] != 0.0:
            open_trades[i]["pnl"] -= swap_paid[i] - swaps[i]
            _mark_open(open_trades[i], bought[i], closes, specs, i)
            _copy(open_trades[i], out[count])
            count += 1
    return count


@inner_kernel
def _begin(trade: Any, sums: Any, fill: Any) -> None:
    sums[:] = 0.0
    trade["channel"] = fill.channel
    trade["quantity"] = 0.0
    trade["entry_bar"] = fill.bar
    trade["entry_time"] = fill.time
    trade["pnl"] = 0.0
    trade["fees"] = 0.0
    trade["return"] = 0.0
    trade["is_open"] = 0


@inner_kernel
def _enter(trade: Any, sums: Any, fill: Any, share: float, per_price: float) -> None:
    lots = fill.quantity * share
    sums[0] += lots
    sums[1] += lots * fill.price
    trade["pnl"] -= lots * fill.price * per_price + fill.fee * share
    trade["fees"] += fill.fee * share
    trade["return"] += abs(lots * fill.price * per_price)
    if abs(fill.position) > abs(trade["quantity"]):
        trade["quantity"] = fill.position


@inner_kernel
def _leave(trade: Any, sums: Any, fill: Any, lots: float, share: float, per_price: float) -> None:
    sums[2] -= lots
    sums[3] -= lots * fill.price
    trade["pnl"] -= lots * fill.price * per_price + fill.fee * share
    trade["fees"] += fill.fee * share


@inner_kernel
def _finish(trade: Any, sums: Any, fill: Any, out: Any) -> None:
    trade["exit_bar"] = fill.bar
    trade["exit_time"] = fill.time
    trade["entry_price"] = sums[1] / sums[0]
    trade["exit_price"] = sums[3] / sums[2]
    trade["return"] = trade["pnl"] / trade["return"]
    trade["exit_reason"] = fill.reason
    _copy(trade, out)
    sums[:] = 0.0


@inner_kernel
def _copy(trade: Any, out: Any) -> None:
    out["channel"] = trade["channel"]
    out["quantity"] = trade["quantity"]
    out["entry_bar"] = trade["entry_bar"]
    out["exit_bar"] = trade["exit_bar"]
    out["entry_time"] = trade["entry_time"]
    out["exit_time"] = trade["exit_time"]
    out["entry_price"] = trade["entry_price"]
    out["exit_price"] = trade["exit_price"]
    out["pnl"] = trade["pnl"]
    out["fees"] = trade["fees"]
    out["return"] = trade["return"]
    out["exit_reason"] = trade["exit_reason"]
    out["is_open"] = trade["is_open"]


@inner_kernel
def _mark_open(trade: Any, sums: Any, closes: Closes, specs: Specs, i: int) -> None:
    last = closes.close.shape[1] - 1
    price = closes.close[i, last]
    left = sums[0] - sums[2]
    trade["pnl"] += left * price * specs[i].contract_size * conversion_of(closes.conversion, last, i)
    trade["entry_price"] = sums[1] / sums[0]
    trade["exit_bar"] = last
    trade["exit_time"] = closes.time[last] + closes.row_interval
    trade["exit_price"] = price
    trade["return"] = trade["pnl"] / trade["return"]
    trade["exit_reason"] = 0
    trade["is_open"] = 1
