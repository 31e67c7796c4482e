"""Runs a strategy in a process whose compiler is off, so that every line of it and of its kernels is plain Python."""

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from apps.signals.declaration import Strategy
from apps.signals.driving import Tape, drive
from apps.signals.errors import StrategyError
from apps.signals.registry import get_strategy
from trading.bars import Floats
from trading.compiled import ROOT


def drive_without_jit(strategy: Strategy, params: Any, tape: Tape, rows: range) -> Floats:
    """Return what `apps.signals.driving.drive` returns with NUMBA_DISABLE_JIT=1, from row 0 to the end of `rows`.

    Raises StrategyError with the last line of what the process wrote where it fails.
    """
    shipped = strategy.module.startswith("apps.signals.")
    name = strategy.name if shipped else f"{strategy.source.resolve()}:{strategy.name}"
    with tempfile.TemporaryDirectory() as folder:
        orders, said = Path(folder) / "orders", Path(folder) / "said.npy"
        known = tape.changed(lambda column: column[: rows.stop])
        orders.write_bytes(pickle.dumps((name, strategy.values(params), known)))
        done = subprocess.run(
            [sys.executable, "-m", "apps.signals.plain", orders, said],
            cwd=ROOT, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise StrategyError(f"{strategy.source}: fails with the compiler off: {reason}")
        found: Floats = np.load(said)
    return found


def _main(orders: str, said: str) -> None:
    name, values, tape = pickle.loads(Path(orders).read_bytes())  # noqa: S301 (written above)
    strategy = get_strategy(name)
    np.save(said, drive(strategy, strategy.bind(**values), tape)[0])


if __name__ == "__main__":
    _main(*sys.argv[1:])
