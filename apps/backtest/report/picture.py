"""The report's main plots as one PNG for a chat: 1600 × 1000, legible at half its size."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from apps.backtest.report import figures
from apps.backtest.report.definitions import as_float, explain
from apps.backtest.report.facts import Facts, read_facts
from apps.backtest.report.headline import run_chips
from apps.backtest.report.payload import shown_channels
from apps.backtest.report.periods import DailyCurve, daily_curve, monthly_returns, yearly_returns
from apps.backtest.report.thinning import extreme_rows
from apps.backtest.result import Result
from trading.metrics import drawdowns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK: Final = "#151a22"
_SOFT: Final = "#4c5665"
_LINE: Final = "#e1e5ea"
_ACCENT: Final = "#2449c8"
_OTHER: Final = "#7d8695"
_GAIN: Final = "#008070"
_LOSS: Final = "#c2410f"
_SHORT: Final = "#8f5d00"
_BUCKETS: Final = 700
_MOST_YEARS: Final = 14
_MOST_SYMBOLS: Final = 250  # more trades than this are shown as a ribbon only
_LEFT: Final = 0.028
_TILES: Final = ("return_pct", "cagr_pct", "sharpe", "max_drawdown_pct", "profit_factor", "win_rate_pct", "n_trades")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def write_picture(result: Result, path: Path) -> Path:
    """Write the picture of one run to `path` and return it. Raises OSError when the file cannot be written."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    facts = read_facts(result)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with rc_context({"font.family": "DejaVu Sans", "text.parse_math": False, "axes.unicode_minus": True}):
        figure = Figure(figsize=(16, 10), dpi=100, facecolor="white")
        FigureCanvasAgg(figure)
        _draw_head(figure, result, facts)
        if result.time.size >= 2:
            _draw_equity(figure, result, facts)
            _draw_price(figure, result)
            _draw_months(figure, daily_curve(result.time, result.equity, facts.session, facts.cash), facts)
        else:
            figure.text(0.5, 0.5, "One bar has no curve", ha="center", fontsize=20, color=_SOFT)
        figure.savefig(path, format="png")
    return path


def _draw_head(figure: "Figure", result: Result, facts: Facts) -> None:
    settings = "   ".join(f"{name} {value}" for name, value in result.params.items())
    figure.text(_LEFT, 0.945, _short(result.strategy, 40), fontsize=27, weight="bold", color=_INK)
    chips = "  ·  ".join(chip for chip in [*run_chips(result, facts), settings] if chip)
    figure.text(_LEFT, 0.915, _short(chips, 130), fontsize=15, color=_SOFT)
    told = [explain(key, facts.definitions) for key in _TILES if key in result.metrics]
    for place, metric in enumerate(told):
        value = result.metrics[metric.key]
        at = _LEFT + place * (1 - 2 * _LEFT) / max(len(told), 1)
        tone = {"gain": _GAIN, "loss": _LOSS, None: _INK}[metric.tone(as_float(value))]
        figure.text(at, 0.874, metric.label, fontsize=15, color=_SOFT)
        text = metric.write(value)
        size = min(25.0, 225.0 / max(len(text), 1))
        figure.text(at, 0.831, text, fontsize=size, weight="bold", color=tone)


def _draw_equity(figure: "Figure", result: Result, facts: Facts) -> None:
    upper = figure.add_axes((_LEFT, 0.545, 0.435, 0.235))
    lower = figure.add_axes((_LEFT, 0.445, 0.435, 0.085))
    below = 100 * drawdowns(result.equity)
    curves = [result.equity, below] + ([] if result.benchmark is None else [result.benchmark])
    rows = extreme_rows(curves, _BUCKETS)
    when = result.time[rows].astype("datetime64[ns]")
    if result.benchmark is not None:
        upper.plot(when, result.benchmark[rows], color=_OTHER, linewidth=1.2, linestyle=(0, (4, 3)))
    upper.plot(when, result.equity[rows], color=_ACCENT, linewidth=1.7)
    floor, top = upper.get_ylim()
    upper.fill_between(when, result.equity[rows], floor, color=_ACCENT, alpha=0.08, linewidth=0)
    upper.set_ylim(floor, top)
    title = f"Equity, {facts.currency}" if facts.currency else "Equity"
    _dress(upper, title + (" (dashed: benchmark)" if result.benchmark is not None else ""))
    upper.tick_params(labelbottom=False)
    lower.fill_between(when, below[rows], 0, color=_LOSS, alpha=0.28, linewidth=0)
    lower.plot(when, below[rows], color=_LOSS, linewidth=1.1)
    _dress(lower, "", "%")


def _draw_price(figure: "Figure", result: Result) -> None:
    axes = figure.add_axes((0.52, 0.445, 0.435, 0.335))
    channels = shown_channels(result)
    if not channels:
        _dress(axes, "No prices")
        return
    counts = np.bincount(result.trade_records["channel"], minlength=len(result.channels))
    channel = max(channels, key=lambda one: int(counts[one]))
    bars = result.bars[channel]
    rows = extreme_rows([bars.close], _BUCKETS)
    axes.plot(bars.time[rows].astype("datetime64[ns]"), bars.close[rows], color=_SOFT, linewidth=1.2)
    trades = result.trade_records[result.trade_records["channel"] == channel]
    _draw_trades(axes, trades)
    key = "  ▲▼ entries, ● won, ◆ lost" if 0 < trades.size <= _MOST_SYMBOLS else ""
    _dress(axes, f"{_short(result.channels[channel], 30)}, {_counted(trades)}{key}")


