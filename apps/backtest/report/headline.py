"""The top of a report: what it is about, the figures that matter most, and what to beware of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from apps.backtest.report import figures
from apps.backtest.report.definitions import as_float, explain
from apps.backtest.report.facts import Facts
from apps.backtest.report.markup import Markup, element, join
from apps.backtest.report.terms import reading, term
from apps.backtest.result import Result

_MOST: Final = 6
_WHOLE: Final = 10_000  # amounts from here on are told without their cents
_TILES: Final = (
    "return_pct",
    "cagr_pct",
    "sharpe",
    "max_drawdown_pct",
    "profit_factor",
    "win_rate_pct",
    "n_trades",
    "final_equity",
)


def masthead(kind: str, title: str, chips: Iterable[str], parameters: Mapping[str, Any]) -> Markup:
    """The report's heading: its kind, the strategy's name, chips of plain facts, and the parameters."""
    marks = [element("li", chip) for chip in chips if chip]
    given = [
        element("li", element("span", name), " ", element("b", _setting(value))) for name, value in parameters.items()
    ]
    return element(
        "header",
        element("p", kind, class_="kind"),
        element("h1", title),
        element("ul", join(*marks), class_="chips", aria_label="Data"),
        element("ul", join(*given), class_="chips settings", aria_label="Parameters") if given else None,
        class_="masthead",
    )


def run_chips(result: Result, facts: Facts) -> list[str]:
    """Instruments, interval, range, number of bars and cash of a run, each as one short text."""
    chips = [listed(result.channels), facts.interval]
    if result.time.size:
        first, last = int(result.time[0]), int(result.time[-1])
        if result.bars:
            first = min(int(bars.time[0]) for bars in result.bars)
            last = max(int(bars.time[-1]) for bars in result.bars)
        chips.append(f"{figures.day(first)} to {figures.day(last)}")
    chips.append(f"{figures.number(result.time.size, 0)} bar{'' if result.time.size == 1 else 's'}")
    chips.append(f"{facts.money(facts.cash, 0)} at the start")
    return chips


def data_chips(manifest: Mapping[str, Any]) -> list[str]:
    """Instruments and interval as the manifest of what was run has them, each as one short text."""
    return [listed(manifest.get("channels", ())), str(manifest.get("interval", ""))]


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    text = ", ".join(names[:_MOST])
    return f"{text} and {len(names) - _MOST} more" if len(names) > _MOST else text


def tiles(metrics: Mapping[str, Any], facts: Facts) -> Markup:
    """The key figures as a row of tiles."""
    found = []
    for key in _TILES:
        if key not in metrics:
            continue
        definition = explain(key, facts.definitions)
        if definition.unit == "currency" and abs(as_float(metrics[key]) or 0.0) >= _WHOLE:
            definition = replace(definition, decimals=0)
        found.append(
            element(
                "div",
                element("dt", term(definition, "tile", metrics[key])),
                element(
                    "dd",
                    reading(definition, metrics[key], facts.currency),
                    class_=_size(definition.write(metrics[key])),
                ),
                class_="tile",
            )
        )
    return element("dl", join(*found), class_="tiles") if found else Markup("")


def _size(text: str) -> str | None:
    """Return the class of figures that are too long for a tile at full size, with room for a currency."""
    return "longer" if len(text) > 13 else "long" if len(text) > 9 else None


def notes(texts: Sequence[str]) -> Markup:
    """The run's notes and warnings, nothing when there are none."""
    if not texts:
        return Markup("")
    rows = [element("li", text) for text in texts]
    title = "One thing to know" if len(rows) == 1 else f"{len(rows)} things to know"
    return element(
        "aside", element("h2", title), element("ul", join(*rows)), class_="notes", aria_label="Notes of the run"
    )


def section(name: str, title: str, *content: Markup | None, lead: str = "", kind: str = "") -> Markup:
    """One titled part of the report, reachable as #`name`."""
    heading = element("h2", title, id=f"{name}-title")
    return element(
        "section",
        element("div", heading, element("p", lead, class_="lead") if lead else None, class_="section-head"),
        join(*content),
        id=name,
        class_=f"card {kind}".strip(),
        aria_labelledby=f"{name}-title",
    )


def divider(title: str, parameters: Mapping[str, Any]) -> Markup:
    """The heading between a study and the one run of it that is shown in full."""
    given = ", ".join(f"{name} {_setting(value)}" for name, value in parameters.items())
    return element("div", element("h2", title), element("p", given) if given else None, class_="divider")


def nothing(text: str) -> Markup:
    """What stands where there is nothing to show, and why."""
    return element("p", text, class_="empty")


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return figures.number(value, 0)
    return figures.significant(value, 6) if isinstance(value, float) else str(value)
