"""vectorbt by its engine-neutral kernels (`vectorbt.*.dispatch`) with the Rust engine: no pandas, no wrapping."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from vectorbt.generic import dispatch as generic
from vectorbt.portfolio import dispatch as portfolio
from vectorbt.portfolio.enums import Direction, SizeType
from vectorbt.records import dispatch as records

from tests.benchmarks import data
from tests.benchmarks.jobs import Case, Facts, Job, WorkUnsupportedError
from tests.benchmarks.peers.signals import momentum_weights, next_bar

RUST = "rust"


def prepare(case: Case) -> Job:
    """Return the job of `case`. Raises WorkUnsupportedError where these kernels have no way to do it."""
    jobs = {"W1": _crossing, "W2": _sweep, "W3": _momentum}
    if case.work not in jobs:
        raise WorkUnsupportedError("calls no strategy per bar in Rust")
    return jobs[case.work](case)


def _mean(close: Any, window: int) -> Any:
    return generic.rolling_mean_1d(close, window, minp=window, engine=RUST)


def _orders(bars: Any, above: Any, cash: float, fee: float) -> Any:
    entries, exits = next_bar(above)
    shape = above.shape
    return portfolio.simulate_from_signals(
        shape,
        np.ones(shape[1], np.int64),
        np.full(shape[1], cash),
        np.zeros(shape, np.int64),
        entries=entries,
        exits=exits,
        price=bars["open"][:, None],
        close=bars["close"][:, None],
        fees=np.asarray(fee),
        use_stops=False,
        max_orders=above.size // 8 + 16 * shape[1],
        engine=RUST,
    )[0]


def _curve(orders: Any, close: Any, cash: Any, group_lens: Any = None) -> tuple[Any, Any]:
    """Return exit trades and the equity curve of orders, as Portfolio does."""
    columns = records.col_map(orders["col"], close.shape[1], engine=RUST)
    trades = portfolio.get_exit_trades(orders, close, columns, engine=RUST)
    held = portfolio.assets(
        portfolio.asset_flow(close.shape, orders, columns, Direction.Both, engine=RUST), engine=RUST
    )
    value = portfolio.asset_value(close, held, engine=RUST)
    flow = portfolio.cash_flow(close.shape, orders, columns, free=False, engine=RUST)
    if group_lens is None:
        return trades, portfolio.value(portfolio.cash(flow, cash, engine=RUST), value, engine=RUST)
    flow = portfolio.cash_flow_grouped(flow, group_lens, engine=RUST)
    money = portfolio.cash_grouped(close.shape, flow, group_lens, cash, engine=RUST)
    return trades, portfolio.value(money, portfolio.asset_value_grouped(value, group_lens, engine=RUST), engine=RUST)


def _crossing(case: Case) -> Job:
    bars = data.read(case.arrays)
    cash, fee = case["cash"], case["fee_bps"] / 10_000

    def run() -> tuple[Any, Any, Any]:
        above = _mean(bars["close"], case["fast"]) > _mean(bars["close"], case["slow"])
        orders = _orders(bars, above[:, None], cash, fee)
        return orders, *_curve(orders, bars["close"][:, None], np.array([cash]))

    return Job(run, _facts, "orders, trades, equity curve; no metrics")


def _facts(result: tuple[Any, Any, Any]) -> Facts:
    orders, _, equity = result
    return {
        "final_equity": float(equity[-1, 0]),
        "n_fills": len(orders),
        "fees_paid": float(orders["fees"].sum()),
    }


def _sweep(case: Case) -> Job:
    bars = data.read(case.arrays)
    cash, fee = case["cash"], case["fee_bps"] / 10_000
    slows = list(case["slow"])

    def pairs_of(fast_mean: Any, slow_means: Any) -> tuple[Any, Any]:
        orders = _orders(bars, fast_mean[:, None] > slow_means, cash, fee)
        columns = records.col_map(orders["col"], len(slows), engine=RUST)
        close = np.broadcast_to(bars["close"][:, None], slow_means.shape)
        held = portfolio.assets(
            portfolio.asset_flow(slow_means.shape, orders, columns, Direction.Both, engine=RUST), engine=RUST
        )
        flow = portfolio.cash_flow(slow_means.shape, orders, columns, free=False, engine=RUST)
        return cash + flow.sum(axis=0) + held[-1] * close[-1], columns[1]

    def run() -> list[tuple[Any, Any]]:
        slow_means = np.stack([_mean(bars["close"], slow) for slow in slows], axis=1)
        with ThreadPoolExecutor(case["workers"]) as pool:
            return list(pool.map(lambda fast: pairs_of(_mean(bars["close"], fast), slow_means), case["fast"]))

    return Job(run, _sweep_facts, "final equity and number of fills of every pair")


def _sweep_facts(result: list[tuple[Any, Any]]) -> Facts:
    return {
        "final_equity": np.concatenate([equity for equity, _ in result]).tolist(),
        "n_fills": np.concatenate([fills for _, fills in result]).tolist(),
    }


def _momentum(case: Case) -> Job:
    bars = data.read(case.arrays)
    open_, close = (np.ascontiguousarray(bars[name].T) for name in ("open", "close"))
    rule = {name: case[name] for name in ("lookback", "every", "top", "invest")}
    group = np.array([close.shape[1]])
    cash = np.array([float(case["cash"])])

    def run() -> tuple[Any, Any, Any]:
        orders, _ = portfolio.simulate_from_orders(
            close.shape,
            group,
            cash,
            np.tile(np.arange(close.shape[1]), (close.shape[0], 1)),
            size=momentum_weights(close, **rule),
            size_type=np.asarray(SizeType.TargetPercent),
            price=open_,
            close=close,
            fees=np.asarray(case["fee_bps"] / 10_000),
            auto_call_seq=True,
            max_orders=close.size // 4,
            engine=RUST,
        )
        return orders, *_curve(orders, close, cash, group)

    return Job(run, _facts, "orders, trades, equity curve; no metrics")
