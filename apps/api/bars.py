"""Bars in columns: CSV, Parquet, and a stream of Arrow."""

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


def encode(bars: Bars, form: str) -> bytes:
    """Return bars as "csv", "parquet" or "arrow"; times are those of opening, ns UTC."""
    import pyarrow as pa

    table = pa.table({"time": pa.array(bars.time, pa.timestamp("ns", tz="UTC")), **columns_of(bars)})
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
