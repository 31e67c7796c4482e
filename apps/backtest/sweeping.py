"""Sweeps as the command runs them: on the cores of this machine, or on Celery workers."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from apps.backtest.request import Loaded, RunRequest, rows
from apps.backtest.result import Result
from apps.backtest.sweep import Sweep

Progress = Callable[[int, int], None]

_FEW = 1000  # bars that a strategy is warmed on


def warm(request: RunRequest, loaded: Loaded) -> None:
    """Load, or compile, all that a sweep runs, by one run over the first bars: what it takes then is the engine's time.

    Raises as the sweep would.
    """
    from apps.backtest.announcing import announce_compiling
    from apps.backtest.interface import Options, prepare
    from apps.backtest.sweep import evaluate
    from apps.signals.interface import get_strategy

    announce_compiling()
    options = Options.of(request.options)
    few = {name: rows(bars, slice(_FEW)) for name, bars in loaded.bars.items()}
    prepared = prepare(few, options, instruments=loaded.instruments, conversion=loaded.conversion or None)
    evaluate(get_strategy(request.strategy), prepared, [{}], options)


def sweep_locally(
    request: RunRequest,
    loaded: Loaded,
    grid: dict[str, list[Any]],
    rank: str,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Return the sweep of a grid, made on the cores of this machine. Raises as `apps.backtest.interface.sweep` does."""
    from apps.backtest.interface import sweep

    return sweep(
        request.strategy,
        loaded.bars,
        grid=grid,
        params=request.params,
        rank=rank,
        workers=workers,
        progress=progress,
        instruments=loaded.instruments,
        conversion=loaded.conversion or None,
        **request.options,
    )


def sweep_on_workers(
    request: RunRequest,
    loaded: Loaded,
    grid: dict[str, list[Any]],
    rank: str,
    app: Any,
    progress: Progress | None = None,
    **spreading: Any,
) -> Sweep:
    """Return the same sweep, made by the workers of the Celery application `app`; the same to the last bit.

    `spreading` goes to `distributed.spread`. Raises NoWorkersError, SweepLostError, and what a run raises in a worker.
    """
    from apps.backtest.distributed import Job, spread
    from apps.backtest.distributed_bars import share
    from apps.backtest.interface import Options, prepare
    from apps.backtest.sweep import allowed_of, check_rank, combinations_of, sweep_of
    from apps.signals.interface import get_strategy

    check_rank(rank)
    strategy, options = get_strategy(request.strategy), Options.of(request.options)
    prepared = prepare(loaded.bars, options, instruments=loaded.instruments, conversion=loaded.conversion or None)
    job = Job(
        id=secrets.token_hex(8),
        strategy=request.strategy,
        code_hash=strategy.code_hash,
        bars=share(loaded),
        grid=grid,
        params=request.params,
        options=request.options,
    )
    every = combinations_of(grid, request.params)
    allowed = allowed_of(strategy, every)
    kept = {id(each) for each in allowed}
    numbers = [number for number, each in enumerate(every) if id(each) in kept]
    metrics = spread(job, numbers, app=app, progress=progress, **spreading)
    return sweep_of(strategy, prepared, options, tuple(grid), request.params, rank, allowed, metrics)


def rows_of(sweep: Sweep, names: list[str], count: int | None = None) -> list[list[Any]]:
    """Return the values of `names` in the best `count` rows (None: all), best first."""
    picked = [sweep.columns[name][sweep.order[:count]] for name in names]
    return [
        [each.item() if isinstance(each, np.generic) else each for each in row] for row in zip(*picked, strict=True)
    ]


def best_request(sweep: Sweep, request: RunRequest) -> RunRequest:
    """Return the request of the best row's backtest."""
    from dataclasses import replace

    return replace(request, params=sweep.best)


def write_report(sweep: Sweep, best: Result, notes: tuple[str, ...], path: str) -> Path:
    """Write the report of a sweep, with the full run of its best row, to `path` and return it."""
    from apps.backtest.report.html import write_sweep_report
    from apps.backtest.report.inputs import SweepOutcome

    outcome = SweepOutcome(
        strategy=sweep.strategy.name,
        parameters=sweep.parameters,
        table={name: column[sweep.order] for name, column in sweep.columns.items()},
        rank=sweep.rank,
        best=best,
        higher_is_better=sweep.higher_is_better,
        manifest=best.manifest,
        notes=notes,
    )
    return write_sweep_report(outcome, Path(path))
