"""Other courses a result could have taken: its trades or its returns drawn again, many times.

Every path has a generator of its own, keyed by seed and path number (splitmix64: Steele, Lea & Flood, "Fast Splittable
Pseudorandom Number Generators", 2014), so a seed gives the same bits on every machine, however many paths are drawn.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.compiled import kernel
from trading.metrics.kernels import ROUNDING

Floats = NDArray[np.float64]
Steps = NDArray[np.int64]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
RECORDED_STEPS = 256  # bands are drawn at so many steps at most, so that memory does not grow with the run

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_TOP_53 = np.uint64(11)
_UNIT = 2.0**-53


class SimulationError(ValueError):
    """Returns or settings from which no paths can be drawn."""

    exit_code = 2  # of a command: wrong usage


@dataclass(frozen=True, slots=True)
class Simulation:
    """Paths drawn from a result. A path starts at 1.0 and grows by its returns; at 0 it stays there.

    `steps` is int64[s], from 0 to the number of draws in a path. `bands` is float64[q, s]: at each of these steps, the
    `quantiles` over all paths. `final`, `max_drawdown` (a fraction, 0…1) and `sharpe` (annualised; nan where a path's
    returns are all alike) are float64[paths], one of each path.
    """

    quantiles: tuple[float, ...]
    steps: Steps
    bands: Floats
    final: Floats
    max_drawdown: Floats
    sharpe: Floats


def bootstrap_trades(
    trade_returns: Floats, paths: int = 1000, seed: int = 0, trades_per_year: float = 1.0
) -> Simulation:
    """Draw each path's trades independently, with replacement, as many as there were (Efron 1979).

    `trade_returns` is float64[k], k >= 2: each trade's pnl over the equity at its entry. They compound one after the
    other, so trades that overlapped are taken as if they had not. `trades_per_year` annualises the Sharpe ratio; 1.0
    leaves it per trade. Raises SimulationError.
    """
    return _simulate(trade_returns, 1.0, paths, seed, trades_per_year)


def bootstrap_returns(
    returns: Floats, paths: int = 1000, seed: int = 0, mean_block: float = 0.0, periods_per_year: float = 252.0
) -> Simulation:
    """Draw each path's returns in blocks of random length, which keeps what follows upon one another together.

    The stationary bootstrap of Politis & Romano (1994): block lengths are geometric with mean `mean_block` >= 1, starts
    uniform, and the last return is followed by the first. `returns` is float64[n], n >= 2, of periods in their order.
    `mean_block` 0 takes n^(1/3), the order at which the bootstrap's variance converges fastest. Raises SimulationError.
    """
    return _simulate(returns, mean_block or max(1.0, returns.size ** (1.0 / 3.0)), paths, seed, periods_per_year)


def _simulate(returns: Floats, mean_block: float, paths: int, seed: int, periods_per_year: float) -> Simulation:
    returns = np.ascontiguousarray(returns, np.float64)
    if returns.size < 2 or not np.isfinite(returns).all():
        raise SimulationError(f"{returns.size} returns given: at least two are needed, all finite")
    if paths < 1:
        raise SimulationError(f"paths={paths}: draw at least one")
    if not 0 <= seed < 2**64:
        raise SimulationError(f"seed={seed}: give a whole number from 0 to 2^64 - 1")
    if not mean_block >= 1.0:
        raise SimulationError(f"mean_block={mean_block:g}: a block has at least one return")
    marks = np.linspace(0, returns.size, min(returns.size, RECORDED_STEPS) + 1).astype(np.int64)
    curves = np.empty((marks.size, paths))
    outcomes = np.empty((3, paths))
    with np.errstate(over="ignore"):  # whole numbers wrap around in the generator, also when it runs uncompiled
        draw_paths(returns, 1.0 / mean_block, periods_per_year, np.uint64(seed), marks, curves, outcomes)
    final, max_drawdown, sharpe = outcomes
    return Simulation(QUANTILES, marks, np.quantile(curves, QUANTILES, axis=1), final, max_drawdown, sharpe)


@kernel
def draw_paths(
    returns: Floats,
    restart: float,
    periods_per_year: float,
    seed: np.uint64,
    marks: Steps,
    curves: Floats,
    outcomes: Floats,
) -> None:
    """Draw one path of n returns per column of `curves`, float64[s, paths], its value at each of the s steps `marks`.

    A draw begins a new block with probability `restart`, else it goes on with the next of `returns`, float64[n].
    `outcomes` is float64[3, paths]: final value, maximum drawdown, annualised Sharpe ratio.
    """
    n = returns.size
    for path in range(curves.shape[1]):
        state = _mix(seed + _mix(np.uint64(path) * _GOLDEN))
        value = peak = 1.0
        deepest = 0.0
        average = squares = 0.0
        low, high = np.inf, -np.inf
        drawn = 0
        position = 0
        curves[0, path] = 1.0
        mark = 1
        for step in range(1, n + 1):
            state += _GOLDEN
            fresh = _uniform(state) < restart
            state += _GOLDEN
            position = position + 1 if position + 1 < n else 0
            if step == 1 or fresh:
                position = int(_uniform(state) * n)
            if value > 0.0:
                drawn += 1
                distance = returns[position] - average
                average += distance / drawn
                squares += distance * (returns[position] - average)
                low = min(low, returns[position])
                high = max(high, returns[position])
                value = max(value * (1.0 + returns[position]), 0.0)
                peak = max(peak, value)
                deepest = max(deepest, 1.0 - value / peak)
            if step == marks[mark]:
                curves[mark, path] = value
                mark += 1
        outcomes[0, path] = value
        outcomes[1, path] = deepest
        outcomes[2, path] = np.nan
        if drawn > 1 and high - low > ROUNDING * (1.0 + max(abs(low), abs(high))):
            outcomes[2, path] = average / math.sqrt(squares / (drawn - 1)) * math.sqrt(periods_per_year)


@kernel
def _uniform(state: np.uint64) -> float:
    """Return the number in [0, 1) that a state stands for, with 53 random bits."""
    number: float = (_mix(state) >> _TOP_53) * _UNIT
    return number


@kernel
def _mix(z: np.uint64) -> np.uint64:
    z = (z ^ (z >> _SHIFTS[0])) * _FIRST
    z = (z ^ (z >> _SHIFTS[1])) * _SECOND
    return z ^ (z >> _SHIFTS[2])
