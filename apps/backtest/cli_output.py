"""What the commands print: summaries, tables, JSON and progress."""

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from apps.backtest.cli_names import METRICS_SHOWN, label, number
from apps.backtest.request import iso
from apps.backtest.result import Result
from apps.backtest.store_plain import plain
from trading.bars import Bars

if TYPE_CHECKING:
    import pandas as pd

INDENT = "  "
LUCK = "the best of many owes part of it to luck: dsr is the probability that its Sharpe ratio is more than that"


def summary(result: Result, options: dict[str, Any]) -> list[str]:
    """Return the lines of a backtest's summary: what was run, its metrics, its notes."""
    lines = [*heading(result, options), ""]
    lines += metric_lines(result.metrics)
    lines += [f"{INDENT}note: {note}" for note in result.notes]
    return lines


def heading(result: Result, options: dict[str, Any], opens: tuple[int, int] | None = None) -> list[str]:
    """Return the lines that say what was run on which bars.

    `opens` are the open times of the first and last bar, ns UTC, where the result does not hold its bars.
    """
    bars = sum(len(each) for each in result.bars) or result.metrics.get("bars") or result.time.size
    first, last = opens or (min(int(b.time[0]) for b in result.bars), max(int(b.time[-1]) for b in result.bars))
    names = (
        result.channels if len(result.channels) <= 6 else (*result.channels[:5], f"and {len(result.channels) - 5} more")
    )
    lines = [
        f"{result.strategy}  {assignments(result.params)}".rstrip(),
        f"{INDENT}{', '.join(names)}  {iso(first)} to {iso(last)}  {bars:,} bars",
    ]
    if options:
        lines.append(f"{INDENT}{assignments(options)}")
    return lines


def span(series: Iterable[Bars]) -> str:
    """Return "2010-01-04 to 2015-12-31  1,500 bars"."""
    all_bars = list(series)
    first = min(int(bars.time[0]) for bars in all_bars)
    last = max(int(bars.time[-1]) for bars in all_bars)
    return f"{iso(first)} to {iso(last)}  {sum(map(len, all_bars)):,} bars"


def metric_lines(metrics: dict[str, Any]) -> list[str]:
    """Return the main metrics in aligned columns, as many as the terminal is wide."""
    cells = [(label(name), number(name, metrics[name])) for name in METRICS_SHOWN if name in metrics]
    columns = 1 if shutil.get_terminal_size((100, 24)).columns < 72 else 2
    rows = -(-len(cells) // columns)
    lines = []
    for row in range(rows):
        texts = [f"{name:<22}{value:>16}" for name, value in cells[row::rows]]
        lines.append(INDENT + (" " * 5).join(texts))
    return lines


def assignments(values: dict[str, Any]) -> str:
    """Return "fast=20 slow=50"."""
    return " ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in values.items()
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, left: int | None = None) -> list[str]:
    """Return an aligned table with a line under its head; texts (or the first `left` columns) stand left."""
    kept = [list(row) for row in rows]
    texts = [
        [cell if isinstance(cell, str) else number(name, cell) for name, cell in zip(columns, row, strict=True)]
        for row in kept
    ]
    widths = [max([len(name), *(len(row[i]) for row in texts)]) for i, name in enumerate(columns)]
    is_text = [bool(kept) and all(isinstance(row[i], str) for row in kept) for i in range(len(columns))]
    if left is not None:
        is_text = [i < left for i in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        aligned = (
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(cells, widths, is_text, strict=True)
        )
        return (INDENT + "  ".join(aligned)).rstrip()

    return [line(columns), INDENT + "  ".join("-" * width for width in widths), *map(line, texts)]


def document(result: Result, *, run: str | None = None) -> dict[str, Any]:
    """Return what --json writes: the metrics at the top, then what was run."""
    manifest = dict(result.manifest)
    return {
        **result.metrics,
        "strategy": result.strategy,
        "params": result.params,
        "run": run,
        "notes": result.notes,
        "definitions": manifest.pop("metric_definitions"),
        "manifest": manifest,
    }


def curve(result: Result) -> "pd.DataFrame":
    """Return equity and exposure (and the benchmark) at every close, as a frame."""
    import pandas as pd

    columns: dict[str, Any] = {
        "time": pd.to_datetime(result.time, unit="ns", utc=True), "equity": result.equity, "exposure": result.exposure,
    }  # fmt: skip
    if result.benchmark is not None:
        columns["benchmark"] = result.benchmark
    return pd.DataFrame(columns)


def write_json(document: dict[str, Any], out: str, say: Callable[[str], None]) -> Path | None:
    """Write `document` to the file `out`, or say it where that is "-"; nan becomes null. Return the path written."""
    text = json.dumps(plain(document), indent=2, allow_nan=False)
    if out == "-":
        say(text)
        return None
    return written(out, text + "\n")


def written(out: str, text: str) -> Path:
    """Write `text` to the file `out`, whole or not at all, and return its path."""
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.half")
    half.write_text(text, encoding="utf-8")
    return half.replace(path)


class Progress:
    """A progress bar on standard error, where that is a terminal; call it with (done, total)."""

    def __init__(self, unit: str, quiet: bool = False) -> None:
        self.unit, self.done = unit, 0
        self.bar: Any = None
        self.quiet = quiet or not sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        """Move the bar to `done`."""
        if self.quiet:
            return
        if self.bar is None:
            from tqdm import tqdm

            self.bar = tqdm(total=total, unit=f" {self.unit}", leave=False, file=sys.stderr, dynamic_ncols=True)
        self.bar.update(done - self.done)
        self.done = done

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
