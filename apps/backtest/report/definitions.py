"""How each metric is grouped, written and coloured; what it means is in the definitions that the run carries."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from apps.backtest.report import figures
from trading.metrics.definitions import DEFINITIONS

BENCHMARK_GROUP: Final = "Against the benchmark"
_GROUPS: Final = {
    "Return": ("final_equity", "return_pct", "cagr_pct", "volatility_pct", "n_returns"),
    "Risk-adjusted": ("sharpe", "sortino", "calmar", "omega", "psr", "dsr"),
    "Trades": (
        "n_trades",
        "open_trades",
        "n_fills",
        "win_rate_pct",
        "profit_factor",
        "expectancy",
        "avg_trade_pct",
        "avg_win",
        "avg_loss",
        "payoff",
        "sqn",
        "longest_losing_run",
        "avg_bars_held",
    ),
    "Drawdown and tail": ("max_drawdown_pct", "max_drawdown_days", "var_95_pct", "cvar_95_pct", "skew", "kurtosis"),
    "Exposure and costs": ("exposure_pct", "avg_exposure_pct", "turnover", "fees_paid", "swap_paid"),
    BENCHMARK_GROUP: (
        "benchmark_return_pct",
        "alpha",
        "beta",
        "correlation",
        "tracking_error_pct",
        "information_ratio",
    ),
}
EXTRAS: Final = {  # what is told with the metrics and has no definition: label, unit, decimals
    "open_trades": ("Open trades", "count", 0),
    "swap_paid": ("Swap paid", "currency", 2),
    "bars": ("Bars", "count", 0),
    "engine_seconds": ("Engine time", "s", 4),
    "compile_seconds": ("Compile time", "s", 2),
}
_LAST_GROUP: Final = "Other"
_GROUP_OF: Final = {key: group for group, keys in _GROUPS.items() for key in keys}
_GAINS: Final = frozenset(
    {
        "return_pct",
        "cagr_pct",
        "expectancy",
        "avg_trade_pct",
        "avg_win",
        "avg_loss",
        "alpha",
        "benchmark_return_pct",
    }
)
_FALLS: Final = frozenset({"max_drawdown_pct"})
_SILENT_UNITS: Final = frozenset({"currency", "ratio", "count", "bars", "probability", ""})


@dataclass(frozen=True, slots=True)
class Explained:
    """One metric as it is shown: `rule` says when it has no value, `details` are its source and conventions."""

    key: str
    label: str
    unit: str
    formula: str
    decimals: int
    rule: str
    details: str

    @property
    def is_gain(self) -> bool:
        """Whether the value is good above zero and bad below, and so is signed and coloured."""
        return self.key in _GAINS or self.is_fall

    @property
    def is_fall(self) -> bool:
        """Whether the value is a depth, stored positive and written with a minus sign."""
        return self.key in _FALLS

    def write(self, value: Any) -> str:
        """Write a value of this metric with its sign, digits and unit; "–" where there is none."""
        figure = as_float(value)
        if figure is None:
            return figures.NOTHING
        if self.is_fall:
            figure = -figure
        text = figures.number(figure, self.decimals, signed=self.is_gain)
        if self.unit == "%":
            return f"{text}{figures.THIN}%"
        return text if self.unit in _SILENT_UNITS else f"{text}{figures.THIN}{self.unit}"

    def tone(self, value: Any) -> str | None:
        """The colour class of a value: "gain", "loss" or None."""
        figure = as_float(value)
        if not self.is_gain or not figure:
            return None
        return "gain" if (figure > 0) != self.is_fall else "loss"


def as_float(value: Any) -> float | None:
    """A figure as float; None for None, nan and what is not a number."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        figure = float(value)
    except (TypeError, ValueError):
        return None
    return None if figure != figure else figure


def explain(key: str, definitions: Mapping[str, Any]) -> Explained:
    """One metric by its key, from the run's `definitions`; those of this version stand in for what is missing."""
    given = definitions.get(key)
    if not isinstance(given, Mapping):
        given = asdict(DEFINITIONS[key]) if key in DEFINITIONS else _extra(key)
    told = [str(given.get("source", ""))] if given.get("source", "definition") != "definition" else []
    if given.get("annualised", "no") != "no":
        told.append(f"annualised: {given['annualised']}")
    if given.get("ddof") is not None:
        told.append(f"ddof {given['ddof']}")
    return Explained(
        key=key,
        label=str(given.get("label") or key.replace("_", " ")),
        unit=str(given.get("unit", "")),
        formula=str(given.get("formula", "")),
        decimals=int(given.get("decimals", 2)),
        rule=str(given.get("undefined", "never")),
        details="; ".join(told),
    )


def _extra(key: str) -> dict[str, Any]:
    """How to write what is told with the metrics and has no definition: it says what it is."""
    label, unit, decimals = EXTRAS.get(key, (key.replace("_", " "), "%" if key.endswith("_pct") else "", 2))
    return {"label": label, "unit": unit, "decimals": decimals}


def grouped(keys: Iterable[str], definitions: Mapping[str, Any]) -> list[tuple[str, list[Explained]]]:
    """The metrics of `keys` under their headings, both in reading order; unknown ones last, as given."""
    present = list(keys)
    found = [
        (heading, [explain(key, definitions) for key in members if key in present])
        for heading, members in _GROUPS.items()
    ]
    found.append((_LAST_GROUP, [explain(key, definitions) for key in present if key not in _GROUP_OF]))
    return [(heading, rows) for heading, rows in found if rows]
