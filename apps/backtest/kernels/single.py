"""The event loop for one channel. `on_bar` is filled in for each strategy by `apps.backtest.specialise`."""

from typing import Any

import numpy as np

from apps.backtest.kernels.account import call_margin, marked, pay_swap, rebalance
from apps.backtest.kernels.market import Market, Specs, conversion_of, expire_late, quote_of, spec_of
from apps.backtest.kernels.opinions import as_target, is_new_opinion
from trading.bars import Bar
from trading.books import Desk
from trading.compiled import inner_kernel, kernel
from trading.matching import at_close, at_open, fill_market, walk
from trading.orders import Rules, accept
from trading.targets import MARKET


@kernel
def _columns(market: Market) -> Any:
    rows = market.close.size
    return (
        market.time,
        market.open.reshape(rows),
        market.high.reshape(rows),
        market.low.reshape(rows),
        market.close.reshape(rows),
    )


@inner_kernel
def _next_roll(market: Market, t: int) -> int:
    """Return the first row at or after t that begins a session day."""
    if t == 0:
        return 0
    day = np.searchsorted(market.day_ends, t - 1)
    return int(market.day_ends[day] + 1)


def on_bar(state: Any, bar: Bar, params: Any) -> float:
    """Stand in for the strategy's function."""
    raise AssertionError("specialise this loop first")


def events(
    market: Market, strategy: Any, desk: Desk, specs: Specs, rules: Rules, swap: Any, equity: Any, span: Any
) -> None:
    """Run rows span[0] to span[1] (excluded): orders against the bar, marks, then the strategy's opinion.

    `strategy` is (state, params), `swap` the daily rates (long, short), `equity` float64[T] takes the mark at each
    close.
    """
    state, params = strategy
    account, book = desk.account[0], desk.books[0]
    spec = spec_of(specs, 0)
    time, opens, highs, lows, closes = _columns(market)
    volumes = market.volume.reshape(market.volume.size)
    asks = market.ask_close.reshape(market.ask_close.size)
    bids = market.bid_close.reshape(market.bid_close.size)
    held, cash = book.quantity, account.cash
    per_price = spec.contract_size
    roll = _next_roll(market, span[0]) if swap[0] != 0.0 or swap[1] != 0.0 else closes.size
    for t in range(span[0], span[1]):
        if t == roll:
            if t > 0:
                pay_swap(desk, market, specs, swap, t)
                cash = account.cash
            roll = _next_roll(market, t + 1)
        if book.live:
            expire_late(desk, market, t, 0)
            quote = quote_of(market, t, 0, rules)
            fill_market(desk, at_open(quote), spec, rules, 0)
            if book.live:
                walk(desk, quote, spec, rules)
            held, cash = book.quantity, account.cash
        close = closes[t]
        if market.conversion.size > 0:
            per_price = spec.contract_size * conversion_of(market, t, 0)
        value = marked(cash, held, close, per_price)
        if held != 0.0:
            margin = abs(held) * (close * per_price) * spec.margin_rate
            if value < rules.margin_call * margin or value <= 0.0:
                call_margin(desk, at_close(quote_of(market, t, 0, rules)), spec, rules)
                held, cash = book.quantity, account.cash
                value = marked(cash, held, close, per_price)
        equity[t] = value
        volume = volumes[t] if volumes.size > 0 else np.nan
        ask = asks[t] if asks.size > 0 else close
        bid = bids[t] if bids.size > 0 else close
        bar = Bar(time[t] + market.row_interval, opens[t], highs[t], lows[t], close, volume, bid, ask)
        opinion = on_bar(state, bar, params)
        acted = False
        if is_new_opinion(book, opinion):
            accept(desk, at_close(quote_of(market, t, 0, rules)), spec, rules, as_target(opinion))
            acted = True
        elif rules.band == rules.band and book.weight == book.weight and value > 0.0:
            drift = held * (close * per_price) / value - book.weight
            acted = rebalance(desk, market, specs, rules, t, 0, drift)
        if acted and rules.fill_at_close and book.kind == MARKET:
            fill_market(desk, at_close(quote_of(market, t, 0, rules)), spec, rules, 0)
            held, cash = book.quantity, account.cash
            equity[t] = marked(cash, held, close, per_price)


def flips(market: Market, state: Any, params: Any, rows: Any, weights: Any) -> int:
    """Write the rows at which the strategy's weight changes, and the weights, and return how many there are."""
    time, opens, highs, lows, closes = _columns(market)
    volumes = market.volume.reshape(market.volume.size)
    asks = market.ask_close.reshape(market.ask_close.size)
    bids = market.bid_close.reshape(market.bid_close.size)
    count = 0
    last = np.nan
    for t in range(closes.size):
        close = closes[t]
        volume = volumes[t] if volumes.size > 0 else np.nan
        ask = asks[t] if asks.size > 0 else close
        bid = bids[t] if bids.size > 0 else close
        bar = Bar(time[t] + market.row_interval, opens[t], highs[t], lows[t], close, volume, bid, ask)
        weight = on_bar(state, bar, params)
        if weight == weight and weight != last:
            rows[count] = t
            weights[count] = weight
            count += 1
            last = weight
    return count
