"""What each metric means: formula, source, ddof, annualisation and nan rule, stored with every result.

A formula that changes gets a new METRICS_VERSION; a test holds definitions, kernels and version together.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import ceil, isfinite
from typing import Any, Literal, NamedTuple

from trading.intervals import DAY, HOUR

METRICS_VERSION = "1.1"

Unit = Literal["currency", "%", "ratio", "per year", "probability", "days", "bars", "count"]

_FEW = "fewer than two returns, or returns that differ only by rounding (range ≤ 1e-14)"
_PSR_PAPER = "Bailey & López de Prado (2012), The Sharpe Ratio Efficient Frontier"
_EMPYRICAL = "as in empyrical"

HOURS_PER_SESSION = {
    "24x7": 24.0, "24x5": 24.0, "XNYS": 6.5, "XNAS": 6.5, "ARCX": 6.5, "BATS": 6.5, "XTSE": 6.5, "XLON": 8.5,
    "XETR": 8.5, "XPAR": 8.5, "XAMS": 8.5, "XSWX": 8.5, "XNSE": 6.25, "XBOM": 6.25, "XTKS": 5.5, "XHKG": 5.5,
    "XASX": 6.0, "XSHG": 4.0, "XSHE": 4.0,
}  # fmt: skip


class CalendarError(ValueError):
    """The number of periods in a year cannot be told for a calendar and an interval."""


class Basis(NamedTuple):
    """What the periods of a run's metrics are. It is stored with the definitions."""

    returns: str = "daily"  # "daily": session closes; "bar": every bar's close
    periods_per_year: float = 252.0
    risk_free: float = 0.0  # a year, as a fraction
    calendar: str = ""
    time_zone: str = "UTC"
    day_turn_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric: its key in JSON, and everything a reader needs to compute it again."""

    key: str
    label: str
    unit: Unit
    formula: str
    undefined: str = "never"  # when it is nan in kernels, null in JSON
    source: str = "definition"
    better: Literal["higher", "lower", "neither"] = "higher"
    ddof: int | None = None
    annualised: str = "no"
    decimals: int = 2


_ALL = (
    # Of the curve v₀ … vₙ of period values: v₀ is the starting cash, r the returns, p the periods in a year.
    Definition("final_equity", "Final equity", "currency", "vₙ: cash plus holdings at the last close", "no value"),
    Definition("return_pct", "Return", "%", "100 (vₙ / v₀ - 1)", "v₀ ≤ 0"),
    Definition(
        "cagr_pct", "CAGR", "%",
        "100 ((vₙ / v₀)^(1 / years) - 1), years = (time of vₙ - time of v₀) / 365.25 days; -100 where vₙ ≤ 0",
        "v₀ ≤ 0, or no time has passed", "compound annual growth rate, by real time",
        annualised="by elapsed years of 365.25 days, not by counting periods",
    ),
    Definition(
        "volatility_pct", "Volatility", "%", "100 std(r) √p", "fewer than two returns", _EMPYRICAL, "lower", 1, "√p",
    ),
    Definition(
        "sharpe", "Sharpe ratio", "ratio", "mean(r - f) / std(r) √p, f = (1 + risk-free)^(1/p) - 1", _FEW,
        f"Sharpe (1994), The Sharpe Ratio; {_EMPYRICAL}", "higher", 1, "√p",
    ),
    Definition(
        "sortino", "Sortino ratio", "ratio", "mean(r - f) / √(mean(min(r - f, 0)²)) √p, the mean over all returns",
        "no return, or none below f",
        f"Sortino & Price (1994), Performance Measurement in a Downside Risk Framework; {_EMPYRICAL}", ddof=0,
        annualised="√p",
    ),
    Definition(
        "calmar", "Calmar ratio", "ratio", "CAGR / maximum drawdown, both over the whole run",
        "no drawdown, or no CAGR", "Young (1991), Calmar Ratio: A Smoother Tool, there over 36 months",
        annualised="through the CAGR",
    ),
    Definition(
        "omega", "Omega ratio", "ratio", "Σ max(r - f, 0) / Σ max(f - r, 0)", "no return, or none below f",
        f"Keating & Shadwick (2002), A Universal Performance Measure; {_EMPYRICAL}",
    ),
    Definition(
        "max_drawdown_pct", "Max drawdown", "%",
        "100 max(1 - v / highest v so far), of period values; positive, above 100 where equity falls below 0",
        "v₀ ≤ 0", f"{_EMPYRICAL}, with the opposite sign", "lower",
    ),
    Definition(
        "max_drawdown_days", "Longest drawdown", "days",
        "longest time from a highest value until it is reached again, or until the end; calendar days", "v₀ ≤ 0",
        better="lower", decimals=0,
    ),
    Definition(
        "var_95_pct", "VaR 95 %", "%", "-100 x the 5 % quantile of r, linear between order statistics (Hyndman-Fan 7)",
        "no return", f"historical value at risk of one period; {_EMPYRICAL}, with the opposite sign", "lower",
    ),
    Definition(
        "cvar_95_pct", "CVaR 95 %", "%", "-100 x mean of the ⌊0.05 (n - 1)⌋ + 1 lowest r", "no return",
        f"historical expected shortfall of one period; {_EMPYRICAL}, with the opposite sign", "lower",
    ),
    Definition(
        "skew", "Skewness", "ratio", "m₃ / m₂^1.5, mₖ = mean((r - mean r)^k)", _FEW, "Fisher's g₁, biased", "higher", 0,
    ),
    Definition(
        "kurtosis", "Excess kurtosis", "ratio", "m₄ / m₂² - 3", _FEW, "Fisher's g₂, biased", "lower", 0,
    ),
    Definition(
        "psr", "Probabilistic Sharpe", "probability",
        "Φ(S √(n - 1) / √(1 - skew S + (kurtosis + 2)/4 S²)), S = Sharpe ratio / √p: P(true Sharpe ratio > 0)", _FEW,
        _PSR_PAPER, ddof=1, decimals=3,
    ),
    Definition(
        "n_returns", "Returns", "count", "n, up to and with the first whose value is ≤ 0: after ruin there are none",
        better="neither", decimals=0,
    ),
    Definition(
        "dsr", "Deflated Sharpe", "probability",
        "the probabilistic Sharpe ratio against √V ((1 - g) Φ⁻¹(1 - 1/N) + g Φ⁻¹(1 - 1/(N e))) / √p: N trials, V the "
        "variance of their Sharpe ratios, g = 0.5772…",
        "a run without trials, or fewer than two of them", "Bailey & López de Prado (2014), The Deflated Sharpe Ratio",
        ddof=1, decimals=3,
    ),
    # Of the closed round trips, pnl net of all costs. A trade still open at the end is not among them.
    Definition("n_trades", "Trades", "count", "closed round trips", better="neither", decimals=0),
    Definition("win_rate_pct", "Win rate", "%", "100 x trades with pnl > 0 / trades", "no trade"),
    Definition("profit_factor", "Profit factor", "ratio", "Σ pnl of winners / |Σ pnl of losers|", "no loser"),
    Definition("expectancy", "Expectancy", "currency", "mean pnl of a trade", "no trade"),
    Definition("avg_trade_pct", "Average trade", "%", "100 mean(pnl / (entry price x quantity))", "no trade"),
    Definition("avg_win", "Average win", "currency", "mean pnl of winners", "no winner"),
    Definition("avg_loss", "Average loss", "currency", "mean pnl of losers, a negative amount", "no loser"),
    Definition("payoff", "Payoff ratio", "ratio", "average win / |average loss|", "no winner or no loser"),
    Definition(
        "sqn", "SQN", "ratio", "√k mean(pnl) / std(pnl) over k trades, k not capped",
        "fewer than two trades, or all alike",
        "Van Tharp (2008), Definitive Guide to Position Sizing, with pnl as R multiple", ddof=1,
    ),
    Definition(
        "longest_losing_run", "Longest losing run", "count", "most trades in a row with pnl < 0", "no trade",
        better="lower", decimals=0,
    ),
    Definition(
        "avg_bars_held", "Average bars held", "bars",
        "mean of bar of the last exit fill - bar of the first entry fill", "no trade", better="neither",
    ),
    # Of the books.
    Definition("n_fills", "Fills", "count", "fills, partial ones each", better="neither", decimals=0),
    Definition("fees_paid", "Fees paid", "currency", "Σ fees of all fills, account currency", better="lower"),
    Definition(
        "exposure_pct", "Time in market", "%", "100 x bars with a position at the close / bars", "no bar",
        better="neither",
    ),
    Definition(
        "avg_exposure_pct", "Average exposure", "%", "100 mean(gross notional / equity) at the closes v₁ … vₙ",
        "no bar",
        better="neither",
    ),
    Definition(
        "turnover", "Turnover", "per year", "½ Σ |fill notional| / mean(v) / years",
        "no time has passed, or mean(v) ≤ 0", "one way", "lower", annualised="by elapsed years of 365.25 days",
    ),
    # Against a benchmark curve of the same times, with returns b.
    Definition(
        "alpha", "Alpha", "ratio", "(1 + mean(r - f) - β mean(b - f))^p - 1: 0.05 is 5 % a year",
        "no benchmark, fewer than two returns, or a constant b",
        f"Jensen (1968), The Performance of Mutual Funds; compounded {_EMPYRICAL}", annualised="compounded p times",
        decimals=3,
    ),
    Definition(
        "beta", "Beta", "ratio", "cov(r, b) / var(b)", "no benchmark, fewer than two returns, or a constant b",
        f"Sharpe (1964), Capital Asset Prices; {_EMPYRICAL}", "neither", 1, decimals=3,
    ),
    Definition(
        "correlation", "Correlation", "ratio", "cov(r, b) / (std(r) std(b))",
        "no benchmark, fewer than two returns, or a constant r or b", "Pearson", "neither", 1,
    ),
    Definition(
        "tracking_error_pct", "Tracking error", "%", "100 std(r - b) √p", "no benchmark, or fewer than two returns",
        "Grinold & Kahn (1999), Active Portfolio Management", "lower", 1, "√p",
    ),
    Definition(
        "information_ratio", "Information ratio", "ratio", "mean(r - b) / std(r - b) √p",
        "no benchmark, fewer than two returns, or r - b constant",
        f"Grinold & Kahn (1999); {_EMPYRICAL} (excess_sharpe), annualised", "higher", 1, "√p",
    ),
    Definition(
        "benchmark_return_pct", "Benchmark return", "%", "100 (w / w₀ - 1) of the benchmark's last and first value w",
        "no benchmark", better="neither",
    ),
)  # fmt: skip

DEFINITIONS = {definition.key: definition for definition in _ALL}


def definitions(basis: Basis | None = None) -> dict[str, Any]:
    """Return version, basis and all definitions by key, JSON-able, as they are stored with a result."""
    return {
        "version": METRICS_VERSION,
        "basis": None if basis is None else basis._asdict(),
        "returns": "r[i] = v[i] / v[i-1] - 1 of the values v at period closes; v[0] is the starting cash",
        "metrics": {key: asdict(definition) for key, definition in DEFINITIONS.items()},
    }


def as_dict(keys: Iterable[str], row: Iterable[float]) -> dict[str, float | int | None]:
    """Return a row of floats by key for JSON: int for counts, None where the metric is nan or infinite."""
    return {key: _number(key, float(value)) for key, value in zip(keys, row, strict=True)}


def periods_per_year(calendar: str, interval: int = DAY, returns: str = "daily", week: int = 5) -> float:
    """Return how many periods annualise returns: of session closes ("daily") or of the closes of bars ("bar").

    `calendar` is an instrument's ("24x7", "24x5", "XNYS", …), `interval` its bars' in nanoseconds. A year has 365
    session days on "24x7", 52 weeks of them on "24x5" (260 where a `week` has five, 312 where its day turns within
    Sunday's trading, so that there are six), and 252 on everything else. Bars within the day count as often as one
    begins in the regular session; bars longer than a day by the calendar year of 365.25 days, whatever `returns` says.
    Raises CalendarError for bars of an unknown interval or calendar.
    """
    if interval > DAY:
        return 365.25 * DAY / interval
    if returns == "daily" or interval == DAY:
        return {"24x7": 365.0, "24x5": 52.0 * week}.get(calendar, 252.0)
    if interval <= 0:
        raise CalendarError("the interval of the bars is not known, so their returns cannot be annualised: name it")
    if calendar not in HOURS_PER_SESSION:
        raise CalendarError(
            f"the length of a session of calendar {calendar!r} is not known, so returns of bars cannot be annualised: "
            f"use returns of daily closes, or one of {', '.join(HOURS_PER_SESSION)}"
        )
    return periods_per_year(calendar) * ceil(HOURS_PER_SESSION[calendar] * HOUR / interval)


def _number(key: str, value: float) -> float | int | None:
    if not isfinite(value):
        return None
    return int(value) if DEFINITIONS[key].unit == "count" else value
