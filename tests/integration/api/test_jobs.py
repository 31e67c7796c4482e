"""Jobs by the API: asked for once, followed to their end, read and compared, heard of as they change."""

import asyncio
from contextlib import nullcontext
from datetime import UTC, datetime
from io import StringIO

import orjson
import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client, RequestFactory

from apps.alerts.models import Alert
from apps.api import access, streams, system_state
from apps.api.families import FAMILIES
from apps.api.keys import OF_CLIENTS, SCOPES, Wanted, make, rotate
from apps.api.models import Key
from apps.api.rows import told
from apps.api.streams import Listener
from apps.backtest.jobs import calling
from apps.backtest.jobs.doing import do
from apps.backtest.jobs.working import work_off
from apps.backtest.models import Job
from apps.console.interface import Beat
from apps.console.models import Act
from apps.reporting.interface import Scope
from tests.integration.api.conftest import ALL, Caller
from tests.integration.api.listening import events_of
from tests.integration.runs.conftest import SAMPLE, celery_app, workers
from tests.patience import wait_until

__all__ = ["celery_app", "workers"]

pytestmark = pytest.mark.django_db(databases=ALL)
FIRM = access.Caller("k", "k", "firm", "", frozenset({"read", "research"}))
SPY = {
    "kind": "backtest", "strategy": "sma_cross", "instruments": ["NYSEARCA:SPY"], "interval": "1d", "since": "2012",
    "until": "2014", "parameters": {"fast": 20, "slow": 50},
}  # fmt: skip
CALL = calling.call  # which nobody does in the other tests
SWEEP = SPY | {"kind": "sweep", "parameters": {}, "grid": {"fast": "5:8:1", "slow": [20, 30]}}


class Here:
    def __init__(self, job):
        self.job = job

    def wait(self, timeout):
        do(self.job)
        return 0

    def kill(self):
        raise AssertionError("it has ended")


@pytest.fixture
def quant(callers):
    return callers["quant"]


@pytest.fixture
def spy(db):
    call_command(
        "import_bars", str(SAMPLE / "spy_1d.csv.gz"), instrument="NYSEARCA:SPY", interval="1d", stdout=StringIO(),
        stderr=StringIO(),
    )  # fmt: skip


def post(caller, path, body, key="k-1"):
    headers = {"Authorization": f"Bearer {caller.key}", "Idempotency-Key": key}
    return Client().post(f"/api/v1/{path}", orjson.dumps(body), content_type="application/json", headers=headers)


def read(caller, path, status=200):
    response = caller.get(path)
    assert response.status_code == status, response.content
    return orjson.loads(response.content)


def work():
    return work_off(lambda: False, Here)


def test_a_job_is_submitted_once_and_followed_to_its_result(quant, spy):
    answer = post(quant, "jobs", SWEEP)
    assert answer.status_code == 202, answer.content
    job = orjson.loads(answer.content)["job"]
    again = post(quant, "jobs", SWEEP)
    assert (again.content, again.headers["Idempotency-Replayed"]) == (answer.content, "true")
    assert read(quant, f"jobs/{job}")["state"] == "queued"
    assert read(quant, f"jobs/{job}/result", 404)["code"] == "not-found"
    assert work() == 1
    ended = read(quant, f"jobs/{job}")
    assert (ended["state"], ended["done"], ended["total"], ended["owner"]) == ("done", 6, 6, f"key {quant.key[5:17]}")
    result = read(quant, f"jobs/{job}/result?limit=2")
    assert (len(result["rows"]), result["windows"], result["run"]) == (2, None, ended["run"])
    assert read(quant, f"runs/{ended['run']}")["parameters"]["fast"] == result["best"]["fast"]
    report = quant.get(f"jobs/{job}/report")
    assert report.headers["Content-Type"].startswith("text/html")
    assert "sandbox" in report.headers["Content-Security-Policy"]
    assert report.content.startswith(b"<!doctype html>")
    assert [act.name for act in Act.objects.all()] == ["job.submit"]


