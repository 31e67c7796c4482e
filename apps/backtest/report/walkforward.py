"""The parts of a walk-forward's report: its windows in time, what was chosen, and the out-of-sample curve."""

from typing import Any, Final

import numpy as np

from apps.backtest.report import figures, plots
from apps.backtest.report.definitions import Explained, explain
from apps.backtest.report.fan import fan
from apps.backtest.report.headline import data_chips, masthead, notes, nothing, section
from apps.backtest.report.inputs import WalkForwardOutcome, WalkForwardWindow
from apps.backtest.report.markup import Markup, element, join
from apps.backtest.report.tables import scrolling
from apps.backtest.report.terms import reading, term
from apps.backtest.report.thinning import extreme_rows

_SHOWN: Final = ("return_pct", "max_drawdown_pct", "n_trades", "profit_factor")


def walkforward_top(walk: WalkForwardOutcome) -> Markup:
    """The heading: how many windows, how long, and how much of the score survived out of sample."""
    metric = _rank(walk)
    windows = walk.windows
    trained, tested = _mean([w.train_score for w in windows]), _mean([w.test_score for w in windows])
    won = 100 * float(np.mean([w.test_score > 0 for w in windows]))
    chips = [
        *data_chips(walk.manifest),
        f"{len(windows)} windows",
        f"{figures.day(windows[0].train[0])} to {figures.day(windows[-1].test[1])}",
        f"chosen by {metric.label}",
    ]
    told = [
        (f"{metric.label}, training", metric.write(trained)),
        (f"{metric.label}, test", metric.write(tested)),
        ("Kept out of sample", _kept(trained, tested)),
        ("Test windows above zero", figures.percent(won, 0, signed=False)),
    ]
    cells = [element("div", element("dt", name), element("dd", text), class_="tile") for name, text in told]
    return join(
        masthead("Walk-forward", walk.strategy, chips, {}),
        element("dl", join(*cells), class_="tiles"),
        notes(walk.notes),
    )


def walkforward_sections(walk: WalkForwardOutcome) -> Markup:
    """Windows with the out-of-sample curve over them, the scores and choices by window, and bands where given."""
    lead = "Each test window is traded with what its training window chose; shaded bands are the test windows."
    legend = plots.legend([("train", "Training"), ("test", "Test"), ("equity", "Out-of-sample equity")])
    parts = [section("windows", "Windows", legend, _curve(walk), _spans(walk), lead=lead)]
    parts.append(section("chosen", "What was chosen", scrolling(_table(walk), "What was chosen")))
    if walk.bands is not None:
        parts.append(section("bands", "Out-of-sample bands", fan(walk.bands)))
    return join(*parts)


def _curve(walk: WalkForwardOutcome) -> Markup:
    if walk.time.size < 2:
        return nothing("The out-of-sample curve has fewer than two points.")
    across = _axis(walk)
    rows = extreme_rows([walk.equity], 200)
    up = plots.value_scale(walk.equity[rows].tolist())
    x = plots.fractions(walk.time[rows].astype(float), across)
    shapes = [
        plots.bar(_at(across, w.test[0]), _at(across, w.test[1]), 0.0, 1.0, "tested" + (" odd" if place % 2 else ""))
        for place, w in enumerate(walk.windows)
    ]
    shapes.append(plots.line(x, plots.fractions(walk.equity[rows], up), "equity"))
    hover = [
        (float(at), f"{figures.day(int(walk.time[row]))}  {figures.number(walk.equity[row], 0)}")
        for at, row in zip(x, rows, strict=True)
    ]
    label = f"Out-of-sample equity, ending at {figures.number(float(walk.equity[-1]), 0)}"
    return plots.plot(shapes, across, up, label, hover=hover)


def _spans(walk: WalkForwardOutcome) -> Markup:
    across = _axis(walk)
    n = len(walk.windows)
    shapes, hover = [], []
    for place, window in enumerate(walk.windows):
        low, high = 1 - (place + 0.8) / n, 1 - (place + 0.2) / n
        shapes.append(plots.bar(_at(across, window.train[0]), _at(across, window.train[1]), low, high, "train"))
        shapes.append(plots.bar(_at(across, window.test[0]), _at(across, window.test[1]), low, high, "test"))
        middle = (_at(across, window.test[0]) + _at(across, window.test[1])) / 2
        hover.append((middle, f"{place + 1}: test {figures.day(window.test[0])} to {figures.day(window.test[1])}"))
    up = plots.Scale(0.0, 1.0, ((1 - 0.5 / n, "1"), (0.5 / n, str(n))) if n > 1 else ((0.5, "1"),))
    label = f"{n} windows: training and test spans over time"
    return plots.plot(shapes, across, up, label, hover=hover)


def _table(walk: WalkForwardOutcome) -> Markup:
    metric = _rank(walk)
    parameters = list(dict.fromkeys(name for window in walk.windows for name in window.params))
    shown = [name for name in _SHOWN if any(name in window.test_metrics for window in walk.windows)]
    metrics = [_metric(walk, name) for name in shown if name != walk.rank]
    head = [element("th", name, scope="col") for name in ("#", "Training", "Test")]
    head += [element("th", name, scope="col", class_="number") for name in parameters]
    head += [
        element("th", f"{metric.label}, training", scope="col", class_="number"),
        element("th", f"{metric.label}, test", scope="col", class_="number"),
    ]
    head += [element("th", term(extra, "window"), scope="col", class_="number") for extra in metrics]
    rows = [_row(place, window, parameters, metric, metrics) for place, window in enumerate(walk.windows, start=1)]
    return element("table", element("thead", element("tr", *head)), element("tbody", join(*rows)), class_="rows")


def _row(
    place: int, window: WalkForwardWindow, parameters: list[str], metric: Explained, metrics: list[Explained]
) -> Markup:
    cells = [element("td", place), element("td", _span(window.train)), element("td", _span(window.test))]
    cells += [element("td", _setting(window.params.get(name)), class_="number") for name in parameters]
    cells.append(element("td", metric.write(window.train_score), class_="number"))
    tone = "gain" if window.test_score > 0 else "loss" if window.test_score < 0 else ""
    text = figures.number(window.test_score, metric.decimals, signed=True)
    cells.append(element("td", text, class_=f"number {tone}".strip()))
    cells += [element("td", reading(m, window.test_metrics.get(m.key)), class_="number") for m in metrics]
    return element("tr", *cells)


def _axis(walk: WalkForwardOutcome) -> plots.Scale:
    return plots.time_scale(min(w.train[0] for w in walk.windows), max(w.test[1] for w in walk.windows))


def _at(across: plots.Scale, time_ns: int) -> float:
    return float(np.clip(across.place(float(time_ns)), 0.0, 1.0))


def _kept(trained: float, tested: float) -> str:
    """Return how much of a score was left outside of training, where there was something to keep."""
    if not trained > 0:
        return figures.percent(float("nan"), 0)
    return figures.percent(100 * tested / trained, 0, signed=False) if tested > 0 else "nothing"


def _rank(walk: WalkForwardOutcome) -> Explained:
    return _metric(walk, walk.rank)


def _metric(walk: WalkForwardOutcome, name: str) -> Explained:
    stored = walk.manifest.get("metric_definitions", {})
    return explain(name, stored.get("metrics", {}))


def _mean(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _span(span: tuple[int, int]) -> str:
    return f"{figures.day(span[0])} to {figures.day(span[1])}"


def _setting(value: Any) -> str:
    return (
        figures.NOTHING if value is None else figures.significant(value, 6) if isinstance(value, float) else str(value)
    )