def _counted(trades: NDArray[Any]) -> str:
    """Return how many trades there were, closed ones as in the metrics, and how many are open still."""
    still = int(np.count_nonzero(trades["is_open"]))
    return f"{figures.number(trades.size - still, 0)} trades" + (f" and {still} open" if still else "")


def _draw_trades(axes: "Axes", trades: NDArray[Any]) -> None:
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.09 * (high - low), high + 0.04 * (high - low))
    entered = trades["entry_time"].astype("datetime64[ns]")
    left = trades["exit_time"].astype("datetime64[ns]")
    is_long, closed, won = trades["quantity"] > 0, trades["is_open"] == 0, trades["pnl"] > 0
    for side, height, colour in ((is_long, 0.035, _ACCENT), (~is_long, 0.015, _SHORT)):
        x = np.column_stack((entered[side], left[side], left[side])).ravel()
        y = np.tile((height, height, np.nan), int(side.sum()))
        axes.plot(x, y, color=colour, linewidth=4.5, solid_capstyle="butt", transform=axes.get_xaxis_transform())
    if trades.size == 0 or trades.size > _MOST_SYMBOLS:
        return
    marks = (
        (is_long, entered, "entry_price", "^", _ACCENT),
        (~is_long, entered, "entry_price", "v", _SHORT),
        (closed & won, left, "exit_price", "o", _GAIN),
        (closed & ~won, left, "exit_price", "D", _LOSS),
    )
    size = 42 if trades.size < 80 else 20
    for chosen, when, price, symbol, colour in marks:
        axes.scatter(
            when[chosen],
            trades[price][chosen],
            marker=symbol,
            s=size,
            color=colour,
            edgecolors="white",
            linewidths=0.6,
            zorder=3,
        )


def _draw_months(figure: "Figure", daily: DailyCurve, facts: Facts) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    axes = figure.add_axes((_LEFT + 0.03, 0.028, 0.914, 0.325))
    years, months = yearly_returns(daily), monthly_returns(daily)
    shown = sorted(years, reverse=True)[:_MOST_YEARS]
    grid = np.full((len(shown), 13), np.nan)
    for row, year in enumerate(shown):
        grid[row, :12] = [100 * months.get((year, month), np.nan) for month in range(1, 13)]
        grid[row, 12] = 100 * years[year]
    known = np.abs(grid[:, :12][np.isfinite(grid[:, :12])])
    most = max(float(np.quantile(known, 0.95)) if known.size else 1.0, 1e-9)
    ramp = LinearSegmentedColormap.from_list("returns", ["#e69f85", "#ffffff", "#83c3bb"]).with_extremes(bad="#ffffff")
    axes.imshow(np.column_stack((grid[:, :12], grid[:, 12:] * np.nan)), cmap=ramp, vmin=-most, vmax=most, aspect="auto")
    size = 14.5 if len(shown) <= 12 else 13
    for (row, column), value in np.ndenumerate(grid):
        if np.isfinite(value):
            tone = _INK if column < 12 else _GAIN if value > 0 else _LOSS
            text = figures.number(float(value), 1, signed=True)
            weight = "bold" if column == 12 else "normal"
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color=tone, weight=weight)
    axes.set_xticks(range(13), [*_MONTHS, "Year"], fontsize=14)
    axes.set_yticks(range(len(shown)), [str(year) for year in shown], fontsize=14)
    axes.set_xticks(np.arange(-0.5, 13), minor=True)
    axes.set_yticks(np.arange(-0.5, len(shown)), minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0, labeltop=True, labelbottom=False, colors=_SOFT)
    axes.spines[:].set_visible(False)
    left_out = len(years) - len(shown)
    kept = f", the last {len(shown)} of {len(years)} years" if left_out else ""
    title = f"Monthly returns, %{kept}. Days end in {facts.session_text}; times are UTC."
    figure.text(_LEFT, 0.392, title, fontsize=15, weight="bold", color=_INK)


def _dress(axes: "Axes", title: str, unit: str = "") -> None:
    low, high = axes.get_ylim()
    scale = figures.axis_unit(max(abs(low), abs(high)))
    digits = max(0, math.ceil(-math.log10(max((high - low) / scale[0], 1e-12) / 3)))
    suffix = figures.THIN + unit if unit else ""
    axes.yaxis.set_major_formatter(lambda value, _: figures.axis_label(float(value), digits, scale) + suffix)
    axes.set_title(title, loc="left", fontsize=15, weight="bold", color=_INK, pad=9)
    axes.grid(axis="y", color=_LINE, linewidth=1)
    axes.set_axisbelow(True)
    axes.margins(x=0.005)
    axes.spines[:].set_visible(False)
    axes.yaxis.tick_right()
    axes.tick_params(length=0, labelsize=13, colors=_SOFT)
    axes.locator_params(axis="y", nbins=6 if title else 3)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
