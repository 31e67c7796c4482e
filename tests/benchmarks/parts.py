"""Works in parts: what one part has found is told at once, and is not lost where a later one fails."""

import json
import subprocess
import sys
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.history import copy, kept, size_of
from tests.benchmarks.measure import ROOT, Row
from tests.benchmarks.report import Table
from tests.benchmarks.tree import a_place, environment_of
from tests.benchmarks.works import OURS

Tables = Callable[[dict[str, Any]], Iterator[Table]]


class Told(NamedTuple):
    """What a part has found, or why it has not."""

    part: str
    found: dict[str, Any]
    problem: str = ""


def over_history(
    module: str, parts_of: Callable[[str], Mapping[str, Tables]], only: Collection[str], *, quick: bool
) -> Iterator[Table]:
    """Yield the tables of parts of a module, or of those in `only`, measured on one copy of the history.

    `parts_of` returns the parts, in the order in which they are measured, for what the history is called. The row of a
    part that failed says why.
    """
    made = kept(size_of(quick=quick))
    parts = parts_of(f"over {made.orders:,} orders")
    names = [name for name in parts if not only or name in only]
    if not names:
        return
    with a_place() as folder:
        copy(made, folder)
        for told in parts_apart(module, folder, names, int(quick)):
            if told.problem:
                yield Table(told.part, "it failed", "s", [Row(OURS, note=f"failed: {told.problem}")])
            else:
                yield from parts[told.part](told.found)


def parts_apart(module: str, folder: Path, names: Collection[str], *arguments: object) -> Iterator[Told]:
    """Yield what a module tells of each part, as it does so, run in a process whose data is in `folder`.

    Its arguments are the names, with commas, and the others. A part that is never told of has failed.
    """
    command = [sys.executable, "-m", module, ",".join(names), *map(str, arguments)]
    missing = list(names)
    with subprocess.Popen(
        command, cwd=ROOT, env=environment_of(folder), stdout=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            told = Told(*json.loads(line))
            missing.remove(told.part)
            yield told
    for name in missing:
        yield Told(name, {}, f"its process ended with {process.returncode} before: see what it said above")


def tell(names: str, parts: Mapping[str, Callable[[], dict[str, Any]]]) -> None:
    """Measure parts of a module that `parts_apart` runs, one after the other, whatever becomes of those before."""
    for name in names.split(","):
        with redirect_stdout(sys.stderr):
            try:
                told = Told(name, parts[name]())
            except Exception as problem:
                traceback.print_exc()
                told = Told(name, {}, " ".join(f"{type(problem).__name__}: {problem}".split())[:300])
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
