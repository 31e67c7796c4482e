"""The fast path for strategies that only flip a weight: find the flips, trade them, mark what lies between.

It gives the same bits as the event loop, which tests hold it to, because it books through the same kernels; it only
leaves out the bars on which nothing can happen.
"""

from typing import Any

import numpy as np

from apps.backtest.kernels.ahead import fetch_ahead
from apps.backtest.kernels.market import Market, Specs, close_of, open_of, spec_of
from apps.backtest.kernels.opinions import as_target
from trading.books import Desk
from trading.compiled import inner_kernel
from trading.costs import fee_of, taker_price
from trading.ledger import TARGET
from trading.matching import fill_market
from trading.orders import Rules, accept, afforded_goal, goal_of
from trading.sizing import RISK, Holding
from trading.targets import WEIGHT


@inner_kernel
def crossings(fast: Any, slow: Any, below: float, rows: Any, weights: Any) -> int:
    """Write where "fast is above slow" changes into `rows`, the weight from there on into `weights`; return the count.

    The weight is 1 above and `below` elsewhere; rows where either line is nan give no opinion.
    """
    size = fast.size
    t = 0
    while t < size and (fast[t] != fast[t] or slow[t] != slow[t]):
        t += 1
    if t == size:
        return 0
    is_above = fast[t] > slow[t]
    count = 0
    while t < size:
        if (is_above and fast[t] > slow[t]) or (not is_above and fast[t] <= slow[t]):
            rows[count] = t
            weights[count] = 1.0 if is_above else below
            count += 1
            is_above = not is_above
        t += 1
        if is_above:  # what is looked for is the other side of what was written last
            while t < size and fast[t] <= slow[t]:
                t += 1
        else:
            while t < size and fast[t] > slow[t]:
                t += 1
    return count


@inner_kernel
def trade_flips(market: Market, desk: Desk, specs: Specs, rules: Rules, rows: Any, weights: Any) -> None:
    """Trade each weight at the next open, or at its own close, as the event loop would."""
    spec = spec_of(specs, 0)
    last = market.close.shape[1] - 1
    for k in range(rows.size):
        t = rows[k]
        fetch_ahead(market, rows, k)
        accept(desk, close_of(market, t, 0, rules), spec, rules, as_target(weights[k]))
        if rules.fill_at_close:
            fill_market(desk, close_of(market, t, 0, rules), spec, rules, 0)
        elif t < last:
            fill_market(desk, open_of(market, t + 1, 0, rules), spec, rules, 0)


def is_plain(market: Market, specs: Specs, rules: Rules) -> bool:
    """Tell whether every order is sized and filled from nothing but a price, cash and the position."""
    return bool(
        market.conversion.size == 0
        and specs[0].exact == 0
        and specs[0].lot_step == 0.0
        and not rules.size_at_decision
        and rules.sizing.rule < RISK
        and rules.costs.slip_volume == 0.0
    )


@inner_kernel
def trade_plain_flips(market: Market, desk: Desk, specs: Specs, rules: Rules, rows: Any, weights: Any) -> None:
    """Do what `accept` and `fill_market` come to on a plain market, with cash and position in registers."""
    account, fills = desk.account[0], desk.fills
    spec, costs = spec_of(specs, 0), rules.costs
    quoted = market.ask_open.size > 0
    prices = market.close if rules.fill_at_close else market.open
    asks = market.ask_close if rules.fill_at_close else market.ask_open
    bids = market.bid_close if rules.fill_at_close else market.bid_open
    lag = 0 if rules.fill_at_close else 1
    delay = market.row_interval - (0 if rules.fill_at_close else market.intervals[0])
    per_price = spec.contract_size * 1.0
    cash, held, count, fees = account.cash, 0.0, 0, account.fees
    for k in range(rows.size):
        t = rows[k] + lag
        fetch_ahead(market, rows, k)
        if t >= market.close.shape[1]:
            break
        ask = asks[0, t] if quoted else prices[0, t] + costs.half_spread
        bid = bids[0, t] if quoted else prices[0, t] - costs.half_spread
        goal = 0.0
        if weights[k] != 0.0:
            lot_value = taker_price(costs, ask, 1, 0.0, spec.tick_size) * per_price
            holding = Holding(cash + held * lot_value, held, lot_value, np.nan, np.nan, 0.0)
            goal = goal_of(rules, spec, holding, WEIGHT, weights[k])
            if goal < held:
                lot_value = taker_price(costs, bid, -1, 0.0, spec.tick_size) * per_price
                holding = Holding(cash + held * lot_value, held, lot_value, np.nan, np.nan, 0.0)
                goal = min(held, goal_of(rules, spec, holding, WEIGHT, weights[k]))
            if goal != held:
                afforded = afforded_goal(rules, spec, holding, goal, 0.0)
                account.n_reduced += int(afforded != goal)
                goal = afforded
        lots = goal - held
        if lots == 0.0:
            continue
        quote = ask if lots > 0.0 else bid
        price = taker_price(costs, quote, 1 if lots > 0.0 else -1, 0.0, spec.tick_size)
        amount = lots * (price * per_price)
        fee = fee_of(costs, abs(amount), abs(lots), spec.contract_size)
        cash = cash - amount - fee
        fees += fee
        held += lots
        row = fills[count]
        row.bar = t
        row.time = market.time[t] + delay
        row.channel = 0
        row.quantity = lots
        row.price = price
        row.fee = fee
        row.slippage = abs(lots * (price - quote) * per_price)
        row.position = held
        row.cash = cash
        row.swap = 0.0
        row.reason = TARGET
        count += 1
    account.cash, account.fees, account.n_fills = cash, fees, count
    desk.books[0].quantity = held
