"""Runs that leave nothing but their metrics: what a sweep does for each combination."""

from typing import Any, NamedTuple

import numpy as np

from apps.backtest.kernels.books_after import (
    exposure_at,
    mark_rows,
    outgrows_margin,
    round_trips,
    time_in_market,
    traded_notional,
)
from apps.backtest.kernels.flips import crossings, trade_plain_flips
from apps.backtest.kernels.market import Closes, Market, Specs
from trading.books import ACCOUNT_DTYPE, BOOK_DTYPE, TICKET_DTYPE, Desk
from trading.compiled import kernel
from trading.ledger import FILL_DTYPE, TRADE_DTYPE
from trading.metrics import CURVE_KEYS, TRADE_KEYS, curve_metrics, trade_metrics, turnover
from trading.orders import Rules

N_CURVE = len(CURVE_KEYS)
N_TRADE = len(TRADE_KEYS)
SCORE_KEYS = (*CURVE_KEYS, *TRADE_KEYS, "n_fills", "fees_paid", "exposure_pct", "avg_exposure_pct", "turnover")
N_SCORES = len(SCORE_KEYS)


class Periods(NamedTuple):
    """Of what values returns are taken, and how they are annualised."""

    ends: Any  # int64[m]: rows whose closes are the values
    times: Any  # int64[m + 1], ns UTC, the open of the first bar first
    per_year: float
    risk_free: float  # a year, as a fraction
    cash: float


class Outcome(NamedTuple):
    """What a run left, to be scored."""

    fills: Any  # FILL_DTYPE[fills]
    trips: Any  # TRADE_DTYPE[trips]
    values: Any  # float64[m + 1]: the starting cash, and equity at each of the periods' ends
    fees: float


@kernel
def score(closes: Closes, specs: Specs, outcome: Outcome, periods: Periods, out: Any) -> None:
    """Write the metrics of one run into `out`, float64[N_SCORES] in the order of SCORE_KEYS."""
    trips = outcome.trips
    pnl, returns, held = np.empty(trips.size), np.empty(trips.size), np.empty(trips.size)
    closed = 0
    for k in range(trips.size):
        if trips[k]["is_open"] == 0:
            pnl[closed] = trips[k]["pnl"]
            returns[closed] = trips[k]["return"]
            held[closed] = trips[k]["exit_bar"] - trips[k]["entry_bar"]
            closed += 1
    values = outcome.values
    curve_metrics(values, periods.times, periods.per_year, periods.risk_free, out[:N_CURVE])
    trade_metrics(pnl[:closed], returns[:closed], held[:closed], out[N_CURVE : N_CURVE + N_TRADE])
    books = out[N_CURVE + N_TRADE :]
    books[0] = outcome.fills.size
    books[1] = outcome.fees
    books[2] = time_in_market(closes, outcome.fills)
    books[3] = exposure_at(closes, specs, outcome.fills, periods.ends, values[1:])
    books[4] = turnover(traded_notional(closes, specs, outcome.fills), values, periods.times)


@kernel
def _fresh_desk(cash: float, capacity: int) -> Desk:
    desk = Desk(
        np.zeros(1, ACCOUNT_DTYPE),
        np.zeros(1, BOOK_DTYPE),
        np.zeros((1, 1), TICKET_DTYPE),
        np.empty(capacity, FILL_DTYPE),
    )
    _reset(desk, cash)
    return desk


@kernel
def _reset(desk: Desk, cash: float) -> None:
    account, book, ticket = desk.account[0], desk.books[0], desk.tickets[0, 0]
    account.cash = cash
    account.equity = np.nan
    account.fees = 0.0
    account.closes = 0
    account.return_sum = 0.0
    account.return_squares = 0.0
    account.n_fills = 0
    book.quantity = 0.0
    book.weight = np.nan
    book.seen_value = np.nan
    book.used_bar = -1
    ticket.quantity = 0.0
    ticket.stop_loss = np.nan
    ticket.take_profit = np.nan
    ticket.trail = np.nan
    ticket.trail_stop = np.nan


@kernel
def score_single(closes: Closes, specs: Specs, rules: Rules, periods: Periods, desk: Desk, out: Any) -> bool:
    """Write the metrics of a one-channel run whose flips were traded.

    Return False, and write nothing, where its margin calls need the event loop.
    """
    fills = desk.fills[: desk.account[0].n_fills]
    if outgrows_margin(closes, specs, fills, periods.cash, rules.margin_call):
        return False
    values = np.empty(periods.ends.size + 1)
    values[0] = periods.cash
    mark_rows(closes, specs, fills, periods.cash, periods.ends, values[1:])
    trips = np.empty(fills.size + 1, TRADE_DTYPE)
    count = round_trips(closes, specs, fills, np.zeros(1), trips)
    score(closes, specs, Outcome(fills, trips[:count], values, desk.account[0].fees), periods, out)
    return True


@kernel
def score_crossings(
    market: Market, specs: Specs, rules: Rules, periods: Periods, lines: Any, pairs: Any, below: float, out: Any
) -> int:
    """Score every pair of lines on a plain market (`flips.is_plain`); return how many were done.

    Pair k fills row k of `out`, float64[pairs, N_SCORES].

    `lines` is float64[L, T], `pairs` int64[pairs, 2] of (fast, slow) rows of it. It stops early at a pair whose margin
    calls need the event loop: the caller scores that one and goes on with the next.
    """
    size = market.close.shape[1]
    rows, weights = np.empty(size, np.int64), np.empty(size)
    desk = _fresh_desk(periods.cash, size + 1)
    closes = Closes(market.time, market.row_interval, market.close, market.conversion, market.opening)
    for k in range(pairs.shape[0]):
        count = crossings(lines[pairs[k, 0]], lines[pairs[k, 1]], below, rows, weights)
        _reset(desk, periods.cash)
        trade_plain_flips(market, desk, specs, rules, rows[:count], weights[:count])
        if not score_single(closes, specs, rules, periods, desk, out[k]):
            return k
    return int(pairs.shape[0])
