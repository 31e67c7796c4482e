"""Compiled code is kept across processes, never outlives what it was made of, and is called without the compiler."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

STRATEGY = """
import sys
sys.path.insert(0, {folder!r})
from threshold import threshold
from apps.signals.interface import strategy

@strategy()
def above(state, bar, params) -> float:
    return 1.0 if bar.close > threshold() else 0.0
"""
HELPER = """
from trading.compiled import kernel

@kernel
def threshold():
    return {value}
"""
RUN = """
import sys
from apps.backtest.interface import run

prices = [1.0, 2.0, 3.0, 4.0]
result = run(sys.argv[1], dict.fromkeys(("open", "high", "low", "close"), prices))
print("numba" in sys.modules, result.fill_records["bar"].tolist())
"""
# Every path of the engine that Python calls kernels on, and what is made of a result.
PATHS = {
    "lines": 'run("sma_cross", bars, params={"fast": 2, "slow": 5})',
    "flips": 'run("macd_trend", bars, params={"fast": 2, "slow": 4, "signal": 3})',
    "ticks": 'run("sma_cross", bars, params={"fast": 2, "slow": 5}, instruments=Instrument("A", tick_size=0.01))',
    "events": 'run("atr_channel", bars)',
    "several": 'run("momentum_rank", {"A": bars, "B": bars}, params={"lookback": 3, "top": 1})',
    "sweep": 'sweep("sma_cross", bars, grid={"fast": [2, 3], "slow": [5, 6]}, workers=2)',
    "benchmark": 'run("buy_and_hold", bars, benchmark=bars).exposure',
    "report": 'run("sma_cross", bars, params={"fast": 2, "slow": 5}).report(sys.argv[1])',
}
WALK = """
import sys
import numpy as np
from apps.backtest.interface import run, sweep
from trading.instruments import Instrument

closes = 100.0 + 10.0 * np.sin(np.arange(90.0) / 3.0)
bars = {{"open": closes, "high": closes + 1.0, "low": closes - 1.0, "close": closes}}
{call}
print("numba" in sys.modules)
"""


def _python(code: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_a_loop_is_found_by_the_next_process_and_not_after_a_helper_changed(tmp_path: Path) -> None:
    strategy = tmp_path / "above.py"
    strategy.write_text(STRATEGY.format(folder=str(tmp_path)))
    helper = tmp_path / "threshold.py"
    helper.write_text(HELPER.format(value=1.5))
    assert _python(RUN, str(strategy)) == "True [2]"
    assert _python(RUN, str(strategy)) == "False [2]"
    helper.write_text(HELPER.format(value=2.5))
    assert _python(RUN, str(strategy)) == "True [3]"


@pytest.mark.parametrize("path", PATHS)
def test_what_was_run_before_runs_again_without_numba(path: str, tmp_path: Path) -> None:
    code = WALK.format(call=PATHS[path])
    _python(code, str(tmp_path / "report.html"))
    assert _python(code, str(tmp_path / "report.html")) == "False"
