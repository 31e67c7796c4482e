"""Files as columns: CSV, gzipped CSV and Parquet, read fast, and line by line only where a line cannot be read."""

import csv
import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from apps.feeds.clock_times import TimeForm, find_time_form, read_time
from apps.feeds.layouts import IGNORED, Layout, LayoutError, find_layout, is_recognised, normalise
from apps.feeds.records import COLUMNS, Kind, Reason, Records, Reject
from trading.sessions import AMBIGUOUS, EXISTS, MISSING, find_zone, local_to_utc

_CHUNK_BYTES = 8 << 20
_SLOW_LINES = 32  # blocks of at most this many lines are read line by line when they cannot be read at once
_NULLS = ["", "nan", "NaN", "NAN", "NA", "N/A", "null", "NULL", "None", "-nan"]
_DELIMITERS = ",;\t|"

Progress = Callable[[int], None]
Columns = tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64], NDArray[np.int64]]


@dataclass(slots=True)
class Source:
    """A file's readable records in the file's order, times in UTC, and the lines that hold none."""

    records: Records
    rejects: list[Reject]
    rows_read: int
    columns_read: tuple[str, ...]


def read_source(
    path: Path,
    kinds: Sequence[Kind],
    *,
    tz: str | None = "UTC",
    date_zone: str = "UTC",
    columns: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Source:
    """Return the records of a CSV (also gzipped) or Parquet file as one of `kinds`.

    `tz` is the zone of times written without an offset. With None they are UTC, but dates without a clock time are
    midnights in `date_zone`. `columns` names the columns in order where the header does not. `progress` is called
    with the number of bytes of the file read since the last call. Raises LayoutError, ZoneError and OSError.
    """
    find_zone(tz or date_zone)
    zones = (tz or "UTC", tz or date_zone)
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic == b"PAR1":
            return _read_parquet(path, kinds, zones, columns, progress)
        return _CsvReader(path, kinds, zones, columns).read(_chunks(file, magic, path, progress))


def read_lines(path: Path, numbers: set[int]) -> dict[int, str]:
    """Return the text of the lines of a CSV file with these numbers (from 1), without their ends."""
    found: dict[int, str] = {}
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic == b"PAR1" or not numbers:
            return found
        stream = gzip.open(file) if magic[:2] == b"\x1f\x8b" else file  # type: ignore[arg-type]  # noqa: SIM115
        last = max(numbers)
        for number, line in enumerate(stream, start=1):
            if number in numbers:
                found[number] = line.decode("utf-8", "replace").rstrip("\r\n")
            if number >= last:
                break
    return found


def _chunks(file: BinaryIO, magic: bytes, path: Path, progress: Progress | None) -> Iterator[bytes]:
    """Yield the file's bytes, unpacked, in blocks that end where a line ends."""
    stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if magic[:2] == b"\x1f\x8b" else file
    told, rest = 0, b""
    try:
        while block := stream.read(_CHUNK_BYTES):
            if progress is not None:
                progress(file.tell() - told)
                told = file.tell()
            cut = block.rfind(b"\n") + 1
            if cut == 0:
                rest += block
                continue
            yield rest + block[:cut]
            rest = block[cut:]
    except (EOFError, gzip.BadGzipFile) as error:
        raise LayoutError(f"{path}: the gzip file is damaged or cut short ({error}). Nothing was read from it.") from error
    if rest:
        yield rest + b"\n"


class _CsvReader:
    def __init__(
        self, path: Path, kinds: Sequence[Kind], zones: tuple[str, str], columns: Sequence[str] | None
    ) -> None:
        self.path, self.kinds, self.zones, self.columns = path, kinds, zones, columns
        self.rejects: list[Reject] = []
        self.rows_read = 0

    def read(self, chunks: Iterator[bytes]) -> Source:
        parts: list[Columns] = []
        line = 1
        for chunk in chunks:
            if line == 1:
                skipped = self._learn(chunk.removeprefix(b"\xef\xbb\xbf"))
                body = chunk.split(b"\n", skipped)[skipped] if skipped else chunk.removeprefix(b"\xef\xbb\xbf")
                line += skipped
            else:
                body = chunk
            parts += self._parse(body, line)
            line += body.count(b"\n")
        if line == 1:
            raise LayoutError(f"{self.path}: the file is empty.")
        return self._join(parts)

    def _learn(self, chunk: bytes) -> int:
        """Find delimiter, layout and the form of the times from the first lines; return how many lines are header."""
        head = chunk[:65_536].decode("utf-8", "replace").splitlines()
        first = next((row for row, text in enumerate(head) if text.strip()), None)
        if first is None:
            raise LayoutError(f"{self.path}: the file holds no lines.")
        self.delimiter = max(_DELIMITERS, key=head[first].count)
        names = self._cells(head[first])
        has_header = is_recognised([normalise(name) for name in names])
        if self.columns is not None:
            if len(self.columns) > len(names):
                raise LayoutError(
                    f"{self.path}: --columns names {len(self.columns)} columns, but line {first + 1} has {len(names)}."
                )
            given = [*self.columns, *[IGNORED] * (len(names) - len(self.columns))]
            self.layout = find_layout(given, str(self.path), self.kinds)
            has_header = has_header or find_time_form([self._time_text(names)]) is None
        elif has_header:
            self.layout = find_layout(names, str(self.path), self.kinds)
        else:
            raise LayoutError(
                f"{self.path}: line {first + 1} is not a header that can be recognised ({', '.join(names)[:80]}). Name "
                f"the columns in order with --columns, such as --columns ts,open,high,low,close,volume."
            )
        start = first + (1 if has_header else 0)
        rows = [cells for cells in map(self._cells, head[start : start + 100]) if len(cells) == len(self.layout.names)]
        form = find_time_form([self._time_text(cells) for cells in rows])
        if form is None and rows:
            raise LayoutError(
                f"{self.path}: cannot read the time {self._time_text(rows[0])!r}. Known forms: 2007-01-31T21:00:00Z, "
                f"2007-01-31 21:00, 2007.01.31 21:00, 20070131 210000, dates alone, and epoch numbers in s, ms, us or ns."
            )
        self.form = form or TimeForm("iso")
        self.zone = self.zones[1] if self.form.dates_only else self.zones[0]
        return start

    def _cells(self, text: str) -> list[str]:
        if '"' in text:
            return next(csv.reader([text], delimiter=self.delimiter), [])
        return text.rstrip("\r\n").split(self.delimiter)

    def _time_text(self, cells: Sequence[str]) -> str:
        return " ".join(cells[position].strip() for position in self.layout.time)

    def _parse(self, chunk: bytes, line: int) -> Iterator[Columns]:
        """Yield the columns of a block, halved until what cannot be read at once is a few lines."""
        count = chunk.count(b"\n")
        if count == 0:
            return
        fast = self._parse_fast(chunk, count)
        if fast is not None:
            time, utc, values = fast
            self.rows_read += count
            yield time, np.full(count, utc), values, np.arange(line, line + count)
        elif count <= _SLOW_LINES:
            yield self._parse_slow(chunk, line)
        else:
            middle = chunk.find(b"\n", len(chunk) // 2, len(chunk) - 1) + 1
            middle = middle or chunk.rfind(b"\n", 0, len(chunk) // 2) + 1 or chunk.find(b"\n") + 1
            yield from self._parse(chunk[:middle], line)
            yield from self._parse(chunk[middle:], line + chunk.count(b"\n", 0, middle))

    def _parse_fast(self, chunk: bytes, count: int) -> tuple[NDArray[np.int64], bool, NDArray[np.float64]] | None:
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        if self.form.kind == "other" and not self.form.pattern:
            return None
        names = [str(position) for position in range(len(self.layout.names))]
        types: dict[str, Any] = {str(position): pa.float64() for position in self.layout.values.values()}
        types |= {str(position): self._time_type(pa) for position in self.layout.time}
        parsers = [self.form.pattern] if self.form.pattern else [arrow_csv.ISO8601]
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(chunk),
                read_options=arrow_csv.ReadOptions(column_names=names, use_threads=count > 10_000),
                parse_options=arrow_csv.ParseOptions(delimiter=self.delimiter),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=types, include_columns=list(types), null_values=_NULLS, timestamp_parsers=parsers
                ),
            )
            if table.num_rows != count:
                return None
            time = self._arrow_times(table)
        except pa.ArrowInvalid:
            return None
        if time is None:
            return None
        values = np.full((len(COLUMNS[self.layout.kind]), count), np.nan)
        for row, name in enumerate(COLUMNS[self.layout.kind]):
            if name in self.layout.values:
                values[row] = table.column(str(self.layout.values[name])).to_numpy()
        return time, self.form.kind != "iso" and self.form.kind != "other", values

    def _time_type(self, pa: Any) -> Any:
        if len(self.layout.time) > 1:
            return pa.string()
        match self.form.kind:
            case "epoch":
                return pa.int64()
            case "epoch-fraction":
                return pa.float64()
            case "iso-zone":
                return pa.timestamp("ns", tz="UTC")
            case "iso":
                return pa.timestamp("ns")
        return pa.timestamp("s")

    def _arrow_times(self, table: Any) -> NDArray[np.int64] | None:
        """Return the time column in nanoseconds, or None where one of the times is empty."""
        import pyarrow as pa

        column = table.column(str(self.layout.time[0]))
        if len(self.layout.time) > 1:
            from pyarrow import compute

            column = compute.binary_join_element_wise(column, table.column(str(self.layout.time[1])), " ")
            written = self.form.kind == "other"
            column = compute.strptime(column, self.form.pattern, "s") if written else column.cast(pa.timestamp("ns"))
        if column.null_count:
            return None
        if self.form.kind == "epoch-fraction":
            return np.rint(column.to_numpy() * (self.form.unit / 1_000)).astype(np.int64) * 1_000
        if self.form.kind == "epoch":
            epochs: NDArray[np.int64] = column.to_numpy() * self.form.unit
            return epochs
        return _nanoseconds(column.to_numpy())

    def _parse_slow(self, chunk: bytes, line: int) -> Columns:
        times: list[int] = []
        utc: list[bool] = []
        rows: list[list[float]] = []
        lines: list[int] = []
        for number, text in enumerate(chunk.decode("utf-8", "replace").split("\n")[:-1], start=line):
            if not text.strip():
                continue
            self.rows_read += 1
            try:
                time, row = self._parse_line(text)
            except ValueError as error:
                self.rejects.append(Reject(number, Reason.UNREADABLE, str(error)))
                continue
            times.append(time[0])
            utc.append(time[1])
            rows.append(row)
            lines.append(number)
        values = np.array(rows, np.float64).reshape(len(rows), -1).T
        if not rows:
            values = np.empty((len(COLUMNS[self.layout.kind]), 0))
        return np.array(times, np.int64), np.array(utc, np.bool_), values, np.array(lines, np.int64)

    def _parse_line(self, text: str) -> tuple[tuple[int, bool], list[float]]:
        cells = self._cells(text.rstrip("\r"))
        if len(cells) != len(self.layout.names):
            raise ValueError(f"{len(cells)} columns where {len(self.layout.names)} are expected")
        time = read_time(self._time_text(cells), self.form)
        if time is None:
            raise ValueError(f"{self._time_text(cells)!r} is not a time")
        found = self.layout.values
        return time, [
            _number(cells[found[name]]) if name in found else np.nan for name in COLUMNS[self.layout.kind]
        ]

    def _join(self, parts: list[Columns]) -> Source:
        width = len(COLUMNS[self.layout.kind])
        time = np.concatenate([part[0] for part in parts]) if parts else np.empty(0, np.int64)
        utc = np.concatenate([part[1] for part in parts]) if parts else np.empty(0, np.bool_)
        values = np.concatenate([part[2] for part in parts], axis=1) if parts else np.empty((width, 0))
        line = np.concatenate([part[3] for part in parts]) if parts else np.empty(0, np.int64)
        time, readable = _to_utc(time, utc, line, self.zone, self.form.dates_only, self.rejects)
        records = Records(self.layout.kind, time, values, line)
        if not readable.all():
            records = records.select(readable)
        return Source(records, self.rejects, self.rows_read, tuple(self.layout.values))


def _to_utc(
    time: NDArray[np.int64],
    utc: NDArray[np.bool_],
    line: NDArray[np.int64],
    zone: str,
    dates_only: bool,
    rejects: list[Reject],
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the times in UTC and which rows have one; the others are added to `rejects`."""
    if utc.all() or zone == "UTC":
        return time, np.ones(time.size, np.bool_)
    local = np.flatnonzero(~utc)
    converted, status = local_to_utc(time[local], zone)
    time = time.copy()
    time[local] = converted
    readable = np.ones(time.size, np.bool_)
    if not dates_only:
        readable[local] = status == EXISTS
        wrong = {MISSING: (Reason.MISSING_TIME, "does not exist"), AMBIGUOUS: (Reason.AMBIGUOUS_TIME, "exists twice")}
        for row in np.flatnonzero(status != EXISTS):
            reason, what = wrong[int(status[row])]
            detail = f"this time {what} in {zone}, where the clock is changed; write times in UTC"
            rejects.append(Reject(int(line[local[row]]), reason, detail))
    return time, readable


def _read_parquet(
    path: Path,
    kinds: Sequence[Kind],
    zones: tuple[str, str],
    columns: Sequence[str] | None,
    progress: Progress | None,
) -> Source:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise LayoutError(f"{path}: not a Parquet file that can be read ({error}).") from error
    names = list(columns) if columns is not None else table.column_names
    layout = find_layout([*names, *[IGNORED] * (table.num_columns - len(names))], str(path), kinds)
    line = np.arange(1, table.num_rows + 1)
    rejects: list[Reject] = []
    time, utc, dates_only = _parquet_times(table.column(layout.time[0]), path, rejects)
    values = np.full((len(COLUMNS[layout.kind]), table.num_rows), np.nan)
    for row, name in enumerate(COLUMNS[layout.kind]):
        if name in layout.values:
            try:
                values[row] = table.column(layout.values[name]).cast(pa.float64(), safe=False).to_numpy()
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise LayoutError(f"{path}: the column {name} does not hold numbers ({error}).") from error
    zone = zones[1] if dates_only else zones[0]
    time, readable = _to_utc(time, utc, line, zone, dates_only, rejects)
    for reject in rejects:
        readable[reject.line - 1] = False
    if progress is not None:
        progress(path.stat().st_size)
    records = Records(layout.kind, time, values, line).select(readable)
    return Source(records, rejects, table.num_rows, tuple(layout.values))


def _parquet_times(
    column: Any, path: Path, rejects: list[Reject]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], bool]:
    """Return times in ns, which are UTC, and whether they are dates; empty ones are added to `rejects`."""
    import pyarrow as pa

    kind = column.type
    dates_only = bool(pa.types.is_date(kind))
    empty = column.is_null().to_numpy() if column.null_count else np.zeros(len(column), np.bool_)
    if pa.types.is_timestamp(kind) or dates_only:
        time = _nanoseconds(column.cast(pa.timestamp("ns", tz=getattr(kind, "tz", None))).to_numpy())
        utc = np.full(time.size, getattr(kind, "tz", None) is not None)
    else:
        texts = [str(value) if value is not None else "" for value in column.to_pylist()]
        form = find_time_form(texts[:100])
        if form is None:
            raise LayoutError(f"{path}: cannot read the times of the column of type {kind}.")
        read = [read_time(text, form) for text in texts]
        empty = np.array([value is None for value in read], np.bool_)
        time = np.array([value[0] if value else 0 for value in read], np.int64)
        utc = np.array([value[1] if value else True for value in read], np.bool_)
        dates_only = form.dates_only
    for row in np.flatnonzero(empty):
        rejects.append(Reject(int(row) + 1, Reason.UNREADABLE, "no time that can be read"))
    return np.where(empty, 0, time), utc | empty, dates_only


def _nanoseconds(times: NDArray[Any]) -> NDArray[np.int64]:
    return times.astype("datetime64[ns]").view(np.int64)


def _number(text: str) -> float:
    text = text.strip()
    if text in _NULLS:
        return np.nan
    if "_" in text:
        raise ValueError(f"{text!r} is not a number")
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
