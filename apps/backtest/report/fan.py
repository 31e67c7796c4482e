"""Bands of many paths by step, as a fan around their median."""

import numpy as np

from apps.backtest.report import figures, plots
from apps.backtest.report.inputs import Bands
from apps.backtest.report.markup import Markup, join
from apps.backtest.report.thinning import extreme_rows


def fan(bands: Bands) -> Markup:
    """Draw the bands from the outermost pair of quantiles inwards, the middle one and the path that happened."""
    curves = [*bands.values] + ([] if bands.actual is None else [bands.actual])
    rows = extreme_rows(curves, 60) if curves[0].size > 700 else np.arange(curves[0].size)
    last = max(int(bands.at[-1]), 1)
    across = plots.value_scale([0.0, float(last)], decimals=0)
    across = plots.Scale(0.0, float(last), across.ticks)
    up = plots.value_scale(np.concatenate([curve[rows] for curve in curves]).tolist())
    x = plots.fractions(bands.at[rows].astype(float), across)
    levels = [plots.fractions(curve[rows], up) for curve in bands.values]
    pairs = [(low, len(levels) - 1 - low) for low in range(len(levels) // 2)]
    shapes = [
        plots.area(x, levels[low], levels[high], "tight" if place else "wide")
        for place, (low, high) in enumerate(pairs)
    ]
    if len(levels) % 2:
        shapes.append(plots.line(x, levels[len(levels) // 2], "equity"))
    if bands.actual is not None:
        shapes.append(plots.line(x, plots.fractions(bands.actual[rows], up), "actual thin"))
    names = [_name(quantile) for quantile in bands.quantiles]
    hover = [(float(at), _told(bands, names, int(row))) for at, row in zip(x, rows, strict=True)]
    entries = [
        ("tight" if place else "wide", f"{names[low]} to {names[high]} of paths")
        for place, (low, high) in enumerate(pairs)
    ]
    entries += [("equity", "Median")] if len(levels) % 2 else []
    entries += [("actual", "What happened")] if bands.actual is not None else []
    label = f"{bands.label} by {bands.steps}: {_told(bands, names, curves[0].size - 1)}"
    return join(plots.legend(entries), plots.plot(shapes, across, up, label, kind="tall", hover=hover))


def _told(bands: Bands, names: list[str], row: int) -> str:
    parts = [f"{name} {figures.number(curve[row], 0)}" for name, curve in zip(names, bands.values, strict=True)]
    return f"{bands.steps} {figures.number(int(bands.at[row]), 0)}:  " + "  ".join(parts)


def _name(quantile: float) -> str:
    return f"{figures.significant(100 * quantile, 3)}{figures.THIN}%"
