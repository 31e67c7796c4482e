"""Bars straight off a file, with nothing stored: the road of `backtest --csv`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from apps.feeds.calendars import find_gaps
from apps.feeds.checks import MAX_JUMP_SIGMAS, check_records
from apps.feeds.records import FileReport, Kind, Records, Reject, to_bars
from apps.feeds.sources import Progress, read_lines, read_source
from trading.bars import Bars
from trading.instruments import Instrument


class NoGoodRows(ValueError):
    """A file holds no record that can be used."""


def read_bars_file(
    path: str | Path,
    interval: int | None = None,
    tz: str | None = "UTC",
    columns: Sequence[str] | None = None,
    *,
    instrument: Instrument | None = None,
    max_jump_sigmas: float = MAX_JUMP_SIGMAS,
) -> tuple[Bars, FileReport]:
    """Return the good bars of a CSV, gzipped CSV or Parquet file, and the report that names the lines left out.

    `interval` is in nanoseconds; without it, the commonest spacing of the file. `tz` is the zone of times written
    without an offset. `columns` names the columns in order where the header does not. With `instrument`, gaps against
    its session calendar are noted. Raises LayoutError, ZoneError, NoGoodRows and OSError.
    """
    path = Path(path)
    records, report = read_checked(
        path, (Kind.QUOTES, Kind.BARS), tz, columns, max_jump_sigmas=max_jump_sigmas, instrument=instrument
    )
    if len(records) == 0:
        raise NoGoodRows(f"{path}: none of its {report.rows_read:,} rows can be used. {report.summary()}")
    interval = interval or infer_interval(records)
    if instrument is not None:
        report.gaps = find_gaps(records, interval, instrument)
    return to_bars(records.kind, records.time, records.values, interval), report


def read_checked(
    path: Path,
    kinds: Sequence[Kind],
    tz: str | None,
    columns: Sequence[str] | None,
    *,
    max_jump_sigmas: float = MAX_JUMP_SIGMAS,
    instrument: Instrument | None = None,
    progress: Progress | None = None,
) -> tuple[Records, FileReport]:
    """Return the good records of a file, oldest first, and the report on the others (gaps are not looked for)."""
    zone = instrument.time_zone if instrument is not None else "UTC"
    source = read_source(path, kinds, tz=tz, date_zone=zone, columns=columns, progress=progress)
    records, rejects = check_records(source.records, source.columns_read, max_jump_sigmas)
    rejects = sorted(source.rejects + rejects, key=lambda reject: reject.line)
    report = FileReport(str(path), source.rows_read, len(records), _with_text(path, rejects))
    return records, report


def infer_interval(records: Records) -> int:
    """Return the commonest spacing of the records' times in nanoseconds, 0 where there are fewer than two."""
    if len(records) < 2:
        return 0
    spacings, counts = np.unique(np.diff(records.time), return_counts=True)
    return int(spacings[np.argmax(counts)])


def _with_text(path: Path, rejects: list[Reject]) -> list[Reject]:
    texts = read_lines(path, {reject.line for reject in rejects})
    return [replace(reject, text=texts.get(reject.line, "")[:2_000]) for reject in rejects]
