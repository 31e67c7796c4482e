"""How people read the metrics: their names, their units, and which way is better."""

import math
from typing import TYPE_CHECKING, Any

from banyan.commands import UsageError

if TYPE_CHECKING:
    from trading.metrics import Definition

# fmt: off
METRICS_SHOWN = (
    "final_equity", "return_pct", "cagr_pct", "volatility_pct", "max_drawdown_pct", "max_drawdown_days", "exposure_pct",
    "turnover", "fees_paid", "benchmark_return_pct", "alpha",
    "sharpe", "sortino", "calmar", "psr", "n_trades", "n_fills", "win_rate_pct", "profit_factor", "expectancy", "sqn",
    "beta", "dsr",
)
# fmt: on
_SUFFIXES = {"%": " %", "s": " s", "days": " days", "per year": " a year"}


def label(name: str) -> str:
    """Return what a metric is called."""
    definition = _definition(name)
    return definition.label if definition else _extra(name)[0]


def known_metric(name: str) -> None:
    """Raise UsageError, with the metrics that there are, unless `name` is one."""
    if _definition(name) is None:
        from trading.metrics.definitions import DEFINITIONS

        raise UsageError(f"no such metric: {name}; choose one of {', '.join(DEFINITIONS)}")


def lower_is_better(name: str) -> bool:
    """Return whether less of a metric is better."""
    definition = _definition(name)
    return definition is not None and definition.better == "lower"


def number(name: str, value: Any) -> str:
    """Return a metric as people read it, with its unit; "-" where it is not defined."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    definition = _definition(name)
    unit, decimals = (definition.unit, definition.decimals) if definition else _extra(name)[1:]
    if decimals is None:
        return f"{value:g}" if isinstance(value, float) else str(value)
    return f"{value:,.{decimals}f}{_SUFFIXES.get(unit, '')}"


def _extra(name: str) -> tuple[str, str, int | None]:
    """Return label, unit and decimals of what is told with the metrics; what is not known is called by its name."""
    from apps.backtest.report.definitions import EXTRAS  # what is imported here is slow to import

    return EXTRAS.get(name, (name, "", None))


def _definition(name: str) -> "Definition | None":
    from trading.metrics.definitions import DEFINITIONS

    return DEFINITIONS.get(name)
