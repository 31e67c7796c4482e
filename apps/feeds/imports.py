"""Checked records into the database: in whole batches, once, and with what is wrong kept aside."""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from django.db import connections, transaction
from django.db.models import F
from django.db.models.functions import Greatest, Least
from django.utils import timezone
from numpy.typing import NDArray

from apps.feeds.calendars import find_gaps
from apps.feeds.checks import MAX_JUMP_SIGMAS
from apps.feeds.files import NoGoodRows, read_checked
from apps.feeds.models import Import, Instrument, QuarantinedRecord, Series
from apps.feeds.records import COLUMNS, FileReport, Kind, Reason, Records, Reject
from apps.feeds.rows import ALIAS, Rows, delete_rows, read_rows, table_of, to_moment, write_rows
from apps.feeds.series import find_series, mark_batch, only_writer
from apps.feeds.sources import Progress
from banyan.timescale import ensure_partitions
from trading.intervals import MICROSECOND

BATCH_ROWS = 100_000
"""How many rows are committed together."""

IMPORT_STEPS = 2
"""How many times the file's size progress is told: once as it is read, and once as it is written."""


@dataclass(frozen=True, slots=True)
class Options:
    """How files are read: see `manage.py import_bars --help`. They are part of what makes two imports the same."""

    tz: str | None = None
    columns: tuple[str, ...] | None = None
    max_jump_sigmas: float = MAX_JUMP_SIGMAS
    replace: bool = False


@dataclass(slots=True)
class Outcome:
    """What an import did. `was_done` says that the same content had been imported and is all still there."""

    series: Series
    path: str
    was_done: bool = False
    rows_read: int = 0
    rows_good: int = 0
    rows_added: int = 0
    rows_replaced: int = 0
    rows_present: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def rows_quarantined(self) -> int:
        """How many rows went to quarantine; gaps are notes, not rows."""
        return sum(count for reason, count in self.reasons.items() if reason != Reason.GAP)


