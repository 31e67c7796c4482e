"""Commands in processes of their own, straight off files: no database answers, and none is asked."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from django.core.management import ManagementUtility

from tests.patience import PATIENCE_SECONDS, wait_until

# Waits at a gate, a file, until a test opens it.
GATED = """
import os, threading
from pathlib import Path
from typing import NamedTuple
from apps.signals.interface import ClassStrategy, Int, strategy

class Params(NamedTuple):
    window: int

@strategy(parameters=(Int("window", 5, low=1, high=1000, doc="bars"),))
class gated(ClassStrategy):
    def initialize(self, params: Params):
        folder = Path(__file__).parent
        (folder / f"begun.{params.window}.{os.getpid()}").touch()
        while params.window != 5 and (folder / "gate").exists():  # the default only warms
            threading.Event().wait(0.02)
        return ()

    def event(self, data):
        return None
"""

Manage = Callable[..., CompletedProcess[str]]
SAMPLE = Path(__file__).resolve().parents[3] / "apps" / "feeds" / "sample"
SPY = f"NYSEARCA:SPY={SAMPLE / 'spy_1d.csv.gz'}"
QQQ = f"NASDAQ:QQQ={SAMPLE / 'qqq_1d.csv.gz'}"
PROMISED = (
    "final_equity", "return_pct", "cagr_pct", "sharpe", "sortino", "max_drawdown_pct", "n_fills", "n_trades",
    "win_rate_pct", "profit_factor", "fees_paid", "exposure_pct", "bars", "engine_seconds",
)  # fmt: skip


def done(process: CompletedProcess[str]) -> str:
    assert process.returncode == 0, process.stderr
    assert "Traceback" not in process.stderr
    return process.stdout


def refused(process: CompletedProcess[str], code: int) -> str:
    assert process.returncode == code, process.stderr
    assert "Traceback" not in process.stderr
    return process.stderr


def test_backtest_prints_a_summary_and_writes_what_was_asked_for(manage: Manage, tmp_path: Path) -> None:
    text = done(
        manage(
            "backtest", "sma_cross", "--csv", SPY, "--param", "fast=10", "--fee-bps", 5, "--from", 2005, "--to", 2010,
            "--benchmark", SPY.partition("=")[2], "--json", "out/r.json", "--trades", "t.csv",
            "--fills", "f.csv", "--equity", "e.csv",
            "--html", "r.html", "--png", "r.png",
        )
    )  # fmt: skip
    assert "sma_cross  fast=10 slow=50 side=long" in text
    assert re.search(r"Sharpe ratio +-?\d", text)
    assert re.search(r"Beta +\d", text)
    assert "2005-01-03" in text
    assert "2009-12-31" in text or "2010-01-01" in text
    document = json.loads((tmp_path / "out" / "r.json").read_text())
    assert set(PROMISED) <= set(document)
    assert document["params"] == {"fast": 10, "slow": 50, "side": "long"}
    assert document["manifest"]["options"]["fee_bps"] == 5.0
    assert document["definitions"]["metrics"]["sharpe"]["formula"]
    assert document["run"] is None
    rows = {name: list(csv.DictReader((tmp_path / f"{name}.csv").open())) for name in "tfe"}
    assert len(rows["f"]) == document["n_fills"]
    assert len(rows["t"]) == document["n_trades"] + document["open_trades"]
    assert len(rows["e"]) == document["bars"]
    assert float(rows["e"][-1]["equity"]) == document["final_equity"]
    assert {"price", "quantity", "fee", "reason"} <= set(rows["f"][0])
    assert (tmp_path / "r.html").read_text().startswith("<!")
    assert (tmp_path / "r.png").read_bytes()[:4] == b"\x89PNG"
    for name in ("r.json", "t.csv", "f.csv", "e.csv", "r.html", "r.png"):
        assert name in text


def test_json_to_the_screen_is_json_and_nothing_else(manage: Manage) -> None:
    document = json.loads(done(manage("backtest", "sma_cross", "--csv", SPY, "--json", "-")))
    assert set(PROMISED) <= set(document)


def test_metric_without_a_value_is_null(manage: Manage, tmp_path: Path) -> None:
    rows = "".join(f"2015-01-{day:02},1,1,1,1\n" for day in range(1, 29))
    (tmp_path / "flat.csv").write_text("time,open,high,low,close\n" + rows)
    document = json.loads(done(manage("backtest", "sma_cross", "--csv", "flat.csv", "--json", "-")))
    assert document["sharpe"] is None
    assert document["n_trades"] == 0


def test_several_files_are_several_channels(manage: Manage) -> None:
    document = json.loads(done(manage("backtest", "pairs_zscore", "--csv", SPY, QQQ, "--from", "2010", "--json", "-")))
    assert document["manifest"]["channels"] == ["NYSEARCA:SPY", "NASDAQ:QQQ"]


def test_strategy_of_ones_own_runs_from_its_file(manage: Manage, tmp_path: Path) -> None:
    shipped = (SAMPLE.parents[1] / "signals" / "strategies" / "sma_cross.py").read_text()
    (tmp_path / "mine.py").write_text(shipped)
    own = json.loads(done(manage("backtest", "mine.py", "--csv", SPY, "--engine", "events", "--json", "-")))
    theirs = json.loads(done(manage("backtest", "sma_cross", "--csv", SPY, "--engine", "events", "--json", "-")))
    assert own["final_equity"] == theirs["final_equity"]


def test_facts_about_the_instrument_can_be_given(manage: Manage, tmp_path: Path) -> None:
    done(
        manage(
            "backtest", "sma_cross", "--csv", SPY, "--spec", "lot_step=100", "--spec", "lot_min=100", "--fills", "f.csv"
        )
    )
    lots = [float(row["quantity"]) for row in csv.DictReader((tmp_path / "f.csv").open())]
    assert lots
    assert all(lot % 100 == 0 for lot in lots)


def test_sweep_ranks_a_grid(manage: Manage, tmp_path: Path) -> None:
    words = ["sweep", "sma_cross", "--csv", SPY, "--grid", "fast=5:25:10", "--grid", "slow=30,60", "--rank", "calmar"]
    text = done(manage(*words, "--top", 3, "--csv-out", "rows.csv", "--json", "s.json", "--html", "s.html"))
    assert "4 combinations, by calmar" in text
    rows = list(csv.DictReader((tmp_path / "rows.csv").open()))
    assert {(row["fast"], row["slow"]) for row in rows} == {("5", "30"), ("5", "60"), ("15", "30"), ("15", "60")}
    assert [float(row["calmar"]) for row in rows] == sorted((float(row["calmar"]) for row in rows), reverse=True)
    document = json.loads((tmp_path / "s.json").read_text())
    assert document["best"] == {"fast": int(rows[0]["fast"]), "slow": int(rows[0]["slow"])}
    assert (tmp_path / "s.html").stat().st_size > 10_000
    best = next(line for line in text.splitlines() if line.startswith("  best")).split("manage.py ")[1].split()
    again = json.loads(done(manage(*best, "--json", "-")))
    assert again["calmar"] == float(rows[0]["calmar"])


def test_combinations_that_do_not_go_together_are_left_out_and_counted(manage: Manage) -> None:
    text = done(
        manage("sweep", "macd_trend", "--csv", SPY, "--from", 2015, "--grid", "fast=10,20", "--grid", "slow=15,30")
    )
    assert "3 combinations (1 do not go together, left out)" in text


def test_optimize_is_the_same_for_the_same_seed(manage: Manage) -> None:
    words = [
        "optimize",
        "sma_cross",
        "--csv",
        SPY,
        "--trials",
        12,
        "--seed",
        5,
        "--range",
        "fast=3:30",
        "--grid",
        "slow=40:80:20",
    ]
    one, other = (json.loads(done(manage(*words, "--json", "-"))) for _ in range(2))
    assert one["params"] == other["params"]
    assert one["search"]["trials"] == 12
    assert 0 <= one["dsr"] <= 1
    text = done(manage(*words, "--csv-out", "trials.csv"))
    assert "Deflated Sharpe" in text
    assert f"--param fast={one['params']['fast']}" in text


def test_walkforward_prints_windows_and_the_stitched_run(manage: Manage, tmp_path: Path) -> None:
    words = [
        "walkforward",
        "sma_cross",
        "--csv",
        SPY,
        "--grid",
        "fast=5,20",
        "--grid",
        "slow=50,100",
        "--train",
        "6y",
        "--test",
        "4y",
    ]
    text = done(manage(*words, "--json", "w.json", "--html", "w.html", "--equity", "e.csv"))
    document = json.loads((tmp_path / "w.json").read_text())
    assert len(document["windows"]) == 5
    assert "5 windows" in text
    assert document["windows"][0]["test"] == ["2004-01-02", "2008-01-02"]
    assert document["bars"] == len(list(csv.DictReader((tmp_path / "e.csv").open())))
    assert (tmp_path / "w.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["backtest", "sma_cros", "--csv", SPY], 2, "did you mean sma_cross"),
        (["backtest", "sma_cross", "--csv", SPY, "--param", "fasst=3"], 2, "did you mean fast"),
        (["backtest", "sma_cross", "--csv", SPY, "--param", "fast=0"], 2, r"fast=0 is out of bounds \(1 to"),
        (["backtest", "sma_cross", "--csv", SPY, "--param", "fast"], 2, "--param name=value"),
        (["backtest", "sma_cross", "--csv", SPY, "--cash", "-1"], 2, "cash=-1.0: must be above 0"),
        (["backtest", "sma_cross", "--csv", SPY, "--sizing", "half"], 2, "no such sizing"),
        (["backtest", "sma_cross", "--csv", SPY, "--fill", "later"], 2, "invalid choice"),
        (["backtest", "sma_cross"], 2, "--csv FILE"),
        (["backtest", "sma_cross", "--instrument", "NYSEARCA:SPY"], 2, "--interval is missing"),
        (["backtest", "sma_cross", "--csv", SPY, "--from", "soon"], 2, "2015-03-01"),
        (["backtest", "sma_cross", "--csv", SPY, "--from", "2050"], 1, "no bars between"),
        (["backtest", "sma_cross", "--csv", "nowhere.csv"], 1, "nowhere.csv: No such file"),
        (["backtest", "sma_cross", "--csv", SPY, QQQ], 2, "trades 1 channel"),
        (["backtest", "sma_cross", "--csv", SPY, "--json", "a", "--html", "a"], 2, "two outputs"),
        (["sweep", "sma_cross", "--csv", SPY, "--grid", "fast=25:5:1"], 2, "start must be under stop"),
        (["sweep", "sma_cross", "--csv", SPY, "--grid", "fast=5:7", "--rank", "luck"], 2, "no such metric"),
        (["sweep", "buy_and_hold", "--csv", SPY], 2, "--grid"),
        (["optimize", "sma_cross", "--csv", SPY, "--range", "fast=9:3"], 2, "lowest"),
        (["walkforward", "sma_cross", "--csv", SPY, "--train", "2", "--test", "1y"], 2, "no span of time"),
        (["walkforward", "sma_cross", "--csv", SPY, "--train", "90y", "--test", "1y"], 2, "shorten --train"),
        (["walkforward", "sma_cross", "--csv", SPY], 2, "--train"),
    ],
)  # fmt: skip
def test_error_is_one_line_with_a_code(
    words: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        ManagementUtility(["manage.py", *words]).execute()
    told = capsys.readouterr().err
    assert ended.value.code == code
    assert re.search(says, told)
    assert "Traceback" not in told


def test_database_that_does_not_answer_is_one_line(manage: Manage) -> None:
    assert "database" in refused(manage("runs"), 1)


def test_error_in_a_strategy_names_its_file_and_line(manage: Manage, tmp_path: Path) -> None:
    shipped = (SAMPLE.parents[1] / "signals" / "strategies" / "ema_cross.py").read_text()
    (tmp_path / "mine.py").write_text(shipped.replace("bar.close", "bar.clse"))
    assert re.search(r"mine.py:\d+", refused(manage("backtest", "mine.py", "--csv", SPY, "--engine", "events"), 1))


def test_sweep_that_is_stopped_by_ctrl_c_ends_at_once_with_130(tmp_path: Path) -> None:
    (tmp_path / "gated.py").write_text(GATED)
    (tmp_path / "gate").touch()
    words = ["sweep", "gated.py", "--csv", SPY, "--grid", "window=3,4", "--html", "s.html"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings.test"}
    # A shell that runs tests in the background may have told its children to ignore the signal.
    heard = "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    heard += "sys.argv = sys.argv[1:]; sys.path.insert(0, sys.argv[0].rpartition('/')[0]); "
    heard += "runpy.run_path(sys.argv[0], run_name='__main__')"
    sweep = subprocess.Popen(
        [sys.executable, "-c", heard, SAMPLE.parents[2] / "manage.py", *words],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_until(lambda: sweep.poll() is not None or any(tmp_path.glob("begun.3.*")), "the sweep to begin")
    sweep.send_signal(signal.SIGINT)
    _, told = sweep.communicate(timeout=PATIENCE_SECONDS)
    assert sweep.returncode == 130, told
    assert "stopped by Ctrl-C" in told
    assert "Traceback" not in told
    assert not (tmp_path / "s.html").exists()
