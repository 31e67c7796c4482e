"""The engine against slow, plain simulations written from the description of the strategies alone."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.backtest.interface import run, sweep
from tests.oracles.books import Books
from tests.oracles.crossing import narrowest_gap, round_trips, simulate_crossing
from tests.oracles.momentum import simulate_momentum

MINUTE_NS = 60_000_000_000
DAY_NS = 1440 * MINUTE_NS
SAMPLE = Path(__file__).resolve().parents[3] / "apps" / "feeds" / "sample"
CASH = 100_000.0


def random_bars(seed: int, count: int, interval_ns: int = MINUTE_NS, sigma: float = 0.004) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.standard_normal(count) * sigma))
    open_ = np.concatenate(([100.0], close[:-1])) * (1.0 + rng.standard_normal(count) * sigma / 3)
    return {
        "time": 1_577_836_800_000_000_000 + np.arange(count, dtype=np.int64) * interval_ns,
        "open": open_,
        "high": np.maximum(open_, close) * 1.001,
        "low": np.minimum(open_, close) * 0.999,
        "close": close,
        "volume": np.full(count, 1000.0),
    }


def sample_rows(name: str, rows: int) -> tuple[list[str], list[list[str]]]:
    with gzip.open(SAMPLE / name, "rt") as lines:
        header = next(lines).strip().split(",")
        return header, [line.strip().split(",") for line, _ in zip(lines, range(rows), strict=False)]


def columns_of(header: list[str], rows: list[list[str]]) -> dict[str, Any]:
    bars: dict[str, Any] = {
        name: np.array([float(row[place]) for row in rows]) for place, name in enumerate(header) if place
    }
    bars["time"] = np.array([row[0].removesuffix("Z") for row in rows], "datetime64[ns]").astype(np.int64)
    return bars


def assert_same_fills(result: Any, books: Books) -> None:
    records = result.fill_records
    assert records["bar"].tolist() == [fill.bar for fill in books.fills]
    assert records["channel"].tolist() == [fill.symbol for fill in books.fills]
    np.testing.assert_allclose(records["price"], [fill.price for fill in books.fills], rtol=1e-12)
    np.testing.assert_allclose(records["quantity"], [fill.quantity for fill in books.fills], rtol=1e-8)
    np.testing.assert_allclose(records["fee"], [fill.fee for fill in books.fills], rtol=1e-8, atol=1e-9)


def assert_same_curve(result: Any, books: Books) -> None:
    np.testing.assert_allclose(result.equity, books.equity, rtol=1e-10)
    assert result.final_equity == pytest.approx(books.equity[-1], rel=1e-10)
    assert result.metrics["final_equity"] == pytest.approx(books.equity[-1], rel=1e-10)
    assert result.metrics["fees_paid"] == pytest.approx(books.fees_paid, rel=1e-9)
    assert result.metrics["n_fills"] == len(books.fills)


def crossing_of(bars: dict[str, Any], fast: int, slow: int, fee_bps: float) -> Books:
    open_, close = bars["open"].tolist(), bars["close"].tolist()
    return simulate_crossing(open_, open_, close, fast, slow, CASH, fee_bps, close)


@pytest.mark.parametrize("engine", ["auto", "events"])
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 400),
    fast=st.integers(1, 20),
    slower_by=st.integers(1, 30),
    fee_bps=st.sampled_from([0.0, 5.0, 30.0]),
)
def test_crossing_leaves_the_books_of_the_plain_simulation(
    engine: str, seed: int, count: int, fast: int, slower_by: int, fee_bps: float
) -> None:
    bars, slow = random_bars(seed, count), fast + slower_by
    books = crossing_of(bars, fast, slow, fee_bps)
    result = run(
        "sma_cross",
        bars,
        params={"fast": fast, "slow": slow},
        cash=CASH,
        fee_bps=fee_bps,
        fill="next-open",
        sizing="all-in",
        engine=engine,
    )
    assert_same_fills(result, books)
    assert_same_curve(result, books)


@pytest.mark.parametrize("engine", ["auto", "events"])
def test_crossing_leaves_the_round_trips_of_the_plain_simulation(engine: str) -> None:
    bars = random_bars(7, 700)
    books = crossing_of(bars, 5, 17, 5.0)
    trades = round_trips(books, bars["close"].tolist())
    result = run(
        "sma_cross", bars, params={"fast": 5, "slow": 17}, cash=CASH, fee_bps=5, sizing="all-in", engine=engine
    )
    records = result.trade_records
    assert records["entry_bar"].tolist() == [trade.entry_bar for trade in trades]
    assert records["exit_bar"].tolist() == [trade.exit_bar for trade in trades]
    assert records["is_open"].tolist() == [int(trade.is_open) for trade in trades]
    for field in ("quantity", "entry_price", "exit_price"):
        np.testing.assert_allclose(records[field], [getattr(trade, field) for trade in trades], rtol=1e-9)
    np.testing.assert_allclose(records["pnl"], [trade.pnl for trade in trades], rtol=1e-7, atol=1e-6)
    closed = [trade.pnl for trade in trades if not trade.is_open]
    assert result.metrics["win_rate_pct"] == pytest.approx(100 * sum(pnl > 0 for pnl in closed) / len(closed))
    won, lost = (sum(abs(pnl) for pnl in closed if (pnl > 0) == side) for side in (True, False))
    assert result.metrics["profit_factor"] == pytest.approx(won / lost, rel=1e-7)


@pytest.mark.parametrize("engine", ["auto", "events"])
@pytest.mark.parametrize(("name", "fast", "slow"), [("spy_1d.csv.gz", 20, 50), ("aapl_1d.csv.gz", 5, 31)])
def test_crossing_of_real_daily_bars_leaves_the_books_of_the_plain_simulation(
    name: str, fast: int, slow: int, engine: str
) -> None:
    bars = columns_of(*sample_rows(name, 2500))
    assert narrowest_gap(bars["close"].tolist(), fast, slow) > 1e-12, "the means tie, so decisions may rightly differ"
    books = crossing_of(bars, fast, slow, 5.0)
    result = run(
        "sma_cross",
        bars,
        params={"fast": fast, "slow": slow},
        cash=CASH,
        fee_bps=5,
        sizing="all-in",
        engine=engine,
        interval="1d",
    )
    assert_same_fills(result, books)
    assert_same_curve(result, books)


@pytest.mark.parametrize("engine", ["auto", "events"])
def test_crossing_of_real_quotes_buys_at_the_ask_sells_at_the_bid_and_is_marked_at_the_mid(engine: str) -> None:
    bars = columns_of(*sample_rows("eurusd_1h_quotes.csv.gz", 3000))
    mid = ((bars["bid_close"] + bars["ask_close"]) / 2).tolist()
    assert narrowest_gap(mid, 20, 50) > 1e-12, "the means tie, so decisions may rightly differ"
    ask, bid = bars["ask_open"].tolist(), bars["bid_open"].tolist()
    books = simulate_crossing(ask, bid, mid, 20, 50, CASH, 0.0, mark_at=mid)
    result = run(
        "sma_cross", bars, params={"fast": 20, "slow": 50}, cash=CASH, sizing="all-in", engine=engine, interval="1h"
    )
    assert_same_fills(result, books)
    assert_same_curve(result, books)


def test_sweep_finds_for_every_pair_what_the_plain_simulation_finds() -> None:
    bars = random_bars(11, 600)
    grid = {"fast": [3, 5, 8], "slow": [10, 21, 40, 700]}
    table = sweep("sma_cross", bars, grid=grid, rank="sharpe", workers=1, cash=CASH, fee_bps=5, sizing="all-in").table
    assert len(table) == 12
    for row in table.to_dict("records"):
        books = crossing_of(bars, row["fast"], row["slow"], 5.0)
        assert row["final_equity"] == pytest.approx(books.equity[-1], rel=1e-10)
        assert row["n_fills"] == len(books.fills)
        assert row["fees_paid"] == pytest.approx(books.fees_paid, rel=1e-9)


def test_sweep_and_run_give_the_same_bits() -> None:
    bars = random_bars(12, 5000)
    money = {"cash": CASH, "fee_bps": 5, "sizing": "all-in"}
    table = sweep("sma_cross", bars, grid={"fast": [5, 20], "slow": [50, 90]}, rank="sharpe", workers=1, **money).table
    for row in table.to_dict("records"):
        metrics = run("sma_cross", bars, params={"fast": row["fast"], "slow": row["slow"]}, **money).metrics
        for name, value in row.items():
            if name in metrics and isinstance(value, float):
                np.testing.assert_array_equal(value, metrics[name], err_msg=name)


@pytest.mark.parametrize("size_at", ["fill", "decision"])
@given(
    seed=st.integers(0, 2**32 - 1),
    symbols=st.integers(3, 12),
    days=st.integers(1, 90),
    lookback=st.integers(1, 12),
    every=st.integers(1, 7),
    top=st.integers(1, 3),
)
def test_momentum_rank_leaves_the_books_of_the_plain_simulation(
    size_at: str, seed: int, symbols: int, days: int, lookback: int, every: int, top: int
) -> None:
    bars = {f"S{number}": random_bars(seed + number, days, DAY_NS, 0.01) for number in range(symbols)}
    open_, close = ([each[name].tolist() for each in bars.values()] for name in ("open", "close"))
    rule = {"lookback": lookback, "every": every, "top": top, "invest": 0.9}
    books = simulate_momentum(open_, close, cash=CASH, fee_bps=5, size_at=size_at, **rule)
    result = run("momentum_rank", bars, params=rule, cash=CASH, fee_bps=5, size_at=size_at)
    assert_same_fills(result, books)
    assert_same_curve(result, books)


def test_momentum_rank_prefers_the_earlier_symbol_where_momenta_tie() -> None:
    one = random_bars(3, 40, DAY_NS)
    bars = dict.fromkeys(("A", "B", "C"), one)
    result = run("momentum_rank", bars, params={"lookback": 5, "every": 5, "top": 2, "invest": 0.9}, cash=CASH)
    assert sorted(set(result.fill_records["channel"].tolist())) == [0, 1]


def test_momentum_rank_of_real_shares_leaves_the_books_of_the_plain_simulation() -> None:
    names = ("aapl", "bac", "ibm", "spy")
    tables = {name: sample_rows(f"{name}_1d.csv.gz", 1500) for name in names}
    days = set.intersection(*({row[0] for row in rows} for _, rows in tables.values()))
    bars = {
        name: columns_of(header, [row for row in rows if row[0] in days]) for name, (header, rows) in tables.items()
    }
    open_, close = ([each[column].tolist() for each in bars.values()] for column in ("open", "close"))
    rule = {"lookback": 60, "every": 5, "top": 2, "invest": 0.998}
    books = simulate_momentum(open_, close, cash=CASH, fee_bps=1, **rule)
    result = run("momentum_rank", bars, params=rule, cash=CASH, fee_bps=1, interval="1d")
    assert_same_fills(result, books)
    assert_same_curve(result, books)