def import_file(
    path: Path,
    instrument: Instrument,
    interval: int,
    kinds: Sequence[Kind],
    options: Options,
    progress: Progress | None = None,
) -> Outcome:
    """Import a file's good records into the series of `instrument` at `interval` (ns; 0 for ticks).

    `progress` is told what part of `IMPORT_STEPS` times the file's size was done since it was told last.

    Rows that are there already with the same values stay as they are; others go to quarantine as conflicts, or with
    `options.replace` take the place of what is stored. Raises LayoutError, ZoneError, NoGoodRows, CalendarError,
    SeriesBusy and OSError.
    """
    digest = _digest(path, options)
    done = _find_done(instrument, interval, kinds, digest, options.replace)
    if done is not None:
        return _outcome(done, was_done=True)
    size = path.stat().st_size
    records, report = read_checked(
        path,
        kinds,
        options.tz,
        options.columns,
        max_jump_sigmas=options.max_jump_sigmas,
        instrument=instrument.as_instrument(),
        progress=progress,
    )
    if len(records) == 0 and report.rows_read == 0:
        raise NoGoodRows(f"{path}: there are no rows in the file.")
    report.gaps = find_gaps(records, interval, instrument.as_instrument())
    series = find_series(instrument, records.kind, interval)
    with only_writer(series):
        record, _ = Import.objects.update_or_create(
            series=series, digest=digest, defaults={"path": str(path), "status": Import.Status.RUNNING}
        )

        def written(rows: int) -> None:
            if progress is not None:
                progress(rows * size // max(1, len(records)))

        return _write(record, records, report, options.replace, written)


def store_resampled(
    instrument: Instrument, kind: Kind, source: str, interval: int, rows: Rows, *, replace: bool
) -> Outcome:
    """Store bars that were made of stored bars at the interval called `source`.

    They take the place of bars made before. Where the series holds bars of a file, those stay, and new ones that differ
    go to quarantine, unless `replace`. Raises SeriesBusy.
    """
    series = find_series(instrument, kind, interval)
    path = f"resampled from {source}"
    digest = hashlib.sha256(path.encode()).hexdigest()
    replace = replace or not series.imports.exclude(path__startswith="resampled from ").exists()
    with only_writer(series):
        record, _ = Import.objects.update_or_create(
            series=series, digest=digest, defaults={"path": path, "status": Import.Status.RUNNING}
        )
        records = Records(kind, rows.time, rows.values, np.arange(1, len(rows) + 1))
        report = FileReport(path, rows_read=len(rows), rows_good=len(rows))
        return _write(record, records, report, replace, lambda _: None)


def _write(
    record: Import, records: Records, report: FileReport, replace: bool, written: Callable[[int], None]
) -> Outcome:
    """Write the rows that are not there yet in batches, then the quarantine and the counts with the last word DONE."""
    series = Series.objects.get(pk=record.series_id)
    rows = _to_rows(records)
    fresh, changed = _compare(series, rows)
    conflicts = [] if replace else _conflicts(series, records, rows, changed)
    if not replace:
        changed = np.zeros(len(rows), np.bool_)
    to_write = np.flatnonzero(fresh | changed)
    if to_write.size:
        first, last = int(rows.time[to_write[0]]), int(rows.time[to_write[-1]])
        ensure_partitions(connections[ALIAS], table_of(records.kind), first, last)
    batches = [to_write[at : at + BATCH_ROWS] for at in range(0, to_write.size, BATCH_ROWS)]
    for size in _write_batches(series, rows, changed, batches):
        written(size)
    with transaction.atomic(using=ALIAS):
        decided = set(record.quarantined.exclude(state=QuarantinedRecord.State.OPEN).values_list("line", "reason"))
        record.quarantined.filter(state=QuarantinedRecord.State.OPEN).delete()
        found = report.rejects + conflicts + report.gaps
        _keep(record, [each for each in found if (each.line, each.reason.value) not in decided])
        record.status = Import.Status.DONE
        record.finished = timezone.now()
        record.rows_read = report.rows_read
        record.rows_good = len(records) - len(conflicts)
        record.rows_added = int(fresh.sum())
        record.rows_replaced = int(changed.sum())
        record.rows_present = len(records) - record.rows_added - record.rows_replaced - len(conflicts)
        record.version_after = Series.objects.values_list("version", flat=True).get(pk=series.pk)
        record.save()
    return _outcome(record)


def _write_batches(
    series: Series, rows: Rows, changed: NDArray[np.bool_], batches: list[NDArray[np.int64]]
) -> Iterator[int]:
    """Write each batch in a transaction of its own; yield its number of rows when it is committed."""

    def write(batch: NDArray[np.int64]) -> int:
        write_batch(series, rows.select(batch), rows.select(batch[changed[batch]]))
        return int(batch.size)

    if len(batches) <= 1 or connections[ALIAS].in_atomic_block:
        yield from map(write, batches)
    else:
        half = (len(batches) + 1) // 2
        yield from _side_by_side([batches[:half], batches[half:]], write)


def _side_by_side(lanes: list[list[NDArray[np.int64]]], write: Callable[[NDArray[np.int64]], int]) -> Iterator[int]:
    """Write each lane's batches on a connection of its own, since indexing takes the server a processor for each."""
    finished: SimpleQueue[int] = SimpleQueue()
    stop = threading.Event()

    def work(lane: list[NDArray[np.int64]]) -> None:
        try:
            for batch in lane:
                if stop.is_set():
                    return
                finished.put(write(batch))
        finally:
            connections[ALIAS].close()
            finished.put(0)

    with ThreadPoolExecutor(len(lanes)) as pool:
        futures = [pool.submit(work, lane) for lane in lanes]
        try:
            running = len(lanes)
            while running:
                size = finished.get()
                running -= size == 0
                yield size
            for future in futures:
                future.result()
        finally:
            stop.set()


def write_batch(series: Series, rows: Rows, replaced: Rows) -> None:
    """Write `rows`, of which `replaced` are there already, and move the series' version, or do nothing at all."""
    kind = Kind(series.kind)
    with transaction.atomic(using=ALIAS):
        mark_batch(series)
        if len(replaced):
            delete_rows(kind, series.pk, replaced)
        write_rows(kind, series.pk, rows)
        first, last = to_moment(int(rows.time[0])), to_moment(int(rows.time[-1]))
        Series.objects.filter(pk=series.pk).update(
            version=F("version") + 1,
            rows=F("rows") + (len(rows) - len(replaced)),
            first=Least(F("first"), first),
            last=Greatest(F("last"), last),
        )


def _to_rows(records: Records) -> Rows:
    """Return records as rows: times in whole microseconds, and ticks of one time counted."""
    time = records.time // MICROSECOND * MICROSECOND
    if records.kind is not Kind.TICKS:
        return Rows(time, records.values)
    starts = np.append(True, time[1:] != time[:-1]) if time.size else np.empty(0, np.bool_)
    places = np.arange(time.size)
    sequence = places - np.maximum.accumulate(np.where(starts, places, 0))
    return Rows(time, records.values, sequence.astype(np.int32))


def _compare(series: Series, rows: Rows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which rows are not stored yet, and which are stored with other values."""
    fresh, changed = np.ones(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
    if not len(rows) or not series.rows:
        return fresh, changed
    stored = read_rows(series, int(rows.time[0]), int(rows.time[-1]) + MICROSECOND)
    if not len(stored):
        return fresh, changed
    keys, stored_keys = _keys(rows), _keys(stored)
    place = np.minimum(np.searchsorted(stored_keys, keys), len(stored) - 1)
    fresh = stored_keys[place] != keys
    there = np.flatnonzero(~fresh)
    given, kept = rows.values[:, there], stored.values[:, place[there]]
    changed[there] = ~((given == kept) | (np.isnan(given) & np.isnan(kept))).all(axis=0)
    return fresh, changed


def _keys(rows: Rows) -> NDArray[np.int64]:
    """Return one increasing number for each row: times are microseconds in ns, which leaves room to count ticks."""
    return rows.time if rows.sequence is None else rows.time + rows.sequence


def _conflicts(series: Series, records: Records, rows: Rows, changed: NDArray[np.bool_]) -> list[Reject]:
    places = np.flatnonzero(changed)
    if not places.size:
        return []
    stored = read_rows(series, int(rows.time[places[0]]), int(rows.time[places[-1]]) + MICROSECOND)
    at = np.searchsorted(_keys(stored), _keys(rows)[places])
    names = COLUMNS[records.kind]
    rejects = []
    for place, row in zip(places.tolist(), at.tolist(), strict=True):
        differing = [
            f"{name} {float(rows.values[column, place])!r}, stored {float(stored.values[column, row])!r}"
            for column, name in enumerate(names)
            if not _same(rows.values[column, place], stored.values[column, row])
        ]
        rejects.append(
            Reject(
                int(records.line[place]),
                Reason.CONFLICT,
                f"stored with other values: {'; '.join(differing)} (--replace makes the file the truth)",
                time=int(records.time[place]),
                values=tuple(rows.values[:, place].tolist()),
            )
        )
    return rejects


def _same(one: float, other: float) -> bool:
    return one == other or (np.isnan(one) and np.isnan(other))


def _keep(record: Import, rejects: list[Reject]) -> None:
    QuarantinedRecord.objects.bulk_create(
        [
            QuarantinedRecord(
                source=record,
                line=reject.line,
                reason=reject.reason.value,
                detail=reject.detail,
                text=reject.text.replace("\0", "\ufffd"),
                time=None if reject.time is None else to_moment(reject.time),
                values=None if reject.values is None else told_values(record.series.kind, reject.values),
            )
            for reject in sorted(rejects, key=lambda reject: reject.line)
        ],
        batch_size=5_000,
    )


def told_values(kind: str, values: Sequence[float]) -> dict[str, float]:
    """Return columns by name, as JSON can hold them: what is not known or endless is left out."""
    return {name: value for name, value in zip(COLUMNS[Kind(kind)], values, strict=True) if np.isfinite(value)}


def _digest(path: Path, options: Options) -> str:
    """Return the SHA-256 of the file's bytes and of the options."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(repr((options.tz, options.columns, options.max_jump_sigmas)).encode())
    return digest.hexdigest()


def _find_done(
    instrument: Instrument, interval: int, kinds: Sequence[Kind], digest: str, replace: bool
) -> Import | None:
    """Return the finished import of the same content, if no row of its series has changed since."""
    done = (
        Import.objects.select_related("series")
        .filter(series__instrument=instrument, series__interval=interval, series__kind__in=list(kinds))
        .filter(digest=digest, status=Import.Status.DONE, version_after=F("series__version"))
        .first()
    )
    if (
        done is not None
        and replace
        and done.quarantined.filter(reason=Reason.CONFLICT, state=QuarantinedRecord.State.OPEN).exists()
    ):
        return None
    return done


def _outcome(record: Import, was_done: bool = False) -> Outcome:
    left = record.quarantined.exclude(state=QuarantinedRecord.State.RELEASED)
    reasons = Counter(left.order_by("id").values_list("reason", flat=True))
    return Outcome(
        series=record.series,
        path=record.path,
        was_done=was_done,
        rows_read=record.rows_read,
        rows_good=record.rows_good,
        rows_added=0 if was_done else record.rows_added,
        rows_replaced=0 if was_done else record.rows_replaced,
        rows_present=record.rows_good if was_done else record.rows_present,
        reasons=dict(reasons.most_common()),
    )
