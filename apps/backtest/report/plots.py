"""Small plots as SVG that stretches while its labels, which are HTML, keep their size at any width."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from apps.backtest.report import figures
from apps.backtest.report.markup import Markup, element, join

Floats = NDArray[np.float64]

_SIDE: Final = 1000.0  # the plot area is a square of this many units, stretched by the page


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear axis from `low` to `high` with labelled ticks, each (value, text)."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...] = ()

    def place(self, values: Floats | float) -> Floats:
        """Positions of values along the axis, 0 at `low` and 1 at `high`."""
        return (np.asarray(values, dtype=np.float64) - self.low) / (self.high - self.low)


def value_scale(
    values: Iterable[float], *, decimals: int | None = None, suffix: str = "", zero: bool = False, parts: int = 4
) -> Scale:
    """An axis with at least `parts` round steps over the finite ones of `values`, with zero on it if `zero`."""
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    low, high = (min(low, 0.0), max(high, 0.0)) if zero else (low, high)
    if high - low <= 1e-12 * max(abs(high), abs(low), 1e-300):
        pad = abs(high) * 0.05 or 1.0
        low, high = low - pad, high + pad
    step = round_step((high - low) / parts)
    while decimals is not None and step * 10**decimals % 1 > 1e-6:  # between two labels there is none
        step = round_step(step * 1.1)
    low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    unit = figures.axis_unit(max(abs(low), abs(high)))
    shown, is_free = step / unit[0], decimals is None or unit[1] != ""
    digits = max(0, -math.floor(math.log10(shown) + 1e-9)) if is_free else decimals or 0
    if is_free and shown * 10**digits % 1 > 1e-6:
        digits += 1
    marks = [low + step * i for i in range(round((high - low) / step) + 1)]
    return Scale(low, high, tuple((mark, figures.axis_label(mark, digits, unit) + suffix) for mark in marks))


def time_scale(first_ns: int, last_ns: int) -> Scale:
    """An axis over a span of time (ns UTC), labelled at both ends and between with years, months or days."""
    span = max(last_ns - first_ns, 1)
    days = span / 86_400e9
    unit = "Y" if days > 900 else "M" if days > 75 else "D"
    start, stop = (np.datetime64(int(t), "ns").astype(f"datetime64[{unit}]") for t in (first_ns, last_ns))
    marks = np.arange(start + 1, stop + 1)
    marks = marks[:: max(1, -(-marks.size // 8))]
    ticks = tuple((float(mark.astype("datetime64[ns]").astype(np.int64)), str(mark)) for mark in marks)
    return Scale(float(first_ns), float(first_ns + span), ticks)


def line(x: Floats, y: Floats, kind: str) -> Markup:
    """A line through points given as fractions of the plot area, broken where y is nan; `kind` is its CSS class."""
    return element("path", d=_path(x, y), class_=f"line {kind}")


def area(x: Floats, low: Floats, high: Floats, kind: str) -> Markup:
    """The area between two lines over the same x, all as fractions of the plot area."""
    there = np.isfinite(low) & np.isfinite(high)
    x, low, high = x[there], low[there], high[there]
    if x.size == 0:
        return Markup("")
    path = _path(x, high) + _path(x[::-1], low[::-1]).replace("M", "L", 1) + "Z"
    return element("path", d=path, class_=f"area {kind}")


def bar(left: float, right: float, low: float, high: float, kind: str) -> Markup:
    """A rectangle given by fractions of the plot area."""
    return element(
        "rect",
        x=f"{left * _SIDE:.2f}",
        y=f"{(1 - high) * _SIDE:.2f}",
        width=f"{max(right - left, 0) * _SIDE:.2f}",
        height=f"{max(high - low, 0) * _SIDE:.2f}",
        class_=kind,
    )


def level(y: float, kind: str = "zero") -> Markup:
    """A horizontal line across the plot area."""
    return element("path", d=f"M0 {(1 - y) * _SIDE:.1f}H{_SIDE:.0f}", class_=f"line {kind}")


def post(x: float, kind: str = "zero") -> Markup:
    """A vertical line across the plot area."""
    return element("path", d=f"M{x * _SIDE:.1f} 0V{_SIDE:.0f}", class_=f"line {kind}")


def plot(
    shapes: Sequence[Markup],
    x: Scale,
    y: Scale,
    label: str,
    *,
    kind: str = "",
    hover: Sequence[tuple[float, str]] = (),
) -> Markup:
    """Frame shapes with axes. `label` says in words what is drawn; `hover` is text by x fraction, for the pointer."""
    grid = [level(float(y.place(mark)), "grid") for mark, _ in y.ticks]
    drawing = element(
        "svg", *grid, *shapes, viewBox=f"0 0 {_SIDE:.0f} {_SIDE:.0f}", preserveAspectRatio="none", aria_hidden="true"
    )
    across = [
        element("span", text, class_="tick-y", style=f"top:{(1 - float(y.place(mark))) * 100:.2f}%")
        for mark, text in y.ticks
    ]
    origin = next((place for place, (mark, _) in enumerate(x.ticks) if mark == 0), 0)
    along = [
        _tick(float(x.place(mark)), text, odd=bool((place - origin) % 2)) for place, (mark, text) in enumerate(x.ticks)
    ]
    points = json.dumps([[round(at, 4), text] for at, text in hover], ensure_ascii=False) if hover else None
    field = element("div", drawing, *across, *along, class_="plot-field")
    return element("div", field, class_=f"plot {kind}".strip(), role="img", aria_label=label, data_hover=points)


def fractions(values: Floats, scale: Scale) -> Floats:
    """Positions of values as fractions of the plot area, cut to it."""
    return np.clip(scale.place(values), 0.0, 1.0)


def legend(entries: Sequence[tuple[str, str]]) -> Markup:
    """Names of what is drawn, each (CSS class of its key, text)."""
    keys = [element("li", element("i", class_=f"key {kind}", aria_hidden="true"), text) for kind, text in entries]
    return element("ul", join(*keys), class_="legend")


def _tick(at: float, text: str, *, odd: bool) -> Markup | None:
    """A label below the plot; every other one makes room on a narrow page."""
    if not -1e-9 <= at <= 1 + 1e-9:
        return None
    edge = " at-start" if at < 0.03 else " at-end" if at > 0.97 else ""
    return element("span", text, class_=f"tick-x{edge}{' odd' if odd else ''}", style=f"left:{at * 100:.2f}%")


def round_step(rough: float) -> float:
    """The smallest of 1, 2, 2.5, 5 × a power of ten that is not below `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * nice for nice in (1.0, 2.0, 2.5, 5.0, 10.0) if power * nice >= rough * 0.999)


def _path(x: Floats, y: Floats) -> str:
    parts: list[str] = []
    pen = "M"
    for across, down in zip((x * _SIDE).tolist(), ((1.0 - y) * _SIDE).tolist(), strict=True):
        if math.isnan(down):
            pen = "M"
            continue
        parts.append(f"{pen}{across:.1f} {down:.1f}")
        pen = "L"
    return "".join(parts)
