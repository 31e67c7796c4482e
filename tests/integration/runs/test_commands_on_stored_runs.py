"""Commands on imported bars and stored runs, against a real database."""

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from apps.backtest import store
from apps.backtest.models import Run, RunArray
from apps.backtest.reproduce import reproduce

pytestmark = pytest.mark.django_db(databases=["backtest", "feeds", "default"])
SAMPLE = Path(__file__).resolve().parents[3] / "apps" / "feeds" / "sample"
BACKTEST = (
    "backtest",
    "sma_cross",
    "--instrument",
    "NYSEARCA:SPY",
    "--interval",
    "1d",
    "--from",
    "2010",
    "--to",
    "2015",
)


@pytest.fixture(autouse=True)
def spy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_db_setup: Any, db: Any) -> None:
    """Import the daily bars of SPY, with all files of this test in its own folder."""
    monkeypatch.chdir(tmp_path)
    call_command(
        "import_bars",
        str(SAMPLE / "spy_1d.csv.gz"),
        instrument="NYSEARCA:SPY",
        interval="1d",
        stdout=StringIO(),
        stderr=StringIO(),
    )


def manage(*words: object) -> str:
    out = StringIO()
    call_command(*map(str, words), stdout=out)
    return out.getvalue()


def refused(*words: object) -> tuple[int, str]:
    with pytest.raises(CommandError) as raised:
        call_command(*map(str, words), stdout=StringIO())
    return raised.value.returncode, str(raised.value)


def run_once(*more: object) -> Run:
    found = re.search(r"run +(\w{8}) ", manage(*BACKTEST, *more))
    assert found is not None
    return store.find(found[1])


def test_run_on_imported_bars_is_stored_with_all_that_made_it() -> None:
    run = run_once("--param", "fast=10", "--fee-bps", 5)
    assert run.params == {"fast": 10, "slow": 50, "side": "long"}
    assert run.options == {"fee_bps": 5.0}
    assert "def sma_cross" in run.source
    assert (run.first_bar.year, run.last_bar.year, run.interval) == (2010, 2014, "1d")
    assert run.metrics["fees_paid"] > 0
    assert run.data_hash
    assert run.environment["numpy"]


def test_run_can_be_left_out_of_the_database() -> None:
    manage(*BACKTEST, "--no-store")
    assert not Run.objects.exists()


def test_stored_run_is_reproduced_bit_for_bit() -> None:
    run = run_once()
    assert "the same, bit for bit" in manage("runs", "reproduce", run.short_id, "--verify")
    assert reproduce(run, stored_code=True).is_exact


def test_run_that_is_not_reproduced_says_where_and_why() -> None:
    run = run_once()
    equity = store.arrays(run)["equity"].copy()
    equity[700] = np.nextafter(equity[700], np.inf)
    RunArray.objects.filter(run=run, name="equity").update(packed=store.packed(equity))
    Run.objects.filter(pk=run.pk).update(
        digests={**run.digests, "equity": store.digest(equity)},
        environment={**run.environment, "numpy": "1.0"},
        data_hash="other",
        source=run.source.replace("1.0", "2.0", 1),
    )
    code, told = refused("runs", "reproduce", run.short_id, "--verify", "--diff")
    assert code == 1
    assert "was not reproduced" in told
    again = reproduce(Run.objects.get(pk=run.pk))
    assert again.outcome["equity"].startswith("first different at row 700, 2012-")
    assert not again.outcome["fills"]
    assert any(cause.startswith("data: it was other") for cause in again.causes)
    assert any("numpy: it was 1.0" in cause for cause in again.causes)
    assert re.search(r"^-.*2\.0", again.source_diff, re.MULTILINE)


def test_runs_are_listed_filtered_and_sorted() -> None:
    slow, fast = run_once("--param", "slow=100"), run_once("--param", "slow=30")
    listed = json.loads(manage("runs", "list", "--json", "-"))["runs"]
    assert [each["run"] for each in listed] == [fast.short_id, slow.short_id]
    best = max((slow, fast), key=lambda run: run.metrics["sharpe"])
    by_sharpe = json.loads(manage("runs", "list", "--sort", "sharpe", "--limit", 1, "--json", "-"))["runs"]
    assert [each["run"] for each in by_sharpe] == [best.short_id]
    assert "no run is stored" in manage("runs", "list", "--strategy", "ema_cross")
    assert slow.short_id in manage("runs")


def test_run_is_shown_with_its_report_and_source(tmp_path: Path) -> None:
    run = run_once()
    text = manage("runs", "show", run.short_id[:4], "--html", "r.html")
    assert run.data_hash in text
    assert "manage.py backtest sma_cross --instrument NYSEARCA:SPY --interval 1d --from 2010 --to 2015" in text
    assert (tmp_path / "r.html").stat().st_size > 10_000
    assert manage("runs", "show", "last", "--source").strip() == run.source.strip()


def test_stored_run_is_told_in_the_order_of_its_declaration() -> None:
    run = run_once("--fee-bps", 5, "--cash", 5000)
    shown = manage("runs", "show", run.short_id)
    assert "sma_cross  fast=20 slow=50 side=long" in shown
    assert "cash=5000 fee_bps=5" in shown
    (listed,) = json.loads(manage("runs", "list", "--json", "-"))["runs"]
    assert list(listed["params"]) == ["fast", "slow", "side"]
    assert list(listed["metrics"])[:3] == ["final_equity", "return_pct", "cagr_pct"]


