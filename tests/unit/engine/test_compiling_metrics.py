"""A first run has its metrics compiled by another process: by one that compiles what the run will look for."""

import pytest

from apps.backtest import compiling_metrics
from apps.backtest.interface import run
from apps.backtest.kernels.scoring import score

PRICES = [1.0, 2.0, 3.0, 4.0]
BARS = dict.fromkeys(("open", "high", "low", "close"), PRICES)


def test_what_the_other_process_compiles_is_what_a_run_is_scored_by(monkeypatch):
    monkeypatch.setattr(score, "_entries", {})
    compiling_metrics.compile_metrics()
    made = set(score._entries)
    run("sma_cross", BARS, params={"fast": 1, "slow": 2}, cash=1000)
    assert set(score._entries) == made


@pytest.fixture
def started(monkeypatch, tmp_path):
    commands = []
    monkeypatch.setattr(compiling_metrics, "_started", [])
    monkeypatch.setattr(compiling_metrics, "cache_directory", lambda: tmp_path)
    monkeypatch.setattr(compiling_metrics.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(compiling_metrics.subprocess, "Popen", lambda command, **_: commands.append(command[1:]))
    return commands


def test_it_is_started_once_and_under_its_own_name(started):
    compiling_metrics.begin()
    compiling_metrics.begin()
    assert started == [["-m", "apps.backtest.compiling_metrics"]]


def test_it_is_not_started_where_the_kernel_is_kept(started, tmp_path):
    (tmp_path / "apps.backtest.kernels.scoring.score-0123456789abcdef.entry").touch()
    compiling_metrics.begin()
    assert started == []


def test_it_is_not_started_where_there_is_no_core_to_spare(started, monkeypatch):
    monkeypatch.setattr(compiling_metrics.os, "cpu_count", lambda: 1)
    compiling_metrics.begin()
    assert started == []
