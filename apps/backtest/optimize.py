"""A search for good parameters with Optuna: seeded, pruned, and honest about how often it has looked."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from apps.backtest.cli_names import lower_is_better
from apps.backtest.options import Options
from apps.backtest.request import Loaded, between
from apps.backtest.result import Result

# The shares of the bars, from the first on, after which a trial is compared with the others and may be given up.
STAGES = (0.25, 0.5, 1.0)


class SearchError(ValueError):
    """There is nothing to search, or nothing was found."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found. `table` has columns of the parameters, `score`, `state` and the metrics, one row per trial.

    `result` is the full backtest of the best parameters; its metrics hold `dsr`, the deflated Sharpe ratio: the
    probability that the Sharpe ratio is above the highest that as many trials would find by luck.
    """

    best: dict[str, Any]
    score: float
    result: Result
    trials: int
    pruned: int
    table: dict[str, list[Any]] = field(repr=False)


def space_of(strategy: Any, grid: Mapping[str, list[Any]], ranges: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    """Return what is searched: lists of values and (lowest, highest) by parameter.

    Without grid and ranges each parameter that declares values worth trying is searched between the lowest and the
    highest of them (a choice: among them). Raises SearchError where nothing is left.
    """
    if grid or ranges:
        both = sorted(set(grid) & set(ranges))
        if both:
            raise SearchError(f"{', '.join(both)}: give --grid or --range, not both")
        return {**grid, **ranges}
    space: dict[str, Any] = {}
    for each in strategy.parameters:
        if len(each.sweep) > 1:
            space[each.name] = list(each.sweep) if each.choices else (min(each.sweep), max(each.sweep))
    if not space:
        raise SearchError(f"{strategy.name} declares no values to search: give --range name=lowest:highest")
    return space


def search(
    strategy: str,
    loaded: Loaded,
    *,
    space: Mapping[str, Any],
    trials: int,
    rank: str = "sharpe",
    seed: int = 0,
    params: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Search:
    """Search `space` (lists of values, or (lowest, highest) pairs, both included) for the best `rank`.

    Each trial runs on the first quarter and the first half of the bars before it runs on all of them, and is given up
    where it is worse there than the median of the trials before it. TPE proposes the trials; the same `seed` gives the
    same search. Raises OptionError for a `rank` that is no metric, and SearchError when no trial has a score.
    """
    import optuna

    from apps.backtest.sweep import check_rank

    if rank == "dsr":
        raise SearchError("dsr judges a whole search; rank its trials by sharpe")
    check_rank(rank)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    score_of = _scorer(strategy, loaded, dict(params or {}), options)
    lower = lower_is_better(rank)
    study = optuna.create_study(
        direction="minimize" if lower else "maximize",
        sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=10),
    )

    def objective(trial: Any) -> float:
        given = {name: _suggest(trial, name, values) for name, values in space.items()}
        metrics: dict[str, float] = {}
        for stage in range(len(STAGES)):
            metrics = score_of(given, stage)
            score = metrics.get(rank, math.nan)
            if math.isnan(score):
                raise optuna.TrialPruned(f"{rank} is not defined")
            trial.report(score, stage)
            if stage + 1 < len(STAGES) and trial.should_prune():
                raise optuna.TrialPruned
        trial.set_user_attr("metrics", metrics)
        return float(metrics[rank])

    def count(_: Any, trial: Any) -> None:
        if progress:
            progress(trial.number + 1, trials)

    study.optimize(objective, n_trials=trials, callbacks=[count])
    return _found(strategy, loaded, study, dict(params or {}), rank, options)


def first_part(loaded: Loaded, share: float) -> Loaded:
    """Return the bars of the first `share` (0 to 1) of the time from the first bar to the last."""
    if share >= 1.0:
        return loaded
    first = min(int(bars.time[0]) for bars in loaded.bars.values())
    last = max(int(bars.time[-1]) for bars in loaded.bars.values())
    end = first + int((last - first) * share) + 1
    parts = {name: between(bars, None, end) for name, bars in loaded.bars.items()}
    return replace(loaded, bars={name: part for name, part in parts.items() if len(part)}, benchmark=None)


def _suggest(trial: Any, name: str, values: Any) -> Any:
    if isinstance(values, list):
        return trial.suggest_categorical(name, values)
    low, high = values
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high)
    return trial.suggest_float(name, low, high)


def _scorer(
    strategy: str, loaded: Loaded, params: dict[str, Any], options: dict[str, Any]
) -> Callable[[dict[str, Any], int], dict[str, float]]:
    """Return a function that gives the metrics of parameters at a stage; none where they do not go together."""
    from apps.backtest.market import prepare
    from apps.backtest.sweep import evaluate
    from apps.signals.interface import StrategyParameterError, get_strategy

    declared = get_strategy(strategy)
    checked = Options.of(options)
    markets = []
    for share in STAGES:
        part = first_part(loaded, share)
        if len(part.bars) < len(loaded.bars):
            raise SearchError("an instrument has no bars in the first quarter of the time: start later (--from)")
        markets.append(prepare(part.bars, checked, instruments=part.instruments, conversion=part.conversion or None))

    def score(given: dict[str, Any], stage: int) -> dict[str, float]:
        combination = {**params, **given}
        try:
            declared.bind(**combination)
        except StrategyParameterError:
            return {}
        columns = evaluate(declared, markets[stage], [combination], checked)
        return {name: float(column[0]) for name, column in columns.items()}

    return score


def _found(
    strategy: str, loaded: Loaded, study: Any, params: dict[str, Any], rank: str, options: dict[str, Any]
) -> Search:
    from apps.backtest.interface import run

    complete = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    if not complete:
        raise SearchError(f"no trial has a {rank}: no parameters in the space trade on these bars")
    best = {**params, **study.best_params}
    result = run(strategy, loaded.bars, params=best, **loaded.surroundings(), **options)
    trials = len(study.trials)
    sharpes = [trial.user_attrs["metrics"]["sharpe"] for trial in complete]
    periods = result.manifest["metric_definitions"]["basis"]["periods_per_year"]
    result.metrics["dsr"] = deflated(result.metrics, sharpes, trials, periods)
    luck = (
        f"the best of {trials} trials owes part of its Sharpe ratio to luck: the deflated one is the probability that "
        "not all of it is"
    )
    result.notes = (*result.notes, luck)
    return Search(best, study.best_value, result, trials, trials - len(complete), _table(study, complete))


def _table(study: Any, complete: list[Any]) -> dict[str, list[Any]]:
    table: dict[str, list[Any]] = {
        name: [trial.params.get(name) for trial in study.trials] for name in study.best_params
    }
    table["score"] = [trial.value for trial in study.trials]
    table["state"] = [trial.state.name.lower() for trial in study.trials]
    for name in complete[0].user_attrs["metrics"]:
        table.setdefault(name, [trial.user_attrs.get("metrics", {}).get(name, math.nan) for trial in study.trials])
    return table


def deflated(metrics: Mapping[str, Any], sharpes: list[float], trials: int, periods_per_year: float) -> float | None:
    """Return the deflated Sharpe ratio of a run that is the best of `trials`, whose yearly Sharpe ratios are `sharpes`.

    `sharpes` may lack those of trials that were given up; they count in `trials`. None where it is not defined: fewer
    than two Sharpe ratios.
    """
    from trading.metrics import deflated_sharpe

    finite = np.array([each for each in sharpes if math.isfinite(each)])
    known = [metrics[name] for name in ("sharpe", "skew", "kurtosis", "n_returns") if metrics.get(name) is not None]
    if finite.size < 2 or len(known) < 4:
        return None
    variance = float(np.var(finite, ddof=1))
    value = float(deflated_sharpe(*(float(each) for each in known), periods_per_year, float(trials), variance))
    return value if math.isfinite(value) else None
