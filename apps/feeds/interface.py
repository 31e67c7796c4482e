"""What other contexts may ask of feeds: instruments and bars."""

import hashlib

import numpy as np

from apps.feeds.catalogue import shipped_instruments
from apps.feeds.files import read_bars_file as read_bars_file
from apps.feeds.records import from_bars
from trading.bars import Bars
from trading.instruments import Instrument


class InstrumentNotFound(LookupError):
    """There is no instrument of that id."""


def get_instrument(instrument_id: str, *, database: bool = True) -> Instrument:
    """Return the instrument "VENUE:SYMBOL": the database's own, else the shipped one. Raises InstrumentNotFound.

    With `database=False`, or where Django is not set up, only the shipped instruments are known.
    """
    shipped = shipped_instruments().get(instrument_id.upper())
    if shipped is None:
        raise InstrumentNotFound(
            f"there is no instrument {instrument_id!r}. Known: {', '.join(shipped_instruments())}. Add your own with "
            f"`manage.py add_instrument {instrument_id}`."
        )
    return shipped


def data_hash(bars: Bars) -> str:
    """Return 64 hex digits (SHA-256) over interval, times and all columns: equal data, equal hash."""
    kind, values = from_bars(bars)
    digest = hashlib.sha256(f"{kind}:{bars.interval}:{len(bars)}".encode())
    digest.update(np.ascontiguousarray(bars.time, np.int64))
    digest.update(np.ascontiguousarray(values))
    return digest.hexdigest()
