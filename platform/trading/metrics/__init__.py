"""The metrics of a backtest or a live account: kernels, their definitions, and the dict that is stored and shown.

Rows: `curve_metrics`, `trade_metrics`, `benchmark_metrics` fill float64 arrays in the order of
CURVE_KEYS, TRADE_KEYS, BENCHMARK_KEYS. `as_dict` turns a row into JSON-able numbers, None for nan.
"""

from trading.metrics.definitions import METRICS_VERSION, Basis, Definition, as_dict, definitions, periods_per_year
from trading.metrics.kernels import (
    BENCHMARK_KEYS,
    CURVE_KEYS,
    TRADE_KEYS,
    benchmark_metrics,
    curve_metrics,
    trade_metrics,
    turnover,
)
from trading.metrics.series import drawdowns, period_returns, rolling_sharpe
from trading.metrics.sharpe import deflated_sharpe, deflated_sharpes, probabilistic_sharpe

__all__ = [
    "BENCHMARK_KEYS",
    "CURVE_KEYS",
    "METRICS_VERSION",
    "TRADE_KEYS",
    "Basis",
    "Definition",
    "as_dict",
    "benchmark_metrics",
    "curve_metrics",
    "definitions",
    "deflated_sharpe",
    "deflated_sharpes",
    "drawdowns",
    "period_returns",
    "periods_per_year",
    "probabilistic_sharpe",
    "rolling_sharpe",
    "trade_metrics",
    "turnover",
]
