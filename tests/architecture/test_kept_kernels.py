"""Compiled kernels are kept in the versioned directory, whatever is imported first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("first", ["numba", "apps.backtest.interface", "apps.backtest.announcing"])
def test_no_import_order_keeps_kernels_beside_their_sources(first: str, tmp_path: Path) -> None:
    code = (
        f"import {first}, apps, numpy; from trading.money import to_tick; to_tick(1.0, 0.1, 0)\n"
        "print(to_tick.stats.cache_path)"
    )
    environment = {**os.environ, "BANYAN_DATA_DIR": str(tmp_path)}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout.startswith(str(tmp_path / "kernels")), done.stdout
