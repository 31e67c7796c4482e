"""Arrow's columns as NumPy arrays. Arrow's own `to_numpy` imports pandas, which costs more than reading a file."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_array(column: Any, dtype: type[np.int64] | type[np.float64]) -> NDArray[Any]:
    """Return a chunked array of 8-byte numbers (int64, timestamps, float64) as `dtype`; null is nan, or 0 for int64."""
    parts = []
    for chunk in column.chunks:
        valid, data = chunk.buffers()
        stop = chunk.offset + len(chunk)
        part = np.frombuffer(data, dtype)[chunk.offset : stop]
        if chunk.null_count:
            present = np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little")[chunk.offset : stop]
            part = np.where(present, part, np.nan if dtype is np.float64 else 0)
        parts.append(part)
    return np.concatenate(parts) if parts else np.empty(0, dtype)
