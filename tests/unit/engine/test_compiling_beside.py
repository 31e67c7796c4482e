"""A first run has what follows its fills compiled by another process: by one that compiles what it will look for."""

import pytest

from apps.backtest import compiling_beside
from apps.backtest.interface import run
from apps.backtest.kernels.books_after import exposures, mark_curve, mark_rows, outgrows_margin, round_trips
from apps.backtest.kernels.scoring import score

PRICES = [1.0, 2.0, 3.0, 4.0]
BARS = dict.fromkeys(("open", "high", "low", "close"), PRICES)


@pytest.mark.parametrize(
    "kernel", [score, round_trips, mark_curve, mark_rows, outgrows_margin, exposures], ids=lambda k: k.__name__
)
def test_what_the_other_process_compiles_is_what_a_run_looks_for(kernel, monkeypatch):
    monkeypatch.setattr(kernel, "_entries", {})
    compiling_beside.compile_what_follows()
    made = set(kernel._entries)
    assert len(made) == 1
    assert run("sma_cross", BARS, params={"fast": 1, "slow": 2}, cash=1000).exposure.size == len(PRICES)
    assert set(kernel._entries) == made


@pytest.fixture
def started(monkeypatch, tmp_path):
    commands = []
    monkeypatch.setattr(compiling_beside, "_started", [])
    monkeypatch.setattr(compiling_beside, "cache_directory", lambda: tmp_path)
    monkeypatch.setattr(compiling_beside.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(compiling_beside.subprocess, "Popen", lambda command, **_: commands.append(command[1:]))
    return commands


def test_it_is_started_once_and_under_its_own_name(started):
    compiling_beside.begin()
    compiling_beside.begin()
    assert started == [["-m", "apps.backtest.compiling_beside"]]


def test_it_is_not_started_where_the_kernel_is_kept(started, tmp_path):
    (tmp_path / "apps.backtest.kernels.scoring.score-0123456789abcdef.entry").touch()
    compiling_beside.begin()
    assert started == []


def test_it_is_not_started_where_there_is_no_core_to_spare(started, monkeypatch):
    monkeypatch.setattr(compiling_beside.os, "cpu_count", lambda: 1)
    compiling_beside.begin()
    assert started == []
