"""Jobs: asked for, worked off, cancelled, lost; by a worker of this process, and by real ones that are killed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from django.utils import timezone

from apps.backtest import interface as backtest
from apps.backtest import store
from apps.backtest.interface import JobError, Wanted
from apps.backtest.jobs import asking, calling, keeping
from apps.backtest.jobs.doing import do
from apps.backtest.jobs.working import Pace, work_off
from apps.backtest.models import Job, Run
from apps.backtest.request import RunRequest
from apps.feeds.interface import InstrumentNotFound
from apps.signals.interface import StrategyParameterError
from tests.integration.runs.conftest import ROOT, SAMPLE
from tests.patience import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.django_db(databases=["backtest", "feeds", "default"])
SPY = Wanted(
    kind="backtest", strategy="sma_cross", instruments=["NYSEARCA:SPY"], interval="1d", begins="2010", ends="2015",
    parameters={"fast": 20, "slow": 50}, options={"fee_bps": 5},
)  # fmt: skip
SWEEP = replace(SPY, kind="sweep", parameters={}, grid={"fast": "5:8:1", "slow": [20, 30]})
WALK = replace(SWEEP, kind="walkforward", train="2y", test="1y")


@pytest.fixture(autouse=True)
def nobody_called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have no worker started; return who was called."""
    called: list[str] = []
    monkeypatch.setattr(calling, "call", lambda: called.append("call"))
    monkeypatch.setattr(calling, "tend", lambda: called.append("tend"))
    return called


def import_spy() -> None:
    call_command(
        "import_bars", str(SAMPLE / "spy_1d.csv.gz"), instrument="NYSEARCA:SPY", interval="1d", stdout=StringIO(),
        stderr=StringIO(),
    )  # fmt: skip


@pytest.fixture
def spy(db: Any) -> None:
    import_spy()


class Here:
    """A process that carries a job out when it is first waited for, or that does what a test wants of it."""

    def __init__(self, job: Job, ended: Callable[[Job], int | None]) -> None:
        self.job, self.ended, self.is_killed = job, ended, False

    def wait(self, timeout: float) -> int:
        if self.is_killed:
            return -9
        code = self.ended(self.job)
        if code is None:
            raise subprocess.TimeoutExpired("job", timeout)
        return code

    def kill(self) -> None:
        self.is_killed = True


def done(job: Job) -> int:
    do(job)
    return 0


def work(ended: Callable[[Job], int | None] = done, *, until: Callable[[], bool] = lambda: False, **pace: float) -> int:
    return work_off(until, lambda job: Here(job, ended), Pace(**pace))


def submitted(wanted: Wanted, owner: str = "user ada", request_id: str = "") -> keeping.JobStanding:
    return backtest.submit_job(wanted, owner, request_id or f"{owner} {Job.objects.count()}")


def test_a_backtest_by_a_job_is_the_run_that_the_command_stores(spy: None, nobody_called: list[str]) -> None:
    job = submitted(SPY)
    assert (job.state, job.owner, nobody_called) == ("queued", "user ada", ["call"])
    assert work() == 1
    found = backtest.job(job.id)
    assert found is not None
    assert (found.state, found.problem, found.has_ended) == ("done", "", True)
    run = store.find(found.run)
    request = RunRequest.from_json(store.without_extra(run.request))
    assert run.digests == store.digests(request.run())
    assert (request.params, request.options) == ({"fast": 20, "slow": 50}, {"fee_bps": 5})
    out = backtest.job_result(job.id)
    assert out is not None
    assert (out["run"], out["metrics"]["n_fills"]) == (run.short_id, run.metrics["n_fills"])
    report = backtest.job_report(job.id)
    assert report is not None
    assert report.startswith(b"<!doctype html>")


def test_a_sweep_keeps_its_rows_best_first_and_the_run_of_the_best(spy: None) -> None:
    job = submitted(SWEEP)
    work()
    found, out = backtest.job(job.id), backtest.job_result(job.id, most=4)
    assert found is not None
    assert out is not None
    assert (found.state, found.problem, found.done, found.total) == ("done", "", 6, 6)
    assert (out["parameters"], out["left_out"], len(out["rows"])) == (["fast", "slow"], 0, 4)
    ranks = [row[out["columns"].index("sharpe")] for row in out["rows"]]
    assert ranks == sorted(ranks, reverse=True)
    assert store.find(found.run).params_in_order() | out["best"] == store.find(found.run).params_in_order()
    assert out["metrics"]["sharpe"] == pytest.approx(ranks[0])


def test_a_walk_forward_tells_its_windows_and_can_be_reproduced(spy: None) -> None:
    job = submitted(WALK)
    work()
    found, out = backtest.job(job.id), backtest.job_result(job.id)
    assert found is not None
    assert out is not None
    assert (found.state, found.problem, found.done) == ("done", "", 3)
    assert [each["test"][0] for each in out["windows"]] == ["2012-01-04", "2013-01-04", "2014-01-04"]
    run = store.find(found.run)
    assert (run.kind, run.request["walkforward"]["train"]) == ("walkforward", "2y")


