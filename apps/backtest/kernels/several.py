"""The event loop for several channels. `on_bar` is filled in for each strategy by `apps.backtest.specialise`."""

from typing import Any

import numpy as np

from apps.backtest.kernels.account import call_margin, equity_at, pay_swap, rebalance
from apps.backtest.kernels.checks import is_same
from apps.backtest.kernels.market import (
    Market,
    Specs,
    close_of,
    conversion_of,
    count_before,
    expire_late,
    is_fresh,
    open_of,
    quote_of,
    spec_of,
)
from trading.bars import Slice
from trading.books import Desk
from trading.compiled import inner_kernel
from trading.matching import fill_market, walk
from trading.orders import Rules, accept, cancel, refresh_live
from trading.targets import MARKET, Target, Targets

LIVE, HELD, BUSY = 0, 1, 2  # rows of the lists of active channels
BLOCK = 32  # rows whose closes are laid out channel beside channel at a time, which is what the caches hold


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
    fresh = np.ones(channels, np.uint8)
    nothing = np.full(channels, np.nan)
    block = np.empty((BLOCK, channels))
    opens = np.empty(channels)
    seen = np.zeros(channels, np.int64)
    for i in range(channels):
        seen[i] = desk.books[i].seen_version
    busy = np.ones(channels, np.uint8)
    active = np.zeros((3, channels), np.int64)
    counts = _list_active(desk, busy, active)
    pays = swap[0] != 0.0 or swap[1] != 0.0
    for t in range(span[0], span[1]):
        if pays and t > 0 and is_new_day(market, t):
            pay_swap(desk, market, specs, swap, t)
        if counts[LIVE] > 0:
            lists = (active[LIVE, : counts[LIVE]], active[HELD, : counts[HELD]])
            trade_row(desk, market, specs, rules, lists, opens, t)
            counts = _list_active(desk, busy, active)
        if (t - span[0]) % BLOCK == 0:
            _lay_rows(market.close, t, min(t + BLOCK, span[1]), block)
        closes = block[(t - span[0]) % BLOCK]
        value, margin = equity_at(desk, market, specs, active[HELD, : counts[HELD]], closes, market.conversion, t)
        if counts[HELD] > 0 and (value < rules.margin_call * margin or value <= 0.0):
            for i in active[HELD, : counts[HELD]]:
                call_margin(desk, close_of(market, t, i, rules), spec_of(specs, i), rules)
            counts = _list_active(desk, busy, active)
            value, margin = equity_at(desk, market, specs, active[HELD, : counts[HELD]], closes, market.conversion, t)
        equity[t] = value
        desk.account[0].equity = value
        desk.account[0].margin = margin
        bars = Slice(
            market.time[t] + market.row_interval,
            market.open[:, t],
            market.high[:, t],
            market.low[:, t],
            closes,
            market.volume[:, t] if market.volume.size > 0 else nothing,
            market.bid_close[:, t] if market.bid_close.size > 0 else closes,
            market.ask_close[:, t] if market.ask_close.size > 0 else closes,
            market.fresh[:, t] if market.fresh.size > 0 else fresh,
        )
        targets = on_bar(state, bars, params)
        acted = accept_new(desk, market, specs, rules, targets, (seen, busy, active[BUSY]), t)
        if rules.band == rules.band and value > 0.0:
            acted = rebalance_all(desk, market, specs, rules, busy, value, t) or acted
        if acted:
            counts = _list_active(desk, busy, active)
            if rules.fill_at_close:
                fill_row(desk, market, specs, rules, active[LIVE, : counts[LIVE]], t, True)
                counts = _list_active(desk, busy, active)
                equity[t], _ = equity_at(
                    desk, market, specs, active[HELD, : counts[HELD]], closes, market.conversion, t
                )
    for i in range(channels):
        desk.books[i].seen_version = seen[i]


