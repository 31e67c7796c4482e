"""The tables of a run: metrics, months, drawdowns, trades, and what was run."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from apps.backtest.report import figures
from apps.backtest.report.definitions import BENCHMARK_GROUP, grouped
from apps.backtest.report.facts import Facts, flatten
from apps.backtest.report.headline import nothing, section
from apps.backtest.report.markup import Markup, element, join
from apps.backtest.report.periods import DailyCurve, monthly_returns, worst_drawdowns, yearly_returns
from apps.backtest.report.terms import reading, term
from apps.backtest.result import Result

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DEEPEST: Final = 5
_INSTRUMENTS: Final = 6  # told one by one
_DEEP_COLOUR: Final = 0.5  # opacity of the strongest cell: text on it keeps a contrast of 4.5 : 1
_TRADE_COLUMNS: Final = (
    ("entry", "Entry", "text"),
    ("channel", "Instrument", "text"),
    ("side", "Side", "text"),
    ("return", "Return", "number"),
    ("pnl", "P&L", "number"),
    ("held", "Held", "number"),
    ("quantity", "Lots", "number"),
    ("entry_price", "Entry price", "number"),
    ("exit_price", "Exit price", "number"),
    ("exit", "Exit", "text"),
    ("fees", "Fees", "number"),
    ("reason", "Exit by", "text"),
)


def metrics_section(metrics: Mapping[str, Any], facts: Facts, *, has_benchmark: bool) -> Markup:
    """All metrics under their headings, each name with its definition."""
    if not metrics:
        return section("metrics", "Metrics", nothing("The run computed no metrics."))
    blocks = []
    for heading, definitions in grouped(metrics, facts.definitions):
        if heading == BENCHMARK_GROUP and not has_benchmark:
            why = element("tr", element("td", "The run had no benchmark.", class_="why"))
            blocks.append(element("table", element("caption", heading), element("tbody", why), class_="figures"))
            continue
        rows = [
            element(
                "tr",
                element("th", term(definition, "metric", metrics[definition.key]), scope="row"),
                element("td", reading(definition, metrics[definition.key], facts.currency)),
            )
            for definition in definitions
        ]
        head = element("caption", heading)
        blocks.append(element("table", head, element("tbody", join(*rows)), class_="figures"))
    lead = f"Hover, focus or tap a name for its definition. Days begin and end in {facts.session_text}. "
    lead += f"Returns: {facts.returns}." if facts.returns else ""
    return section("metrics", "Metrics", element("div", join(*blocks), class_="metric-groups"), lead=lead)


def months_section(daily: DailyCurve, facts: Facts) -> Markup:
    """Heat map of monthly returns, with the year's."""
    months, years = monthly_returns(daily), yearly_returns(daily)
    sizes = np.abs([value for value in months.values() if np.isfinite(value)] or [0.0])
    strongest = max(float(np.quantile(sizes, 0.95)), 1e-9)
    head = [element("th", name, scope="col") for name in ("Year", "Total", *_MONTHS)]
    rows = []
    for year, total in sorted(years.items(), reverse=True):
        cells = [_cell(months.get((year, month)), strongest) for month in range(1, 13)]
        whole = element("td", figures.percent(100 * total, 1), class_=_tone(total, "total"))
        rows.append(element("tr", element("th", year, scope="row"), whole, *cells))
    table = element(
        "table", element("thead", element("tr", *head)), element("tbody", join(*rows)), class_="heat", id="months-table"
    )
    lead = f"In percent, from daily closes in {facts.session_text}. The first and the last month may be parts."
    return section("months", "Monthly returns", scrolling(table, "Monthly returns in percent"), lead=lead)


def drawdowns_section(daily: DailyCurve) -> Markup:
    """The deepest drawdowns of daily closes."""
    falls = worst_drawdowns(daily.curve, _DEEPEST)
    title = "Worst drawdowns"
    if not falls:
        return section("drawdowns", title, nothing("No daily close was below an earlier one."))
    time = np.concatenate((daily.time[:1], daily.time))
    head = [
        element("th", text, scope="col", class_=kind)
        for text, kind in (
            ("Depth", "number"),
            ("Peak", None),
            ("Trough", None),
            ("Recovered", None),
            ("Days down", "number"),
            ("Days in all", "number"),
        )
    ]
    rows = []
    for fall in falls:
        end = fall.recovery if fall.recovery is not None else time.size - 1
        back = figures.day(int(time[end])) if fall.recovery is not None else "not yet"
        rows.append(
            element(
                "tr",
                element("td", figures.percent(100 * fall.depth), class_="number loss"),
                element("td", figures.day(int(time[fall.peak]))),
                element("td", figures.day(int(time[fall.trough]))),
                element("td", back),
                element("td", _days(time, fall.peak, fall.trough), class_="number"),
                element("td", _days(time, fall.peak, end), class_="number"),
            )
        )
    table = element("table", element("thead", element("tr", *head)), element("tbody", join(*rows)), class_="rows")
    return section("drawdowns", title, scrolling(table, title), lead="Of daily closes, as the metrics are.")


