"""The event loops for strategies that are plain Python classes: their part of `on_bar`, and what a look needs.

The loops run over many rows at once, with what the class has said at them in a list. Where the class looks at its
portfolio, they stop before that row's decision, and the row is finished here.
"""

from typing import Any, NamedTuple

import numpy as np

from apps.backtest.kernels.account import equity_at, marked, rebalance
from apps.backtest.kernels.market import Market, Specs, close_of, conversion_of, spec_of
from apps.backtest.kernels.opinions import target_at
from apps.backtest.kernels.several import accept_new, fill_row, is_new_day, rebalance_all
from trading.bars import Slice
from trading.books import Desk
from trading.compiled import inner_kernel, kernel
from trading.matching import fill_market
from trading.orders import Rules, accept, is_new
from trading.targets import MARKET, Targets

_FIELDS = np.dtype(
    [
        ("closed", np.int64),  # ns UTC: the close at which it was said
        ("channel", np.int64),
        ("value", np.float64),
        ("mode", np.int64),
        ("entry", np.int64),
        ("price", np.float64),
        ("limit_price", np.float64),
        ("stop_loss", np.float64),
        ("take_profit", np.float64),
        ("trail", np.float64),
        ("time_in_force", np.int64),
        ("expires", np.int64),
        ("version", np.int64),
    ]
)
SAID_DTYPE = np.dtype((np.record, _FIELDS))
"""One target said; as `record`, so that plain Python finds the fields where compiled code does."""


class Said(NamedTuple):
    """What a class said at the rows that are run: the `state` of the strategy of several channels."""

    rows: Any  # SAID_DTYPE[n], oldest first
    next: Any  # int64[1]: the first of them that the loop has not come to
    targets: Targets  # of all channels, as they stand


@inner_kernel
def _put_said(said: Said, closed: int) -> None:
    """Write what was said at a close into the targets."""
    at, targets = said.next[0], said.targets
    while at < said.rows.size and said.rows[at].closed == closed:
        row = said.rows[at]
        i = row.channel
        targets.value[i] = row.value
        targets.mode[i] = row.mode
        targets.entry[i] = row.entry
        targets.price[i] = row.price
        targets.limit_price[i] = row.limit_price
        targets.stop_loss[i] = row.stop_loss
        targets.take_profit[i] = row.take_profit
        targets.trail[i] = row.trail
        targets.time_in_force[i] = row.time_in_force
        targets.expires[i] = row.expires
        targets.version[i] = row.version
        at += 1
    said.next[0] = at


@kernel
def say_several(state: Said, bars: Slice, params: Any) -> Targets:
    """Stand for the strategy of several channels."""
    _put_said(state, bars.time)
    return state.targets


@kernel
def decide_one(market: Market, opinions: Any, desk: Desk, specs: Specs, rules: Rules, equity: Any, t: int) -> None:
    """Take in one channel's target at row t's close, or rebalance, after the loop has run to there without doing so.

    `opinions` is as for the loop: there is none, or one of row t.
    """
    rows, wanted = opinions
    book = desk.books[0]
    spec = spec_of(specs, 0)
    place = close_of(market, t, 0, rules)
    per_price = spec.contract_size * conversion_of(market.conversion, t, 0)
    acted = False
    if rows.size > 0 and is_new(book, target_at(wanted, 0)):
        accept(desk, place, spec, rules, target_at(wanted, 0))
        acted = True
    elif rules.band == rules.band and book.weight == book.weight and equity[t] > 0.0:
        drift = book.quantity * (market.close[0, t] * per_price) / equity[t] - book.weight
        acted = rebalance(desk, market, specs, rules, t, 0, drift)
    if acted and rules.fill_at_close and book.kind == MARKET:
        fill_market(desk, place, spec, rules, 0)
        equity[t] = marked(desk.account[0].cash, book.quantity, market.close[0, t], per_price)


@kernel
def decide_several(market: Market, strategy: Any, desk: Desk, specs: Specs, rules: Rules, equity: Any, t: int) -> None:
    """Take in all channels' targets at row t's close, and rebalance, after the loop has run to there without that."""
    said, _ = strategy
    channels, closes = np.arange(desk.books.size), market.close[:, t]
    busy = np.ones(channels.size, np.uint8)
    value, margin = equity_at(desk, market, specs, channels, closes, market.conversion, t)
    desk.account[0].equity = value
    desk.account[0].margin = margin
    seen = np.zeros(channels.size, np.int64)
    for i in range(seen.size):
        seen[i] = desk.books[i].seen_version
    _put_said(said, market.time[t] + market.row_interval)
    acted = accept_new(desk, market, specs, rules, said.targets, (seen, busy, np.empty_like(channels)), t)
    if rules.band == rules.band and value > 0.0:
        acted = rebalance_all(desk, market, specs, rules, busy, value, t) or acted
    if acted and rules.fill_at_close:
        fill_row(desk, market, specs, rules, channels, t, True)
        equity[t], _ = equity_at(desk, market, specs, channels, closes, market.conversion, t)


@kernel
def stay(market: Market, desk: Desk, specs: Specs, rules: Rules, swap: Any, equity: Any, span: tuple[int, int]) -> int:
    """Mark rows span[0] to span[1] (excluded) up to the first at which more could happen than that, and return it.

    There must be no live order. More than a mark is swap, a margin call, or a drift out of the band.
    """
    held, count = np.arange(desk.books.size), 0
    for i in range(desk.books.size):
        held[count] = i
        count += desk.books[i].quantity != 0.0
    held = held[:count]
    pays = count > 0 and (swap[0] != 0.0 or swap[1] != 0.0)
    for t in range(span[0], span[1]):
        if pays and t > 0 and is_new_day(market, t):
            return t
        value, margin = equity_at(desk, market, specs, held, market.close[:, t], market.conversion, t)
        if count > 0 and (value < rules.margin_call * margin or value <= 0.0):
            return t
        if rules.band == rules.band:
            for i in range(desk.books.size):
                book = desk.books[i]
                if book.weight == book.weight:
                    per_price = specs[i].contract_size * conversion_of(market.conversion, t, i)
                    drift = book.quantity * (market.close[i, t] * per_price) / value - book.weight
                    if abs(drift) > rules.band:
                        return t
        equity[t] = value
    return span[1]
