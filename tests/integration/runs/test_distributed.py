"""Sweeps on Celery workers: a real Redis, real worker processes, some of them killed in the middle."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest

from apps.backtest import distributed
from apps.backtest.distributed import NoWorkersError, decoded, encoded
from apps.backtest.distributed_bars import SharedBarsError, share, shared
from apps.backtest.request import RunRequest
from apps.backtest.sweep import Sweep
from apps.backtest.sweeping import sweep_locally, sweep_on_workers
from tests.integration.runs.conftest import Standing
from tests.patience import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.redis
GRID = {"fast": list(range(5, 13)), "slow": [20, 30, 40]}

# Waits at a gate, a file, so that a test can kill its process there.
GATED = '''
import os, threading
from pathlib import Path
from typing import NamedTuple
from apps.signals.interface import ClassStrategy, Int, strategy

FOLDER = Path(__file__).parent

class Params(NamedTuple):
    window: int

@strategy(parameters=(Int("window", 5, low=1, high=1000, sweep=range(1, 9), doc="bars before it buys"),))
class gated(ClassStrategy):
    """Buys after `window` bars."""
    def initialize(self, params: Params):
        self.left = params.window
        (FOLDER / f"begun.{params.window}.{os.getpid()}").touch()
        while params.window == 3 and (FOLDER / "gate").exists():
            threading.Event().wait(0.02)
        return ()

    def event(self, data):
        self.left -= 1
        return 1.0 if self.left <= 0 else None
'''


@pytest.fixture
def gated(tmp_path: Path, request_of_spy: RunRequest) -> RunRequest:
    """Return a request whose strategy stops at the gate that this fixture shuts."""
    folder = tmp_path / "gated"
    folder.mkdir()
    (folder / "gated.py").write_text(GATED)
    data = replace(request_of_spy.data, end="1999")
    return RunRequest(strategy=f"{folder / 'gated.py'}:gated", data=data, options={"cash": 1000.0})


def assert_same(one: Sweep, other: Sweep) -> None:
    assert list(one.columns) == list(other.columns)
    for name, column in one.columns.items():
        assert column.tobytes() == other.columns[name].tobytes(), name
    assert one.best == other.best


def test_workers_give_the_same_bits_as_the_cores_here(standing: Standing, request_of_spy: RunRequest) -> None:
    loaded = request_of_spy.data.load()
    seen: list[tuple[int, int]] = []
    asked = replace(request_of_spy, params={})
    spread = sweep_on_workers(
        asked, loaded, GRID, "sharpe", standing.app, lambda *each: seen.append(each), chunk_size=5
    )
    assert_same(spread, sweep_locally(asked, loaded, GRID, "sharpe"))
    assert seen[-1] == (24, 24)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert "kernels are warm" in standing.log.read_text()


def test_killed_pool_process_loses_nothing(workers: Any, celery_app: Any, gated: RunRequest) -> None:
    _check_that_nothing_is_lost(
        workers, celery_app, gated, lambda pid, _: os.kill(pid, signal.SIGKILL), patience=1000.0
    )


def test_killed_worker_loses_nothing(workers: Any, celery_app: Any, gated: RunRequest) -> None:
    def kill_all(pid: int, processes: list[Any]) -> None:
        workers.kill(next(each for each in processes if os.getpgid(pid) == each.pid))

    _check_that_nothing_is_lost(workers, celery_app, gated, kill_all, patience=3.0)


def _check_that_nothing_is_lost(
    workers: Any, celery_app: Any, gated: RunRequest, kill: Callable[[int, list[Any]], None], patience: float
) -> None:
    folder = Path(gated.strategy.rpartition(":")[0]).parent
    gate, grid = folder / "gate", {"window": list(range(1, 9))}
    gate.touch()
    processes = [workers.start(), workers.start()]
    loaded = gated.data.load()
    counted: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        spread = pool.submit(
            sweep_on_workers, gated, loaded, grid, "sharpe", celery_app, lambda done, _: counted.append(done),
            chunk_size=1, patience=patience,
        )  # fmt: skip
        wait_until(lambda: spread.done() or any(folder.glob("begun.3.*")), "a worker to reach the gate")
        if spread.done():
            spread.result()
        begun = [int(path.suffix[1:]) for path in folder.glob("begun.3.*")]
        kill(begun[0], processes)
        wait_until(lambda: spread.done() or len(list(folder.glob("begun.3.*"))) > 1, "its chunk to be run again")
        gate.unlink()
        found = spread.result(timeout=PATIENCE_SECONDS)
    assert len(list(folder.glob("begun.3.*"))) > 1
    assert counted == list(range(1, 9))
    assert_same(found, sweep_locally(gated, loaded, grid, "sharpe"))


def test_chunks_that_come_back_twice_are_counted_once(standing: Standing, gated: RunRequest) -> None:
    folder = Path(gated.strategy.rpartition(":")[0]).parent
    gate = folder / "gate"
    gate.touch()
    loaded, counted = gated.data.load(), []
    with ThreadPoolExecutor(1) as pool:
        spread = pool.submit(
            sweep_on_workers, gated, loaded, {"window": [1, 2, 3, 4]}, "sharpe", standing.app,
            lambda done, _: counted.append(done), chunk_size=1, patience=1.0,
        )  # fmt: skip
        wait_until(lambda: spread.done() or len(list(folder.glob("begun.3.*"))) > 1, "a chunk to be run twice")
        gate.unlink()
        found = spread.result(timeout=PATIENCE_SECONDS)
    assert counted == [1, 2, 3, 4]
    assert_same(found, sweep_locally(gated, loaded, {"window": [1, 2, 3, 4]}, "sharpe"))


def test_what_a_strategy_raises_in_a_worker_is_raised_here(standing: Standing, gated: RunRequest) -> None:
    path = Path(gated.strategy.rpartition(":")[0])
    path.write_text(GATED.replace("self.left -= 1", "self.left = self.missing"))
    with pytest.raises(Exception, match=r"gated.py:\d+"):
        sweep_on_workers(gated, gated.data.load(), {"window": [1, 2]}, "sharpe", standing.app)


def test_worker_with_other_code_refuses_the_sweep(
    standing: Standing, gated: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(gated.strategy.rpartition(":")[0])
    loaded = gated.data.load()

    def change_the_file(job: Any, *_: Any, **__: Any) -> Any:
        path.write_text(GATED + "\n# changed\n")
        return real(job, *_, **__)

    real = distributed.spread
    monkeypatch.setattr(distributed, "spread", change_the_file)
    with pytest.raises(Exception, match="the worker's code"):
        sweep_on_workers(gated, loaded, {"window": [1, 2]}, "sharpe", standing.app)


def test_without_workers_the_sweep_says_how_to_start_them(
    celery_app: Any, request_of_spy: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "_PATIENCE_SECONDS", (0.2, 0.2))
    with pytest.raises(NoWorkersError, match="celery -A settings.celery worker"):
        sweep_on_workers(replace(request_of_spy, params={}), request_of_spy.data.load(), GRID, "sharpe", celery_app)


def test_command_sweeps_on_workers(
    standing: Standing, manage: Callable[..., CompletedProcess[str]], request_of_spy: RunRequest
) -> None:
    data = request_of_spy.data.files[0]
    words = ["sweep", "sma_cross", "--csv", data, "--grid", "fast=5:9:1", "--grid", "slow=20,30", "--json", "-"]
    spread = manage(*words, "--distributed", CELERY_BROKER_URL=standing.url)
    assert spread.returncode == 0, spread.stderr
    here = manage(*words)
    assert _rows(spread.stdout) == _rows(here.stdout)
    assert len(_rows(here.stdout)) == 8


def test_command_without_a_broker_says_so_and_uses_the_cores_here(
    manage: Callable[..., CompletedProcess[str]], request_of_spy: RunRequest
) -> None:
    words = ["sweep", "sma_cross", "--csv", request_of_spy.data.files[0], "--grid", "fast=5,6", "--distributed"]
    done = manage(*words, CELERY_BROKER_URL="")
    assert done.returncode == 0, done.stderr
    assert "no CELERY_BROKER_URL" in done.stderr
    assert "2 combinations" in done.stdout


def _rows(text: str) -> Any:
    import json

    return json.loads(text)["rows"]


def test_bars_are_shared_by_what_they_are(
    request_of_spy: RunRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BANYAN_DATA_DIR", str(tmp_path))
    loaded = request_of_spy.data.load()
    loaded = replace(loaded, benchmark=loaded.bars["NYSEARCA:SPY"], conversion={"EUR": loaded.bars["NYSEARCA:SPY"]})
    name = share(loaded)
    assert share(loaded) == name
    assert len(list((tmp_path / "cache" / "sweeps").glob("*"))) == 1
    shared.cache_clear()
    back = shared(name)
    assert back.instruments == loaded.instruments
    for one, other in [
        (back.bars["NYSEARCA:SPY"], loaded.bars["NYSEARCA:SPY"]), (back.benchmark, loaded.benchmark),
        (back.conversion["EUR"], loaded.conversion["EUR"]),
    ]:  # fmt: skip
        assert one is not None
        assert other is not None
        assert one.close.tobytes() == other.close.tobytes()
        assert (one.interval, one.volume is None, one.bid_open) == (other.interval, other.volume is None, None)


def test_bars_that_this_machine_does_not_see_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANYAN_DATA_DIR", str(tmp_path))
    with pytest.raises(SharedBarsError, match="BANYAN_DATA_DIR"):
        shared("0" * 32)


def test_metrics_travel_bit_for_bit() -> None:
    given = {"a": np.array([np.nan, -0.0, 1e-310, np.inf]), "b": np.array([0.1, 0.2, 0.3, 1 / 3])}
    back = decoded(encoded(given))
    assert {name: each.tobytes() for name, each in back.items()} == {
        name: each.tobytes() for name, each in given.items()
    }
