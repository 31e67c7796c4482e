"""Real prices for the indicators: SPY and IBM by day, EURUSD by hour, SPY by minute with volume."""

import csv
import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

SAMPLE = Path(__file__).parents[3] / "apps/feeds/sample"


class Prices(NamedTuple):
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]


def _read(name: str) -> Prices:
    with gzip.open(SAMPLE / f"{name}.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    if "volume" in rows[0]:
        columns = [[float(row[column]) for row in rows] for column in ("high", "low", "close", "volume")]
    else:
        columns = [
            [(float(row[f"bid_{column}"]) + float(row[f"ask_{column}"])) / 2 for row in rows]
            for column in ("high", "low", "close")
        ] + [[1.0] * len(rows)]
    return Prices(*(np.array(column) for column in columns))


def _first(name: str, rows: int) -> Prices:
    return Prices(*(column[:rows] for column in _read(name)))


@pytest.fixture(
    scope="session",
    params=[
        "spy_1d", "ibm_1d", "eurusd_1h_quotes", "spy_1m_2013-10-07_11",
        pytest.param("all of eurusd_1h_quotes", marks=pytest.mark.soak),
    ],
)  # fmt: skip
def prices(request: pytest.FixtureRequest) -> Prices:
    """Some thousand rows; of EURUSD's 74,000 hours the soak has all."""
    is_whole, name = request.param.startswith("all of "), request.param.removeprefix("all of ")
    return _read(name) if is_whole else _first(name, 6_000)


@pytest.fixture(scope="session")
def equities() -> Prices:
    return _read("ibm_1d")


@pytest.fixture(scope="session")
def eurusd() -> Prices:
    return _read("eurusd_1h_quotes")
