"""The curves of a run: equity with drawdown, price with trades, rolling Sharpe, and how trades came out."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from apps.backtest.report import figures, plots
from apps.backtest.report.facts import Facts
from apps.backtest.report.headline import nothing, section
from apps.backtest.report.markup import Markup, element, join
from apps.backtest.report.periods import DailyCurve
from apps.backtest.report.thinning import extreme_rows
from apps.backtest.result import Result
from trading.metrics import drawdowns, rolling_sharpe

Floats = NDArray[np.float64]

_WINDOW: Final = 126  # returns: half a year of trading days
_SHORTEST: Final = 20
_STILL: Final = 150  # buckets of a plot that does not move
_RANGES: Final = (("1W", 7), ("1M", 30), ("3M", 91), ("1Y", 365), ("All", 0))


def equity_section(result: Result, facts: Facts) -> Markup:
    """Equity and, where there is one, the benchmark, with the drawdown below."""
    if result.time.size < 2:
        return section("equity", "Equity", nothing("One bar has no curve: a run needs at least two."))
    entries = [("equity", "Strategy")]
    if result.benchmark is not None:
        entries.append(("benchmark", "Benchmark: the starting cash held in it"))
    entries.append(("fall", "Drawdown, below"))
    toggles = [_toggle("log", "Log scale")]
    if np.any(result.exposure):
        toggles.append(_toggle("exposure", "Exposure"))
    return section(
        "equity",
        "Equity and drawdown",
        plots.legend(entries),
        _chart("equity-chart", "Equity and drawdown", still_equity(result), join(*toggles)),
        lead=f"Marked at the close of every bar, {facts.currency or 'account currency'}. Times are UTC.",
    )


def price_section(result: Result, shown: tuple[int, ...], interval: str, traded: str) -> Markup:
    """Price with entries and exits; `shown` are the channels that can be chosen, at bars of `interval`."""
    if not shown:
        return section("price", "Price and trades", nothing("The run kept no prices."))
    options = [element("option", result.channels[channel], value=place) for place, channel in enumerate(shown)]
    chooser = element(
        "label",
        element("span", "Instrument", class_="unseen"),
        element("select", join(*options), id="price-channel"),
        class_="chooser",
    )
    left_out = len(result.channels) - len(shown)
    lead = f"Bars of {interval}" if interval else ""
    lead += f", made of {traded} bars. " if interval and interval != traded else ". " if interval else ""
    lead += f"The {len(shown)} instruments with the most trades; {left_out} more were traded. " if left_out else ""
    lead += "Candles appear as you zoom in. Times are UTC."
    keys = plots.legend(
        [
            ("long", "Long entry"),
            ("short", "Short entry"),
            ("won", "Exit, won"),
            ("lost", "Exit, lost"),
            ("lanes", "Position held, long over short"),
        ]
    )
    return section(
        "price",
        "Price and trades",
        keys if result.trade_records.size else nothing("The strategy made no trades in this run."),
        _chart("price-chart", "Price and trades", None, chooser if len(shown) > 1 else None),
        lead=lead,
    )


def sharpe_section(daily: DailyCurve, facts: Facts) -> Markup:
    """Sharpe ratio of the returns of a moving half year."""
    title = "Rolling Sharpe"
    n = daily.value.size
    window = _WINDOW if n >= 2 * _WINDOW else n // 3
    if window < _SHORTEST:
        return section("rolling", title, nothing(f"{n} days are too few: it takes {3 * _SHORTEST}."), kind="half")
    sharpe = rolling_sharpe(daily.curve, window, facts.days_per_year, facts.risk_free)[1:]
    known = np.isfinite(sharpe)
    if not known.any():
        return section("rolling", title, nothing("Equity never moved, so there is no Sharpe ratio."), kind="half")
    rows = extreme_rows([sharpe], _STILL)
    rows = rows[known[rows]]
    across = plots.time_scale(int(daily.time[known][0]), int(daily.time[-1]))
    up = plots.value_scale([*sharpe[known].tolist(), 0.0], zero=True)
    x, y = plots.fractions(daily.time[rows].astype(float), across), plots.fractions(sharpe[rows], up)
    zero = np.full(x.size, float(up.place(0.0)))
    texts = [f"{figures.day(int(daily.time[row]))}  {figures.number(sharpe[row], 2, signed=True)}" for row in rows]
    above = 100.0 * float(np.mean(sharpe[known] > 0))
    lead = f"Of the last {window} daily returns. Above zero {figures.percent(above, 0, signed=False)} of the time."
    shapes = [
        plots.area(x, zero, np.maximum(y, zero), "gain"),
        plots.area(x, np.minimum(y, zero), zero, "loss"),
        plots.level(float(up.place(0.0))),
        plots.line(x, y, "equity thin"),
    ]
    drawing = plots.plot(shapes, across, up, f"{title}. {lead}", hover=list(zip(x.tolist(), texts, strict=True)))
    return section("rolling", title, drawing, lead=lead, kind="half")


def distribution_section(result: Result) -> Markup:
    """Histogram of the returns of closed trades."""
    title = "Trade returns"
    closed = result.trade_records[result.trade_records["is_open"] == 0]
    returns = 100.0 * closed["return"][np.isfinite(closed["return"])]
    if returns.size == 0:
        why = "No trade was closed in this run." if result.trade_records.size else "The strategy made no trades."
        return section("distribution", title, nothing(why), kind="half")
    mean, middle = float(returns.mean()), float(np.median(returns))
    lead = (
        f"{figures.number(returns.size, 0)} closed trades. Mean {figures.percent(mean)}, "
        f"median {figures.percent(middle)}, "
        f"worst {figures.percent(float(returns.min()))}, best {figures.percent(float(returns.max()))}."
    )
    return section("distribution", title, histogram(returns, f"{title}. {lead}", "%", "trades"), lead=lead, kind="half")


def histogram(values: Floats, label: str, unit: str, what: str) -> Markup:
    """Bars of how many values fall into each bin, those below zero in the colour of losses; the mean is marked."""
    low, high = np.quantile(values, (0.005, 0.995)) if values.size > 200 else (values.min(), values.max())
    width = plots.round_step(max((float(high) - float(low)) / 36, 1e-9 + 1e-6 * abs(float(high))))
    first, last = int(np.floor(low / width)), int(np.floor(high / width)) + 1
    edges = np.arange(first, last + 1) * width
    held = np.clip(values, edges[0], np.nextafter(edges[-1], -np.inf))
    counts, _ = np.histogram(held, edges)
    across = plots.value_scale(
        [float(edges[0]), float(edges[-1])], suffix=f"{figures.THIN}{unit}" if unit else "", parts=8
    )
    across = plots.Scale(float(edges[0]), float(edges[-1]), across.ticks)
    up = plots.value_scale([0.0, float(counts.max())], decimals=0)
    shapes, hover = [], []
    digits = max(0, -int(np.floor(np.log10(width))))
    for begin, end, count in zip(edges[:-1], edges[1:], counts.tolist(), strict=True):
        left, right = float(across.place(begin)), float(across.place(end))
        gap = min(0.002, (right - left) * 0.1)
        tone = "bar gain" if begin >= -1e-12 else "bar loss"
        shapes.append(plots.bar(left + gap, right - gap, 0.0, float(up.place(float(count))), tone))
        span = f"{figures.number(begin, digits, signed=True)} to {figures.number(end, digits, signed=True)} {unit}"
        hover.append(((left + right) / 2, f"{span.strip()}: {figures.number(count, 0)} {what}"))
    shapes.append(plots.post(float(np.clip(across.place(float(values.mean())), 0, 1)), "mean"))
    return plots.plot(shapes, across, up, label, hover=hover)


def still_equity(result: Result) -> Markup:
    """Equity as a plot that needs no script: for previews, and until the chart takes its place."""
    rows = extreme_rows([result.equity], _STILL)
    across = plots.time_scale(int(result.time[0]), int(result.time[-1]))
    shown = [result.equity[rows]] + ([] if result.benchmark is None else [result.benchmark[rows]])
    up = plots.value_scale(np.concatenate(shown).tolist())
    x = plots.fractions(result.time[rows].astype(float), across)
    shapes = [plots.line(x, plots.fractions(shown[0], up), "equity")]
    shapes += [plots.line(x, plots.fractions(curve, up), "benchmark") for curve in shown[1:]]
    fall = 100.0 * float(np.nanmin(drawdowns(result.equity), initial=0.0))
    label = (
        f"Equity from {figures.number(float(result.equity[0]), 0)} to {figures.number(float(result.equity[-1]), 0)}, "
        f"at most {figures.percent(fall)} under its peak"
    )
    return plots.plot(shapes, across, up, label, kind="still")


def _chart(name: str, title: str, still: Markup | None, tools: Markup | None) -> Markup:
    spans = [
        element("button", text, type="button", data_days=days, aria_pressed="true" if not days else "false")
        for text, days in _RANGES
    ]
    zooms = [
        element("button", sign, type="button", data_zoom=step, aria_label=text)
        for sign, step, text in (("\u2212", "out", "Zoom out"), ("+", "in", "Zoom in"))
    ]
    bar = element(
        "div",
        element("div", join(*spans), class_="buttons", role="group", aria_label=f"{title}: time range"),
        element("div", join(*zooms), class_="buttons", role="group", aria_label=f"{title}: zoom"),
        tools,
        class_="toolbar",
    )
    view = element(
        "div",
        still,
        id=name,
        class_="chart",
        tabindex=0,
        role="application",
        aria_label=f"{title}. Arrow keys move, plus and minus zoom, Home shows all.",
    )
    return join(bar, element("div", "", class_="readout", id=f"{name}-readout", aria_live="off"), view)


def _toggle(name: str, text: str) -> Markup:
    return element("button", text, type="button", class_="toggle", data_toggle=name, aria_pressed="false")