def trades_section(result: Result, shown: int) -> Markup:
    """The list of round trips; the page's script fills, sorts and filters it."""
    n = int(result.trade_records.size)
    if n == 0:
        return section("trades", "Trades", nothing("The strategy made no trades in this run."))
    several = len(result.channels) > 1
    head = [
        element(
            "th",
            element("button", text, type="button", class_="sort", data_sort=key),
            scope="col",
            class_=kind if kind == "number" else None,
            aria_sort="ascending" if key == "entry" else "none",
        )
        for key, text, kind in _TRADE_COLUMNS
        if several or key != "channel"
    ]
    choices = [
        element("option", text, value=value)
        for value, text in (
            ("all", "All trades"),
            ("won", "Won"),
            ("lost", "Lost"),
            ("long", "Long"),
            ("short", "Short"),
            ("open", "Still open"),
        )
    ]
    tools = element(
        "div",
        element(
            "label",
            element("span", "Show", class_="unseen"),
            element("select", join(*choices), id="trades-filter"),
            class_="chooser",
        ),
        element("button", "Save as CSV", type="button", id="trades-save", class_="toggle"),
        element("output", "", id="trades-count"),
        class_="toolbar",
    )
    table = element(
        "table",
        element("caption", "Round trips", class_="unseen"),
        element("thead", element("tr", *head)),
        element("tbody", ""),
        class_="rows trades",
        id="trades-table",
    )
    lead = "Press a row to see the trade in the price chart. Returns and P&L are net of fees. Times are UTC."
    if shown < n:
        lead += (
            f" The last {figures.number(shown, 0)} of {figures.number(n, 0)}; the command writes them all (--trades)."
        )
    more = element("button", "Show more", type="button", id="trades-more", class_="more", hidden=True)
    without = element("p", "The list of trades needs JavaScript.", class_="empty unscripted")
    return section("trades", "Trades", tools, scrolling(table, "Trades"), more, without, lead=lead)


def provenance_section(manifest: Mapping[str, Any], command: str, told: Mapping[str, str]) -> Markup:
    """What was run, so that it can be run again: the command, `told`, then everything that the manifest recorded."""
    groups: dict[str, dict[str, str]] = {"Run": dict(told)}
    for heading, value in _headed(manifest):
        groups.setdefault(heading, {}).update({_title(name): text for name, text in flatten(value)})
    blocks = [
        element("div", element("h3", heading), element("dl", *map(_fact, facts.items())), class_="fact-group")
        for heading, facts in groups.items()
        if facts
    ]
    content = element("div", join(*blocks), class_="facts") if blocks else nothing("Nothing was recorded of the run.")
    return section("run", "What was run", _command(command), content)


def scrolling(table: Markup, name: str) -> Markup:
    """A table that scrolls by itself where the page is narrow."""
    return element("div", table, class_="scroll", tabindex=0, role="region", aria_label=f"{name}: table")


def _command(command: str) -> Markup | None:
    if not command:
        return None
    copy = element("button", "Copy", type="button", class_="copy", data_copy="command")
    return element(
        "div",
        element("p", "To run it again", class_="fact-head"),
        element("pre", element("code", command, id="command"), tabindex=0),
        copy,
        class_="command",
    )


def _cell(value: float | None, strongest: float) -> Markup:
    if value is None or not np.isfinite(value):
        return element("td", element("span", "no bars", class_="unseen"), class_="void")
    strength = min(abs(value) / strongest, 1.0) * _DEEP_COLOUR
    return element("td", figures.number(100 * value, 1, signed=True), class_=_heat(value), style=f"--w:{strength:.3f}")


def _heat(value: float) -> str:
    return "warm" if value < 0 else "cool"


def _tone(value: float, kind: str) -> str:
    if not np.isfinite(value) or value == 0:
        return kind
    return f"{kind} {'gain' if value > 0 else 'loss'}"


def _days(time: Any, first: int, last: int) -> str:
    return figures.number((int(time[last]) - int(time[first])) / 86_400e9, 0)


def _headed(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in manifest.items():
        if key in ("metric_definitions", "command"):
            continue
        if key == "options" and isinstance(value, Mapping):
            unused = [name for name, choice in value.items() if choice is None or choice == 0]
            yield "Options", {name: choice for name, choice in value.items() if name not in unused}
            if unused:
                yield "Options", {"not used": ", ".join(name.replace("_", " ") for name in unused)}
        elif isinstance(value, Mapping) and key != "instruments":
            yield "Parameters" if key == "params" else _title(key), value
        elif key == "instruments" and value and not isinstance(value, str):
            found = list(value.values() if isinstance(value, Mapping) else value)
            for place, one in enumerate(found[:_INSTRUMENTS], start=1):
                yield (
                    (str(one.get("id", f"Instrument {place}")), one)
                    if isinstance(one, Mapping)
                    else ("Run", {key: value})
                )
            if len(found) > _INSTRUMENTS:
                yield "Run", {"further instruments": len(found) - _INSTRUMENTS}
        else:
            yield "Run", {key: value}


def _fact(fact: tuple[str, str]) -> Markup:
    name, text = fact
    return element("div", element("dt", name), element("dd", text, class_=_kind(text)), class_="fact")


def _title(name: str) -> str:
    words = name.replace("_", " ").replace(".", " · ")
    return words[:1].upper() + words[1:]


def _kind(text: str) -> str | None:
    return "code" if len(text) > 24 and " " not in text else None
