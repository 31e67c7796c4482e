"""A worker's part of a distributed sweep."""

import json
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.backtest.cli_grid import combination
from apps.backtest.distributed import Job
from apps.backtest.distributed_bars import shared


class OtherCodeError(RuntimeError):
    """This worker has another version of the strategy than the sweep."""


def evaluate_chunk(job: Job, numbers: list[int]) -> dict[str, NDArray[np.float64]]:
    """Return the metrics of the combinations `numbers` of the job's grid, float64[len(numbers)] by name.

    Raises OtherCodeError, SharedBarsError, and what the run raises.
    """
    from apps.backtest.options import Options
    from apps.backtest.sweep import evaluate
    from apps.signals.interface import get_strategy

    strategy = get_strategy(job.strategy)
    if strategy.code_hash != job.code_hash:
        raise OtherCodeError(
            f"{job.strategy}: the worker's code is {strategy.code_hash}, the sweep's is {job.code_hash}"
        )
    combinations = [{**job.params, **combination(job.grid, number)} for number in numbers]
    market = _market(job.bars, json.dumps(job.options, sort_keys=True))
    return evaluate(strategy, market, combinations, Options.of(job.options))


@lru_cache(maxsize=2)
def _market(bars: str, options: str) -> Any:
    """Return the market of a sweep, prepared once in each process."""
    from apps.backtest.market import prepare
    from apps.backtest.options import Options

    loaded = shared(bars)
    return prepare(
        loaded.bars,
        Options.of(json.loads(options)),
        instruments=loaded.instruments,
        conversion=loaded.conversion or None,
    )


def warm_kernels() -> None:
    """Load (the first time on a machine: compile) what every sweep needs, by a sweep of a few bars."""
    from apps.backtest.market import prepare
    from apps.backtest.options import Options
    from apps.backtest.sweep import evaluate
    from apps.signals.interface import get_strategy

    close = 100.0 + np.sin(np.arange(200.0))
    market = prepare({"open": close, "high": close, "low": close, "close": close}, Options())
    for name in ("sma_cross", "ema_cross"):
        evaluate(get_strategy(name), market, [{"fast": 3, "slow": 7}], Options())
