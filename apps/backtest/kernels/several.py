"""The event loop for several channels. `on_bar` is filled in for each strategy by `apps.backtest.specialise`."""

from typing import Any

import numpy as np

from apps.backtest.kernels.account import call_margin, equity_at, pay_swap, rebalance
from apps.backtest.kernels.market import Market, Specs, conversion_of, expire_late, is_fresh, quote_of, spec_of
from trading.bars import Slice
from trading.books import Desk
from trading.compiled import inner_kernel
from trading.matching import at_close, at_open, fill_market, walk
from trading.orders import Rules, accept, cancel, refresh_live
from trading.targets import MARKET, Target, Targets


def on_bar(state: Any, bars: Slice, params: Any) -> Targets:
    """Stand in for the strategy's function."""
    raise AssertionError("specialise this loop first")


def events(
    market: Market, strategy: Any, desk: Desk, specs: Specs, rules: Rules, swap: Any, equity: Any, span: Any
) -> None:
    """Run rows span[0] to span[1] (excluded) of all channels: orders, marks, then the strategy's targets.

    `strategy` is (state, params), `swap` the daily rates (long, short), `equity` float64[T] takes the mark at each close.
    At a row's open all orders are sized on the equity there; sells are filled before buys, each in channel order.
    """
    state, params = strategy
    channels = desk.books.size
    fresh = np.ones(channels, np.uint8)
    nothing = np.full(channels, np.nan)
    seen = np.zeros(channels, np.int64)
    for i in range(channels):
        seen[i] = desk.books[i].seen_version
    holding = np.zeros(channels, np.int64)
    held = _list_held(desk, holding)
    live = True
    pays = swap[0] != 0.0 or swap[1] != 0.0
    for t in range(span[0], span[1]):
        if pays and t > 0 and _is_new_day(market, t):
            pay_swap(desk, market, specs, swap, t)
        if live:
            trade_row(desk, market, specs, rules, t)
            held = _list_held(desk, holding)
        value, margin = _mark(desk, market, specs, (holding, held), t)
        if held > 0 and (value < rules.margin_call * margin or value <= 0.0):
            for i in range(channels):
                if desk.books[i].quantity != 0.0:
                    call_margin(desk, at_close(quote_of(market, t, i, rules)), spec_of(specs, i), rules)
            held = _list_held(desk, holding)
            value, margin = _mark(desk, market, specs, (holding, held), t)
        equity[t] = value
        desk.account[0].equity = value
        desk.account[0].margin = margin
        bars = Slice(
            market.time[t] + market.row_interval,
            market.open[t] if market.open.size > 0 else market.close[t],
            market.high[t] if market.high.size > 0 else market.close[t],
            market.low[t] if market.low.size > 0 else market.close[t],
            market.close[t],
            market.volume[t] if market.volume.size > 0 else nothing,
            market.bid_close[t] if market.bid_close.size > 0 else market.close[t],
            market.ask_close[t] if market.ask_close.size > 0 else market.close[t],
            market.fresh[t] if market.fresh.size > 0 else fresh,
        )
        targets = on_bar(state, bars, params)
        acted = accept_new(desk, market, specs, rules, targets, seen, t)
        if rules.band == rules.band and value > 0.0:
            acted = _rebalance_all(desk, market, specs, rules, value, t) or acted
        if acted and rules.fill_at_close:
            fill_row(desk, market, specs, rules, t, at_the_close=True)
            held = _list_held(desk, holding)
            equity[t], _ = _mark(desk, market, specs, (holding, held), t)
        live = _any_live(desk)


@inner_kernel
def trade_row(desk: Desk, market: Market, specs: Specs, rules: Rules, t: int) -> None:
    """Work every channel's orders against its bar at row t: market orders at the open, then resting ones."""
    for i in range(desk.books.size):
        if desk.books[i].working and is_fresh(market, t, i):
            expire_late(desk, market, t, i)
    value, margin = equity_at(desk, market, specs, market.open, t)
    desk.account[0].equity = value
    desk.account[0].margin = margin
    fill_row(desk, market, specs, rules, t, at_the_close=False)
    for i in range(desk.books.size):
        if desk.books[i].live and is_fresh(market, t, i):
            walk(desk, quote_of(market, t, i, rules), spec_of(specs, i), rules)


@inner_kernel
def fill_row(desk: Desk, market: Market, specs: Specs, rules: Rules, t: int, at_the_close: bool) -> None:
    """Fill all working market orders at row t's open or close: sells before buys, each in channel order."""
    for side in (-1, 0):
        for i in range(desk.books.size):
            book = desk.books[i]
            if book.working and book.kind == MARKET and is_fresh(market, t, i):
                quote = quote_of(market, t, i, rules)
                place = at_close(quote) if at_the_close else at_open(quote)
                fill_market(desk, place, spec_of(specs, i), rules, side)


@inner_kernel
def accept_new(
    desk: Desk, market: Market, specs: Specs, rules: Rules, targets: Targets, seen: Any, t: int
) -> bool:
    acted = False
    for i in range(seen.size):
        if targets.version[i] == seen[i]:
            continue
        seen[i] = targets.version[i]
        book = desk.books[i]
        value = targets.value[i]
        if value != value:
            continue
        if value == 0.0 and book.quantity == 0.0:
            cancel(book)
            refresh_live(desk, i)
            book.seen_version = seen[i]
            continue
        target = Target(
            value,
            targets.mode[i],
            targets.entry[i],
            targets.price[i],
            targets.limit_price[i],
            targets.stop_loss[i],
            targets.take_profit[i],
            targets.trail[i],
            targets.time_in_force[i],
            targets.expires[i],
            targets.version[i],
        )
        accept(desk, at_close(quote_of(market, t, i, rules)), spec_of(specs, i), rules, target)
        acted = True
    return acted


@inner_kernel
def _rebalance_all(desk: Desk, market: Market, specs: Specs, rules: Rules, equity: float, t: int) -> bool:
    acted = False
    for i in range(desk.books.size):
        book = desk.books[i]
        if book.weight == book.weight:
            per_price = specs.contract_size[i] * conversion_of(market, t, i)
            drift = book.quantity * (market.close[t, i] * per_price) / equity - book.weight
            acted = rebalance(desk, i, drift, rules) or acted
    return acted


@inner_kernel
def _mark(desk: Desk, market: Market, specs: Specs, holding: Any, t: int) -> tuple[float, float]:
    channels, count = holding
    equity = desk.account[0].cash
    margin = 0.0
    for k in range(count):
        i = channels[k]
        per_price = specs.contract_size[i] * conversion_of(market, t, i)
        value = desk.books[i].quantity * (market.close[t, i] * per_price)
        equity += value
        margin += abs(value) * specs.margin_rate[i]
    return equity, margin


@inner_kernel
def _list_held(desk: Desk, holding: Any) -> int:
    count = 0
    for i in range(desk.books.size):
        if desk.books[i].quantity != 0.0:
            holding[count] = i
            count += 1
    return count


@inner_kernel
def _any_live(desk: Desk) -> bool:
    for i in range(desk.books.size):
        if desk.books[i].live:
            return True
    return False


@inner_kernel
def _is_new_day(market: Market, t: int) -> bool:
    day = np.searchsorted(market.day_ends, t - 1)
    return bool(market.day_ends[day] == t - 1)
