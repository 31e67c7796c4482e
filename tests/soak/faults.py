"""A plugin of pytest for `make soak KEEP=1`: it writes what the fault tests have injected and survived to docs/soak.md.

A test says how many faults it has injected by the property `faults`; one that says nothing counts for one.
"""

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).resolve().parents[2] / "docs" / "soak.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"


class Tried(NamedTuple):
    """How often a test has run, passed, and how many faults it has injected."""

    runs: int = 0
    passed: int = 0
    faults: int = 0


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write the table of the tests in tests/fault that have run."""
    stats = terminalreporter.stats
    tried = counted([each for group in ("passed", "failed", "") for each in stats.get(group, ())])
    if tried:
        PAGE.write_text(kept(PAGE.read_text(), tried, datetime.now(UTC)))
        terminalreporter.write_line(f"kept in {PAGE}")


def counted(reports: list[Any]) -> dict[str, Tried]:
    """Return what was tried, by test."""
    tried: defaultdict[str, Tried] = defaultdict(Tried)
    said = {each.nodeid: dict(each.user_properties).get("faults", 1) for each in reports if each.when == "teardown"}
    for report in reports:
        if report.when != "call" or not report.nodeid.startswith("tests/fault/"):
            continue
        name = report.nodeid.partition("::")[2].partition("[")[0].removeprefix("test_").replace("_", " ")
        faults = said.get(report.nodeid, 1)
        before = tried[name]
        tried[name] = Tried(before.runs + 1, before.passed + report.passed, before.faults + faults)
    return dict(tried)


def kept(page: str, tried: dict[str, Tried], at: datetime) -> str:
    """Return the page with the table in the place of the last one."""
    head, _, rest = page.partition(BEGIN)
    tail = rest.partition(END)[2]
    rows = [f"| {name} | {each.runs} | {each.passed} | {each.faults:,} |" for name, each in sorted(tried.items())]
    total = [sum(column) for column in zip(*tried.values(), strict=True)]
    lines = [
        f"{at:%Y-%m-%d}: {total[0]} runs, {total[1]} of them survived; {total[2]:,} faults injected.",
        "",
        "| after which all invariants hold | runs | survived | faults |",
        "|---|---|---|---|",
        *rows,
    ]
    return f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{tail}"
