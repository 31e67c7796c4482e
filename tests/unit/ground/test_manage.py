"""What `manage.py` imports: a backtest off a file is over before Django would be set up."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
BARS = "time,open,high,low,close\n" + "".join(
    f"2024-01-{day:02d},{price},{price + 1},{price - 1},{price}\n" for day, price in enumerate(range(10, 38), start=1)
)


def _imported(*arguments: str) -> tuple[set[str], "subprocess.CompletedProcess[str]"]:
    environment = {**os.environ, "DATABASE_URL": NOWHERE}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "manage.py", *arguments],
        check=False, cwd=ROOT, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    lines = done.stderr.splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}, done


def test_a_backtest_off_a_file_sets_no_django_up_and_imports_no_frames(tmp_path: Path) -> None:
    bars = tmp_path / "bars.csv"
    bars.write_text(BARS)
    arguments = ("backtest", "sma_cross", "--csv", str(bars), "-p", "fast=2", "-p", "slow=3")
    _imported(*arguments)  # compiles what is not compiled yet
    imported, done = _imported(*arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "sma_cross" in done.stdout
    slow = {"django.db.models", "settings.base", "numba", "pandas", "importlib.metadata"}
    assert not slow & imported


def test_a_backtest_on_imported_bars_sets_django_up(tmp_path: Path) -> None:
    imported, done = _imported("backtest", "sma_cross", "--instrument", "OANDA:EURUSD", "--interval", "1h")
    assert done.returncode == 1
    assert {"settings.base", "django.db.models"} <= imported
    assert "127.0.0.1" in done.stderr


def test_a_run_off_a_file_is_stored_where_that_is_asked_for(tmp_path: Path) -> None:
    bars = tmp_path / "bars.csv"
    bars.write_text(BARS)
    imported, done = _imported("backtest", "sma_cross", "--csv", str(bars), "--store", "-p", "fast=2", "-p", "slow=3")
    assert done.returncode == 1
    assert "django.db.models" in imported
    assert "127.0.0.1" in done.stderr


def test_wrong_usage_is_told_as_by_every_command(tmp_path: Path) -> None:
    _, done = _imported("backtest", "sma_cross", "--csv", str(tmp_path / "none.csv"))
    assert done.returncode == 1
    assert "none.csv" in done.stderr
    _, done = _imported("backtest", "sma_cross")
    assert done.returncode == 2