def test_sorting_by_what_is_no_metric_is_wrong_usage() -> None:
    code, told = refused("runs", "list", "--sort", "luck")
    assert code == 2
    assert "no such metric: luck; choose one of final_equity" in told


def test_deleted_run_is_gone() -> None:
    run = run_once()
    assert run.short_id in manage("runs", "delete", run.short_id)
    assert not Run.objects.exists()
    assert not RunArray.objects.exists()


def test_runs_are_compared(tmp_path: Path) -> None:
    one, other = run_once(), run_once("--param", "fast=5", "--cash", 5000)
    text = manage("compare", one.short_id, other.short_id, "--html", "c.html", "--json", "c.json")
    assert re.search(r"param fast +20 +5", text)
    assert re.search(r"option cash +- +5000", text)
    assert "data_hash" not in text
    page = (tmp_path / "c.html").read_text()
    assert page.count("<polyline") == 2
    assert "http" not in page
    assert json.loads((tmp_path / "c.json").read_text())["differences"]["param fast"] == [20, 5]
    assert refused("compare", one.short_id, one.short_id)[0] == 2


def test_montecarlo_draws_from_a_stored_run(tmp_path: Path) -> None:
    run = run_once()
    words = ("montecarlo", run.short_id, "--paths", 100, "--seed", 4, "--drawdown-pct", 7)
    text = manage(*words, "--json", "m.json", "--html", "m.html")
    assert "probability of drawdown over 7 %" in text
    first = (tmp_path / "m.json").read_text()
    manage(*words, "--json", "m.json")
    assert (tmp_path / "m.json").read_text() == first
    assert set(json.loads(first)["methods"]) == {"blocks", "trades"}
    assert (tmp_path / "m.html").stat().st_size > 10_000


def test_search_and_walkforward_are_stored_as_what_they_are() -> None:
    data = BACKTEST[2:]
    manage("optimize", "sma_cross", *data, "--trials", 5)
    search = store.find("last")
    assert (search.kind, search.request["search"]["trials"]) == ("optimize", 5)
    assert reproduce(search).is_exact
    manage("walkforward", "sma_cross", *data, "--grid", "fast=5,20", "--train", "2y", "--test", "1y")
    walk = store.find("last")
    assert (walk.kind, walk.request["walkforward"]["train"]) == ("walkforward", "2y")


WALK = (
    "--grid",
    "fast=5,20",
    "--grid",
    "side=both,long",
    "--train",
    "1y",
    "--test",
    "6mo",
    "--step",
    "9mo",
    "--anchored",
)


def test_walkforward_is_reproduced_bit_for_bit_and_shown(tmp_path: Path) -> None:
    more = ("--param", "slow=60", "--fee-bps", 3, "--rank", "calmar", "--workers", 1)
    manage("walkforward", *BACKTEST[1:], *WALK, *more, "--json", "w.json")
    run = store.find("last")
    assert "the same, bit for bit" in manage("runs", "reproduce", run.short_id, "--verify")
    assert reproduce(run, stored_code=True).is_exact
    assert store.result(run, bars=True).bars[0].close.size == run.bars
    again = re.search(r"again +manage.py (.*)", manage("runs", "show", run.short_id, "--html", "w.html"))
    assert again is not None
    manage(*again[1].split(), "--json", "again.json")
    one, other = (json.loads((tmp_path / name).read_text()) for name in ("w.json", "again.json"))
    for name in ("train", "test", "params", "train_score", "test_score"):
        assert [each[name] for each in one["windows"]] == [each[name] for each in other["windows"]]
    assert store.find("last").digests == run.digests


def test_walkforward_on_other_bars_is_not_reproduced_and_says_so() -> None:
    manage("walkforward", *BACKTEST[1:], *WALK)
    run = store.find("last")
    asked = {**run.request["walkforward"], "grid": {"fast": [6], "side": ["long"]}}
    Run.objects.filter(pk=run.pk).update(request={**run.request, "walkforward": asked})
    assert refused("runs", "reproduce", run.short_id, "--verify")[0] == 1


def test_missing_bars_name_the_command_that_imports_them() -> None:
    code, told = refused("backtest", "sma_cross", "--instrument", "NYSEARCA:SPY", "--interval", "1h")
    assert code == 1
    assert "manage.py import_bars" in told
    assert refused("montecarlo", "zzzz")[0] == 1


def test_run_is_looked_at_in_the_admin(admin_client: Any) -> None:
    run = run_once()
    assert run.short_id in admin_client.get("/admin/backtest/run/").content.decode()
    page = admin_client.get(f"/admin/backtest/run/{run.pk}/change/").content.decode()
    assert "Sharpe ratio" in page
    assert f"/admin/backtest/run/{run.pk}/report/" in page
    report = admin_client.get(f"/admin/backtest/run/{run.pk}/report/")
    assert report.status_code == 200
    assert report.content.startswith(b"<!")
    assert admin_client.get("/admin/backtest/run/add/").status_code == 403
    assert admin_client.post(f"/admin/backtest/run/{run.pk}/delete/", {"post": "yes"}).status_code == 403


def test_report_in_the_admin_is_for_those_who_may_see_runs(client: Any) -> None:
    run = run_once()
    assert client.get(f"/admin/backtest/run/{run.pk}/report/").status_code == 302
