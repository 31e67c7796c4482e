"""How the tests of metrics make curves, and where their real prices are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import apps
from trading.metrics import CURVE_KEYS, TRADE_KEYS, curve_metrics, trade_metrics

DAY = 86_400_000_000_000
SAMPLE = Path(apps.__file__).parent / "feeds" / "sample"

Metrics = dict[str, float]


@pytest.fixture(scope="session")
def measure() -> Callable[..., Metrics]:
    """The metrics of values one day apart, or `step` nanoseconds, by key."""

    def measured(values: Any, periods_per_year: float = 252.0, risk_free: float = 0.0, step: int = DAY) -> Metrics:
        curve = np.asarray(values, np.float64)
        out = np.empty(len(CURVE_KEYS))
        curve_metrics(curve, np.arange(curve.size, dtype=np.int64) * step, periods_per_year, risk_free, out)
        return dict(zip(CURVE_KEYS, out.tolist(), strict=True))

    return measured


@pytest.fixture(scope="session")
def measure_trades() -> Callable[..., Metrics]:
    """The metrics of round trips, by key; without returns or bars held, those are 0."""

    def measured(pnl: Any, returns: Any = None, bars_held: Any = None) -> Metrics:
        amounts = np.asarray(pnl, np.float64)
        columns = [np.zeros(amounts.size) if x is None else np.asarray(x, np.float64) for x in (returns, bars_held)]
        out = np.empty(len(TRADE_KEYS))
        trade_metrics(amounts, *columns, out)
        return dict(zip(TRADE_KEYS, out.tolist(), strict=True))

    return measured


@pytest.fixture(scope="session")
def daily_closes() -> Callable[[str], np.ndarray]:
    """The unadjusted daily closes of a shipped symbol."""

    def closes(symbol: str) -> np.ndarray:
        return np.loadtxt(SAMPLE / f"{symbol}_1d.csv.gz", delimiter=",", skiprows=1, usecols=4)

    return closes
