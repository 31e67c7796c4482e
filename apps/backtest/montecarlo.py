"""What else a stored run could have given: its trades, or its returns, drawn again many times."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from apps.backtest.report.facts import read_facts
from apps.backtest.report.inputs import Bands, MonteCarloOutcome
from apps.backtest.report.periods import daily_curve
from apps.backtest.result import Result
from trading.metrics import period_returns
from trading.montecarlo import Simulation, bootstrap_returns, bootstrap_trades

Method = Literal["trades", "blocks"]
DRAWDOWNS_PCT = (10.0, 20.0, 30.0, 50.0)


class MonteCarloError(ValueError):
    """The run has too little in it to draw from."""


@dataclass(frozen=True, slots=True)
class Course:
    """The paths drawn from a run by one method: `returns` was drawn from, `start` is their first equity."""

    method: Method
    returns: NDArray[np.float64]
    start: float
    simulation: Simulation
    seed: int

    def probabilities(
        self, drawdowns_pct: tuple[float, ...] = DRAWDOWNS_PCT, ruin_pct: float = 50.0
    ) -> dict[str, float]:
        """Return shares of paths, 0 to 1, that end in a loss, in ruin, or fall deeper than each drawdown.

        Ruin is a path that ends `ruin_pct` percent or more under its start.
        """
        final, fall = self.simulation.final, self.simulation.max_drawdown
        found = {
            "loss": float(np.mean(final < 1.0)),
            f"ruin_{ruin_pct:g}_pct": float(np.mean(final <= 1.0 - ruin_pct / 100.0)),
        }
        return found | {f"drawdown_over_{each:g}_pct": float(np.mean(fall * 100.0 > each)) for each in drawdowns_pct}

    def quantiles(self) -> dict[str, dict[str, float | None]]:
        """Return final equity, return, deepest drawdown and Sharpe ratio of the paths at the usual quantiles."""
        final, fall, sharpe = self.simulation.final, self.simulation.max_drawdown, self.simulation.sharpe
        known = sharpe[np.isfinite(sharpe)]
        rows: dict[str, dict[str, float | None]] = {}
        for quantile in self.simulation.quantiles:
            at = float(np.quantile(final, quantile))
            rows[f"{quantile * 100:g} %"] = {
                "final_equity": at * self.start,
                "return_pct": 100.0 * (at - 1.0),
                "max_drawdown_pct": 100.0 * float(np.quantile(fall, quantile)),
                "sharpe": float(np.quantile(known, quantile)) if known.size else None,
            }
        return rows

    def outcome(self, strategy: str, manifest: dict[str, Any]) -> MonteCarloOutcome:
        """Return what the report draws."""
        path = np.concatenate(([1.0], np.cumprod(1.0 + self.returns)))[self.simulation.steps]
        bands = Bands(
            quantiles=self.simulation.quantiles,
            values=self.simulation.bands * self.start,
            at=self.simulation.steps,
            actual=path * self.start,
            steps="trades" if self.method == "trades" else "days",
        )
        return MonteCarloOutcome(
            strategy=strategy,
            method=TOLD[self.method],
            bands=bands,
            final_equity=self.simulation.final * self.start,
            max_drawdown_pct=-100.0 * self.simulation.max_drawdown,
            start_equity=self.start,
            seed=self.seed,
            manifest=manifest,
        )


TOLD: dict[Method, str] = {
    "trades": "Trades drawn one by one, with replacement",
    "blocks": "Daily returns drawn in blocks (stationary bootstrap)",
}


def simulate(
    result: Result, method: Method = "blocks", *, paths: int = 1000, seed: int = 0, mean_block: float = 0.0
) -> Course:
    """Draw `paths` courses from a run's closed trades or from its daily returns. The same `seed` gives the same bits.

    Raises MonteCarloError for a run with fewer than two of them, and SimulationError for settings that cannot be used.
    """
    facts = read_facts(result)
    start = facts.cash
    if method == "trades":
        returns = trade_returns(result, start)
        if returns.size < 2:
            raise MonteCarloError(
                f"the run has {returns.size} closed trades: too few to draw from; try --method blocks"
            )
        years = max((int(result.time[-1]) - int(result.time[0])) / (365.25 * 86_400e9), 1e-9)
        return Course(method, returns, start, bootstrap_trades(returns, paths, seed, returns.size / years), seed)
    curve = daily_curve(result.time, result.equity, facts.session, start).curve
    returns = period_returns(curve)
    if returns.size < 2:
        raise MonteCarloError(f"the run has {returns.size} daily returns: too few to draw from")
    drawn = bootstrap_returns(returns, paths, seed, mean_block, facts.days_per_year)
    return Course(method, returns, start, drawn, seed)


def trade_returns(result: Result, cash: float) -> NDArray[np.float64]:
    """Return each closed trade's pnl over the equity at the close before its entry, in the order of their exits."""
    trades = result.trade_records[result.trade_records["is_open"] == 0]
    trades = trades[np.argsort(trades["exit_bar"], kind="stable")]
    before = np.concatenate(([cash], result.equity))[trades["entry_bar"]]
    usable = before > 0.0
    return np.asarray(trades["pnl"][usable] / before[usable], dtype=np.float64)
