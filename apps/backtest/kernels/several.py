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

LIVE, HELD = 0, 1  # rows of the lists of active channels


def on_bar(state: Any, bars: Slice, params: Any) -> Targets:
    """Stand in for the strategy's function."""
    raise AssertionError("specialise this loop first")


def events(
    market: Market, strategy: Any, desk: Desk, specs: Specs, rules: Rules, swap: Any, equity: Any, span: Any
) -> None:
    """Run rows span[0] to span[1] (excluded) of all channels: orders, marks, then the strategy's targets.

    `strategy` is (state, params), `swap` the daily rates (long, short), `equity` float64[T] takes the mark at each
    close. At a row's open all orders are sized on the equity there; sells are filled before buys, each in channel
    order.
    """
    state, params = strategy
    channels = desk.books.size
    fresh = np.ones((channels, 1), np.uint8)
    nothing = np.full((channels, 1), np.nan)
    seen = np.zeros(channels, np.int64)
    for i in range(channels):
        seen[i] = desk.books[i].seen_version
    active = np.zeros((2, channels), np.int64)
    counts = _list_active(desk, active)
    pays = swap[0] != 0.0 or swap[1] != 0.0
    for t in range(span[0], span[1]):
        if pays and t > 0 and is_new_day(market, t):
            pay_swap(desk, market, specs, swap, t)
        if counts[LIVE] > 0:
            trade_row(desk, market, specs, rules, active[LIVE, : counts[LIVE]], t)
            counts = _list_active(desk, active)
        value, margin = _mark(desk, market, specs, active[HELD, : counts[HELD]], t)
        if counts[HELD] > 0 and (value < rules.margin_call * margin or value <= 0.0):
            for i in active[HELD, : counts[HELD]]:
                call_margin(desk, at_close(quote_of(market, t, i, rules)), spec_of(specs, i), rules)
            counts = _list_active(desk, active)
            value, margin = _mark(desk, market, specs, active[HELD, : counts[HELD]], t)
        equity[t] = value
        desk.account[0].equity = value
        desk.account[0].margin = margin
        bars = Slice(
            market.time[t] + market.row_interval,
            market.open[:, t],
            market.high[:, t],
            market.low[:, t],
            market.close[:, t],
            market.volume[:, t] if market.volume.size > 0 else nothing[:, 0],
            market.bid_close[:, t] if market.bid_close.size > 0 else market.close[:, t],
            market.ask_close[:, t] if market.ask_close.size > 0 else market.close[:, t],
            market.fresh[:, t] if market.fresh.size > 0 else fresh[:, 0],
        )
        targets = on_bar(state, bars, params)
        acted = accept_new(desk, market, specs, rules, targets, seen, t)
        if rules.band == rules.band and value > 0.0:
            acted = rebalance_all(desk, market, specs, rules, value, t) or acted
        if acted:
            counts = _list_active(desk, active)
            if rules.fill_at_close:
                fill_row(desk, market, specs, rules, active[LIVE, : counts[LIVE]], t, True)
                counts = _list_active(desk, active)
                equity[t], _ = _mark(desk, market, specs, active[HELD, : counts[HELD]], t)


@inner_kernel
def trade_row(desk: Desk, market: Market, specs: Specs, rules: Rules, live: Any, t: int) -> None:
    """Work the orders of the `live` channels against row t: market orders at the open, then resting ones."""
    for i in live:
        if is_fresh(market, t, i):
            expire_late(desk, market, t, i)
    value, margin = equity_at(desk, market, specs, market.open, t)
    desk.account[0].equity = value
    desk.account[0].margin = margin
    fill_row(desk, market, specs, rules, live, t, False)
    for i in live:
        if desk.books[i].live and is_fresh(market, t, i):
            walk(desk, quote_of(market, t, i, rules), spec_of(specs, i), rules)


@inner_kernel
def fill_row(desk: Desk, market: Market, specs: Specs, rules: Rules, live: Any, t: int, at_the_close: bool) -> None:
    """Fill working market orders at row t's open or close: sells before buys, each in channel order."""
    for side in (-1, 0):
        for i in live:
            book = desk.books[i]
            if book.working and book.kind == MARKET and is_fresh(market, t, i):
                quote = quote_of(market, t, i, rules)
                place = at_close(quote) if at_the_close else at_open(quote)
                fill_market(desk, place, spec_of(specs, i), rules, side)


@inner_kernel
def accept_new(desk: Desk, market: Market, specs: Specs, rules: Rules, targets: Targets, seen: Any, t: int) -> bool:
    """Make every target with a new version its channel's working order; tell whether there was any."""
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
        if market.fresh.size > 0:
            book.since = market.time[t] + market.row_interval
        acted = True
    return acted


@inner_kernel
def rebalance_all(desk: Desk, market: Market, specs: Specs, rules: Rules, equity: float, t: int) -> bool:
    """Order every channel that has drifted out of its band back to its weight; tell whether there was one."""
    acted = False
    for i in range(desk.books.size):
        book = desk.books[i]
        if book.weight == book.weight:
            per_price = specs[i].contract_size * conversion_of(market, t, i)
            drift = book.quantity * (market.close[i, t] * per_price) / equity - book.weight
            acted = rebalance(desk, market, specs, rules, t, i, drift) or acted
    return acted


@inner_kernel
def _mark(desk: Desk, market: Market, specs: Specs, held: Any, t: int) -> tuple[float, float]:
    equity = desk.account[0].cash
    margin = 0.0
    for i in held:
        per_price = specs[i].contract_size * conversion_of(market, t, i)
        value = desk.books[i].quantity * (market.close[i, t] * per_price)
        equity += value
        margin += abs(value) * specs[i].margin_rate
    return equity, margin


@inner_kernel
def _list_active(desk: Desk, active: Any) -> tuple[int, int]:
    """Write the channels that have live orders and those that hold something, in order; return how many of each."""
    live = held = 0
    for i in range(desk.books.size):
        if desk.books[i].live:
            active[LIVE, live] = i
            live += 1
        if desk.books[i].quantity != 0.0:
            active[HELD, held] = i
            held += 1
    return live, held


@inner_kernel
def is_new_day(market: Market, t: int) -> bool:
    """Tell whether row t, not the first, begins a session day."""
    day = np.searchsorted(market.day_ends, t - 1)
    return bool(market.day_ends[day] == t - 1)