def test_runs_of_jobs_are_compared(quant, spy):
    for key, fast in (("1", 10), ("2", 20)):
        post(quant, "jobs", SPY | {"parameters": {"fast": fast, "slow": 50}}, key)
    work()
    one, two = (each["run"] for each in read(quant, "jobs")["data"])
    found = read(quant, f"runs/compared?runs={one},{two}")
    assert found["runs"] == [one, two]
    assert found["differences"]["param fast"] == [20, 10]
    assert all(len(values) == 2 for values in found["metrics"].values())
    assert read(quant, f"runs/compared?runs={one},none", 404)["code"] == "not-found"
    for wrong in (one, f"{one},{one}", f"{one},../x"):
        assert read(quant, f"runs/compared?runs={wrong}", 400)["errors"][0]["parameter"] == "runs"


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"strategy": "/etc/passwd"}, 422, "/etc/passwd"),
        ({"benchmark": "/etc/passwd"}, 422, "/etc/passwd"),
        ({"interval": "soon"}, 422, "soon"),
        ({"options": {"cash": -1}}, 422, "cash"),
        ({"kind": "poem"}, 400, "kind"),
        ({"grid": {"fast": []}}, 400, "grid.fast"),
        ({"file": "x.csv"}, 400, "file"),
    ],
)
def test_what_is_no_job_is_told_so_at_once(quant, change, status, words):
    response = post(quant, "jobs", SPY | change)
    assert response.status_code == status
    assert words in response.content.decode()
    assert Job.objects.count() == 0


def test_a_job_is_cancelled_and_lists_go_on_page_by_page(quant):
    for number in range(5):
        post(quant, "jobs", SPY, str(number))
    everything = quant.rows("jobs?limit=2")
    assert len({each["id"] for each in everything}) == 5
    assert post(quant, f"jobs/{everything[0]['id']}/cancel", {}, "c").status_code == 202
    assert read(quant, f"jobs/{everything[0]['id']}")["state"] == "cancelled"
    assert quant.rows("jobs?state=cancelled") == [read(quant, f"jobs/{everything[0]['id']}")]
    assert post(quant, "jobs/none/cancel", {}, "d").status_code == 404


def test_jobs_are_the_firms_to_see_and_their_owners_to_cancel(quant):
    """Quants compare what they have done; what another has submitted is ended by who may operate alone."""
    post(quant, "jobs", SPY, "1")
    (job,) = quant.rows("jobs?mine=true")
    others = {
        name: Caller(make(Wanted(name, scopes))[1], Client())
        for name, scopes in (("quant", ["read", "research"]), ("head", ["read", "research", "operate"]))
    }
    assert others["quant"].rows("jobs") == [job]
    assert others["quant"].rows("jobs?mine=true") == others["quant"].rows(f"jobs?mine=true&owner={job['owner']}") == []
    answer = post(others["quant"], f"jobs/{job['id']}/cancel", {}, "1")
    assert (answer.status_code, orjson.loads(answer.content)["code"]) == (403, "scope-missing")
    assert read(quant, f"jobs/{job['id']}")["state"] == "queued"
    rotated = Caller(rotate(quant.key[5:17], days=1, overlap_hours=0)[1], Client())
    assert rotated.rows("jobs?mine=true") == [job]
    assert post(others["head"], f"jobs/{job['id']}/cancel", {}, "1").status_code == 202
    assert read(rotated, f"jobs/{job['id']}")["state"] == "cancelled"


def test_a_clients_key_reaches_no_research_whatever_its_record_says(callers, quant):
    post(quant, "jobs", SPY, "1")
    (job,) = quant.rows("jobs")
    client = callers["client one"]
    Key.objects.filter(id=client.key[5:17]).update(scopes=list(SCOPES))
    for path in ("jobs", f"jobs/{job['id']}", f"jobs/{job['id']}/result", "runs", "streams/jobs"):
        answer = client.get(path)
        assert (answer.status_code, orjson.loads(answer.content)["code"]) == (403, "firm-only")
    assert post(client, f"jobs/{job['id']}/cancel", {}, "1").status_code == 403
    stream = callers["viewer"].get("streams/jobs")
    assert (stream.status_code, orjson.loads(stream.content)["code"]) == (403, "scope-missing")
    call = RequestFactory().get("/api/v1/key", headers={"Authorization": f"Bearer {client.key}"})
    assert access.caller_of(call).scopes == OF_CLIENTS
    assert orjson.loads(client.get("key").content)["client"] == "one"


def test_jobs_cost_the_same_queries_however_many_there_are(quant, django_assert_max_num_queries):
    for number in range(6):
        post(quant, "jobs", SPY, str(number))
    with django_assert_max_num_queries(2, connection=connections["backtest"]):
        assert len(read(quant, "jobs?limit=50")["data"]) == 6


class Good:
    """Keys that stay good."""

    async def problem_of(self, key):
        return None


def heard(family, places, *steps):
    """Return the rows that a listener is told of, beat by beat, with the last id; `steps` are done between beats."""
    listener = Listener(family, FIRM, {}, places, lambda _: nullcontext(Good()))

    async def beats():
        yield Beat(1, {})
        for at_ms, step in enumerate(steps, 2):
            await asyncio.to_thread(step)
            yield Beat(at_ms, {})

    async def run():
        found = []
        async for lines in events_of(listener.events(beats())):
            if lines[b"event"].decode() == family:
                found.append((streams.read(lines[b"id"].decode(), family), orjson.loads(lines[b"data"])))
        return found

    return asyncio.run(run())


