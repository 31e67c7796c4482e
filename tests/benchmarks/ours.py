"""Banyan, measured through its public interface: the whole call, with input checks, books, curves and all metrics."""

from typing import Any

from tests.benchmarks import data
from tests.benchmarks.jobs import Case, Facts, Job, WorkUnsupportedError

FULL = "fills, trades, equity curve, all metrics"
CLASS_FORM = "tests/benchmarks/class_form.py:sma_class"


def prepare(case: Case) -> Job:
    """Return the job of `case`. Raises WorkUnsupportedError for a work that is not ours to do."""
    jobs = {"W1": _crossing, "W2": _sweep, "W3": _momentum, "W4a": _events, "W4b": _class_form}
    if case.work not in jobs:
        raise WorkUnsupportedError(f"there is no work {case.work}")
    return jobs[case.work](case)


def _money(case: Case) -> dict[str, Any]:
    return {"cash": case["cash"], "fee_bps": case["fee_bps"], "fill": "next-open"}


def _crossing(case: Case) -> Job:
    from apps.backtest.interface import run

    bars = data.read(case.arrays)
    params = {"fast": case["fast"], "slow": case["slow"]}
    return Job(
        lambda: run("sma_cross", bars, params=params, sizing="all-in", **_money(case)),
        _facts,
        FULL,
    )


def _sweep(case: Case) -> Job:
    from apps.backtest.interface import sweep

    bars = data.read(case.arrays)
    grid = {"fast": list(case["fast"]), "slow": list(case["slow"])}

    def run_once() -> Any:
        return sweep(
            "sma_cross", bars, grid=grid, rank="sharpe", workers=case["workers"], sizing="all-in", **_money(case)
        )

    return Job(run_once, _sweep_facts, "all metrics of every pair")


def _momentum(case: Case) -> Job:
    from apps.backtest.interface import run

    bars = _symbols(case)
    params = {name: case[name] for name in ("lookback", "every", "top", "invest")}
    return Job(
        lambda: run("momentum_rank", bars, params=params, **_money(case)),
        _facts,
        FULL,
    )


def _events(case: Case) -> Job:
    """Every strategy goes through the general event loop; what counts is the time that the engine itself took."""
    from apps.backtest.interface import run
    from apps.signals.interface import get_strategy

    name = case["strategy"]
    channels = get_strategy(name).channels
    bars: dict[str, Any] = data.read(case.arrays)
    if channels is None:
        bars = _symbols(case)
    elif channels == 2:
        other = {column: values[::-1].copy() if column != "time" else values for column, values in bars.items()}
        bars = {"A": bars, "B": other | {"open": other["close"], "close": other["open"]}}
    return Job(
        lambda: run(name, bars, engine="events", **_money(case)),
        _facts,
        FULL,
        seconds=lambda result: float(result.metrics["engine_seconds"]),
    )


def _class_form(case: Case) -> Job:
    from apps.backtest.interface import run

    bars = data.read(case.arrays)
    params = {"fast": case["fast"], "slow": case["slow"]}
    return Job(
        lambda: run(CLASS_FORM, bars, params=params, sizing="all-in", **_money(case)),
        _facts,
        FULL,
    )


def _symbols(case: Case) -> dict[str, dict[str, Any]]:
    columns = data.read(case.arrays)
    names = [f"S{number:03d}" for number in range(columns["close"].shape[0])]
    return {name: {column: table[row] for column, table in columns.items()} for row, name in enumerate(names)}


def _facts(result: Any) -> Facts:
    return {
        "final_equity": result.final_equity,
        "n_fills": result.n_fills,
        "fees_paid": float(result.metrics["fees_paid"]),
    }


def _sweep_facts(result: Any) -> Facts:
    table = result.table.sort_values(["fast", "slow"])
    return {"final_equity": table["final_equity"].tolist(), "n_fills": table["n_fills"].tolist()}
