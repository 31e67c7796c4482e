"""The table: medians, spreads, ratios, whether the results are the same, and whether ours is what it must be."""

import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from tests.benchmarks.measure import Row
from tests.benchmarks.works import OURS, C, Must

RULE = "|---|---:|---:|---:|---|---|"
HEAD = "| engine | median | min – max | against ours | same result | what it gives |"


@dataclass(frozen=True)
class Table:
    """The rows of one work. `unit` is "s", "/s", "MB" or "x"; `limit` is the most that ours may take, in "MB"."""

    name: str
    title: str
    unit: str
    rows: list[Row]
    must: tuple[Must, ...] = ()
    limit: float | None = None

    def row(self, engine: str) -> Row | None:
        """Return the row of `engine`, None where it was not measured."""
        return next((row for row in self.rows if row.engine == engine and row.samples), None)

    def verdicts(self) -> list[tuple[str, bool]]:
        """Return what ours must be, what it is, and whether that holds."""
        found = []
        for must in self.must:
            ours, plain = self.row(must.row), self.row(C)
            if ours is None:
                found.append((f"{must.row} must be {must}: not measured", False))
                continue
            value = median(ours.samples)
            match must.of:
                case "seconds":
                    found.append((f"{must.row} must be {must}: {_shown(value, 's')}", value <= must.bound))
                case "per_second":
                    found.append((f"{must.row} must be {must}: {_shown(value, '/s')}", value >= must.bound))
                case "ratio":
                    found.append((f"{must.row} must be {must}: {_shown(value, 'x')}", value <= must.bound))
                case "times_c" if plain is not None:
                    times = value / median(plain.samples)
                    found.append((f"{must.row} must be {must}: {times:.2f} x", times <= must.bound))
                case "times_c":
                    found.append((f"{must.row} must be {must}: plain C was not measured", False))
        ours = self.row(OURS)
        if self.limit is not None and ours is not None:
            value = median(ours.samples)
            text = f"{OURS} must be at most {self.limit:g} {self.unit}: {_shown(value, self.unit)}"
            found.append((text, value <= self.limit))
        return found


def render(tables: Iterable[Table], facts: dict[str, Any]) -> str:
    """Return all tables as Markdown that also reads well on a terminal, each with what it was measured on."""
    lines = []
    for table in tables:
        lines += [f"### {table.name}: {table.title}", ""]
        lines += [", ".join(f"{name} {value}" for name, value in facts.items()), ""] if facts else []
        lines += [*_aligned([HEAD, RULE, *_rows(table)]), ""]
        lines += [f"- {text}: {'holds' if holds else 'DOES NOT HOLD'}" for text, holds in table.verdicts()]
        lines.append("")
    return "\n".join(lines)


def as_json(tables: Iterable[Table], facts: dict[str, Any]) -> dict[str, Any]:
    """Return everything measured, without the long lists of single results."""
    return {
        "works": [
            {
                "name": table.name,
                "machine": facts,
                "title": table.title,
                "unit": table.unit,
                "rows": [_row_json(row, table) for row in table.rows],
                "must": [{"text": text, "holds": holds} for text, holds in table.verdicts()],
            }
            for table in tables
        ],
    }


def machine(*, quick: bool) -> dict[str, Any]:
    """Return what the numbers were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    processor = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        + (" (quick: sizes too small to mean anything)" if quick else ""),
        "processor": processor,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "Python": platform.python_version(),
    }


def agreement(ours: Row | None, other: Row) -> str:
    """Return how far the result of `other` is from ours."""
    if ours is None or ours is other or not ours.facts or "final_equity" not in other.facts:
        return ""
    mine, theirs = (np.atleast_1d(row.facts["final_equity"]) for row in (ours, other))
    fills = tuple(np.atleast_1d(row.facts["n_fills"]) for row in (ours, other))
    if mine.shape != theirs.shape:
        return f"NO: {theirs.size} results against {mine.size}"
    distance = float(np.max(np.abs(theirs - mine) / np.abs(mine)))
    other_fills = int(np.count_nonzero(fills[0] != fills[1]))
    if mine.size > 1:
        same = "the same fills" if not other_fills else f"other fills in {other_fills} of {mine.size}"
    else:
        same = "the same fills" if not other_fills else f"{int(fills[1][0]):,} fills, ours {int(fills[0][0]):,}"
    verdict = "yes" if distance < 1e-6 and not other_fills else "NO"
    return f"{verdict}: {same}, equity within {distance:.0e}"


def _rows(table: Table) -> list[str]:
    ours = table.row(OURS)
    reference = ours or table.row(C)
    found = []
    for row in table.rows:
        if not row.samples:
            found.append(f"| {row.engine} | – | | | | {row.note} |")
            continue
        middle = median(row.samples)
        # What is the difference of a pair can be nothing, or less, on a busy machine, and is then no measure of others.
        measure = median(ours.samples) if ours is not None else 0.0
        ratio = f"{middle / measure:.3g} x" if measure > 0 else ""
        spread = f"{_shown(min(row.samples), table.unit)} – {_shown(max(row.samples), table.unit)}"
        name = (
            " ".join([row.engine, *dict.fromkeys(row.versions.values())])
            if not row.engine.startswith(OURS)
            else row.engine
        )
        cells = (name, _shown(middle, table.unit), spread, ratio, agreement(reference, row), row.note or row.gives)
        found.append(f"| {' | '.join(cells)} |")
    return found


def _row_json(row: Row, table: Table) -> dict[str, Any]:
    kept = {name: value for name, value in row.facts.items() if not isinstance(value, list | str)}
    known: dict[str, Any] = asdict(row) | {"facts": kept}
    if row.samples:
        known |= {"median": median(row.samples), "min": min(row.samples), "max": max(row.samples)}
        known["same_result"] = agreement(table.row(OURS) or table.row(C), row)
    return known


def _shown(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value * 1e3:.2f} ms" if value < 1 else f"{value:.2f} s"
    if unit == "x":
        return f"{value:.2f} x"
    if unit == "MB":
        return f"{value:.0f} MB"
    return f"{value / 1e6:.2f} M/s" if value >= 1e4 else f"{value:,.0f}/s"


def _aligned(rows: list[str]) -> list[str]:
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    widths = [max(len(row[column]) for row in cells if row is not cells[1]) for column in range(len(cells[0]))]
    lines = []
    for number, row in enumerate(cells):
        if number == 1:
            parts = [
                "-" * (width - 1) + ":" if cell.endswith(":") else "-" * width
                for cell, width in zip(row, widths, strict=True)
            ]
        else:
            right = [cell.endswith(":") for cell in cells[1]]
            parts = [
                cell.rjust(width) if to_right else cell.ljust(width)
                for cell, width, to_right in zip(row, widths, right, strict=True)
            ]
        lines.append(f"| {' | '.join(parts)} |")
    return lines
