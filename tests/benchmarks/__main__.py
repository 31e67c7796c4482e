"""`python -m tests.benchmarks`: Banyan beside its peers and beside plain C."""

import argparse
import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from apps.signals.interface import list_strategies
from tests.benchmarks.fresh import run_trial, trials
from tests.benchmarks.keeping import keep
from tests.benchmarks.measure import ROOT, Programs, measure
from tests.benchmarks.report import Table, as_json, machine, render
from tests.benchmarks.works import EVENT_LOOP, OURS, C, in_event_loop, works
from trading.compiled import data_directory

PEERS_VENV = ROOT / ".venv-bench"
KEPT = ROOT / "docs" / "benchmarks.json"
PAGE = ROOT / "docs" / "benchmarks.md"


def main() -> int:
    """Measure what was asked for, print it and keep it; return 1 where one of ours could not be measured."""
    asked = _arguments()
    if asked.install_peers:
        _install_peers()
    folder = data_directory() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    facts = machine(quick=asked.quick)
    tables: list[Table] = []
    has_failed = False
    with (folder / "log.txt").open("w") as log:
        try:
            for table in _measured(asked, folder, log):
                tables.append(table)
                sys.stdout.write(render([table], {}).lstrip() + "\n")
                sys.stdout.flush()
        except (Exception, KeyboardInterrupt):
            traceback.print_exc()
            has_failed = True
    if not tables and not has_failed:
        sys.stderr.write(f"nothing that is measured is called {asked.only}: see --help\n")
        return 2
    verdicts = [verdict for table in tables for verdict in table.verdicts()]
    sys.stdout.write(f"{sum(holds for _, holds in verdicts)} of {len(verdicts)} bounds hold\n")
    _keep(asked, folder, [table for table in tables if any(row.samples for row in table.rows)], facts)
    lacks = any(row.engine.startswith(OURS) and not row.samples for table in tables for row in table.rows)
    return int(has_failed or lacks)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        default="",
        help="measure only these, such as W1,W2,W4a,first,memory,feeds,signals,live,kill,restart,kafka,facade,shadow,"
        "extracted,api,console; or parts of the last, such as live-10000,api-reads,console-pages",
    )
    parser.add_argument("--repeat", type=int, default=7, help="rounds in which all engines take turns (7)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: does everything run and agree?")
    parser.add_argument("--no-peers", action="store_true", help="only Banyan and plain C")
    parser.add_argument(
        "--install-peers", action="store_true", help="install requirements-bench.txt into .venv-bench first"
    )
    parser.add_argument("--json", type=Path, help="write the numbers to this file too")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="put what was measured into docs/benchmarks.json and docs/benchmarks.md, in the place of what was there",
    )
    return parser.parse_args()


def _measured(asked: argparse.Namespace, folder: Path, log: TextIO) -> Iterator[Table]:
    programs = Programs(None if asked.no_peers else _peers_python(), log)
    if programs.peers is None and not asked.no_peers:
        sys.stdout.write("The peers are not installed: `make bench PEERS=1` installs them into .venv-bench.\n\n")
    wanted = {name for name in asked.only.split(",") if name}
    rounds = 1 if asked.quick else asked.repeat
    loops = Table(EVENT_LOOP, "every shipped strategy through the event loop, bars a second of the engine", "/s", [])
    for work in works(folder, quick=asked.quick, strategies=list_strategies()):
        if not _is_wanted(work.name, wanted):
            continue
        rows = _shown(measure(work, programs, rounds=rounds), asked)
        must = () if asked.quick else work.must  # bounds are of the full sizes
        if work.name.startswith(EVENT_LOOP):
            renamed = [replace(row, engine=in_event_loop(row.engine, work.title)) for row in rows]
            loops = replace(loops, rows=[*loops.rows, *renamed], must=(*loops.must, *must))
        else:
            yield Table(work.name, work.title, "/s" if work.is_rate else "s", rows, must)
    if loops.rows:
        yield loops
    for trial in trials(folder, programs, quick=asked.quick):
        if _is_wanted(trial.name, wanted):
            limit = trial.must if trial.unit == "MB" and not asked.quick else None
            must = () if asked.quick else trial.bounds
            yield Table(trial.name, trial.title, trial.unit, _shown(run_trial(trial), asked), must, limit)
    for name in ("feeds", "signals", "kill", "restart", "kafka", "facade", "shadow", "extracted"):
        if _is_wanted(name, wanted):
            yield from importlib.import_module(f"tests.benchmarks.{name}").measure(quick=asked.quick)
    for name in ("live", "api", "console"):
        some = {each for each in wanted if each.partition("-")[0] == name}
        if not wanted or some:
            module = importlib.import_module(f"tests.benchmarks.{name}")
            yield from module.measure(quick=asked.quick, only=some - {name})


def _is_wanted(name: str, wanted: set[str]) -> bool:
    return not wanted or name in wanted or name.partition(" ")[0] in wanted


def _shown(rows: list[Any], asked: argparse.Namespace) -> list[Any]:
    return [row for row in rows if row.engine in (OURS, C) or not asked.no_peers]


def _peers_python() -> Path | None:
    given = os.environ.get("BENCH_PEERS_PYTHON")
    path = Path(given) if given else PEERS_VENV / "bin" / "python"
    return path if path.exists() else None


def _install_peers() -> None:
    if not PEERS_VENV.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS_VENV)], check=True)
    pip = [str(PEERS_VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-r", str(ROOT / "requirements-bench.txt")], check=True)


def _keep(asked: argparse.Namespace, folder: Path, tables: list[Table], facts: dict[str, Any]) -> None:
    text = json.dumps(as_json(tables, facts), indent=1) + "\n"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    kept = [folder / f"{stamp}.json", *([asked.json] if asked.json else [])]
    for path in kept:
        path.write_text(text)
    if asked.keep:
        keep(tables, facts, KEPT, PAGE)
        kept.append(KEPT)
    sys.stdout.write(f"kept in {', '.join(str(path) for path in kept)}\n")


if __name__ == "__main__":
    sys.exit(main())
