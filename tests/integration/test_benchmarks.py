"""Every benchmark still runs, at a tiny size: nobody notices otherwise when what it measures has been changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trading.compiled import data_directory

ROOT = Path(__file__).resolve().parents[2]
SOAKED = (
    "W2,W3", "W4a", "W4b", "command,command-sample,first-ever,memory", "feeds", "signals", "kill", "restart", "shadow",
    "extracted", "live-1", "api", "console",
)  # fmt: skip
"""Those at a rate and of memory under one are not among them: a machine that is busy does not keep up."""


def measured(folder: Path, names: str) -> None:
    """Run benchmarks; fail with what they say where one of ours could not be measured."""
    for name in ("kernels", "histories"):
        kept = data_directory() / name
        kept.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(kept.resolve())
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--no-peers", "--only", names]
    environment = {**os.environ, "BANYAN_DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "settings.dev"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    log = folder / "bench" / "log.txt"
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{log.read_text() if log.exists() else ''}"
    assert "0 of 0 bounds hold" in done.stdout, "tiny sizes say nothing about bounds"


def test_a_backtest_a_first_run_and_the_facade_are_measured(tmp_path):
    measured(tmp_path, "W1,first,facade")


@pytest.mark.soak
@pytest.mark.parametrize("names", SOAKED)
def test_all_others_are_measured(names, tmp_path):
    measured(tmp_path, names)


@pytest.mark.soak
def test_kafka_is_measured(tmp_path, kafka):
    measured(tmp_path, "kafka")
