"""Columns as bytes, for the paper broker's socket and the ledgers: each number as narrow as its column allows.

A packed column is empty (all zeros), or a byte that says how wide its numbers are, then the numbers, little-endian. A
width of 0 stands for one number of 8 bytes that is in every row.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from banyan.columns import Ints

_WIDTHS: dict[int, np.dtype[Any]] = {1: np.dtype("<i1"), 2: np.dtype("<i2"), 4: np.dtype("<i4"), 8: np.dtype("<i8")}


class PackedError(ValueError):
    """Bytes that are no packed column of so many rows."""


def pack(column: NDArray[Any]) -> bytes:
    """Return a column of whole numbers as bytes."""
    if not np.count_nonzero(column):
        return b""
    low, high = int(np.minimum.reduce(column)), int(np.maximum.reduce(column))
    if low == high:
        return b"\x00" + low.to_bytes(8, "little", signed=True)
    most = max(high, ~low)
    width = 1 if most < 1 << 7 else 2 if most < 1 << 15 else 4 if most < 1 << 31 else 8
    return bytes((width,)) + column.astype(_WIDTHS[width]).tobytes()


def unpack(packed: bytes, rows: int) -> Ints:
    """Return the column of `rows` numbers, int64[rows], that `packed` holds. Raises PackedError where it holds none."""
    if not packed:
        return np.zeros(rows, np.int64)
    width, body = packed[0], packed[1:]
    if width == 0 and len(body) == 8:
        return np.full(rows, int.from_bytes(body, "little", signed=True), np.int64)
    if width not in _WIDTHS or len(body) != width * rows:
        raise PackedError(f"{len(body)} bytes of width {width} are not a column of {rows} rows")
    return np.frombuffer(body, _WIDTHS[width]).astype(np.int64)


def pack_records(records: NDArray[Any]) -> dict[str, bytes]:
    """Return a structured array as packed columns by field; fields that are 0 in every row are left out."""
    columns = {name: pack(records[name]) for name in records.dtype.names or ()}
    return {name: packed for name, packed in columns.items() if packed}


def unpack_records(packed: Mapping[str, bytes], rows: int, dtype: "np.dtype[Any]") -> NDArray[Any]:
    """Return the structured array of `rows` rows that `packed` holds. Raises PackedError for unknown fields."""
    records = np.zeros(rows, dtype)
    for name, column in packed.items():
        if name not in (dtype.names or ()):
            raise PackedError(f"there is no field {name!r}")
        records[name] = unpack(column, rows)
    return records
