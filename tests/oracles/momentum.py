"""What the weekly momentum rank would have done: slow, plain, and written from its description alone.

At the close of bar t (0-based) with t >= lookback and t % every = every - 1, the `top` symbols by
close[t] / close[t - lookback] (ties: the earlier symbol first) get weight invest / top, all others 0, traded at the
next open; sells before buys, in the order of the symbols. Equity for sizing is taken at that open, or, with `size_at`
"decision", at the deciding closes. Every rebalance brings what is kept back to its weight too.
"""

from collections.abc import Sequence

from tests.oracles.books import Books

Table = Sequence[Sequence[float]]  # one row per symbol, one column per bar


def is_rebalance(bar: int, lookback: int, every: int) -> bool:
    """Return whether the strategy decides at the close of `bar`."""
    return bar >= lookback and bar % every == every - 1


def chosen(close: Table, bar: int, lookback: int, top: int) -> list[int]:
    """Return the `top` symbols by momentum at the close of `bar`, the strongest first."""
    return sorted(
        range(len(close)), key=lambda symbol: (-(close[symbol][bar] / close[symbol][bar - lookback]), symbol)
    )[:top]


def simulate_momentum(
    open_: Table,
    close: Table,
    *,
    lookback: int = 60,
    every: int = 5,
    top: int = 50,
    invest: float = 0.998,
    cash: float = 100_000.0,
    fee_bps: float = 0.0,
    size_at: str = "fill",
) -> Books:
    """Simulate the account over symbols that all have the same bars."""
    fee_rate = fee_bps / 10_000
    symbols = range(len(close))
    books = Books(cash)
    held = [0.0 for _ in symbols]
    winners: list[int] | None = None
    for bar in range(len(close[0])):
        if winners is not None:
            prices = [open_[s][bar] if size_at == "fill" else close[s][bar - 1] for s in symbols]
            equity = books.cash + sum(held[s] * prices[s] for s in symbols)
            wanted = [invest / top * equity / prices[s] if s in winners else 0.0 for s in symbols]
            for sells in (True, False):
                for s in symbols:
                    quantity = wanted[s] - held[s]
                    if (quantity < 0) == sells and quantity != 0:
                        books.trade(bar, s, quantity, open_[s][bar], fee_rate)
                        held[s] = wanted[s]
        books.equity.append(books.cash + sum(held[s] * close[s][bar] for s in symbols))
        winners = chosen(close, bar, lookback, top) if is_rebalance(bar, lookback, every) else None
    return books
