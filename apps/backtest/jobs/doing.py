"""A job carried out, in a process of its own: loaded, run, stored whole or not at all."""

import logging
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from django.db import transaction
from django.utils import timezone

from apps.backtest import store
from apps.backtest.jobs.keeping import ALIAS, move
from apps.backtest.models import Job, JobResult
from apps.backtest.request import Loaded, RunRequest, iso
from apps.backtest.store_plain import plain
from banyan.commands import explained

_LOGGER = logging.getLogger(__name__)
_TOLD_SECONDS = 0.25
_MISTAKE = "That went wrong, and it is our mistake: the log of jobs says where."

Progress = Callable[[int, int], None]


class Outcome(NamedTuple):
    """What came out: a document as JSON has it, the report, and how the run is stored."""

    document: dict[str, Any]
    report: bytes
    save: Callable[[], str]


def do(job: Job) -> bool:
    """Carry a job out and keep what came of it, unless it has ended meanwhile; return whether it was done."""
    try:
        outcome = carried_out(job.kind, job.asked, _Told(job))
        with transaction.atomic(using=ALIAS):
            run = outcome.save()
            document = {**outcome.document, "run": run}
            JobResult.objects.create(
                job=job,
                document=zlib.compress(orjson.dumps(plain(document)), 6),
                report=zlib.compress(outcome.report, 6),
            )
            if not _end(job, state="done", run=run):
                transaction.set_rollback(True, using=ALIAS)
                return False
    except MemoryError:
        _end(job, state="failed", problem="It needs more memory than a job may take: ask for less at once.")
        return False
    except Exception as error:
        found = explained(error)
        if found is None:
            _LOGGER.exception("job %s failed", job.short_id)
        _end(job, state="failed", problem=found[0] if found else _MISTAKE)
        return False
    return True


def carried_out(kind: str, asked: dict[str, Any], progress: Progress) -> Outcome:
    """Return what comes of a job; `asked` is what `asking.checked` returned. Raises what the run raises."""
    request = RunRequest.from_json(asked["request"])
    loaded = request.data.load()
    if kind == "sweep":
        return _swept(request, loaded, asked, progress)
    if kind == "walkforward":
        return _walked(request, loaded, asked, progress)
    result = request.run(loaded)
    document = {"metrics": result.metrics, "notes": result.notes}
    return Outcome(document, _written(result.report), lambda: store.save_as_run(result, request))


def _swept(request: RunRequest, loaded: Loaded, asked: dict[str, Any], progress: Progress) -> Outcome:
    from apps.backtest.cli_grid import size
    from apps.backtest.sweeping import best_request, rows_of, sweep_locally, write_report

    grid = asked["grid"]
    sweep = sweep_locally(request, loaded, grid, asked["rank"], progress=progress)
    best = best_request(sweep, request)
    result = best.run(loaded)
    columns = list(sweep.columns)
    document = {
        "metrics": result.metrics, "notes": result.notes, "rank": sweep.rank, "parameters": list(grid),
        "higher_is_better": sweep.higher_is_better, "left_out": size(grid) - sweep.order.size, "best": sweep.best,
        "columns": columns, "rows": rows_of(sweep, columns),
    }  # fmt: skip
    report = _written(lambda path: write_report(sweep, result, loaded.notes, str(path)))
    return Outcome(document, report, lambda: store.save_as_run(result, best))


def _walked(request: RunRequest, loaded: Loaded, asked: dict[str, Any], progress: Progress) -> Outcome:
    from apps.backtest.report.html import write_walkforward_report
    from apps.backtest.walkforward import walk_as_asked

    spans = {name: asked[name] for name in ("train", "test", "step", "anchored", "rank", "grid")}
    walk = walk_as_asked(request, loaded, spans, progress=progress)
    result = walk.result
    windows = [
        {
            "train": _span(each.window.train), "test": _span(each.window.test), "parameters": each.params,
            "train_score": each.train_score, "test_score": each.test_score, "metrics": each.metrics,
        }
        for each in walk.windows
    ]  # fmt: skip
    document = {"metrics": result.metrics, "notes": result.notes, "rank": walk.rank, "windows": windows}
    report = _written(lambda path: write_walkforward_report(walk.outcome(), path))
    extra = {"walkforward": spans}
    return Outcome(
        document, report, lambda: store.save_as_run(result, request, kind="walkforward", extra=extra)
    )  # fmt: skip


def _span(times: Sequence[int]) -> list[str]:
    return [iso(time) for time in times]


def _written(write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        write(path)
        return path.read_bytes()


def _end(job: Job, **values: Any) -> bool:
    return move(Job.objects.filter(pk=job.pk, state="running"), ended_at=timezone.now(), **values) == 1


class _Told:
    """Writes down how far a job is, a few times a second at most."""

    def __init__(self, job: Job) -> None:
        self._job, self._told_at = job, 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and now - self._told_at < _TOLD_SECONDS:
            return
        self._told_at = now
        move(Job.objects.filter(pk=self._job.pk, state="running"), done=done, total=total)