@inner_kernel
def _lay_rows(column: Any, first: int, last: int, out: Any) -> None:
    """Write rows `first` to `last` (left out) of a column of the market into `out`, float64[rows, N]."""
    fours = column.shape[0] // 4 * 4  # four at a time: each line of `out` is then written once and not four times
    for i in range(0, fours, 4):
        for t in range(first, last):
            out[t - first, i] = column[i, t]
            out[t - first, i + 1] = column[i + 1, t]
            out[t - first, i + 2] = column[i + 2, t]
            out[t - first, i + 3] = column[i + 3, t]
    for i in range(fours, column.shape[0]):
        for t in range(first, last):
            out[t - first, i] = column[i, t]


@inner_kernel
def trade_row(desk: Desk, market: Market, specs: Specs, rules: Rules, lists: Any, opens: Any, t: int) -> None:
    """Work the orders of the live channels against row t: market orders at the open, then resting ones.

    `lists` are the live and the holding channels; `opens`, float64[N], takes the opens of both.
    """
    live, held = lists
    for channels in lists:
        for i in channels:
            opens[i] = market.open[i, t]
    for i in live:
        if is_fresh(market, t, i):
            expire_late(desk, market, t, i)
    value, margin = equity_at(desk, market, specs, held, opens, market.opening, t)
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
                place = close_of(market, t, i, rules) if at_the_close else open_of(market, t, i, rules)
                fill_market(desk, place, spec_of(specs, i), rules, side)


@inner_kernel
def accept_new(desk: Desk, market: Market, specs: Specs, rules: Rules, targets: Targets, known: Any, t: int) -> bool:
    """Make every target with a new version its channel's working order; tell whether there was any.

    `known` is (the versions seen last, the channels that are busy, scratch), each of length N.
    """
    seen, busy, new = known
    if is_same(targets.version, seen):
        return False
    count = 0
    for i in range(seen.size):  # without a branch: nobody can guess which channels have news
        new[count] = i
        count += targets.version[i] != seen[i]
    acted = False
    for k in range(count):
        i = new[k]
        seen[i] = targets.version[i]
        value = targets.value[i]
        if value != value or (value == 0.0 and not busy[i]):
            continue
        book = desk.books[i]
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
        accept(desk, close_of(market, t, i, rules), spec_of(specs, i), rules, target)
        if market.fresh.size > 0:
            book.since = market.time[t] + market.row_interval
        busy[i] = 1
        acted = True
    return acted


@inner_kernel
def rebalance_all(desk: Desk, market: Market, specs: Specs, rules: Rules, busy: Any, equity: float, t: int) -> bool:
    """Order every busy channel that has drifted out of its band back to its weight; tell whether there was one."""
    acted = False
    for i in range(busy.size):
        book = desk.books[i]
        if busy[i] and book.weight == book.weight:
            per_price = specs[i].contract_size * conversion_of(market.conversion, t, i)
            drift = book.quantity * (market.close[i, t] * per_price) / equity - book.weight
            acted = rebalance(desk, market, specs, rules, t, i, drift) or acted
    return acted


@inner_kernel
def _list_active(desk: Desk, busy: Any, active: Any) -> tuple[int, int]:
    """Write the channels that have live orders and those that hold something, in order; return how many of each.

    Only those marked as busy are looked at, and those stay marked that have an order, a position or a weight.
    """
    count = live = held = 0
    for i in range(busy.size):
        active[BUSY, count] = i
        count += busy[i]
    for k in range(count):
        i = active[BUSY, k]
        book = desk.books[i]
        holds = book.quantity != 0.0
        active[LIVE, live] = i
        live += book.live != 0
        active[HELD, held] = i
        held += holds
        busy[i] = holds or book.live != 0 or book.weight == book.weight
    return live, held


@inner_kernel
def is_new_day(market: Market, t: int) -> bool:
    """Tell whether row t, not the first, begins a session day."""
    day = count_before(market.day_ends, t - 1)
    return bool(market.day_ends[day] == t - 1)
