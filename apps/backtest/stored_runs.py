"""Stored runs, as other contexts see them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from django.db.models import Q, QuerySet

from apps.backtest.compare import Comparison, compare
from apps.backtest.models import Run
from apps.backtest.store import arrays


class StoredRun(NamedTuple):
    """A run that was stored: on what, with what, and what came out. `place` is where it stands among all."""

    id: str
    created_at: datetime
    kind: str
    strategy: str
    instruments: tuple[str, ...]
    interval: str
    first_bar: datetime
    last_bar: datetime
    bars: int
    parameters: dict[str, Any]
    options: dict[str, Any]
    metrics: dict[str, Any]
    code_hash: str
    data_hash: str
    place: tuple[datetime, int]


def stored_runs(strategy: str, most: int, before: tuple[datetime, int] | None) -> list[StoredRun]:
    """Return runs, newest first; see `apps.backtest.interface.stored_runs`."""
    found = _all()
    if strategy:
        found = found.filter(strategy=strategy)
    if before is not None:
        found = found.filter(Q(created__lt=before[0]) | Q(created=before[0], id__lt=before[1]))
    return [_told(each) for each in found.order_by("-created", "-id")[:most]]


def stored_run(short_id: str) -> StoredRun | None:
    """Return a run by its short id."""
    return next(map(_told, _all().filter(short_id=short_id)), None)


def _all() -> "QuerySet[Run]":
    return Run.objects.defer("source", "manifest", "digests", "environment")


def _told(run: Run) -> StoredRun:
    return StoredRun(
        run.short_id, run.created, run.kind, run.strategy, tuple(run.instruments), run.interval, run.first_bar,
        run.last_bar, run.bars, run.params_in_order(), run.options_in_order(), run.metrics_in_order(), run.code_hash,
        run.data_hash, (run.created, run.pk),
    )  # fmt: skip


def run_curve(short_id: str, most: int) -> list[tuple[int, float]]:
    """Return a run's equity at up to `most` of its closes; see `apps.backtest.interface.run_curve`."""
    run = Run.objects.filter(short_id=short_id).first()
    if run is None:
        return []
    kept = arrays(run)
    time_ns, equity = kept["time"], kept["equity"]
    chosen = np.unique(np.linspace(0, time_ns.size - 1, min(most, time_ns.size)).astype(np.int64))
    return list(zip(time_ns[chosen].tolist(), equity[chosen].tolist(), strict=True))


def compare_runs(short_ids: Sequence[str]) -> Comparison | None:
    """Return runs side by side; see `apps.backtest.interface.compare_runs`."""
    known = {run.short_id: run for run in Run.objects.defer("source", "manifest").filter(short_id__in=short_ids)}
    return compare([known[name] for name in short_ids]) if set(short_ids) <= set(known) else None
