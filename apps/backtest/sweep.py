"""Many runs of one strategy over one market: a row of metrics for each combination of parameters."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from apps.backtest.engine import can_flip, check_channels, flip_desk, rules_of, simulate
from apps.backtest.kernels.flips import is_plain
from apps.backtest.kernels.scoring import N_SCORES, SCORE_KEYS, score_crossings, score_single
from apps.backtest.market import Prepared
from apps.backtest.measure import periods_of, score_run, trips_of
from apps.backtest.options import OptionError, Options
from apps.backtest.result import Result
from apps.backtest.running import run_prepared
from apps.signals.interface import Strategy, StrategyParameterError, strategy_errors
from trading.metrics import deflated_sharpes
from trading.metrics.definitions import DEFINITIONS

if TYPE_CHECKING:
    import pandas as pd

_LINE_BYTES = 64 << 20  # of indicator columns that one chunk keeps at a time
_CHUNK_BARS = 100_000_000  # bars x combinations that are worth a chunk of their own

Combination = Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class Sweep:
    """The outcome of a sweep. `columns` holds one array per parameter and metric, a row per combination, in grid order.

    `parameters` are the names that were varied, `rank` the metric that orders the table.
    """

    strategy: Strategy
    prepared: Prepared
    options: Options
    fixed: dict[str, Any]
    parameters: tuple[str, ...]
    rank: str
    columns: dict[str, NDArray[Any]]

    def __repr__(self) -> str:
        """Say in a line what was swept, as a notebook shows it."""
        best = ", ".join(f"{name}={self.columns[name][self.order[0]]}" for name in self.parameters)
        score = self.columns[self.rank][self.order[0]]
        return (
            f"<Sweep of {self.strategy.name}: {self.order.size:,} combinations, best {self.rank} {score:.4g} ({best})>"
        )

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value of `rank` is better."""
        return DEFINITIONS[self.rank].better != "lower"

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The rows from best to worst, those without a value last."""
        values = self.columns[self.rank].astype(np.float64)
        return np.argsort(-values if self.higher_is_better else values, kind="stable")

    @property
    def best(self) -> dict[str, Any]:
        """The parameters of the best row, those that were not varied included."""
        row = self.order[0]
        return {**self.fixed, **{name: self.columns[name][row].item() for name in self.parameters}}

    @cached_property
    def table(self) -> "pd.DataFrame":
        """One row per combination, parameters and metrics, best first."""
        import pandas as pd

        return pd.DataFrame(self.columns).iloc[self.order].reset_index(drop=True)

    def result(self, params: Mapping[str, Any] | None = None) -> Result:
        """Return the full result of one combination, by default the best."""
        return run_prepared(self.strategy, self.strategy.bind(**(params or self.best)), self.prepared, self.options)


def combinations_of(grid: Mapping[str, Iterable[Any]], fixed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every combination of the grid's values, the last name varying fastest, each with the fixed ones."""
    values = {name: list(each) for name, each in grid.items()}
    for name, each in values.items():
        if not each:
            raise OptionError(f"grid: {name} has no values")
    return [{**fixed, **dict(zip(values, each, strict=True))} for each in itertools.product(*values.values())]