def test_a_stream_of_jobs_tells_each_as_it_has_become(quant):
    of, everybody = FAMILIES["jobs"], Scope()
    post(quant, "jobs", SPY, "1")
    began = of.marks()
    post(quant, "jobs", SPY, "2")
    post(quant, f"jobs/{Job.objects.latest('id').short_id}/cancel", {}, "3")
    ((log, place, job),) = of.onward(everybody, began, of.marks(), 10)
    assert (log, job.state, told(of.row, [job])[0]["id"]) == ("jobs", "cancelled", job.id)
    assert of.onward(everybody, {log: place}, of.marks(), 10) == []
    pieces = [of.onward(everybody, {log: place}, of.marks(), 1) for place in ((0,), began[log])]
    assert [piece[0][2].state for piece in pieces] == ["queued", "cancelled"]
    assert len(of.onward(everybody, of.since(0), of.marks(), 10)) == 2


def test_a_stream_of_the_system_tells_what_has_become_different(monkeypatch, settings, tmp_path):
    settings.KILL_SWITCH = tmp_path / "kill_switch"
    monkeypatch.setattr(system_state, "_LOOK_SECONDS", 0.0)
    everything = heard("system", {})
    assert {"context execution", "context edge", "trading-states", "kill-switch"} <= {
        row["thing"] for _, row in everything
    }
    events = heard("system", FAMILIES["system"].marks(), lambda: settings.KILL_SWITCH.write_text("a drill\n"))
    assert [row for _, row in events] == [{"thing": "kill-switch", "now": {"is_thrown": True, "reason": "a drill"}}]
    assert heard("system", events[-1][0]) == []


def test_a_stream_of_the_system_tells_when_an_alert_is_raised_dealt_with_and_over(monkeypatch, settings, tmp_path):
    settings.KILL_SWITCH = tmp_path / "kill_switch"
    monkeypatch.setattr(system_state, "_LOOK_SECONDS", 0.0)
    at = datetime(2026, 3, 31, 14, 30, tzinfo=UTC)
    of, heard_of = FAMILIES["system"], []
    raise_it = {"rule": "lag", "subject": "risk", "measure": "lag", "is_grave": True, "text": "old", "raised_at": at}
    after = of.marks()
    for change in (
        lambda: Alert.objects.create(**raise_it, value=1, worst=1, bound=1),
        lambda: Alert.objects.update(value=7, worst=9, text="it swings"),
        lambda: Alert.objects.update(acknowledged_by="ann", acknowledged_at=at),
        lambda: Alert.objects.update(ended_at=at),
    ):
        change()
        marks = of.marks()
        heard_of += [row["now"]["open"] for thing, _, row in of.onward(None, after, marks, 100) if thing == "alerts"]
        after = marks
    raised, acknowledged, over = heard_of
    assert [(each["rule"], each["subject"], each["acknowledged_by"]) for each in raised] == [("lag", "risk", "")]
    assert raised[0]["raised_at"] == "2026-03-31T14:30:00+00:00"
    assert [each["acknowledged_by"] for each in acknowledged] == ["ann"]
    assert over == []


@pytest.mark.redis
@pytest.mark.django_db(databases=["backtest", "feeds", "default"], transaction=True)
def test_jobs_are_done_by_a_worker_of_celery(quant, spy, workers, celery_app, monkeypatch, settings):
    monkeypatch.setattr(calling, "call", CALL)
    monkeypatch.setattr(calling, "import_string", {settings.CELERY_APP: celery_app}.get)
    settings.CELERY_BROKER_URL = workers.environment["CELERY_BROKER_URL"]
    for alias in ("backtest", "feeds"):
        to = connections[alias].get_connection_params()
        address = f"postgresql://{to['user']}@/{to['dbname']}?host={to['host']}&port={to['port']}"
        workers.environment[f"{alias.upper()}_DATABASE_URL"] = address
    early = orjson.loads(post(quant, "jobs", SWEEP, "1").content)["job"]  # it waits in Redis until somebody is there
    workers.start()
    late = orjson.loads(post(quant, "jobs", SPY, "2").content)["job"]
    for job in (early, late):
        wait_until(lambda job=job: read(quant, f"jobs/{job}")["state"] not in ("queued", "running"), "the job to end")
        assert read(quant, f"jobs/{job}")["state"] == "done"
    assert len(read(quant, f"jobs/{early}/result")["rows"]) == 6
    assert read(quant, f"runs/{read(quant, f'jobs/{late}')['run']}")["strategy"] == "sma_cross"
