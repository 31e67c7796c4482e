"""Files as columns: CSV, gzipped CSV and Parquet, told apart by their first bytes."""

import gzip
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from apps.feeds.csv_source import CsvReader
from apps.feeds.layouts import LayoutError
from apps.feeds.parquet_source import read_parquet
from apps.feeds.records import Kind, Source
from trading.sessions import find_zone

_CHUNK_BYTES = 8 << 20
_LINE_BYTES_MAX = 1 << 20
"""Of a line of text; what goes on without an end, as a few packed bytes can, would fill the memory."""

Progress = Callable[[int], None]


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
            source = read_parquet(path, kinds, zones, columns)
            if progress is not None:
                progress(path.stat().st_size)
            return source
        return CsvReader(path, kinds, zones, columns).read(_chunks(file, magic, path, progress))


def read_lines(path: Path, numbers: set[int]) -> dict[int, str]:
    """Return the text of the lines of a CSV file with these numbers (from 1), without their ends."""
    found: dict[int, str] = {}
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic == b"PAR1" or not numbers:
            return found
        stream = gzip.open(file) if magic[:2] == b"\x1f\x8b" else file  # noqa: SIM115
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
                if len(rest) > _LINE_BYTES_MAX:
                    raise LayoutError(
                        f"{path}: it has a line of more than {_LINE_BYTES_MAX:,} bytes, so it is no file of rows. "
                        "Nothing was read from it."
                    )
                continue
            yield rest + block[:cut]
            rest = block[cut:]
    except (EOFError, gzip.BadGzipFile) as error:
        raise LayoutError(
            f"{path}: the gzip file is damaged or cut short ({error}). Nothing was read from it."
        ) from error
    if rest:
        yield rest + b"\n"
