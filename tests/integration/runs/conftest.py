"""What the tests of runs share: results made by hand, sample files, commands in a process of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from apps.backtest.request import DataRequest, RunRequest
from apps.backtest.result import Result
from tests.commands import Commands
from tests.patience import PATIENCE_SECONDS, wait_until
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
        metrics={
            "final_equity": float(equity[-1]), "sharpe": float("nan"), "n_trades": np.int64(2), "bars": size,
            "engine_seconds": 0.001,
        },
        manifest={
            "code_hash": "c0de", "data_hash": "da7a", "engine_version": "1", "metrics_version": "1",
            "environment": {"python": "3", "cpu": {"cores": 2}}, "options": {"cash": 1000.0},
        },
        notes=("made by hand",),
    )  # fmt: skip


OFF_FILES = {
    "DJANGO_SETTINGS_MODULE": "settings.test",
    "COLUMNS": "120",
    "DATABASE_URL": "postgresql://nobody:none@127.0.0.1:1/none",  # where whoever opens a connection fails
}


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """What runs commands of manage.py that need no database."""
    made = Commands(os.environ | OFF_FILES)
    yield made
    made.end()


@pytest.fixture
def manage(tmp_path: Path, commands: Commands) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs a command of manage.py in a process of its own, away from the project's folder."""

    def run(*words: Any, **more: str) -> subprocess.CompletedProcess[str]:
        typed = [str(word) for word in words]
        if not more:
            return commands.run(*typed, folder=tmp_path)
        return subprocess.run(
            [sys.executable, ROOT / "manage.py", *typed], cwd=tmp_path, env=os.environ | OFF_FILES | more,
            capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip

    return run


class Workers:
    """Celery worker processes, each with pool processes of its own."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.environment, self.log = environment, log
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, concurrency: int = 1) -> subprocess.Popen[bytes]:
        """Start a worker and return it once it is ready for tasks."""
        name = f"w{len(self.running)}"
        log = self.log.with_suffix(f".{name}")
        with log.open("wb") as out:
            words = [
                "-A",
                "settings.celery",
                "worker",
                "--concurrency",
                str(concurrency),
                "-n",
                f"{name}@test",
                "-l",
                "INFO",
            ]
            worker = subprocess.Popen(
                [sys.executable, "-m", "celery", *words], cwd=ROOT, env=self.environment, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip
        self.running.append(worker)
        wait_until(lambda: " ready." in log.read_text() or worker.poll() is not None, "the worker to be ready")
        assert worker.poll() is None, log.read_text()
        return worker

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """Kill a worker with all its pool processes, as a machine that loses its power does."""
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(timeout=PATIENCE_SECONDS)

    def stop(self) -> None:
        """Kill what is left."""
        for worker in self.running:
            if worker.poll() is None:
                self.kill(worker)


@pytest.fixture
def workers(redis_url: str, tmp_path: Path) -> Iterator[Workers]:
    """Return the means to start Celery workers on this test's broker."""
    with _workers_on(redis_url, tmp_path) as started:
        yield started


@pytest.fixture
def celery_app(redis_url: str) -> Iterator[Any]:
    """Return a Celery application that sends to this test's broker."""
    with _application_on(redis_url) as app:
        yield app


class Standing(NamedTuple):
    """A Celery application with a worker of two processes, for all tests of a module that leave it as it is."""

    app: Any
    url: str
    log: Path


@pytest.fixture(scope="module")
def standing(redis_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """Return what stands, in a database of Redis of its own."""
    url = f"redis://127.0.0.1:{redis_port}/1"
    with _workers_on(url, tmp_path_factory.mktemp("workers")) as started, _application_on(url) as app:
        started.start(concurrency=2)
        yield Standing(app, url, started.log.with_suffix(".w0"))


@contextmanager
def _workers_on(url: str, folder: Path) -> Iterator[Workers]:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings.test", "CELERY_BROKER_URL": url}
    started = Workers(environment, folder / "worker.log")
    try:
        yield started
    finally:
        started.stop()


@contextmanager
def _application_on(url: str) -> Iterator[Any]:
    from celery import Celery

    with Celery("test", broker=url, backend=url, set_as_current=False) as app:
        app.conf.update(task_serializer="json", result_serializer="json", accept_content=["json"])
        yield app
