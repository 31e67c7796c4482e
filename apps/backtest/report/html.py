"""The report of a run, a sweep, a walk-forward or a Monte Carlo run as one HTML file that needs no network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from apps.backtest.report import curves, headline, tables
from apps.backtest.report.facts import Facts, command_text, read_facts
from apps.backtest.report.inputs import MonteCarloOutcome, SweepOutcome, WalkForwardOutcome
from apps.backtest.report.markup import Markup, join
from apps.backtest.report.page import render
from apps.backtest.report.payload import run_payload, shown_bars, shown_channels, shown_trades
from apps.backtest.report.periods import daily_curve
from apps.backtest.result import Result
from trading.intervals import format_interval

_RUN_PARTS = (
    ("equity", "Equity"),
    ("price", "Price"),
    ("months", "Months"),
    ("metrics", "Metrics"),
    ("trades", "Trades"),
    ("run", "Run"),
)


def write_report(result: Result, path: Path) -> Path:
    """Write the report of one run to `path` and return it. Raises OSError when the file cannot be written."""
    facts = read_facts(result)
    top = join(
        headline.masthead("Backtest", result.strategy, headline.run_chips(result, facts), result.params),
        headline.tiles(result.metrics, facts),
        headline.notes(result.notes),
    )
    body, payload = _run_parts(result, facts)
    return _write(path, f"{result.strategy} · backtest", _RUN_PARTS, join(top, body), payload)


def write_sweep_report(sweep: SweepOutcome, path: Path) -> Path:
    """Write the report of a sweep, and of its best run where that was kept, to `path` and return it."""
    from apps.backtest.report.sweep import sweep_payload, sweep_sections, sweep_top

    parts = [("heatmap", "Heat map"), ("best", "Best rows")]
    content, payload = [sweep_top(sweep), sweep_sections(sweep)], {"sweep": sweep_payload(sweep)}
    content, payload = _with_run(sweep.best, "The best run", content, payload, parts)
    if sweep.best is None:
        content.append(tables.provenance_section(sweep.manifest, command_text(sweep.manifest), {}))
        parts.append(("run", "Run"))
    return _write(path, f"{sweep.strategy} · sweep", parts, join(*content), payload)


def write_walkforward_report(walk: WalkForwardOutcome, path: Path) -> Path:
    """Write the report of a walk-forward, with its out-of-sample run where there is one, to `path` and return it."""
    from apps.backtest.report.walkforward import walkforward_sections, walkforward_top

    parts = [("windows", "Windows")]
    content: list[Markup] = [walkforward_top(walk), walkforward_sections(walk)]
    content, payload = _with_run(walk.result, "Out of sample, stitched", content, {}, parts)
    if walk.result is None:
        content.append(tables.provenance_section(walk.manifest, command_text(walk.manifest), {}))
        parts.append(("run", "Run"))
    return _write(path, f"{walk.strategy} · walk-forward", parts, join(*content), payload)


def write_montecarlo_report(outcome: MonteCarloOutcome, path: Path) -> Path:
    """Write the report of a Monte Carlo run to `path` and return it."""
    from apps.backtest.report.montecarlo import montecarlo_sections, montecarlo_top

    content = [
        montecarlo_top(outcome),
        montecarlo_sections(outcome),
        tables.provenance_section(outcome.manifest, command_text(outcome.manifest), {}),
    ]
    parts = (("paths", "Paths"), ("outcomes", "Outcomes"), ("run", "Run"))
    return _write(path, f"{outcome.strategy} · Monte Carlo", parts, join(*content), {})


def _run_parts(result: Result, facts: Facts) -> tuple[Markup, dict[str, Any]]:
    bars = shown_bars(result)
    names = dict.fromkeys(format_interval(part.interval) for part in bars if part.interval)
    content = [
        curves.equity_section(result, facts),
        curves.price_section(result, shown_channels(result), ", ".join(names), facts.interval),
    ]
    if result.time.size:
        daily = daily_curve(result.time, result.equity, facts.session, facts.cash)
        content += [
            tables.months_section(daily, facts),
            curves.sharpe_section(daily, facts),
            curves.distribution_section(result),
            tables.drawdowns_section(daily),
        ]
    told = {
        "Strategy": result.strategy,
        "Channels": headline.listed(result.channels),
        "Session zone": facts.session_text,
    }
    content += [
        tables.metrics_section(result.metrics, facts, has_benchmark=result.benchmark is not None),
        tables.trades_section(result, shown_trades(result)),
        tables.provenance_section(result.manifest, facts.command, told),
    ]
    return join(*content), {"run": run_payload(result, bars, facts.currency)}


def _with_run(
    result: Result | None, title: str, content: list[Markup], payload: dict[str, Any], parts: list[tuple[str, str]]
) -> tuple[list[Markup], dict[str, Any]]:
    if result is None:
        return content, payload
    facts = read_facts(result)
    body, drawn = _run_parts(result, facts)
    divider = headline.divider(title, result.params)
    parts.extend(_RUN_PARTS)
    return [
        *content,
        divider,
        headline.tiles(result.metrics, facts),
        headline.notes(result.notes),
        body,
    ], payload | drawn


def _write(
    path: Path, title: str, parts: Sequence[tuple[str, str]], content: Markup, payload: Mapping[str, Any]
) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(title, parts, content, payload), encoding="utf-8")
    return path
