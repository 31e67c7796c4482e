"""Bars and ticks in columns: CSV, Parquet, and a stream of Arrow."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from trading.bars import Bars

MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
FORMS = tuple(MEDIA_TYPES)
_COLUMNS = (
    "open", "high", "low", "close", "volume", "bid_open", "bid_high", "bid_low", "bid_close", "ask_open", "ask_high",
    "ask_low", "ask_close",
)  # fmt: skip
_BATCH = 65_536


def columns_of(bars: Bars) -> "dict[str, np.ndarray[Any, Any]]":
    """Return the columns that bars have, without their times."""
    found = {name: getattr(bars, name) for name in _COLUMNS}
    return {name: values for name, values in found.items() if values is not None}


def encode(time: "np.ndarray[Any, Any]", columns: "Mapping[str, np.ndarray[Any, Any]]", form: str) -> bytes:
    """Return rows as "csv", "parquet" or "arrow"; `time` is in ns UTC."""
    import pyarrow as pa

    table = pa.table({"time": pa.array(time, pa.timestamp("ns", tz="UTC")), **columns})
    sink = pa.BufferOutputStream()
    match form:
        case "arrow":
            with pa.ipc.new_stream(sink, table.schema) as stream:
                stream.write_table(table, max_chunksize=_BATCH)
        case "parquet":
            import pyarrow.parquet as pq

            pq.write_table(table, sink)
        case _:
            from pyarrow import csv

            csv.write_csv(table, sink)
    written: bytes = sink.getvalue().to_pybytes()
    return written
