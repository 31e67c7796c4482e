"""Records on their way in: columns as read from a file, and what was wrong with the rest."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.bars import Bars

OHLC = ("open", "high", "low", "close")
BID = tuple(f"bid_{name}" for name in OHLC)
ASK = tuple(f"ask_{name}" for name in OHLC)


class NoData(LookupError):
    """There are no such bars; the message says what there is and how to get them."""


class Kind(StrEnum):
    """What the records of a series are."""

    BARS = "bars"  # open, high, low, close, volume
    QUOTES = "quotes"  # the same of bid and ask
    TICKS = "ticks"  # bid and ask, or last and size


COLUMNS: dict[Kind, tuple[str, ...]] = {
    Kind.BARS: (*OHLC, "volume"),
    Kind.QUOTES: (*BID, *ASK, "volume"),
    Kind.TICKS: ("bid", "ask", "last", "size"),
}
"""The value columns of each kind, in the order of the arrays and of the tables."""

PRICES: dict[Kind, tuple[str, ...]] = {Kind.BARS: OHLC, Kind.QUOTES: BID + ASK, Kind.TICKS: ("bid", "ask", "last")}


class Reason(StrEnum):
    """Why a record is in quarantine. A gap loses no row; it is noted before the row that follows it."""

    UNREADABLE = "unreadable"
    BAD_TIME = "bad-time"
    MISSING_TIME = "nonexistent-time"
    AMBIGUOUS_TIME = "ambiguous-time"
    NAN = "nan"
    INFINITE = "infinite"
    NOT_POSITIVE = "not-positive"
    NEGATIVE_VOLUME = "negative-volume"
    HIGH_LOW = "high-low"
    CROSSED = "bid-above-ask"
    DUPLICATE = "duplicate-time"
    OUT_OF_ORDER = "out-of-order"
    JUMP = "jump"
    CONFLICT = "conflict"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Reject:
    """One record in quarantine: its line (a row number in Parquet, both from 1), why, and the line as it was read.

    `time` is the record's time (ns UTC) where it has one that can be read, else None; `values` are its columns', in the
    order of its kind, where all of it can be read, else None.
    """

    line: int
    reason: Reason
    detail: str
    text: str = ""
    time: int | None = None
    values: tuple[float, ...] | None = None


@dataclass(slots=True)
class Records:
    """Columns of n records: `time` int64 ns UTC, `values` float64 of shape (columns, n), `line` int64."""

    kind: Kind
    time: NDArray[np.int64]
    values: NDArray[np.float64]
    line: NDArray[np.int64]

    def __len__(self) -> int:
        return self.time.size

    def column(self, name: str) -> NDArray[np.float64]:
        """Return the column `name` of the kind's columns."""
        column: NDArray[np.float64] = self.values[COLUMNS[self.kind].index(name)]
        return column

    def select(self, rows: Any) -> "Records":
        """Return the records at `rows` (a mask, an index array or a slice)."""
        return Records(self.kind, self.time[rows], self.values[:, rows], self.line[rows])


@dataclass(slots=True)
class Source:
    """A file's readable records in the file's order, times in UTC, and the lines that hold none."""

    records: Records
    rejects: list[Reject]
    rows_read: int
    columns_read: tuple[str, ...]


@dataclass(slots=True)
class FileReport:
    """What became of a file's records: how many were read, how many are good, and the rest with line and reason."""

    path: str
    rows_read: int = 0
    rows_good: int = 0
    rejects: list[Reject] = field(default_factory=list)
    gaps: list[Reject] = field(default_factory=list)

    @property
    def reasons(self) -> dict[str, int]:
        """How many records were left out for each reason, the commonest first."""
        return {str(reason): count for reason, count in Counter(r.reason for r in self.rejects).most_common()}

    def summary(self) -> str:
        """Return one line: rows read, good, left out by reason, gaps."""
        parts = [f"{self.path}: {self.rows_read:,} rows read, {self.rows_good:,} good"]
        if self.rejects:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.reasons.items())
            lines = ", ".join(str(reject.line) for reject in self.rejects[:5])
            more = ", …" if len(self.rejects) > 5 else ""
            parts.append(f"{len(self.rejects):,} left out ({reasons}; line {lines}{more})")
        if self.gaps:
            parts.append(f"{len(self.gaps):,} gaps")
        return "; ".join(parts) + "."


def to_bars(kind: Kind, time: NDArray[np.int64], values: NDArray[np.float64], interval: int) -> Bars:
    """Return the columns of `kind` (bars or quotes) as `Bars`; a volume column that is all nan is None."""
    volume = None if values.shape[1] == 0 or (np.isnan(values[-1, 0]) and np.isnan(values[-1]).all()) else values[-1]
    if kind is Kind.BARS:
        return Bars(time, values[0], values[1], values[2], values[3], volume, interval=interval)
    bid, ask = values[0:4], values[4:8]
    mid = 0.5 * (bid + ask)
    columns = dict(zip(OHLC + BID + ASK, (*mid, *bid, *ask), strict=True))
    return Bars(time, volume=volume, interval=interval, **columns)


def from_bars(bars: Bars) -> tuple[Kind, NDArray[np.float64]]:
    """Return the kind of `bars` and its columns as one float64 array of shape (columns, n): undoes `to_bars`."""
    kind = Kind.QUOTES if bars.is_quotes else Kind.BARS
    none = np.full(len(bars), np.nan)
    columns = [getattr(bars, name) for name in COLUMNS[kind]]
    return kind, np.array([none if column is None else column for column in columns], np.float64)
