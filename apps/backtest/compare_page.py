"""A page that shows runs side by side: one file, no network, no script."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.backtest import store
from apps.backtest.cli_names import label, number
from apps.backtest.cli_output import written
from apps.backtest.compare import Comparison
from apps.backtest.models import Run
from apps.backtest.request import iso

WIDTH, HEIGHT, LEFT, BOTTOM = 960, 480, 76, 40
_POINTS = 800
_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--faint:#68707a;--line:#d5dae0;--paper:#fff;
--c0:#0a66c2;--c1:#c2500a;--c2:#0a8a4f;--c3:#8a2be2;--c4:#b0113a;--c5:#5b6470}
@media(prefers-color-scheme:dark){:root{--ink:#e7eaee;--faint:#98a2ad;--line:#343b44;--paper:#14171b;
--c0:#5aa9f5;--c1:#f59a5a;--c2:#4fd08f;--c3:#c193f7;--c4:#f5718d;--c5:#a8b2bd}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
body{max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin-top:2rem}
svg{width:100%;height:auto}svg text{fill:var(--faint);font-size:12px}
@media(max-width:40rem){body{margin:1rem auto}svg text{font-size:28px}
td:first-child,th:first-child{position:sticky;left:0;background:var(--paper)}}
.scroll{overflow-x:auto}table{border-collapse:separate;border-spacing:0;font-variant-numeric:tabular-nums;width:100%}
th,td{text-align:right;padding:.25rem .6rem;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}b{font-weight:600}
.key{display:inline-block;width:.8rem;height:.2rem;vertical-align:middle;margin-right:.4rem}
"""


def write_page(found: Comparison, runs: Sequence[Run], path: str) -> Path:
    """Write the page to `path` and return it: equity over equity, then metrics and differences as tables."""
    metrics = {label(name): [number(name, each) for each in values] for name, values in found.metrics.items()}
    told = {name: ["–" if each is None else str(each) for each in values] for name, values in found.differences.items()}
    titles = "".join(f"<li><b>{html.escape(run.short_id)}</b> {html.escape(_title(run))}</li>" for run in runs)
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>Runs {html.escape(' '.join(found.runs))}</title><style>{_STYLE}</style>"
        f"<h1>Runs side by side</h1><ul>{titles}</ul><h2>Growth of 1</h2>{_plot(runs)}"
        f"<h2>Metrics</h2>{_table(found.runs, metrics)}<h2>What differs</h2>{_table(found.runs, told)}</html>"
    )
    return written(path, page)


def _title(run: Run) -> str:
    return f"{run.strategy} on {' '.join(run.instruments)} {run.interval}"


def _table(runs: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    keys = (
        f"<span class=key style='background:var(--c{i % 6})'></span>{html.escape(name)}" for i, name in enumerate(runs)
    )
    head = "".join(f"<th>{key}</th>" for key in keys)
    body = "".join(
        f"<tr><td>{html.escape(name)}</td>{''.join(f'<td>{html.escape(each)}</td>' for each in cells)}</tr>"
        for name, cells in rows.items()
    )
    return f"<div class=scroll><table><tr><th></th>{head}</tr>{body}</table></div>"


def _plot(runs: Sequence[Run]) -> str:
    curves = [_curve(run) for run in runs]
    first, last = min(int(time[0]) for time, _ in curves), max(int(time[-1]) for time, _ in curves)
    low, high = min(float(np.nanmin(each)) for _, each in curves), max(float(np.nanmax(each)) for _, each in curves)
    span, height = max(last - first, 1), (high - low) or 1.0

    def x(time: float) -> float:
        return LEFT + (WIDTH - LEFT) * (time - first) / span

    def y(value: float) -> float:
        return 20 + (HEIGHT - BOTTOM - 20) * (high - value) / height

    marks = "".join(
        f"<line x1={LEFT} x2={WIDTH} y1={y(value):.1f} y2={y(value):.1f} stroke='var(--line)'/>"
        f"<text x={LEFT - 8} y={y(value) + 4:.1f} text-anchor=end>{value:.2f}</text>"
        for value in np.linspace(low, high, 5)
    )
    lines = "".join(
        f"<polyline fill=none stroke='var(--c{i % 6})' stroke-width=1.5 points='"
        + " ".join(f"{x(t):.1f},{y(v):.1f}" for t, v in zip(time.tolist(), value.tolist(), strict=True))
        + "'/>"
        for i, (time, value) in enumerate(curves)
    )
    ends = (
        f"<text x={LEFT} y={HEIGHT - 4}>{iso(first)[:10]}</text>"
        f"<text x={WIDTH} y={HEIGHT - 4} text-anchor=end>{iso(last)[:10]}</text>"
    )
    title = "Equity of all runs, each divided by its starting cash"
    return f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='{title}'>{marks}{lines}{ends}</svg>"


def _curve(run: Run) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return times and growth of a run, at so few points that a page stays small."""
    stored = store.arrays(run)
    time, equity = stored["time"], stored["equity"]
    rows = np.unique(np.linspace(0, time.size - 1, min(_POINTS, time.size)).astype(np.int64))
    return time[rows], equity[rows] / float(run.manifest["options"]["cash"])
