"""What is kept in docs: the last figures of each work. Works that were not measured this time keep what they had."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.benchmarks.report import Table, as_json, render

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
_HEAD = "### "


def keep(tables: Iterable[Table], facts: dict[str, Any], numbers: Path, page: Path) -> None:
    """Put measured tables into the file of numbers and between the marks of the page, in the places of those before."""
    measured = list(tables)
    before = json.loads(numbers.read_text())["works"] if numbers.exists() else []
    works = _merged({each["name"]: each for each in before}, {each["name"]: each for each in _works(measured, facts)})
    numbers.write_text(_short(json.dumps({"works": list(works.values())}, indent=1)) + "\n")
    above, _, rest = page.read_text().partition(BEGIN)
    shown, _, below = rest.partition(END)
    sections = _merged(_sections(shown), _sections(render(measured, facts)))
    page.write_text(f"{above}{BEGIN}\n\n{''.join(sections.values())}{END}{below}")


def _short(text: str) -> str:
    """Return JSON with each list of numbers on one line."""
    return re.sub(r"\[([-\d.e+,\s]+)\]", lambda found: f"[{' '.join(found[1].split())}]", text)


def _works(tables: list[Table], facts: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = as_json(tables, facts)["works"]
    return found


def _merged(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    return {name: now.get(name, before.get(name)) for name in (*before, *(each for each in now if each not in before))}


def _sections(text: str) -> dict[str, str]:
    """Return the sections of a text by the names in their heads."""
    parts = f"\n{text.strip()}\n".split(f"\n{_HEAD}")[1:]
    return {part.partition(":")[0]: f"{_HEAD}{part.strip()}\n\n" for part in parts}
