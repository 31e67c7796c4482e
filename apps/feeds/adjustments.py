"""Split and dividend adjustment on read. What is stored stays as it was traded."""

import csv
import gzip
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trading.bars import Bars
from trading.instruments import Instrument
from trading.sessions import session_days

Adjust = Literal["none", "splits", "all"]
ADJUST: tuple[Adjust, ...] = ("none", "splits", "all")

_EPOCH = date(1970, 1, 1)
_HEADER_WORDS = {"date", "price_factor", "split_factor", "reference_price"}


class FactorError(ValueError):
    """A factor file or a kind of adjustment is not what it must be."""


@dataclass(frozen=True, slots=True)
class Factors:
    """Adjustment factors, oldest first: each holds for session days after the one before, up to and with `days`.

    `days` is int64, days since 1970-01-01; `price` (dividends) and `split` are float64; all have one length.
    """

    days: NDArray[np.int64]
    price: NDArray[np.float64]
    split: NDArray[np.float64]


def adjust_bars(bars: Bars, factors: Factors, instrument: Instrument, adjust: Adjust) -> Bars:
    """Return bars as if today's share had been traded all along.

    "splits" multiplies prices by the split factor of the bar's session day and divides volumes by it; "all"
    multiplies prices by the price factor too, so that their returns are total returns. After the last factor's day
    both are 1.
    """
    if adjust == "none" or factors.days.size == 0 or len(bars) == 0:
        return bars
    row = np.searchsorted(factors.days, session_days(bars.time, instrument), side="left")
    split = np.append(factors.split, 1.0)[row]
    price = split * np.append(factors.price, 1.0)[row] if adjust == "all" else split
    names = [name for name in _PRICE_COLUMNS if getattr(bars, name) is not None]
    columns = {name: getattr(bars, name) * price for name in names}
    if bars.volume is not None:
        columns["volume"] = bars.volume / split
    return replace(bars, **columns)


_PRICE_COLUMNS = tuple(name for name in Bars.__dataclass_fields__ if name.endswith(("open", "high", "low", "close")))


@dataclass(frozen=True, slots=True)
class FactorRow:
    """One row of a factor file."""

    date: date
    price_factor: float
    split_factor: float
    reference_price: float


def read_factor_file(path: Path) -> list[FactorRow]:
    """Return the rows of a factor file (CSV, may be gzipped), oldest first.

    Its columns are date (YYYYMMDD or ISO), price factor, split factor and, if it is there, reference price, with or
    without a header. Raises FactorError, naming the line, and OSError.
    """
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    rows = []
    with gzip.open(path, "rt") if packed else path.open() as file:
        for line, cells in enumerate(csv.reader(file), start=1):
            if not cells or (line == 1 and _HEADER_WORDS & {cell.strip().lower() for cell in cells}):
                continue
            rows.append(_factor_row(cells, f"{path}:{line}"))
    rows.sort(key=lambda row: row.date)
    for one, following in pairwise(rows):
        if one.date == following.date:
            raise FactorError(f"{path}: {one.date} has two rows; a day has one factor.")
    return rows


def _factor_row(cells: list[str], where: str) -> FactorRow:
    try:
        day = date.fromisoformat(cells[0].strip())
        price, split = float(cells[1]), float(cells[2])
        reference = float(cells[3]) if len(cells) > 3 and cells[3].strip() else 0.0
    except (ValueError, IndexError) as error:
        raise FactorError(
            f"{where}: {','.join(cells)!r} is not date, price factor, split factor[, reference price] ({error})."
        ) from error
    if not (0.0 < price < np.inf and 0.0 < split < np.inf):
        raise FactorError(f"{where}: factors must be positive numbers, not {price} and {split}.")
    return FactorRow(day, price, split, reference)


def as_factors(rows: list[FactorRow]) -> Factors:
    """Return the rows (oldest first) as arrays."""
    return Factors(
        np.array([(row.date - _EPOCH).days for row in rows], np.int64),
        np.array([row.price_factor for row in rows], np.float64),
        np.array([row.split_factor for row in rows], np.float64),
    )
