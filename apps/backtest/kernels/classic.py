"""The event loops for strategies that are plain Python classes: the loops run between their decisions."""

from typing import Any

import numpy as np

from apps.backtest.kernels.account import equity_at, marked, rebalance
from apps.backtest.kernels.market import Market, Specs, conversion_of, quote_of, spec_of
from apps.backtest.kernels.several import accept_new, fill_row, rebalance_all
from trading.bars import Bar, Slice
from trading.books import Desk
from trading.compiled import kernel
from trading.matching import at_close, fill_market
from trading.orders import Rules, accept, is_new
from trading.targets import MARKET, Target, Targets


@kernel
def no_opinion(state: Any, bar: Bar, params: Any) -> float:
    """Stand for the strategy while it has nothing new to say."""
    return np.nan


@kernel
def same_targets(state: Any, bars: Slice, params: Any) -> Targets:
    """Stand for the strategy while it has nothing new to say: `state` holds the targets that it gave last."""
    return state.targets


@kernel
def decide_single(market: Market, desk: Desk, specs: Specs, rules: Rules, target: Target, equity: Any, t: int) -> None:
    """Take in one channel's target at row t's close, or rebalance, after the loop has run to there without doing so."""
    book = desk.books[0]
    spec = spec_of(specs, 0)
    place = at_close(quote_of(market, t, 0, rules))
    per_price = spec.contract_size * conversion_of(market, t, 0)
    acted = is_new(book, target)
    if acted:
        accept(desk, place, spec, rules, target)
    elif rules.band == rules.band and book.weight == book.weight and equity[t] > 0.0:
        drift = book.quantity * (market.close[0, t] * per_price) / equity[t] - book.weight
        acted = rebalance(desk, market, specs, rules, t, 0, drift)
    if acted and rules.fill_at_close and book.kind == MARKET:
        fill_market(desk, place, spec, rules, 0)
        equity[t] = marked(desk.account[0].cash, book.quantity, market.close[0, t], per_price)


@kernel
def decide_several(
    market: Market, desk: Desk, specs: Specs, rules: Rules, targets: Targets, seen: Any, equity: Any, t: int
) -> None:
    """Take in all channels' targets at row t's close, and rebalance, after the loop has run to there without that."""
    value, margin = equity_at(desk, market, specs, market.close, t)
    desk.account[0].equity = value
    desk.account[0].margin = margin
    acted = accept_new(desk, market, specs, rules, targets, seen, t)
    if rules.band == rules.band and value > 0.0:
        acted = rebalance_all(desk, market, specs, rules, value, t) or acted
    if acted and rules.fill_at_close:
        fill_row(desk, market, specs, rules, np.arange(desk.books.size), t, True)
        equity[t], _ = equity_at(desk, market, specs, market.close, t)
