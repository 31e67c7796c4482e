"""What a run says about time: the engine's, without that of compiling."""

from apps.backtest.interface import run
from apps.backtest.kernels.books_after import mark_curve, mark_rows, outgrows_margin, round_trips
from apps.backtest.kernels.flips import trade_plain_flips
from apps.backtest.kernels.scoring import score
from trading import compiled
from trading.indicators import sma_crossings

PRICES = [1.0, 2.0, 3.0, 4.0]
BARS = dict.fromkeys(("open", "high", "low", "close"), PRICES)
SECONDS = 5.0  # that each kernel takes to be made, by the clock of this test


def metrics():
    return run("sma_cross", BARS, params={"fast": 1, "slow": 2}, cash=1000).metrics


def test_compiling_is_no_part_of_the_engines_seconds_and_told_apart(monkeypatch):
    metrics()
    now = [0.0]
    find = compiled.Kernel._kept_entry

    def found_slowly(kernel, key, arguments):
        now[0] += SECONDS
        return find(kernel, key, arguments)

    monkeypatch.setattr(compiled, "perf_counter", lambda: now[0])
    monkeypatch.setattr(compiled.Kernel, "_kept_entry", found_slowly)
    made = (sma_crossings, trade_plain_flips, outgrows_margin, mark_curve, mark_rows, round_trips, score)
    for kernel in made:
        monkeypatch.setattr(kernel, "_entries", {})
    found = metrics()
    assert found["engine_seconds"] == 0.0
    assert found["compile_seconds"] == len(made) * SECONDS
    assert metrics()["compile_seconds"] == 0.0
