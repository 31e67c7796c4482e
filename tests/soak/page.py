"""What a soak has found, as a page."""

import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis

BEGIN, END = "<!-- soaked: begin -->", "<!-- soaked: end -->"


@dataclass
class Soak:
    """Rounds of property tests: `tests` holds examples and failures of each test over all rounds."""

    seeds: list[int] = field(default_factory=list)
    seconds: float = 0.0
    tests: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, seed: int, seconds: float, tests: Mapping[str, Mapping[str, Any]]) -> None:
        """Take in a round."""
        self.seeds.append(seed)
        self.seconds += seconds
        for name, found in tests.items():
            test = self.tests.setdefault(name, {"examples": 0, "failed_with": []})
            test["examples"] += found["examples"]
            test["failed_with"] += [seed] if found["failed"] else []

    @property
    def failures(self) -> dict[str, list[int]]:
        """The tests that failed, and the seeds with which they did."""
        return {name: test["failed_with"] for name, test in self.tests.items() if test["failed_with"]}

    @property
    def examples(self) -> int:
        """How many examples were tried."""
        return sum(test["examples"] for test in self.tests.values())

    def summary(self) -> str:
        """Return one line."""
        return (
            f"{len(self.tests)} property tests, {self.examples:,} examples, {len(self.failures)} failed; "
            f"{len(self.seeds)} rounds in {self.seconds / 60:.0f} minutes, seeds {_spans(self.seeds)}"
        )

    def rendered(self) -> str:
        """Return the part of the page that a soak writes."""
        tools = f"Python {platform.python_version()}, Hypothesis {hypothesis.__version__}"
        lines = [
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC: {self.summary()}.",
            f"{tools}, {os.cpu_count()} cores, {platform.machine()}.",
            "",
            "| file | property tests | examples |",
            "|---|---:|---:|",
        ]
        tests, examples = Counter[str](), Counter[str]()
        for name, test in self.tests.items():
            file = name.partition("::")[0]
            tests[file] += 1
            examples[file] += test["examples"]
        lines += [f"| `{file}` | {tests[file]} | {examples[file]:,} |" for file in sorted(tests)]
        lines += ["", *(f"- FAILED: `{name}` with seeds {_spans(seeds)}" for name, seeds in self.failures.items())]
        return "\n".join(lines).rstrip()


def keep(soak: Soak, page: Path) -> None:
    """Put what was found between the marks of the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{soak.rendered()}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def _spans(numbers: Sequence[int]) -> str:
    return f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else ", ".join(map(str, numbers))
