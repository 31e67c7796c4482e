"""A plugin of pytest for `make soak KEEP=1`: it writes what the fault tests have injected and survived to docs/soak.md.

They are those of tests/fault, and of tests/integration/kafka those that are only run in a soak. A test says how many
faults it has injected by the property `faults`; one that says nothing counts for one. What a test that is not run has
survived last stays, with its day, so that they can be run one by one.
"""

import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

PAGE = Path(__file__).resolve().parents[2] / "docs" / "soak.md"
TESTS = Path(__file__).resolve().parents[1]
OF_FAULTS, OF_KAFKA = "tests/fault/", "tests/integration/kafka/"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
ROW = re.compile(
    r"^\| (?P<name>[^|]+) \| \d{4}-\d\d-\d\d \| (?P<runs>\d+) \| (?P<passed>\d+) \| (?P<faults>[\d,]+) \|$",
    re.MULTILINE,
)


class Tried(NamedTuple):
    """How often a test has run, passed, and how many faults it has injected."""

    runs: int = 0
    passed: int = 0
    faults: int = 0


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write the table of the fault tests that have run."""
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
        if report.when != "call" or not is_of_faults(report):
            continue
        name = report.nodeid.partition("::")[2].partition("[")[0].removeprefix("test_").replace("_", " ")
        faults = said.get(report.nodeid, 1)
        before = tried[name]
        tried[name] = Tried(before.runs + 1, before.passed + report.passed, before.faults + faults)
    return dict(tried)


def is_of_faults(report: Any) -> bool:
    """Tell whether a report is of a test that the page tells of."""
    place: str = report.nodeid
    return place.startswith(OF_FAULTS) or (place.startswith(OF_KAFKA) and "soak" in report.keywords)


def kept(page: str, tried: dict[str, Tried], at: datetime) -> str:
    """Return the page with what these tests have survived, and of others that there still are what stood there."""
    head, _, rest = page.partition(BEGIN)
    before, _, tail = rest.partition(END)
    rows = {row["name"]: row[0] for row in ROW.finditer(before) if is_there(row["name"])}
    rows |= {
        name: f"| {name} | {at:%Y-%m-%d} | {each.runs} | {each.passed} | {each.faults:,} |"
        for name, each in tried.items()
    }
    found = [ROW.fullmatch(row) for row in rows.values()]
    total = [sum(int(row[part].replace(",", "")) for row in found if row) for part in ("runs", "passed", "faults")]
    lines = [
        f"{total[0]} runs, {total[1]} of them survived; {total[2]:,} faults injected.",
        "",
        "| after which all invariants hold | last tried | runs | survived | faults |",
        "|---|---|---|---|---|",
        *(rows[name] for name in sorted(rows)),
    ]
    return f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{tail}"


def is_there(name: str) -> bool:
    """Tell whether there still is a fault test of this name."""
    definition = f"def test_{name.replace(' ', '_')}("
    folders = (TESTS.parent / each for each in (OF_FAULTS, OF_KAFKA))
    return any(definition in path.read_text() for folder in folders for path in folder.glob("test_*.py"))