def test_a_job_that_cannot_be_done_says_why_and_stores_nothing(spy: None) -> None:
    job = submitted(replace(SPY, interval="1h"))
    work()
    found = backtest.job(job.id)
    assert found is not None
    assert found.state == "failed"
    assert "import_bars" in found.problem
    assert (Run.objects.count(), backtest.job_result(job.id), backtest.job_report(job.id)) == (0, None, None)


def test_what_ends_after_its_job_did_stores_nothing(spy: None) -> None:
    job = submitted(SPY)

    def overtaken(mine: Job) -> int:
        keeping.move(Job.objects.filter(pk=mine.pk), state="lost")
        return done(mine)

    work(overtaken)
    found = backtest.job(job.id)
    assert found is not None
    assert (found.state, found.run, Run.objects.count(), backtest.job_result(job.id)) == ("lost", "", 0, None)


def test_each_end_that_a_job_can_have_is_told(db: Any) -> None:
    def end_of(ended: Callable[[Job], int | None], **pace: float) -> tuple[str, str]:
        job = submitted(SPY)
        work(ended, **pace)
        found = backtest.job(job.id)
        assert found is not None
        return found.state, found.problem

    assert end_of(lambda _: -9) == (
        "lost", "The process that worked on it was killed (signal 9); it may have taken too much memory.",
    )  # fmt: skip
    assert end_of(lambda _: 1) == ("lost", keeping.LOST)
    assert end_of(lambda _: None, look_seconds=40.0, seconds_max=60.0) == (
        "failed", "It took longer than 1 minutes: ask for less at once.",
    )  # fmt: skip

    def cancelled(job: Job) -> None:
        stopping = backtest.cancel_job(job.short_id)
        assert stopping is not None
        assert (stopping.state, stopping.is_stopping) == ("running", True)

    assert end_of(cancelled) == ("cancelled", "")


def test_a_job_that_waits_is_cancelled_at_once_and_one_of_a_stopped_worker_waits_again(db: Any) -> None:
    first, second = submitted(SPY), submitted(SPY)
    found = backtest.cancel_job(first.id)
    assert found is not None
    assert (found.state, found.has_ended) == ("cancelled", True)
    assert backtest.cancel_job("none") is None
    asked = iter([False, True, True])
    assert work(lambda _: None, until=lambda: next(asked, True)) == 1
    again = backtest.job(second.id)
    assert again is not None
    assert (again.state, again.started_at) == ("queued", None)
    assert [each.id for each in backtest.jobs(10, state="queued")] == [second.id]


def test_owners_take_turns_and_have_no_more_than_their_share(db: Any) -> None:
    for _ in range(keeping.OPEN_MAX):
        submitted(SPY, "user ada")
    with pytest.raises(JobError, match="20 of your jobs"):
        submitted(SPY, "user ada")
    other = submitted(SPY, "user bob")
    with keeping.taken() as first, keeping.taken() as second:
        assert first is not None
        assert second is not None
        assert (first.owner, second.short_id) == ("user ada", other.id)
    assert [each.owner for each in backtest.jobs(1)] == ["user bob"]
    assert len(backtest.jobs(50, owner="user ada")) == keeping.OPEN_MAX
    place = backtest.jobs(5)[-1].place
    assert all(each.place < place for each in backtest.jobs(50, before=place))


def test_asking_twice_under_one_id_is_asking_once(db: Any) -> None:
    assert submitted(SPY, request_id="the same").id == submitted(SPY, request_id="the same").id
    assert Job.objects.count() == 1


