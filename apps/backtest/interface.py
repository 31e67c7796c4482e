"""Backtests, in one import: `run` one, or `sweep` over parameters. No database and no Django is needed.

from apps.backtest.interface import run, sweep

r = run("sma_cross", bars, params={"fast": 20, "slow": 50}, cash=100_000, fee_bps=5)
s = sweep("sma_cross", bars, grid={"fast": range(5, 25), "slow": range(30, 221, 10)})
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from apps.backtest.announcing import announce_compiling
from apps.backtest.bars_input import BarsError
from apps.backtest.engine import ChannelsError, can_flip
from apps.backtest.jobs.asking import JobError, Wanted
from apps.backtest.market import CurrencyError, Prepared, prepare, prepare_unchecked
from apps.backtest.options import OptionError, Options
from apps.backtest.result import Result
from apps.backtest.running import run_prepared
from apps.backtest.sweep import Sweep, sweep_prepared
from apps.signals.interface import Strategy, get_strategy
from trading.instruments import Instrument

if TYPE_CHECKING:
    from datetime import datetime

    from apps.backtest.compare import Comparison
    from apps.backtest.jobs.keeping import JobStanding
    from apps.backtest.option_fields import OptionField
    from apps.backtest.stored_runs import StoredRun

__all__ = [
    "BarsError",
    "ChannelsError",
    "CurrencyError",
    "JobError",
    "OptionError",
    "Options",
    "Prepared",
    "Result",
    "Sweep",
    "Wanted",
    "cancel_job",
    "compare_runs",
    "job",
    "job_report",
    "job_result",
    "jobs",
    "jobs_changed",
    "jobs_number",
    "option_fields",
    "options_typed",
    "prepare",
    "run",
    "run_curve",
    "stored_run",
    "stored_runs",
    "submit_job",
    "sweep",
]


def run(
    strategy: str | Strategy,
    bars: Any,
    *,
    params: Mapping[str, Any] | None = None,
    instruments: Instrument | Mapping[str, Instrument] | None = None,
    benchmark: Any = None,
    conversion: Mapping[str, Any] | None = None,
    interval: str | None = None,
    **options: Any,
) -> Result:
    """Run a strategy over bars and return its fills, trades, curves and metrics.

    `strategy` is a name, "path/to/file.py:name" or a Strategy. `bars` are Bars, a DataFrame or a dict of arrays with
    open, high, low, close[, volume] or bid_*/ask_* (and a time column or DatetimeIndex: each bar's OPEN time, UTC), or
    a dict of those by instrument; without times each bar counts as a day, or as `interval` ("1m"). `instruments` gives
    ticks, lots, currency and session; without, quantities are fractions. `benchmark` is bars to compare with,
    `conversion` bars by currency: its price in the account's. Everything else is a field of `Options` (cash, fee_bps,
    fill, sizing …).

    Raises OptionError, StrategyParameterError, UnknownStrategyError, StrategyError, ChannelsError, BarsError,
    CurrencyError.
    """
    announce_compiling()
    chosen = Options.of(options)
    known = get_strategy(strategy) if isinstance(strategy, str) else strategy
    bound = known.bind(**(params or {}))
    prepared, check = prepare_unchecked(bars, chosen, instruments, conversion, interval)
    if known.lines is None or not can_flip(known, prepared, chosen):
        check()  # before a strategy's own code sees any bar
        return run_prepared(known, bound, prepared, chosen, benchmark)
    try:
        return run_prepared(known, bound, prepared, chosen, benchmark)
    finally:
        check()  # what is wrong with the bars is what is told


def sweep(
    strategy: str | Strategy,
    bars: Any,
    *,
    grid: Mapping[str, Iterable[Any]],
    params: Mapping[str, Any] | None = None,
    rank: str = "sharpe",
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    instruments: Instrument | Mapping[str, Instrument] | None = None,
    conversion: Mapping[str, Any] | None = None,
    interval: str | None = None,
    **options: Any,
) -> Sweep:
    """Run a strategy with every combination of the grid's values and return one row of metrics for each.

    `grid` gives values by parameter, `params` the ones that stay. `rank` is the metric that orders the table. `workers`
    is the number of cores to use (default: all). `progress(done, total)` is called as combinations finish. All else,
    and what is raised, as in `run`; a `rank` that is no metric raises OptionError.
    """
    announce_compiling()
    chosen = Options.of(options)
    known = get_strategy(strategy) if isinstance(strategy, str) else strategy
    prepared = prepare(bars, chosen, instruments=instruments, conversion=conversion, interval=interval)
    return sweep_prepared(known, prepared, chosen, grid, dict(params or {}), rank, workers, progress)


def stored_runs(strategy: str, most: int, before: "tuple[datetime, int] | None" = None) -> "list[StoredRun]":
    """Return runs that were stored, newest first, of a strategy or ("") of all; `before` is the place of another."""
    from apps.backtest.stored_runs import stored_runs as found

    return found(strategy, most, before)


def stored_run(short_id: str) -> "StoredRun | None":
    """Return a stored run by its short id, None where there is none."""
    from apps.backtest.stored_runs import stored_run as found

    return found(short_id)


def run_curve(short_id: str, most: int) -> list[tuple[int, float]]:
    """Return (ns UTC, equity) at up to `most` closes of a stored run, its first and last among them; [] for no run.

    Raises StoredRunError where what is stored is not what was.
    """
    from apps.backtest.stored_runs import run_curve as found

    return found(short_id, most)


def compare_runs(short_ids: "Sequence[str]") -> "Comparison | None":
    """Return stored runs side by side: their metrics, and what of them differs; None unless there are all of them."""
    from apps.backtest.stored_runs import compare_runs as compared

    return compared(short_ids)


def submit_job(wanted: Wanted, owner: str, request_id: str) -> "JobStanding":
    """Queue a backtest, sweep or walk-forward and return it: it is done apart, behind all that trades.

    `owner` is who asks, such as "user ada": each may have 20 jobs that wait or run. The same `request_id` again gives
    the same job. A Celery worker does it where a broker is configured, else a process beside this one, one job at a
    time. Raises JobError, StrategyParameterError, OptionError, InstrumentNotFound and the errors of grids, spans and
    times, all of which are ValueErrors or LookupErrors whose text says what to do.
    """
    from apps.backtest.jobs import calling, keeping

    found = keeping.submit(wanted, owner, request_id)
    if not found.has_ended:
        calling.call()
    return found


def job(short_id: str) -> "JobStanding | None":
    """Return a job as it stands, None where there is none. One whose worker has died is `lost`, at once."""
    return next(iter(_tended([each for each in [_keeping().find(short_id)] if each])), None)


def jobs(most: int, *, owner: str = "", state: str = "", before: int | None = None) -> "list[JobStanding]":
    """Return jobs, newest first, of an owner or in a state; `before` is the place of another."""
    return _tended(_keeping().listed(most, owner=owner, state=state, before=before))


def cancel_job(short_id: str) -> "JobStanding | None":
    """Cancel a job and return it: at once while it waits, in a moment (`is_stopping`) while it runs."""
    found: JobStanding | None = _keeping().cancel(short_id)
    return found


def job_result(short_id: str, most: int | None = None) -> dict[str, Any] | None:
    """Return what came out of a job that is done, as JSON has it, None where there is nothing.

    Always: `run` (the stored run), `metrics` (of it) and `notes`. Of a sweep: `rank`, `higher_is_better`, `parameters`
    (their names), `best`, `left_out` (how many combinations do not go together), `columns` and `rows`, best first, at
    most `most`. Of a walk-forward: `rank` and `windows`, each with `train` and `test` (from, to), `parameters` (None:
    nothing was traded), `train_score`, `test_score` and `metrics`.
    """
    from apps.backtest.jobs.results import result

    return result(short_id, most)


def job_report(short_id: str) -> bytes | None:
    """Return the report of a job that is done: a page of HTML that loads nothing; None where there is none."""
    from apps.backtest.jobs.results import report

    return report(short_id)


def jobs_changed(after: int, upto: int, most: int) -> "list[JobStanding]":
    """Return jobs as they stand whose last change has a number after one and not after another, in that order."""
    found: list[JobStanding] = _keeping().changed(after, upto, most)
    return found


def jobs_number(before: "datetime | None" = None) -> int:
    """Return the number of the last change of any job, or of the last that was before a time."""
    number: int = _keeping().last_number(before)
    return number


def _keeping() -> Any:
    from apps.backtest.jobs import keeping

    return keeping


def _tended(found: "list[JobStanding]") -> "list[JobStanding]":
    if any(each.state == "queued" for each in found):
        from apps.backtest.jobs.calling import tend

        tend()
    return found


def option_fields() -> "list[OptionField]":
    """Return the options of a run, each with what it means, its default, and what it may be."""
    from apps.backtest.option_fields import option_fields as found

    return found()


def options_typed(texts: dict[str, str]) -> dict[str, float | str]:
    """Return options from what was typed, as `Wanted` takes them."""
    from apps.backtest.option_fields import options_typed as read

    return read(texts)
