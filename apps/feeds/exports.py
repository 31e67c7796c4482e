"""Rows into files that `import_bars` and `import_ticks` read back to the same bits."""

import contextlib
import gzip
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from apps.feeds.records import COLUMNS, Kind
from apps.feeds.rows import Rows
from trading.intervals import MICROSECOND, MILLISECOND, SECOND

_ENDINGS = (".csv", ".csv.gz", ".parquet")


class ExportError(ValueError):
    """The file's name does not say in which form to write it."""


def export_rows(path: Path, kind: Kind, rows: Rows) -> None:
    """Write rows to `path` by its ending (.csv, .csv.gz, .parquet): time as `ts` in UTC, then the columns in use.

    The file appears when it is complete. Raises ExportError and OSError.
    """
    if not path.name.endswith(_ENDINGS):
        raise ExportError(f"{path}: the name must end in {', '.join(_ENDINGS)}.")
    table = _table(kind, rows)
    with _complete_only(path) as file:
        if path.name.endswith(".parquet"):
            from pyarrow import parquet

            parquet.write_table(table, file)
        elif path.name.endswith(".gz"):
            with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed:
                _write_csv(table, cast(IO[bytes], packed))
        else:
            _write_csv(table, file)


def _table(kind: Kind, rows: Rows) -> Any:
    import pyarrow as pa

    unit, divisor = next(
        (unit, divisor)
        for unit, divisor in (("s", SECOND), ("ms", MILLISECOND), ("us", MICROSECOND), ("ns", 1))
        if not (rows.time % divisor).any()
    )
    columns = {"ts": pa.array(rows.time // divisor).cast(pa.timestamp(unit, tz="UTC"))}
    for name, column in zip(COLUMNS[kind], rows.values, strict=True):
        missing = np.isnan(column)
        if not missing.all():
            columns[name] = pa.array(np.ascontiguousarray(column), mask=missing)
    return pa.table(columns)


def _write_csv(table: Any, file: IO[bytes]) -> None:
    from pyarrow import csv

    file.write((",".join(table.column_names) + "\n").encode())
    csv.write_csv(table, file, csv.WriteOptions(include_header=False, quoting_style="none"))


@contextlib.contextmanager
def _complete_only(path: Path) -> Iterator[IO[bytes]]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
