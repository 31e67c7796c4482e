"""CSV files as columns: whole blocks by Arrow, and line by line only where a block holds a line that cannot be read."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.feeds.arrow_columns import to_array
from apps.feeds.clock_times import TimeForm, find_time_form, read_time, to_utc
from apps.feeds.layouts import IGNORED, LayoutError, find_layout, is_recognised, normalise
from apps.feeds.records import COLUMNS, Kind, Reason, Records, Reject, Source
from trading.intervals import SECOND

_SLOW_LINES = 32  # blocks of at most this many lines are read line by line when they cannot be read at once
_NULLS = ["", "nan", "NaN", "NAN", "NA", "N/A", "null", "NULL", "None", "-nan"]
_DELIMITERS = ",;\t|"

Columns = tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64], NDArray[np.int64]]


class CsvReader:
    """Reads one CSV file; what cannot be read at once is read line by line."""

    def __init__(
        self, path: Path, kinds: Sequence[Kind], zones: tuple[str, str], columns: Sequence[str] | None
    ) -> None:
        self.path, self.kinds, self.zones, self.columns = path, kinds, zones, columns
        self.rejects: list[Reject] = []
        self.rows_read = 0
        self.line = 1

    def read(self, chunks: Iterator[bytes]) -> Source:
        """Return the records of a file given as blocks of bytes that end where a line ends. Raises LayoutError."""
        parts = [part for chunk in chunks for part in self._columns_of(chunk)]
        if self.line == 1:
            raise LayoutError(f"{self.path}: the file is empty.")
        return self._join(parts)

    def read_more(self, chunk: bytes) -> Source:
        """Return the records of the next bytes of a file that grows; they end where a line ends. Raises LayoutError.

        The first ones hold the header, if there is one, and a line of values.
        """
        self.rejects, self.rows_read = [], 0
        return self._join(list(self._columns_of(chunk)))

    def _columns_of(self, chunk: bytes) -> Iterator[Columns]:
        body = chunk
        if self.line == 1:
            body = chunk.removeprefix(b"\xef\xbb\xbf")
            skipped = self._learn(body)
            self.line += skipped
            body = body.split(b"\n", skipped)[skipped]
        count = body.count(b"\n")
        yield from self._parse(body, self.line, count)
        self.line += count

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
                f"2007-01-31 21:00, 2007.01.31 21:00, 20070131 210000, dates, and epoch numbers in s, ms, us or ns."
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

    def _parse(self, chunk: bytes, line: int, count: int) -> Iterator[Columns]:
        """Yield the columns of a block of `count` lines, halved until what cannot be read at once is a few lines."""
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
            above = chunk.count(b"\n", 0, middle)
            yield from self._parse(chunk[:middle], line, above)
            yield from self._parse(chunk[middle:], line + above, count - above)

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
                values[row] = to_array(table.column(str(self.layout.values[name])), np.float64)
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
            return np.rint(to_array(column, np.float64) * (self.form.unit / 1_000)).astype(np.int64) * 1_000
        times = to_array(column, np.int64)
        if self.form.kind == "epoch":
            return times * self.form.unit
        return times * SECOND if column.type.unit == "s" else times

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
        return time, [_number(cells[found[name]]) if name in found else np.nan for name in COLUMNS[self.layout.kind]]

    def _join(self, parts: list[Columns]) -> Source:
        width = len(COLUMNS[self.layout.kind])
        time = np.concatenate([part[0] for part in parts]) if parts else np.empty(0, np.int64)
        utc = np.concatenate([part[1] for part in parts]) if parts else np.empty(0, np.bool_)
        values = np.concatenate([part[2] for part in parts], axis=1) if parts else np.empty((width, 0))
        line = np.concatenate([part[3] for part in parts]) if parts else np.empty(0, np.int64)
        time, readable = to_utc(time, utc, line, self.zone, self.form.dates_only, self.rejects)
        records = Records(self.layout.kind, time, values, line)
        if not readable.all():
            records = records.select(readable)
        return Source(records, self.rejects, self.rows_read, tuple(self.layout.values))


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