@pytest.mark.parametrize(
    ("wanted", "error", "told"),
    [
        (replace(SPY, strategy="/etc/passwd"), JobError, "there is no strategy /etc/passwd"),
        (replace(SPY, benchmark="/etc/passwd"), InstrumentNotFound, "/etc/passwd"),
        (replace(SPY, conversions={"EUR": "/etc/passwd"}), InstrumentNotFound, "/etc/passwd"),
        (replace(SPY, instruments=["../x.csv"]), InstrumentNotFound, "x.csv"),
        (replace(SPY, instruments=[]), JobError, "1 to 20 instruments"),
        (replace(SPY, kind="poem"), JobError, "there is no job poem"),
        (replace(SPY, parameters={"fast": 0}), StrategyParameterError, "fast"),
        (replace(SPY, options={"cash": -1}), ValueError, "cash"),
        (replace(SPY, begins="2015", ends="2010"), JobError, "from 2015 is not before to 2010"),
        (replace(SPY, interval="soon"), ValueError, "soon"),
        (replace(SPY, grid={"fast": "1:9:1"}), JobError, "a backtest takes no grid"),
        (replace(SWEEP, rank="luck"), ValueError, "luck"),
        (replace(SWEEP, grid={"fast": "1:200:1", "slow": "1:200:1"}), JobError, "39,601 combinations"),
        (replace(SWEEP, train="2y"), JobError, "a sweep takes no train"),
        (replace(WALK, test=""), JobError, "needs test"),
        (replace(WALK, step="soon"), ValueError, "soon"),
    ],
)
def test_what_is_no_job_is_refused_when_it_is_asked_for(
    db: Any, wanted: Wanted, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        asking.checked(wanted)


def test_every_move_has_a_number_by_which_jobs_are_followed(db: Any) -> None:
    began = backtest.jobs_number()
    first, second = submitted(SPY), submitted(SPY)
    backtest.cancel_job(first.id)
    upto = backtest.jobs_number()
    assert [(each.id, each.state) for each in backtest.jobs_changed(began, upto, 10)] == [
        (second.id, "queued"), (first.id, "cancelled"),
    ]  # fmt: skip
    assert backtest.jobs_changed(upto, backtest.jobs_number(), 10) == []
    submitted_at = Job.objects.get(short_id=second.id).changed_at
    assert backtest.jobs_number(submitted_at) == Job.objects.get(short_id=second.id).number - 1
    assert backtest.jobs_number(timezone.now() + timedelta(days=1)) == upto


def test_jobs_are_forgotten_long_after_they_ended_and_their_runs_stay(spy: None) -> None:
    ended, waiting = submitted(SPY), submitted(SPY)
    backtest.cancel_job(waiting.id)
    work()
    later = timezone.now() + timedelta(days=91)
    waiting = submitted(SPY)
    assert list(keeping.retain(later, is_dry=True)) == ["2 jobs"]
    assert backtest.job(ended.id) is not None
    assert list(keeping.retain(later, is_dry=False)) == ["2 jobs"]
    assert [each.id for each in backtest.jobs(9)] == [waiting.id]
    assert Run.objects.count() == 1


def test_the_command_shows_jobs_and_cancels_them(spy: None) -> None:
    def manage(*words: str) -> str:
        out = StringIO()
        call_command("jobs", *words, stdout=out)
        return out.getvalue()

    job, other = submitted(SWEEP), submitted(SPY)
    assert manage("cancel", other.id).split() == [other.id, "cancelled"]
    work()
    assert job.id in manage("list", "--state", "done")
    assert other.id not in manage("list", "--state", "done")
    shown = json.loads(manage("show", job.id))
    assert (shown["state"], len(shown["result"]["rows"])) == ("done", 6)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Start workers as the server does, on the databases of this test; they end with it."""
    running: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings.test"}
        for alias in ("backtest", "feeds"):
            to = connections[alias].get_connection_params()
            address = f"postgresql://{to['user']}@/{to['dbname']}?host={to['host']}&port={to['port']}"
            environment[f"{alias.upper()}_DATABASE_URL"] = address
        command = [sys.executable, str(ROOT / "manage.py"), "jobs", "work"]
        with (tmp_path / "jobs.log").open("ab") as log:
            running.append(
                subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log)
            )  # fmt: skip
        return running[-1]

    yield start
    for each in running:
        each.kill()
        each.communicate()


def state_of(job: keeping.JobStanding) -> str:
    found = backtest.job(job.id)
    assert found is not None
    return found.state


@pytest.mark.django_db(databases=["backtest", "feeds", "default"], transaction=True)
def test_a_killed_worker_loses_what_it_worked_on_and_the_next_one_goes_on_with_the_rest(
    worker: Callable[[], "subprocess.Popen[bytes]"],
) -> None:
    import_spy()
    lost, cancelled, last = submitted(SPY), submitted(SPY), submitted(SPY)
    first = worker()
    with transaction.atomic(using="feeds"), connections["feeds"].cursor() as cursor:
        # Whoever reads bars waits from now on: a job that has begun cannot end.
        cursor.execute("LOCK TABLE feeds_series IN ACCESS EXCLUSIVE MODE")
        wait_until(lambda: state_of(lost) == "running", "the first job to run")
        first.kill()
        wait_until(lambda: state_of(lost) != "running", "the first job to be lost")
        assert (state_of(lost), state_of(cancelled)) == ("lost", "queued")
        second = worker()
        wait_until(lambda: state_of(cancelled) == "running", "the second job to run")
        backtest.cancel_job(cancelled.id)
        wait_until(lambda: state_of(cancelled) != "running", "the second job to be cancelled")
        assert state_of(cancelled) == "cancelled"
    wait_until(lambda: state_of(last) in keeping.ENDED, "the last job to end")
    assert state_of(last) == "done"
    assert [run.short_id for run in Run.objects.all()] == [backtest.jobs(1)[0].run]
    assert second.stdin is not None
    second.stdin.close()
    assert second.wait(PATIENCE_SECONDS) == 0
