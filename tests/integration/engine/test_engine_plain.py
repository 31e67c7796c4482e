"""The compiled engine against the same code as plain Python, and the fast path where compiling is not needed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.engine import plain_runs

ROOT = Path(__file__).resolve().parents[3]
PLAIN = os.environ | {"NUMBA_DISABLE_JIT": "1"}


def run_plainly(module: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, env=PLAIN, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("seeds", [40, pytest.param(120, marks=pytest.mark.soak)])
def test_compiled_engine_gives_the_bits_of_plain_python(seeds: int) -> None:
    plain = json.loads(run_plainly("tests.integration.engine.plain_runs", str(seeds)))
    compiled = plain_runs.digests(seeds)
    different = [k for k, (a, b) in enumerate(zip(plain, compiled, strict=True)) if a != b]
    assert different == []


def test_fast_path_gives_the_bits_of_the_event_loop_for_every_shipped_strategy() -> None:
    said = run_plainly("tests.integration.engine.plain_flips").splitlines()
    assert said[0].startswith("compared ")
    assert said[1:] == []
