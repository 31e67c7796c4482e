"""Compiled loops are kept across processes, and never outlive the code they were made of."""

import os
import subprocess
import sys
from pathlib import Path

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
from apps.backtest.engine import _version
from apps.backtest.kernels import single
from apps.backtest.specialise import specialise
from apps.backtest.interface import run
from apps.signals.interface import get_strategy

prices = [1.0, 2.0, 3.0, 4.0]
own = get_strategy(sys.argv[1])
result = run(own, dict.fromkeys(("open", "high", "low", "close"), prices))
loop = specialise(single.changes, own.on_bar, _version(own))
print(sum(loop.stats.cache_hits.values()), result.fill_records["bar"].tolist())
"""


def _run(strategy: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(strategy)],
        cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_a_loop_is_found_by_the_next_process_and_not_after_a_helper_changed(tmp_path: Path) -> None:
    strategy = tmp_path / "above.py"
    strategy.write_text(STRATEGY.format(folder=str(tmp_path)))
    helper = tmp_path / "threshold.py"
    helper.write_text(HELPER.format(value=1.5))
    assert _run(strategy) == "0 [2]"
    assert _run(strategy) == "1 [2]"
    helper.write_text(HELPER.format(value=2.5))
    assert _run(strategy) == "0 [3]"
