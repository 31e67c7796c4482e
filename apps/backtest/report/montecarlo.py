"""The parts of a Monte Carlo report: the fan of paths, and where they ended."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from apps.backtest.report import figures
from apps.backtest.report.curves import histogram
from apps.backtest.report.fan import fan
from apps.backtest.report.headline import data_chips, masthead, notes, nothing, section
from apps.backtest.report.inputs import MonteCarloOutcome
from apps.backtest.report.markup import Markup, element, join
from apps.backtest.report.tables import scrolling

Floats = NDArray[np.float64]

_QUANTILES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def montecarlo_top(outcome: MonteCarloOutcome) -> Markup:
    """The heading: the method, how many paths, and how they came out."""
    ends = _known(outcome.final_equity)
    chips = [*data_chips(outcome.manifest), outcome.method, f"{figures.number(outcome.final_equity.size, 0)} paths"]
    chips.append(f"seed {outcome.seed}" if outcome.seed is not None else "")
    told: list[tuple[str, str, str | None]] = []
    if ends.size:
        middle = 100 * (float(np.median(ends)) / outcome.start_equity - 1)
        lost = 100 * float(np.mean(ends < outcome.start_equity))
        falls = _known(outcome.max_drawdown_pct)
        told = [
            ("Median return", figures.percent(middle), "gain" if middle > 0 else "loss"),
            ("Paths that lost money", figures.percent(lost, 1, signed=False), None),
            ("Median final equity", figures.number(float(np.median(ends)), 0), None),
        ]
        if falls.size:
            told.append(("Median max drawdown", figures.percent(-abs(float(np.median(falls)))), "loss"))
            told.append(("Worst 5 % of drawdowns", figures.percent(-float(np.quantile(np.abs(falls), 0.95))), "loss"))
    cells = [
        element("div", element("dt", name), element("dd", text, class_=tone), class_="tile")
        for name, text, tone in told
    ]
    tiles = element("dl", join(*cells), class_="tiles") if cells else None
    return join(masthead("Monte Carlo", outcome.strategy, chips, {}), tiles, notes(outcome.notes))


def montecarlo_sections(outcome: MonteCarloOutcome) -> Markup:
    """The fan, the two histograms and the table of quantiles."""
    ends = 100 * (_known(outcome.final_equity) / outcome.start_equity - 1)
    falls = -np.abs(_known(outcome.max_drawdown_pct))
    lead = (
        f"Equity by {outcome.bands.steps}: how far luck in the order and the draw of them could have led. "
        "It knows none that never happened."
    )
    paths = section("paths", "Paths", fan(outcome.bands), lead=lead)
    if not ends.size or not falls.size:
        return join(paths, section("outcomes", "Outcomes", nothing("No path has a final value.")))
    return join(
        paths,
        section("outcomes", "Return of the paths", histogram(ends, "Return of the paths", "%", "paths"), kind="half"),
        section("falls", "Max drawdown", histogram(falls, "Max drawdown of the paths", "%", "paths"), kind="half"),
        section("quantiles", "Quantiles", scrolling(_quantiles(ends, falls), "Quantiles")),
    )


def _quantiles(ends: Floats, falls: Floats) -> Markup:
    names = ("Share of paths below", "Return", "Max drawdown")
    head = [element("th", name, scope="col", class_="number") for name in names]
    rows = []
    for quantile in _QUANTILES:
        end, fall = float(np.quantile(ends, quantile)), float(np.quantile(falls, quantile))
        rows.append(
            element(
                "tr",
                element("td", figures.percent(100 * quantile, 0, signed=False), class_="number"),
                element("td", figures.percent(end), class_="number " + ("gain" if end > 0 else "loss")),
                element("td", figures.percent(fall), class_="number loss"),
            )
        )
    return element("table", element("thead", element("tr", *head)), element("tbody", join(*rows)), class_="rows")


def _known(values: Floats) -> Floats:
    return values[np.isfinite(values)]
