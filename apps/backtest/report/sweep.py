"""The parts of a sweep's report: the heat map over two parameters, the best rows, how the rank is spread."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from apps.backtest.report import figures, plots
from apps.backtest.report.curves import histogram
from apps.backtest.report.definitions import Explained, explain
from apps.backtest.report.headline import data_chips, masthead, notes, nothing, section
from apps.backtest.report.inputs import SweepOutcome
from apps.backtest.report.markup import Markup, element, join
from apps.backtest.report.packing import pack, scale_for
from apps.backtest.report.tables import scrolling
from apps.backtest.report.terms import reading, term
from trading.metrics.definitions import DEFINITIONS

MOST_ROWS: Final = 100_000
_BEST_ROWS: Final = 20
_MOST_METRICS: Final = 8
_PREFERRED: Final = (
    "return_pct",
    "cagr_pct",
    "sharpe",
    "dsr",
    "max_drawdown_pct",
    "n_trades",
    "profit_factor",
    "win_rate_pct",
    "sortino",
    "calmar",
    "psr",
    "final_equity",
)


def sweep_top(sweep: SweepOutcome) -> Markup:
    """The heading of a sweep: how many combinations, over which values, ranked by what."""
    n = len(sweep.table[sweep.rank])
    ranges = [f"{name} {_range(sweep.column(name))}" for name in sweep.parameters]
    rank = _metric(sweep, sweep.rank)
    chips = [*data_chips(sweep.manifest), f"{figures.number(n, 0)} combinations", *ranges, f"ranked by {rank.label}"]
    order = ranked(sweep)
    best = {name: _plain(sweep.column(name)[order[0]]) for name in sweep.parameters} if order.size else {}
    return join(
        masthead("Sweep", sweep.strategy, chips, {f"best {name}": value for name, value in best.items()}),
        _tiles(sweep, order),
        notes(sweep.notes),
    )


def sweep_sections(sweep: SweepOutcome) -> Markup:
    """Heat map (or curve, with one parameter), spread of the rank and the best rows."""
    order = ranked(sweep)
    if order.size == 0:
        why = f"No combination has a value of {_metric(sweep, sweep.rank).label}."
        return join(section("heatmap", "Parameters", nothing(why)), section("best", "Best rows", nothing(why)))
    drawing = _map() if len(sweep.parameters) > 1 else _curve(sweep)
    return join(drawing, _spread(sweep), _best(sweep, order))


def sweep_payload(sweep: SweepOutcome) -> dict[str, Any]:
    """The table for the heat map: parameters as codes of their values, metrics as packed columns."""
    rows = ranked(sweep)[:MOST_ROWS]
    parameters = []
    for name in sweep.parameters:
        values, codes = np.unique(sweep.column(name), return_inverse=True)
        parameters.append({"name": name, "values": [_text(value) for value in values], "codes": pack(codes[rows])})
    metrics = []
    for name in _metric_columns(sweep):
        metric, column = _metric(sweep, name), sweep.column(name).astype(np.float64)
        lower = DEFINITIONS[name].better == "lower" if name in DEFINITIONS else False
        if name == sweep.rank:
            lower = not sweep.higher_is_better
        metrics.append(
            {
                "key": name,
                "label": metric.label,
                "unit": metric.unit,
                "decimals": metric.decimals,
                "lower": lower,
                "data": pack(column[rows], scale_for(column, 6)),
            }
        )
    return {"parameters": parameters, "metrics": metrics, "rank": sweep.rank}


def ranked(sweep: SweepOutcome) -> NDArray[np.int64]:
    """Rows with a rank, the best first, equal ones in the table's order."""
    values = sweep.column(sweep.rank).astype(np.float64)
    order = np.argsort(-values if sweep.higher_is_better else values, kind="stable")
    return order[np.isfinite(values[order])]


def _map() -> Markup:
    chooser = [
        element("label", element("span", text), " ", element("select", "", id=f"map-{name}"), class_="chooser")
        for name, text in (("x", "Across"), ("y", "Down"), ("metric", "Colour"), ("pick", "Of the others"))
    ]
    return section(
        "heatmap",
        "Parameter heat map",
        element("div", join(*chooser), class_="toolbar"),
        element("div", "", id="sweep-map", class_="sweep-map"),
        element("p", "", id="map-told", class_="map-told", aria_live="polite"),
        element("p", "The heat map needs JavaScript.", class_="empty unscripted"),
        lead="A broad bright area is worth more than a single bright cell: neighbours of a robust choice do well too.",
    )


