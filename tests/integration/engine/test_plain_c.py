"""The C loops that we are measured beside do the same work as the plain simulations."""

import shutil
from pathlib import Path

import pytest

from tests.benchmarks import data, plain_c
from tests.benchmarks.jobs import Case, EngineMissingError
from tests.oracles.crossing import simulate_crossing
from tests.oracles.momentum import simulate_momentum

MONEY = {"cash": 100_000.0, "fee_bps": 5.0}
needs_compiler = pytest.mark.skipif(
    shutil.which("cc") is None, reason="NO C COMPILER: install gcc to check the C loops"
)


@needs_compiler
@pytest.mark.parametrize(("fast", "slow"), [(20, 50), (1, 2), (50, 50)])
def test_the_loop_of_one_crossing_finds_what_the_plain_simulation_finds(tmp_path: Path, fast: int, slow: int) -> None:
    case = Case("W1", data.write_minutes(tmp_path, 2_000), MONEY | {"fast": fast, "slow": slow})
    job = plain_c.prepare(case)
    found = job.facts(job.run())
    bars = data.read(case.arrays)
    open_, close = bars["open"].tolist(), bars["close"].tolist()
    books = simulate_crossing(open_, open_, close, fast, slow, 100_000.0, 5.0, close)
    assert found["n_fills"] == len(books.fills)
    assert found["final_equity"] == pytest.approx(books.equity[-1], rel=1e-10)
    assert found["fees_paid"] == pytest.approx(books.fees_paid, rel=1e-9)


@needs_compiler
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_loop_of_many_crossings_finds_what_the_plain_simulation_finds(tmp_path: Path, workers: int) -> None:
    grid = {"fast": [3, 20, 64], "slow": [65, 130, 3_000]}
    case = Case("W2", data.write_minutes(tmp_path, 1_500), MONEY | grid | {"bars_per_day": 1440, "workers": workers})
    job = plain_c.prepare(case)
    found = job.facts(job.run())
    bars = data.read(case.arrays)
    open_, close = bars["open"].tolist(), bars["close"].tolist()
    pairs = [(fast, slow) for fast in grid["fast"] for slow in grid["slow"]]
    for (fast, slow), fills, equity in zip(pairs, found["n_fills"], found["final_equity"], strict=True):
        books = simulate_crossing(open_, open_, close, fast, slow, 100_000.0, 5.0, close)
        assert fills == len(books.fills)
        assert equity == pytest.approx(books.equity[-1], rel=1e-10)


@needs_compiler
def test_the_loop_of_the_momentum_rank_finds_what_the_plain_simulation_finds(tmp_path: Path) -> None:
    rule = {"lookback": 7, "every": 3, "top": 4, "invest": 0.95}
    case = Case("W3", data.write_days(tmp_path, 11, 100), MONEY | rule)
    job = plain_c.prepare(case)
    found = job.facts(job.run())
    bars = data.read(case.arrays)
    books = simulate_momentum(bars["open"].tolist(), bars["close"].tolist(), cash=100_000.0, fee_bps=5.0, **rule)
    assert found["n_fills"] == len(books.fills)
    assert found["final_equity"] == pytest.approx(books.equity[-1], rel=1e-10)
    assert found["fees_paid"] == pytest.approx(books.fees_paid, rel=1e-9)


def test_a_machine_without_a_compiler_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(EngineMissingError, match="cc"):
        plain_c.compiled("crossing")
