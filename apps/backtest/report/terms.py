"""Names of metrics that explain themselves on hover, on focus and on tap."""

from typing import Any

from apps.backtest.report import figures
from apps.backtest.report.definitions import Explained, as_float
from apps.backtest.report.markup import Markup, element


def term(metric: Explained, where: str, value: Any = 0.0) -> Markup:
    """A metric's label as a button with its definition; `where` keeps ids apart, `value` tells if it is missing."""
    missing = as_float(value) is None
    told = [element("b", metric.label)]
    if metric.formula:
        told.append(element("span", metric.formula))
    if metric.details:
        told.append(element("span", metric.details, class_="aside"))
    if missing:
        reason = metric.rule if metric.rule != "never" else "the run has too little of what it is computed from"
        told.append(element("span", f"No value here. It has none with: {reason}.", class_="rule"))
    elif metric.rule != "never":
        told.append(element("span", f"No value with: {metric.rule}.", class_="aside"))
    if len(told) == 1:
        return element("span", metric.label)
    name = f"tip-{where}-{metric.key}"
    return element(
        "span",
        element("button", metric.label, type="button", class_="term", aria_describedby=name),
        element("span", *told, class_="tip", role="tooltip", id=name),
        class_="term-box",
    )


def reading(metric: Explained, value: Any, currency: str = "") -> Markup:
    """A metric's value, coloured and signed where its sign tells good from bad, an amount with its currency."""
    text = metric.write(value)
    if text == figures.NOTHING:
        return element("span", text, class_="nothing", title="no value: see the definition of the name")
    unit = element("small", f"{figures.THIN}{currency}") if metric.unit == "currency" and currency else None
    return element("span", text, unit, class_=" ".join(filter(None, ("figure", metric.tone(value)))))