def _curve(sweep: SweepOutcome) -> Markup:
    name, metric = sweep.parameters[0], _metric(sweep, sweep.rank)
    rank = sweep.column(sweep.rank).astype(np.float64)
    values, codes = np.unique(sweep.column(name), return_inverse=True)
    best = np.array([np.nanmax(rank[codes == code], initial=-np.inf) for code in range(values.size)])
    best[~np.isfinite(best)] = np.nan
    labels = [_text(value) for value in values]
    step = max(1, len(labels) // 12)
    across = plots.Scale(-0.5, values.size - 0.5, tuple((float(i), labels[i]) for i in range(0, len(labels), step)))
    up = plots.value_scale(best.tolist(), zero=True)
    zero = float(up.place(0.0))
    shapes, hover = [plots.level(zero)], []
    for place, value in enumerate(best.tolist()):
        if value != value:
            continue
        at, top = float(across.place(float(place))), float(up.place(value))
        half = 0.4 / values.size
        shapes.append(plots.bar(at - half, at + half, min(zero, top), max(zero, top), "bar plain"))
        hover.append((at, f"{name} {labels[place]}: {metric.label} {metric.write(value)}"))
    label = f"{metric.label} by {name}"
    return section("heatmap", label, plots.plot(shapes, across, up, label, kind="tall", hover=hover))


def _spread(sweep: SweepOutcome) -> Markup:
    metric = _metric(sweep, sweep.rank)
    values = sweep.column(sweep.rank).astype(np.float64)
    values = values[np.isfinite(values)]
    lead = (
        f"Half of the combinations lie below {metric.write(float(np.median(values)))}; the dashed line is their mean, "
        f"{metric.write(float(np.mean(values)))}. The best of many tries looks better than it is: compare it with its "
        "neighbours, with the deflated Sharpe ratio, and out of sample."
    )
    unit = metric.unit if metric.unit == "%" else ""
    title = f"All combinations by {metric.label}"
    return section("spread", title, histogram(values, title, unit, "combinations"), lead=lead)


def _best(sweep: SweepOutcome, order: NDArray[np.int64]) -> Markup:
    metrics = [_metric(sweep, name) for name in _metric_columns(sweep)]
    head = [element("th", "#", scope="col", class_="number")]
    head += [element("th", name, scope="col", class_="number") for name in sweep.parameters]
    head += [element("th", term(metric, "best"), scope="col", class_="number") for metric in metrics]
    rows = []
    for place, row in enumerate(order[:_BEST_ROWS], start=1):
        cells = [element("td", place, class_="number")]
        cells += [element("td", _text(sweep.column(name)[row]), class_="number") for name in sweep.parameters]
        cells += [element("td", reading(metric, sweep.column(metric.key)[row]), class_="number") for metric in metrics]
        rows.append(element("tr", *cells))
    table = element("table", element("thead", element("tr", *head)), element("tbody", join(*rows)), class_="rows")
    return section("best", "Best rows", scrolling(table, "Best rows"))


def _tiles(sweep: SweepOutcome, order: NDArray[np.int64]) -> Markup:
    if order.size == 0:
        return Markup("")
    metric, values = _metric(sweep, sweep.rank), sweep.column(sweep.rank).astype(np.float64)[order]
    told = [(f"Best {metric.label}", metric.write(values[0])), ("Median", metric.write(float(np.median(values))))]
    told.append(("Worst", metric.write(values[-1])))
    if "return_pct" in sweep.columns:
        gained = sweep.column("return_pct").astype(np.float64) > 0
        told.append(("With a gain", f"{np.count_nonzero(gained)} of {gained.size}"))
    cells = [element("div", element("dt", name), element("dd", text), class_="tile") for name, text in told]
    return element("dl", join(*cells), class_="tiles")


def _metric_columns(sweep: SweepOutcome) -> list[str]:
    numeric = [name for name in sweep.columns if sweep.column(name).dtype.kind in "fiu"]
    columns = [name for name in numeric if name not in sweep.parameters]
    known = [name for name in _PREFERRED if name in columns and name != sweep.rank]
    rest = [name for name in columns if name not in known and name != sweep.rank] if len(known) < 3 else []
    return [sweep.rank, *known, *rest][:_MOST_METRICS]


def _metric(sweep: SweepOutcome, name: str) -> Explained:
    stored = sweep.manifest.get("metric_definitions", {})
    return explain(name, stored.get("metrics", {}))


def _range(values: NDArray[Any]) -> str:
    known = np.unique(values)
    if known.size == 1:
        return _text(known[0])
    return (
        f"{_text(known[0])}{figures.NOTHING}{_text(known[-1])}"
        if known.dtype.kind in "fiu"
        else f"{known.size} choices"
    )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _text(value: Any) -> str:
    plain = _plain(value)
    return figures.significant(plain, 6) if isinstance(plain, float) else str(plain)
