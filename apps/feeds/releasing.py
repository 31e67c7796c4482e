"""What is in quarantine, dealt with: let in as somebody says that it was, or given up. Nothing is dealt with twice.

What is let in is checked like any record of a file: by itself, and, where somebody has corrected it, against the rows
that are stored before and after it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple

import numpy as np
from django.db import connections, transaction
from django.utils import timezone

from apps.feeds.checks import check_records, check_values
from apps.feeds.imports import told_values, write_batch
from apps.feeds.models import QuarantinedRecord, Series
from apps.feeds.records import COLUMNS, PRICES, Kind, Reason, Records, Reject
from apps.feeds.rows import ALIAS, Rows, table_of, to_moment, to_time
from apps.feeds.series import only_writer
from banyan.timescale import ensure_partitions

BESIDE = 250
"""How many rows before and after a record it is judged by."""
_AT_ONCE = 100_000
_YEARS = range(1900, 2200)
_OPEN = QuarantinedRecord.State.OPEN


class QuarantineError(ValueError):
    """What was asked of a record in quarantine cannot be done: the message says why."""

    exit_code: ClassVar = 2


class Release(NamedTuple):
    """What would be let in: its time, its columns by name, what it takes the place of, and whether it was corrected."""

    instrument: str
    series: str
    time: datetime
    values: dict[str, float]
    replaces: dict[str, float] | None
    is_corrected: bool


def columns_of(number: int) -> list[tuple[str, bool]]:
    """Return the columns of a record's series, each with whether it has to be there. Raises QuarantineError."""
    kind = Kind(_found(number).source.series.kind)
    is_needed = kind is not Kind.TICKS
    return [(name, is_needed and name in PRICES[kind]) for name in COLUMNS[kind]]


def planned(number: int, time: str = "", values: Mapping[str, str] | None = None) -> Release:
    """Return what letting a record in would do, with another `time` or other `values` where such are given.

    Raises QuarantineError where it cannot be let in like that.
    """
    return _planned(_found(number), time, values or {})[0]


def release(number: int, time: str, values: Mapping[str, str], *, by: str, why: str) -> Release:
    """Let a record in as `planned` says. Raises QuarantineError and SeriesBusy."""
    series = _found(number).source.series
    with only_writer(series):
        plan, rows, _ = _planned(_found(number), time, values)
        ensure_partitions(connections[ALIAS], table_of(Kind(series.kind)), int(rows.time[0]), int(rows.time[0]))
        with transaction.atomic(using=ALIAS):
            record = _found(number, is_locked=True)
            plan, rows, replaced = _planned(record, time, values)
            write_batch(series, rows, replaced)
            record.released = {"time": plan.time.isoformat(), **plan.values}
            _decide(record, QuarantinedRecord.State.RELEASED, by, why)
    return plan


def discard(number: int, *, by: str, why: str) -> None:
    """Give a record up. Raises QuarantineError."""
    with transaction.atomic(using=ALIAS):
        record = _found(number, is_locked=True)
        _refuse_decided(record)
        _decide(record, QuarantinedRecord.State.DISCARDED, by, why)


def counted_open(instrument: str, reason: str, file: str) -> int:
    """Return how many records are open: of an instrument, for a reason ("": any but gaps), of files with a text."""
    return _narrowed(instrument, reason, file).count()


def discard_all(instrument: str, reason: str, file: str, count: int, *, by: str, why: str) -> None:
    """Give up all open records that these find. Raises QuarantineError where they are not `count`."""
    with transaction.atomic(using=ALIAS):
        found = list(_narrowed(instrument, reason, file).select_for_update().values_list("id", flat=True)[:_AT_ONCE])
        if len(found) != count:
            raise QuarantineError(f"it finds {len(found):,} open records now, and {count:,} were shown: look again")
        decided = {"decided_at": timezone.now(), "decided_by": by[:150], "decided_why": why}
        QuarantinedRecord.objects.using(ALIAS).filter(id__in=found).update(
            state=QuarantinedRecord.State.DISCARDED, **decided
        )


def _narrowed(instrument: str, reason: str, file: str) -> Any:
    limits = {"source__series__instrument_id": instrument.upper(), "reason": reason, "source__path__contains": file}
    found = QuarantinedRecord.objects.using(ALIAS).filter(state=_OPEN)
    found = found if reason else found.exclude(reason=Reason.GAP)
    return found.filter(**{name: value for name, value in limits.items() if value})


def _found(number: int, *, is_locked: bool = False) -> QuarantinedRecord:
    found = QuarantinedRecord.objects.using(ALIAS).select_related("source__series")
    found = found.select_for_update(of=("self",)) if is_locked else found
    record = found.filter(id=number).first()
    if record is None:
        raise QuarantineError(f"there is no record {number} in quarantine")
    return record


def _refuse_decided(record: QuarantinedRecord) -> None:
    if record.state != _OPEN:
        raise QuarantineError(f"record {record.pk} was {record.state} already, by {record.decided_by}")


def _decide(record: QuarantinedRecord, state: str, by: str, why: str) -> None:
    record.state, record.decided_at, record.decided_by, record.decided_why = state, timezone.now(), by[:150], why
    record.save(update_fields=["state", "released", "decided_at", "decided_by", "decided_why"])


