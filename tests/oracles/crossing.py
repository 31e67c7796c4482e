"""What an all-in moving-average crossing would have done: slow, plain, and written from its description alone.

Long when the mean of the last `fast` closes is above the mean of the last `slow` closes, flat otherwise. Decided at the
close, from the first bar on which the slow mean exists; traded at the next bar's open. All-in buys
cash / (price x (1 + fee)); a sale sells all. A decision at the last close is never traded.
"""

from collections.abc import Sequence
from math import fsum

from tests.oracles.books import Books, Trade

Prices = Sequence[float]


def mean_of_last(values: Prices, bar: int, window: int) -> float | None:
    """Return the mean of the `window` values up to and including `bar`, or None where there are not that many."""
    if bar + 1 < window:
        return None
    return fsum(values[bar + 1 - window : bar + 1]) / window


def wants_long(close: Prices, bar: int, fast: int, slow: int) -> bool | None:
    """Return whether the account should be long after the close of `bar`; None while there is no opinion."""
    fast_mean, slow_mean = mean_of_last(close, bar, fast), mean_of_last(close, bar, slow)
    if fast_mean is None or slow_mean is None:
        return None
    return fast_mean > slow_mean


def narrowest_gap(close: Prices, fast: int, slow: int) -> float:
    """Return the smallest relative distance between the two means.

    Where it is of the order of the rounding of a float, two right programs may decide differently.
    """
    gaps = []
    for bar in range(max(fast, slow) - 1, len(close)):
        fast_mean, slow_mean = mean_of_last(close, bar, fast), mean_of_last(close, bar, slow)
        assert fast_mean is not None
        assert slow_mean is not None
        gaps.append(abs(fast_mean - slow_mean) / slow_mean)
    return min(gaps)


def simulate_crossing(
    buy_at: Prices, sell_at: Prices, close: Prices, fast: int, slow: int, cash: float, fee_bps: float, mark_at: Prices
) -> Books:
    """Simulate the account.

    Purchases fill at `buy_at[t + 1]` and sales at `sell_at[t + 1]` (both the open where the bars have one side only);
    the means are of `close`, and what is held is marked at `mark_at[t]`.
    """
    fee_rate = fee_bps / 10_000
    books = Books(cash)
    held = 0.0
    decision: bool | None = None
    for bar in range(len(close)):
        if decision is True and held == 0.0:
            held = books.cash / (buy_at[bar] * (1 + fee_rate))
            books.trade(bar, 0, held, buy_at[bar], fee_rate)
        elif decision is False and held > 0.0:
            books.trade(bar, 0, -held, sell_at[bar], fee_rate)
            held = 0.0
        books.equity.append(books.cash + held * mark_at[bar])
        opinion = wants_long(close, bar, fast, slow)
        decision = decision if opinion is None else opinion
    return books


def round_trips(books: Books, mark_at: Prices) -> list[Trade]:
    """Return the round trips of `books`; one that is still open is marked at the last of `mark_at`, without a fee."""
    trades = []
    fills = list(books.fills)
    while fills:
        entry = fills.pop(0)
        if fills:
            leave = fills.pop(0)
            fees = entry.fee + leave.fee
            pnl = entry.quantity * (leave.price - entry.price) - fees
            trades.append(Trade(entry.bar, leave.bar, entry.quantity, entry.price, leave.price, pnl, is_open=False))
        else:
            pnl = entry.quantity * (mark_at[-1] - entry.price) - entry.fee
            last = len(mark_at) - 1
            trades.append(Trade(entry.bar, last, entry.quantity, entry.price, mark_at[-1], pnl, is_open=True))
    return trades