def allowed_of(strategy: Strategy, combinations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the combinations whose values go together, by the strategy's own `check`.

    Raises StrategyParameterError where none does, and for a name or value that is wrong by itself.
    """
    if strategy.check is None or not combinations:
        return combinations
    kept = []
    refusal: StrategyParameterError | None = None
    declared = {each.name: each for each in strategy.parameters}
    for combination in combinations:
        try:
            strategy.bind(**combination)
            kept.append(combination)
        except StrategyParameterError as error:
            if not set(combination) <= set(declared):
                raise
            for name, value in combination.items():
                declared[name].value(value)
            refusal = error
    if not kept and refusal is not None:
        raise refusal
    return kept


def sweep_prepared(
    strategy: Strategy,
    prepared: Prepared,
    options: Options,
    grid: Mapping[str, Iterable[Any]],
    fixed: dict[str, Any],
    rank: str,
    workers: int | None,
    progress: Callable[[int, int], None] | None,
) -> Sweep:
    """Return the sweep of a grid on all cores, or on `workers` of them. Raises as `sweep` in the interface does."""
    check_rank(rank)
    if workers is not None and workers < 1:
        raise OptionError(f"workers={workers}: must be 1 or more")
    combinations = allowed_of(strategy, combinations_of(grid, fixed))
    metrics = _evaluate_parallel(strategy, prepared, combinations, options, workers or os.cpu_count() or 1, progress)
    return sweep_of(strategy, prepared, options, tuple(grid), fixed, rank, combinations, metrics)


def check_rank(rank: str) -> None:
    """Raise OptionError if `rank` is no metric of a sweep."""
    if rank not in (*SCORE_KEYS, "dsr"):
        raise OptionError(f"rank={rank!r}: no such metric; choose one of {', '.join((*SCORE_KEYS, 'dsr'))}")


def sweep_of(
    strategy: Strategy,
    prepared: Prepared,
    options: Options,
    parameters: tuple[str, ...],
    fixed: dict[str, Any],
    rank: str,
    combinations: list[dict[str, Any]],
    metrics: Mapping[str, NDArray[np.float64]],
) -> Sweep:
    """Return a sweep whose combinations have been evaluated, here or elsewhere; adds the deflated Sharpe ratio."""
    columns: dict[str, NDArray[Any]] = {name: np.array([each[name] for each in combinations]) for name in parameters}
    columns.update(metrics)
    deflated = np.empty(len(combinations))
    needed = [
        np.ascontiguousarray(metrics[key], dtype=np.float64) for key in ("sharpe", "skew", "kurtosis", "n_returns")
    ]
    deflated_sharpes(*needed, prepared.periods_per_year, deflated)
    columns["dsr"] = deflated
    return Sweep(strategy, prepared, options, fixed, parameters, rank, columns)


def evaluate(
    strategy: Strategy, prepared: Prepared, combinations: list[dict[str, Any]], options: Options
) -> dict[str, NDArray[np.float64]]:
    """Return the metrics of each combination, float64[len(combinations)] by key of SCORE_KEYS, on one core."""
    check_channels(strategy, prepared)
    bound = [strategy.bind(**each) for each in combinations]
    out = np.empty((len(bound), N_SCORES))
    with strategy_errors(strategy.source):
        if strategy.kind == "kernel" and strategy.lines is not None and _is_plain(strategy, prepared, options):
            _score_lines(strategy, prepared, bound, options, out)
        else:
            for params, row in zip(bound, out, strict=True):
                _score_one(strategy, prepared, params, options, row)
    return dict(zip(SCORE_KEYS, out.T.copy(), strict=True))


def _is_plain(strategy: Strategy, prepared: Prepared, options: Options) -> bool:
    rules = rules_of(options, options.sizing or strategy.sizing, 1)
    return can_flip(strategy, prepared, options) and is_plain(prepared.market, prepared.specs(options), rules)


def _evaluate_parallel(
    strategy: Strategy,
    prepared: Prepared,
    combinations: list[dict[str, Any]],
    options: Options,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> dict[str, NDArray[np.float64]]:
    """Spread chunks over threads: kernels run without the GIL, so threads are cores and share the market."""
    total = len(combinations)
    out = {key: np.empty(total) for key in SCORE_KEYS}
    done = 0
    pool = ThreadPoolExecutor(workers)
    try:
        running = {
            pool.submit(evaluate, strategy, prepared, combinations[span], options): span
            for span in _chunks(total, workers, prepared.market.close.size)
        }
        while running:
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                span = running.pop(future)
                for key, values in future.result().items():
                    out[key][span] = values
                done += span.stop - span.start
                if progress is not None:
                    progress(done, total)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # who stops a sweep does not wait for its threads
    return out


def _chunks(total: int, workers: int, bars: int) -> Iterator[slice]:
    """Yield spans of the combinations: one for each worker, or more where each is still worth it."""
    worth = max(1, total * bars // _CHUNK_BARS)
    count = min(total, workers * max(1, worth // workers))
    for k in range(count):
        yield slice(total * k // count, total * (k + 1) // count)


def _score_one(strategy: Strategy, prepared: Prepared, params: Any, options: Options, out: Any) -> None:
    specs = prepared.specs(options)
    if strategy.kind == "kernel" and can_flip(strategy, prepared, options):
        rules = rules_of(options, options.sizing or strategy.sizing, 1)
        desk = flip_desk(strategy, params, prepared, options, rules, specs)
        if score_single(prepared.closes, specs, rules, periods_of(prepared, options), desk, out):
            return
    if strategy.kind == "class":
        from apps.backtest.classic import simulate_class

        run = simulate_class(strategy, params, prepared, options)
    else:
        run = simulate(strategy, params, prepared, options)
    score_run(run, trips_of(run, prepared, specs), prepared, specs, options, out)


def _score_lines(strategy: Strategy, prepared: Prepared, bound: list[Any], options: Options, out: Any) -> None:
    """Score combinations of a line-crossing strategy, making each line once for as many pairs as fit."""
    lines = strategy.lines
    assert lines is not None
    market, specs = prepared.market, prepared.specs(options)
    rules = rules_of(options, options.sizing or strategy.sizing, 1)
    periods = periods_of(prepared, options)
    close = market.close.reshape(-1)
    pairs = [(getattr(params, lines.fast), getattr(params, lines.slow)) for params in bound]
    below = [lines.below(strategy, params) for params in bound]
    most = max(2, _LINE_BYTES // (8 * close.size))
    first = 0
    while first < len(pairs):
        last, windows = _as_many_as_fit(pairs, below, first, most)
        place = {window: row for row, window in enumerate(windows)}
        columns = np.empty((len(windows), close.size))
        for window, row in place.items():
            lines.columns(close, window, columns[row])
        spots = np.array([(place[fast], place[slow]) for fast, slow in pairs[first:last]], np.int64)
        done = 0
        while done < spots.shape[0]:
            part = out[first + done : last]
            done += score_crossings(market, specs, rules, periods, columns, spots[done:], below[first], part)
            if done < spots.shape[0]:
                _score_one(strategy, prepared, bound[first + done], options, out[first + done])
                done += 1
        first = last


def _as_many_as_fit(
    pairs: list[tuple[int, int]], below: list[float], first: int, most: int
) -> tuple[int, dict[int, None]]:
    windows: dict[int, None] = {}
    last = first
    while last < len(pairs) and below[last] == below[first]:
        more = {**windows, **dict.fromkeys(pairs[last])}
        if len(more) > most:
            break
        windows, last = more, last + 1
    return last, windows