def _planned(record: QuarantinedRecord, time: str, values: Mapping[str, str]) -> tuple[Release, Rows, Rows]:
    """Return what would be let in, the row of it, and the stored row that it takes the place of, if any."""
    _refuse_decided(record)
    if record.reason == Reason.GAP:
        raise QuarantineError("a gap is a note of rows that are missing: there is nothing to let in, only to discard")
    series = record.source.series
    kind = Kind(series.kind)
    at = _time(record, time)
    row = read_values(kind, record.values, values)
    is_corrected = record.time is None or at != to_time(record.time) or told_values(kind, row) != (record.values or {})
    return judged(series, at, row, is_corrected=is_corrected)


def judged(series: Series, at: int, row: Sequence[float], *, is_corrected: bool) -> tuple[Release, Rows, Rows]:
    """Return what letting a row into a series would do, the row, and the stored one that it takes the place of, if any.

    What is corrected has to fit the rows that are stored around it. Raises QuarantineError where it cannot be let in.
    """
    kind = Kind(series.kind)
    stored = _stored_at(series, at)
    names = tuple(name for name, value in zip(COLUMNS[kind], row, strict=True) if not np.isnan(value))
    _check(series, at, row, tuple({*PRICES[kind], *names}), is_corrected)
    sequence = np.array([len(stored)], np.int32) if kind is Kind.TICKS else None
    rows = Rows(np.array([at]), np.array(row).reshape(-1, 1), sequence)
    replaced = stored.select(slice(0, 0)) if kind is Kind.TICKS else stored
    if len(replaced) and np.array_equal(replaced.values, rows.values, equal_nan=True):
        raise QuarantineError("just these values are stored at that time already: discard the record")
    before = told_values(kind, replaced.values[:, 0].tolist()) if len(replaced) else None
    told = Release(series.instrument_id, str(series), to_moment(at), told_values(kind, row), before, is_corrected)
    return told, rows, replaced


def _time(record: QuarantinedRecord, time: str) -> int:
    if time.strip() or record.time is None:
        return read_time(time)
    return to_time(record.time)


def read_time(time: str) -> int:
    """Return a time that was typed, in ns. Raises QuarantineError."""
    if not time.strip():
        raise QuarantineError("time: say when it was, as 2026-03-31T14:30:00Z")
    try:
        moment = datetime.fromisoformat(time.strip())
    except ValueError:
        raise QuarantineError(f"time: {time!r} is no time: write it as 2026-03-31T14:30:00Z") from None
    if moment.year not in _YEARS:
        raise QuarantineError(f"time: there are no rows of the year {moment.year}")
    return to_time(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))


def read_values(kind: Kind, read: Mapping[str, float] | None, given: Mapping[str, str]) -> list[float]:
    """Return the columns of a kind, those that were typed and else those that were read. Raises QuarantineError."""
    if unknown := sorted(set(given) - set(COLUMNS[kind])):
        raise QuarantineError(f"{', '.join(unknown)}: there is no such column among {', '.join(COLUMNS[kind])}")
    if not given and read is None:
        raise QuarantineError(f"what it holds could not be read: give {', '.join(COLUMNS[kind])}")
    known = {name: str(value) for name, value in (read or {}).items()} | dict(given)
    row = []
    for name in COLUMNS[kind]:
        text = known.get(name, "").strip()
        try:
            row.append(float(text) if text else np.nan)
        except ValueError:
            raise QuarantineError(f"{name}: {text!r} is no number") from None
    return row


def _stored_at(series: Series, at: int) -> Rows:
    found = _rows_of(series, time=to_moment(at))
    return Rows(np.array([each for each, _ in found], np.int64), _block(series, found))


def _rows_of(series: Series, most: int | None = None, order: str = "time", **limits: Any) -> list[Any]:
    model: Any = table_of(Kind(series.kind))
    found = model.objects.using(ALIAS).filter(series_id=series.pk, **limits).order_by(order)
    rows = found.values_list("time", *COLUMNS[Kind(series.kind)])[:most]
    return [(to_time(time), values) for time, *values in rows]


def _block(series: Series, rows: Sequence[Any]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.array([values for _, values in rows], np.float64).reshape(-1, len(COLUMNS[Kind(series.kind)])).T.copy()


def _check(series: Series, at: int, row: Sequence[float], columns: Sequence[str], is_corrected: bool) -> None:
    """Raise QuarantineError where a record cannot be true, or, corrected, does not fit what is stored around it."""
    kind = Kind(series.kind)
    own = Records(kind, np.array([at]), np.array(row).reshape(-1, 1), np.array([0]))
    _, rejects = check_values(own, columns)
    if not rejects and is_corrected:
        moment = to_moment(at)
        earlier = _rows_of(series, BESIDE, "-time", time__lt=moment)[::-1]
        later = _rows_of(series, BESIDE, time__gt=moment)
        window = [*earlier, (at, list(row)), *later]
        line = np.arange(1, len(window) + 1)
        line[len(earlier)] = 0
        records = Records(kind, np.array([time for time, _ in window], np.int64), _block(series, window), line)
        rejects = [each for each in check_records(records, PRICES[kind])[1] if each.line == 0]
    if rejects:
        raise QuarantineError(_told(rejects[0], is_corrected))


def _told(reject: Reject, is_corrected: bool) -> str:
    what = "what you have typed" if is_corrected else "it"
    return f"{what} is no record that can be let in ({reject.reason}): {reject.detail}"
