"""What the tests of runs share: results made by hand, sample files, commands in a process of their own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.backtest.request import DataRequest, RunRequest
from apps.backtest.result import Result
from trading.bars import Bars
from trading.ledger import FILL_DTYPE, TRADE_DTYPE

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = ROOT / "apps" / "feeds" / "sample"
DAY = 86_400_000_000_000


@pytest.fixture
def request_of_spy() -> RunRequest:
    """Return a backtest of sma_cross on the shipped daily bars of SPY, off the file."""
    return RunRequest(
        strategy="sma_cross",
        params={"fast": 20, "slow": 50},
        options={"cash": 50_000.0, "fee_bps": 5.0},
        data=DataRequest(instruments=("NYSEARCA:SPY",), files=(str(SAMPLE / "spy_1d.csv.gz"),)),
    )


@pytest.fixture
def made_result() -> Result:
    """Return a small result made by hand, with nan in its exposure."""
    rng = np.random.default_rng(7)
    size = 300
    time = np.arange(size, dtype=np.int64) * DAY + 1_300_000_000_000_000_000
    price = np.cumprod(1.0 + rng.normal(0.0, 0.01, size)) * 100.0
    fills = np.zeros(4, FILL_DTYPE)
    fills["bar"], fills["price"] = [1, 50, 90, 200], rng.normal(100.0, 1.0, 4)
    trades = np.zeros(2, TRADE_DTYPE)
    trades["pnl"], trades["entry_bar"], trades["exit_bar"] = [10.0, -5.0], [1, 90], [50, 200]
    equity = 1000.0 * np.cumprod(1.0 + rng.normal(0.0, 0.01, size))
    exposure = rng.random(size)
    exposure[3] = np.nan
    return Result(
        strategy="sma_cross", params={"fast": 20, "slow": 50, "side": "long"}, channels=("X:A",),
        bars=(Bars(time, price, price, price, price, interval=DAY),), time=time + DAY, equity=equity, exposure=exposure,
        fill_records=fills, trade_records=trades,
        metrics={"final_equity": float(equity[-1]), "sharpe": float("nan"), "n_trades": np.int64(2), "bars": size, "engine_seconds": 0.001},
        manifest={
            "code_hash": "c0de", "data_hash": "da7a", "engine_version": "1", "metrics_version": "1",
            "environment": {"python": "3", "cpu": {"cores": 2}}, "options": {"cash": 1000.0},
        },
        notes=("made by hand",),
    )  # fmt: skip


@pytest.fixture
def manage(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs a command of manage.py in a process of its own, away from the project's folder."""

    def run(*words: Any, database: bool = False, **more: Any) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings.test", "COLUMNS": "120", **more}
        if not database:
            # A run off a file that opened a connection would fail here.
            environment |= {"DATABASE_URL": "postgresql://nobody:none@127.0.0.1:1/none"}
        return subprocess.run(
            [sys.executable, ROOT / "manage.py", *map(str, words)], cwd=tmp_path, env=environment, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip

    return run
