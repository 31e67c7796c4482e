"""What a new process costs: its first result, with everything compiled and with nothing, and its memory."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks import data
from tests.benchmarks.jobs import Case
from tests.benchmarks.measure import ROOT, Programs, Row, ask_once, surroundings, why_not
from tests.benchmarks.works import OURS, Must, crossing, sweep

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"  # a run that asked the database for anything would fail


@dataclass(frozen=True)
class Trial:
    """One measurement of whole processes, all engines in turns; `unit` is "s" or "MB"."""

    name: str
    title: str
    unit: str
    engines: tuple[str, ...]
    once: Callable[[str, Row], float | None]
    must: float | None = None
    rounds: int = 3
    is_warmed: bool = False  # by one round before, which is not counted

    @property
    def bounds(self) -> tuple[Must, ...]:
        """What ours must be, where it is in seconds."""
        return (Must("seconds", self.must),) if self.must is not None and self.unit == "s" else ()


def trials(folder: Path, programs: Programs, *, quick: bool) -> list[Trial]:
    """Return the trials, their files written under `folder`."""
    case = crossing(folder, quick=quick)
    csv = data.write_csv(folder, 20_000 if quick else 1_000_000)
    rounds = 1 if quick else 5

    def first_result(engine: str, row: Row) -> float | None:
        return _timed(engine, case, programs, row)

    def first_ever(engine: str, row: Row) -> float | None:
        with tempfile.TemporaryDirectory() as empty:
            seconds = _timed(
                engine, case, programs, row, {"BANYAN_DATA_DIR": empty, "NUMBA_CACHE_DIR": _numba(engine, empty)}
            )
        if engine == OURS and seconds is not None:
            said = row.facts["stderr"].strip().splitlines()
            row.gives = f"says: {said[0]}" if said else "WITHOUT a line that says what it is doing"
        return seconds

    def command(_: str, row: Row) -> float | None:
        arguments = ("sma_cross", "--csv", str(csv), "--interval", "1m", "--param", "fast=20", "--param", "slow=50")
        return _command(("backtest", *arguments, "--fee-bps", "5"), programs, row)

    def sample_command(_: str, row: Row) -> float | None:
        sample = ROOT / "apps/feeds/sample/eurusd_1h_quotes.csv.gz"
        arguments = ("ema_cross", "--csv", str(sample), "--instrument", "OANDA:EURUSD", "--interval", "1h")
        return _command(("backtest", *arguments), programs, row)

    fresh = (OURS, "raptorbt", "vectorbt kernels")
    return [
        Trial("first", "first result in a new process, cache warm, W1", "s", fresh, first_result, 0.6, rounds, True),
        Trial(
            "command", f"manage.py backtest --csv, {csv.stem.split('-')[1]} bars", "s", (OURS,), command, 1.5, rounds
        ),
        Trial(
            "command-sample", "manage.py backtest --csv, EURUSD hourly", "s", (OURS,), sample_command, 1.5, rounds, True
        ),
        Trial("first-ever", "first ever run, nothing compiled, W1", "s", (OURS, "vectorbt"), first_ever, 10.0, 1),
        *_memory(folder, programs, quick=quick),
    ]


def _numba(engine: str, empty: str) -> str:
    """Return where Numba keeps what it compiles: ours decides by itself, from BANYAN_DATA_DIR."""
    return "" if engine == OURS else empty


def _timed(engine: str, case: Case, programs: Programs, row: Row, env: dict[str, str] | None = None) -> float | None:
    started = time.perf_counter()
    answer = ask_once(engine, case, "once", programs, {name: value for name, value in (env or {}).items() if value})
    seconds = time.perf_counter() - started
    row.note, row.facts = why_not(answer), answer
    return None if row.note else seconds


def _command(arguments: tuple[str, ...], programs: Programs, row: Row) -> float | None:
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**surroundings(), "DATABASE_URL": NOWHERE},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    programs.log.write(done.stderr)
    row.note = "failed: it ended with an error, which is in the log" if done.returncode else ""
    return None if row.note else seconds


def _memory(folder: Path, programs: Programs, *, quick: bool) -> list[Trial]:
    warm = {"warm_arrays": str(data.write_minutes(folder, 3_000)), "warm_numbers": {}}
    first = crossing(folder, quick=quick)
    first = replace(first, numbers=first.numbers | warm)
    whole = sweep(folder, quick=quick)

    def of_run(engine: str, row: Row) -> float | None:
        return _megabytes(engine, first, programs, row)

    def of_sweep(pairs: int) -> Callable[[str, Row], float | None]:
        slow = list(range(30, 30 + pairs // 20))
        numbers = whole.numbers | warm | {"fast": list(range(5, 25)), "slow": slow, "workers": 1}
        return lambda engine, row: _megabytes(engine, replace(whole, numbers=numbers), programs, row)

    sizes = (20, 40) if quick else (100, 400, 1600)
    return [
        Trial(
            "memory",
            "memory of W1 above the warmed imports",
            "MB",
            (OURS, "raptorbt", "vectorbt kernels"),
            of_run,
            150.0,
        ),
        *(
            Trial(
                f"memory-{pairs}",
                f"memory of a sweep of {pairs} pairs, W2's bars, one core",
                "MB",
                (OURS,),
                of_sweep(pairs),
                None,
                1,
            )
            for pairs in sizes
        ),
    ]


def _megabytes(engine: str, case: Case, programs: Programs, row: Row) -> float | None:
    answer = ask_once(engine, case, "memory", programs)
    row.note = why_not(answer)
    if row.note:
        return None
    row.facts = answer["facts"]
    row.gives = f"the bars are {answer['input_mb']:.0f} MB of it"
    return float(answer["above_imports_mb"])


def run_trial(trial: Trial) -> list[Row]:
    """Measure all engines of `trial` in turns."""
    rows = [Row(engine) for engine in trial.engines]
    for number in range(-int(trial.is_warmed), trial.rounds):
        for row in rows:
            if not row.note:
                found = trial.once(row.engine, row)
                row.samples += [] if found is None or number < 0 else [found]
    return rows
