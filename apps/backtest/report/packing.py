"""Columns of numbers as short text: scaled to whole numbers, differenced, in the narrowest integers that hold them."""

import base64
import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_TYPES: Final = ((np.int8, "i1"), (np.int16, "i2"), (np.int32, "i4"))


def pack(values: NDArray[Any], scale: float = 1.0) -> dict[str, Any]:
    """Encode a column so that `assets/packed.js` reads it back within 0.5 / `scale`.

    `values` (float64 or int64, one dimension) times `scale` is rounded to whole numbers. The first is kept as it is;
    the steps between the rest are divided by their greatest common divisor and written little-endian as int8, int16 or
    int32, or else as float64 values. The lowest integer stands for nan, which does not move the running sum.
    """
    column = np.asarray(values)
    known = np.isfinite(column) if column.dtype.kind == "f" else np.ones(column.size, dtype=bool)
    if not known.any():
        return {"n": int(column.size), "type": "none"}
    scaled = np.rint(column[known] * scale) if scale != 1.0 or column.dtype.kind == "f" else column[known]
    if column.dtype.kind == "f" and np.max(np.abs(scaled)) >= 2.0**53:
        return _raw(column)
    whole = scaled.astype(np.int64)
    steps = np.diff(whole)
    unit = int(np.gcd.reduce(steps)) if steps.any() else 1
    steps //= max(unit, 1)
    largest = int(np.max(np.abs(steps), initial=0))
    narrowest = next((entry for entry in _TYPES if largest <= np.iinfo(entry[0]).max), None)
    if narrowest is None:
        return _raw(column)
    kind, name = narrowest
    stored = np.full(column.size, np.iinfo(kind).min, dtype=kind)
    stored[known] = np.concatenate(([0], steps))
    return {
        "n": int(column.size),
        "type": name,
        "first": int(whole[0]),
        "unit": unit,
        "scale": scale,
        "data": base64.b64encode(stored.astype(stored.dtype.newbyteorder("<")).tobytes()).decode("ascii"),
    }


def scale_for(values: NDArray[np.float64], digits: int = 7) -> float:
    """The power of ten by which `pack` keeps about `digits` significant digits of the largest value."""
    known = np.abs(values[np.isfinite(values)])
    largest = float(known.max()) if known.size else 0.0
    if largest == 0.0:
        return 1.0
    return 10.0 ** min(max(digits - math.floor(math.log10(largest)) - 1, 0), 12)


def _raw(column: NDArray[Any]) -> dict[str, Any]:
    data = base64.b64encode(column.astype("<f8").tobytes()).decode("ascii")
    return {"n": int(column.size), "type": "f8", "data": data}
