"""What happens to an account between the strategy's calls: swap, marks, margin calls, rebalancing."""

from typing import Any

import numpy as np

from apps.backtest.kernels.market import Market, Specs, close_of, conversion_of, count_before, spec_of
from trading.books import At, Desk, Spec, charge_swap
from trading.compiled import inner_kernel
from trading.matching import liquidate
from trading.orders import Place, Rules, cancel, refresh_live, sized_goal
from trading.targets import GTC, MARKET


@inner_kernel
def marked(cash: float, quantity: float, price: float, per_price: float) -> float:
    """Return equity: cash and a position at `price`; `per_price` is account currency per lot and unit of price."""
    return cash + quantity * (price * per_price)


@inner_kernel
def lacks_margin(equity: float, quantity: float, lot_value: float, margin_rate: float, margin_call: float) -> bool:
    """Tell whether an account that holds one position must close it; `lot_value` is in account currency."""
    margin = abs(quantity) * lot_value * margin_rate
    return bool((equity < margin_call * margin) | (equity <= 0.0))


@inner_kernel
def pay_swap(desk: Desk, market: Market, specs: Specs, rates: tuple[float, float], t: int) -> None:
    """Charge the days between rows t - 1 and t on all positions, at the last close; `rates` are (long, short) a day."""
    day = count_before(market.day_ends, t)
    days = market.day_numbers[day] - market.day_numbers[day - 1]
    for i in range(desk.books.size):
        at = At(
            i, t, market.time[t] + market.row_interval - market.intervals[i], conversion_of(market.conversion, t - 1, i)
        )
        charge_swap(desk, at, spec_of(specs, i), market.close[i, t - 1], rates, days)


@inner_kernel
def call_margin(desk: Desk, place: Place, spec: Spec, rules: Rules) -> None:
    """Close what a channel holds because the account cannot carry it; without cash after the last, it is ruined."""
    liquidate(desk, place, spec, rules)
    account = desk.account[0]
    account.n_margin_calls += 1
    for i in range(desk.books.size):
        if desk.books[i].quantity != 0.0:
            return
    if account.cash <= 0.0:
        account.ruined = 1


@inner_kernel
def rebalance(desk: Desk, market: Market, specs: Specs, rules: Rules, t: int, i: int, drift: float) -> bool:
    """Give channel i a market order back to its weight if it has drifted out of the band; tell whether it did.

    `drift` is the share of equity held at row t's close over the one that the position was sized to. The version stays
    what it was, and so does its bracket.
    """
    book = desk.books[i]
    if book.working or desk.account[0].ruined or not abs(drift) > rules.band:
        return False
    book.working = 1
    book.kind = MARKET
    book.side = 0
    book.goal = np.nan
    book.time_in_force = GTC
    book.day = -1
    book.since = market.time[t] + market.row_interval if market.fresh.size > 0 else 0
    if rules.size_at_decision:
        book.goal = sized_goal(desk, close_of(market, t, i, rules), spec_of(specs, i), rules, np.nan)
        if np.isnan(book.goal):
            desk.account[0].n_unsized += 1
            cancel(book)
    refresh_live(desk, i)
    return True


@inner_kernel
def equity_at(
    desk: Desk, market: Market, specs: Specs, held: Any, prices: Any, rates: Any, t: int
) -> tuple[float, float]:
    """Return (equity, margin held) of the account, with what the channels in `held` hold at row t's `prices`.

    `prices` is float64[N], `rates` are the conversions when they are paid (see `conversion_of`); without a price a
    position counts at the last close before.
    """
    equity = desk.account[0].cash
    margin = 0.0
    for i in held:
        quantity = desk.books[i].quantity
        if quantity != 0.0:
            price, rate = prices[i], conversion_of(rates, t, i)
            if not price == price and t > 0:
                price, rate = market.close[i, t - 1], conversion_of(market.conversion, t - 1, i)
            value = quantity * (price * (specs[i].contract_size * rate))
            equity += value
            margin += abs(value) * specs[i].margin_rate
    return equity, margin
