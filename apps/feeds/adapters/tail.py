"""Files that grow: CSV line by line, Parquet version by version."""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from apps.feeds.adapters.port import Given, Reading, SourceError
from apps.feeds.csv_source import CsvReader
from apps.feeds.layouts import LayoutError
from apps.feeds.parquet_source import read_parquet
from apps.feeds.records import Kind, Reject, Source
from trading.instruments import Instrument

_READ_BYTES = 1 << 20
_REMEMBERED_BYTES = 256
_POLL_SECONDS = 0.05


class TailAdapter:
    """Follows one file for each instrument, from its beginning.

    A CSV file may be cut short and written anew, or moved away and replaced; what was written to the old one before is
    read to its end. A last line without its end is left until it has one. A Parquet file is replaced whole, by one
    with more rows. A file that is not there yet is waited for. `interval_ns` is 0 where the files hold ticks.
    """

    def __init__(
        self, files: Mapping[str, tuple[Instrument, Path]], interval_ns: int = 0, *, tz: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:  # fmt: skip
        self._files = files
        self._interval_ns = interval_ns
        self._tz = tz
        self._columns = columns
        self._kinds = (Kind.QUOTES, Kind.BARS) if interval_ns else (Kind.TICKS,)
        self._after_ns = 0
        self._tails: dict[str, _Tail] = {}
        self._closed = threading.Event()

    def open(self, after_ns: int) -> int:
        """Begin at the beginning of each file."""
        self._let_go()
        self._closed.clear()
        self._after_ns = after_ns
        for name, (instrument, path) in self._files.items():
            zones = (self._tz or "UTC", self._tz or instrument.time_zone)
            self._tails[name] = _Tail(path, self._kinds, zones, self._columns)
        return after_ns

    def read(self, seconds: float) -> Reading | None:
        """Return the next records of every file, a megabyte of each at most."""
        waited = 0.0
        while not self._closed.is_set():
            given, is_current = self._look()
            if given or not is_current or waited >= seconds:
                return Reading(given, is_current)
            pause = min(_POLL_SECONDS, seconds - waited)
            self._closed.wait(pause)
            waited += pause
        self._let_go()
        return None

    def close(self) -> None:
        """Stop; the reader lets go of the files."""
        self._closed.set()

    def _look(self) -> tuple[tuple[Given, ...], bool]:
        given, is_current = [], True
        for name, tail in self._tails.items():
            try:
                for source in tail.more():
                    wanted = source.records.select(source.records.time >= self._after_ns)
                    rejects = tuple(source.rejects)
                    given.append(Given(name, self._interval_ns, wanted, source.columns_read, rejects))
            except (OSError, LayoutError) as problem:
                raise SourceError(str(problem)) from problem
            is_current = is_current and not tail.has_more
        return tuple(given), is_current

    def _let_go(self) -> None:
        for tail in self._tails.values():
            tail.close()
        self._tails.clear()


class _Tail:
    """One file, and how far it was read."""

    def __init__(
        self, path: Path, kinds: Sequence[Kind], zones: tuple[str, str], columns: Sequence[str] | None
    ) -> None:
        self.has_more = False
        self._path = path
        self._kinds = kinds
        self._zones = zones
        self._columns = columns
        self._known: Sequence[str] | None = None
        self._file: BinaryIO | None = None
        self._reader: CsvReader | None = None
        self._offset = 0
        self._before = b""
        self._version: tuple[int, int, int] | None = None
        self._last: tuple[int, int] = (0, 0)

    def more(self) -> list[Source]:
        """Return the sources that were completed since, oldest first. Raises OSError and LayoutError."""
        self.has_more = False
        if self._file is None and not self._begin():
            return []
        assert self._file is not None
        if self._reader is None and self._is_parquet():
            return self._next_version()
        found = self._next_lines()
        if found is not None:
            return [found]
        if self._is_moved():
            self.close()
            self.has_more = self._begin()
        return []

    def close(self) -> None:
        """Let go of the file, and forget how far it was read."""
        if self._file is not None:
            self._file.close()
        self._file, self._reader, self._offset, self._before = None, None, 0, b""

    def _begin(self) -> bool:
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            return False
        return True

    def _is_parquet(self) -> bool:
        magic = os.pread(self._file.fileno(), 4, 0) if self._file is not None else b""
        if magic[:2] == b"\x1f\x8b":
            raise LayoutError(f"{self._path}: a gzipped file cannot be followed; write it unpacked.")
        return magic == b"PAR1"

    def _is_moved(self) -> bool:
        assert self._file is not None
        mine = os.fstat(self._file.fileno())
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False  # moved away, and nothing in its place yet: more may still be written to it
        return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)

    def _next_lines(self) -> Source | None:
        """Return the records of the lines that have ended since, None where no line has."""
        assert self._file is not None
        descriptor = self._file.fileno()
        start = self._offset - len(self._before)
        found = os.pread(descriptor, len(self._before) + _READ_BYTES, start)
        if not found.startswith(self._before):  # cut short, or written anew from the beginning
            self._reader, self._offset, self._before = None, 0, b""
            found = os.pread(descriptor, _READ_BYTES, 0)
        new = found[len(self._before) :]
        lines = new[: new.rfind(b"\n") + 1]
        if not lines and len(new) >= _READ_BYTES:
            raise LayoutError(f"{self._path}: a line of more than {_READ_BYTES:,} bytes after byte {self._offset:,}.")
        if not lines or (self._reader is None and not _shows_its_form(lines)):
            return None
        self.has_more = len(new) >= _READ_BYTES
        first = 1 if self._reader is None else self._reader.line
        source = self._begun(lines) if self._reader is None else self._reader.read_more(lines)
        self._offset += len(lines)
        self._before = (self._before + lines)[-_REMEMBERED_BYTES:]
        return _with_text(source, lines, first)

    def _begun(self, lines: bytes) -> Source:
        """Read the first lines. Where a file was cut short, its columns may be known from before."""
        try:
            reader = CsvReader(self._path, self._kinds, self._zones, self._columns)
            source = reader.read_more(lines)
        except LayoutError:
            if self._known is None:
                raise
            reader = CsvReader(self._path, self._kinds, self._zones, self._known)
            source = reader.read_more(lines)
        self._reader, self._known = reader, reader.layout.names
        return source

    def _next_version(self) -> list[Source]:
        """Return the rows that a newer version of a Parquet file has beyond those that were given."""
        there = self._path.stat()
        version = (there.st_ino, there.st_mtime_ns, there.st_size)
        if version == self._version:
            return []
        try:
            source = read_parquet(self._path, self._kinds, self._zones, self._columns)
        except LayoutError:
            if _has_parquet_end(self._path):
                raise
            return []  # it is being written: the version that is complete comes later
        self._version = version
        if self._file is not None:
            self._file.close()
        self._file = self._path.open("rb")
        count, last_ns = self._last
        records = source.records
        place = int(np.searchsorted(records.line, count, side="right"))
        if not (count and place and records.line[place - 1] == count and records.time[place - 1] == last_ns):
            place = 0
        if len(records):
            self._last = int(records.line[-1]), int(records.time[-1])
        after = int(records.line[place - 1]) if place else 0
        rejects: list[Reject] = [each for each in source.rejects if each.line > after]
        return [Source(records.select(slice(place, None)), rejects, source.rows_read - after, source.columns_read)]


def _shows_its_form(lines: bytes) -> bool:
    """Tell whether there is a line of values to learn from: the first may be a header."""
    return sum(1 for line in lines.split(b"\n") if line.strip()) >= 2


def _with_text(source: Source, lines: bytes, first: int) -> Source:
    if source.rejects:
        texts = lines.decode("utf-8", "replace").split("\n")
        source.rejects = [replace(each, text=texts[each.line - first].rstrip("\r")) for each in source.rejects]
    return source


def _has_parquet_end(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        return file.tell() >= 8 and os.pread(file.fileno(), 4, file.tell() - 4) == b"PAR1"
