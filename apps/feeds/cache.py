"""A local copy of a series' rows as one array file, which is used while the series' version is that of its name.

The version moves in the same transaction as every change of the rows, so one small query tells whether the copy is
still true. A file is written aside and moved into place: one that was cut short is never seen.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.feeds.models import Series
from apps.feeds.records import COLUMNS, Kind
from apps.feeds.rows import Rows, read_rows
from trading.compiled import data_directory

_FORMAT = "v1"


def cached_rows(series: Series) -> Rows:
    """Return all rows of a series of bars or quotes, from the local copy where it is true, else from the table.

    The arrays are private to the caller: writing to them changes neither the copy nor the table.
    """
    path = cache_file(series)
    rows = _load(path, Kind(series.kind))
    if rows is not None:
        return rows
    rows = read_rows(series)
    if Series.objects.values_list("version", flat=True).get(pk=series.pk) == series.version:
        _save(path, rows)
    return rows


def cache_file(series: Series) -> Path:
    """Return where the local copy of the series at its version is kept."""
    return data_directory() / "cache" / "bars" / _FORMAT / str(series.uid) / f"{series.version}.npy"


def _load(path: Path, kind: Kind) -> Rows | None:
    try:
        block: NDArray[np.float64] = np.asarray(np.load(path, mmap_mode="c"))
    except (OSError, EOFError, ValueError):
        return None
    if block.dtype != np.float64 or block.ndim != 2 or block.shape[0] != 1 + len(COLUMNS[kind]):
        return None
    return Rows(block[0].view(np.int64), block[1:])


def _save(path: Path, rows: Rows) -> None:
    """Write the file (row 0: the times' bits, then the columns) and remove those of other versions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, np.concatenate([rows.time.view(np.float64)[None], rows.values]))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    for old in path.parent.glob("*.npy"):
        if old != path:
            old.unlink(missing_ok=True)
