"""The event loop for one channel, in two kernels: the strategy's opinion of every bar, and the account through them.

A strategy sees bars and no account, so it can be asked about many bars before the account goes through the first. What
is compiled for each strategy is then the small kernel around its `on_bar`, filled in by `apps.backtest.specialise`.
"""

from typing import Any

import numpy as np

from apps.backtest.kernels.account import call_margin, lacks_margin, marked, pay_swap, rebalance
from apps.backtest.kernels.ahead import fetch_ahead
from apps.backtest.kernels.market import (
    Market,
    Specs,
    close_of,
    conversion_of,
    count_before,
    expire_late,
    open_of,
    quote_of,
    spec_of,
)
from apps.backtest.kernels.opinions import is_other, put, target_at
from trading.bars import Bar
from trading.books import Desk, Spec
from trading.compiled import inner_kernel, kernel
from trading.matching import fill_market, walk
from trading.orders import Rules, accept, is_new
from trading.targets import MARKET


def on_bar(state: Any, bar: Bar, params: Any) -> float:
    """Stand in for the strategy's function."""
    raise AssertionError("specialise this loop first")


def changes(market: Market, state: Any, params: Any, span: Any, rows: Any, wanted: Any) -> int:
    """Ask the strategy about rows span[0] to span[1] (excluded); return how often it changed its opinion.

    `rows` takes the rows at which it did, int64, and `wanted` what it is from there on (see `opinions`). Both need room
    for all rows of the span.
    """
    time, opens, highs, lows, closes = market.time, market.open[0], market.high[0], market.low[0], market.close[0]
    volumes, asks, bids = market.volume, market.ask_close, market.bid_close
    count = 0
    for t in range(span[0], span[1]):
        close = closes[t]
        volume = volumes[0, t] if volumes.size > 0 else np.nan
        ask = asks[0, t] if asks.size > 0 else close
        bid = bids[0, t] if bids.size > 0 else close
        bar = Bar(time[t] + market.row_interval, opens[t], highs[t], lows[t], close, volume, bid, ask)
        opinion = on_bar(state, bar, params)
        if is_other(wanted, count, opinion):
            rows[count] = t
            put(wanted, count, opinion)
            count += 1
    return count


@kernel
def events(
    market: Market, opinions: Any, desk: Desk, specs: Specs, rules: Rules, swap: Any, equity: Any, span: Any
) -> None:
    """Run rows span[0] to span[1] (excluded): orders against the bar, marks, then the strategy's opinion.

    `opinions` is (rows, wanted) as `changes` writes them for the span, `swap` the daily rates (long, short), `equity`
    float64[T] takes the mark at each close.
    """
    rows, wanted = opinions
    account, book = desk.account[0], desk.books[0]
    spec = spec_of(specs, 0)
    closes = market.close[0]
    held, cash = book.quantity, account.cash
    per_price = spec.contract_size
    is_steady = market.conversion.size == 0 and not rules.band == rules.band
    t, last = span
    roll = _next_roll(market, t) if swap[0] != 0.0 or swap[1] != 0.0 else last
    k = 0
    while t < last:
        change = rows[k] if k < rows.size else last
        if is_steady and not book.live:
            t = _rest(closes, spec, rules.margin_call, (cash, held), (t, min(change, roll)), equity)
            if t == last:
                break
        if t == roll:
            if t > 0:
                pay_swap(desk, market, specs, swap, t)
                cash = account.cash
            roll = _next_roll(market, t + 1)
        if book.live:
            expire_late(desk, market, t, 0)
            fill_market(desk, open_of(market, t, 0, rules), spec, rules, 0)
            if book.live:
                walk(desk, quote_of(market, t, 0, rules), spec, rules)
            held, cash = book.quantity, account.cash
        close = closes[t]
        if market.conversion.size > 0:
            per_price = spec.contract_size * conversion_of(market.conversion, t, 0)
        value = marked(cash, held, close, per_price)
        if held != 0.0 and lacks_margin(value, held, close * per_price, spec.margin_rate, rules.margin_call):
            call_margin(desk, close_of(market, t, 0, rules), spec, rules)
            held, cash = book.quantity, account.cash
            value = marked(cash, held, close, per_price)
        equity[t] = value
        acted = False
        if t == change:
            fetch_ahead(market, rows, k)
            target = target_at(wanted, k)
            k += 1
            if is_new(book, target):
                accept(desk, close_of(market, t, 0, rules), spec, rules, target)
                acted = True
        if not acted and rules.band == rules.band and book.weight == book.weight and value > 0.0:
            drift = held * (close * per_price) / value - book.weight
            acted = rebalance(desk, market, specs, rules, t, 0, drift)
        if acted and rules.fill_at_close and book.kind == MARKET:
            fill_market(desk, close_of(market, t, 0, rules), spec, rules, 0)
            held, cash = book.quantity, account.cash
            equity[t] = marked(cash, held, close, per_price)
        t += 1


@inner_kernel
def _rest(closes: Any, spec: Spec, margin_call: float, holding: Any, span: Any, equity: Any) -> int:
    """Mark what is held, (cash, lots), at the closes of rows span[0] to span[1] (excluded).

    Return span[1], or the first row at which the margin is not there.
    """
    cash, held = holding
    first, last = span
    if held == 0.0:
        equity[first:last] = cash
        return last
    called = 0
    for t in range(first, last):
        equity[t] = marked(cash, held, closes[t], spec.contract_size)
        called += lacks_margin(equity[t], held, closes[t] * spec.contract_size, spec.margin_rate, margin_call)
    t = first if called > 0 else last
    while t < last and not lacks_margin(equity[t], held, closes[t] * spec.contract_size, spec.margin_rate, margin_call):
        t += 1
    return t


@inner_kernel
def _next_roll(market: Market, t: int) -> int:
    """Return the first row at or after t that begins a session day."""
    if t == 0:
        return 0
    day = count_before(market.day_ends, t - 1)
    return int(market.day_ends[day] + 1)
