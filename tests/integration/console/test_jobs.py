"""Backtests by form: what is wrong with one is told in it, what is right is queued with a record, and what came out."""

import json
import zlib

import pytest
from django.urls import reverse

from apps.backtest import interface as backtest
from apps.backtest.jobs import calling
from apps.backtest.models import Job, JobResult
from apps.console.models import Act
from tests.integration.console.conftest import ALL

pytestmark = pytest.mark.django_db(databases=ALL)
FORM = {
    "kind": "sweep", "strategy": "ema_cross", "instruments": "OANDA:EURUSD", "interval": "1h",
    "begins": "2016-01-01", "ends": "2016-02-01", "rank": "sharpe", "g.fast": "5,10", "g.slow": "20,50",
}  # fmt: skip


@pytest.fixture(autouse=True)
def nobody_called(monkeypatch):
    """Have no worker started."""
    monkeypatch.setattr(calling, "call", lambda: None)
    monkeypatch.setattr(calling, "tend", lambda: None)


@pytest.fixture
def operator(client, people):
    client.force_login(people["operator"])
    return client


def submit(client, **changed):
    return client.post(reverse("job-submit"), FORM | changed)


def finished(document):
    """Let the one job be done, with what came out."""
    Job.objects.update(state="done")
    packed = zlib.compress(json.dumps(document).encode())
    JobResult.objects.create(job=Job.objects.get(), document=packed, report=zlib.compress(b"<p>a report</p>"))


SWEPT = {
    "run": "", "metrics": {}, "notes": [], "rank": "sharpe", "higher_is_better": True, "parameters": ["fast", "slow"],
    "best": {"fast": 5, "slow": 50}, "left_out": 0, "columns": ["fast", "slow", "sharpe"],
    "rows": [[5, 50, 2.0], [10, 50, 1.0], [5, 20, -0.5], [10, 20, None]],
}  # fmt: skip


def test_a_form_is_made_of_the_strategys_parameters(operator):
    assert "ema_cross" in operator.get(reverse("job-form")).text
    page = operator.get(reverse("job-form"), {"kind": "sweep", "strategy": "ema_cross"}).text
    assert 'name="g.fast"' in page
    assert 'name="p.fast"' in operator.get(reverse("job-form"), {"strategy": "ema_cross"}).text
    assert operator.get(reverse("job-form"), {"strategy": "/etc/passwd"}).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"instruments": "SIM:NONE"}, "SIM:NONE"),
        ({"strategy": "/tmp/mine.py"}, "there is no strategy"),
        ({"kind": "oracle"}, "there is no job oracle"),
        ({"g.fast": "many"}, "many"),
        ({"rank": "luck"}, "luck"),
        ({"begins": "2017-01-01"}, "is not before"),
        ({"kind": "walkforward"}, "a walk-forward needs train"),
        ({"o.fee_bps": "-1"}, "fee_bps=-1.0: must not be negative"),
        ({"o.fee_bps": "little"}, "fee_bps='little': write a number"),
        ({"o.fill": "open"}, "choose one of next-open, close"),
        ({"o.luck": "1"}, "unknown option 'luck'"),
        ({"adjust": "some"}, "adjust: choose one of"),
        ({"benchmark": "SIM:NONE"}, "SIM:NONE"),
        ({"conversions": "JPY"}, "CURRENCY=INSTRUMENT"),
    ],
)
def test_what_cannot_be_a_job_is_told_in_the_form_and_keeps_what_was_typed(operator, wrong, words):
    answer = submit(operator, **wrong)
    assert answer.status_code == 422
    assert words in answer.context["problem"]
    assert not Job.objects.exists()


def test_a_job_is_queued_with_a_record_shown_and_cancelled(operator):
    answer = submit(operator)
    (job,) = backtest.jobs(10)
    assert answer.headers["Location"] == reverse("job", args=[job.id])
    assert (job.owner, job.kind, job.state) == ("user operator", "sweep", "queued")
    page = operator.get(answer.headers["Location"]).text
    assert "it waits for its turn" in page
    assert "g.fast=5%2C10" in page  # another like it
    assert job.id in operator.get(reverse("jobs")).text
    operator.post(reverse("job-cancel", args=[job.id]))
    assert backtest.job(job.id).state == "cancelled"
    assert [(each.name, each.outcome.is_done) for each in Act.objects.order_by("at")] == [
        ("job.submit", True),
        ("job.cancel", True),
    ]


def test_what_a_run_is_told_beside_its_parameters_is_kept_shown_and_filled_in_again(operator):
    given = {"o.fee_bps": "2.5", "o.fill": "close", "o.sizing": "percent:25", "adjust": "none", "o.cash": "",
             "benchmark": "NYSEARCA:SPY", "conversions": "EUR=OANDA:EURUSD"}  # fmt: skip
    submit(operator, **given)
    (job,) = backtest.jobs(10)
    request = job.asked["request"]
    assert request["options"] == {"fee_bps": 2.5, "fill": "close", "sizing": "percent:25"}
    assert (request["data"]["adjust"], request["data"]["benchmark"]) == ("none", "NYSEARCA:SPY")
    shown = operator.get(reverse("job", args=[job.id]))
    assert {("fee bps", 2.5), ("one EUR is", "OANDA:EURUSD"), ("adjust", "none")} <= set(shown.context["asked"])
    form = operator.get(shown.context["anew"])
    filled = {each.name: each.value for each in (*form.context["options"], *form.context["others"]) if each.value}
    assert filled == {"fee_bps": "2.5", "fill": "close", "sizing": "percent:25"}
    assert form.context["is_more_given"]
    assert 'value="EUR=OANDA:EURUSD"' in form.text
    submit(operator, kind="walkforward", train="2y", test="6mo", anchored="yes")
    assert backtest.jobs(1)[0].asked["anchored"] is True


def test_a_sweep_is_shown_as_a_map_and_its_best_can_be_traded(operator):
    submit(operator)
    finished(SWEPT)
    (job,) = backtest.jobs(10)
    answer = operator.get(reverse("job", args=[job.id]))
    assert [each.told for each in answer.context["heat"].tiles] == ["5, 50: 2", "10, 50: 1", "5, 20: -0.5"]
    assert "channels=OANDA%3AEURUSD%401h&amp;p.fast=5&amp;p.slow=50" in answer.text
    turned = operator.get(reverse("job", args=[job.id]), {"x": "slow"})
    assert turned.context["heat"].tiles[0].told == "50, 5: 2"


def test_a_report_may_do_nothing_but_show_itself(operator, client, people):
    submit(operator)
    finished(SWEPT)
    (job,) = backtest.jobs(10)
    report = operator.get(reverse("job-report", args=[job.id]))
    assert report.content == b"<p>a report</p>"
    policy = report.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'")
    assert "allow-same-origin" not in policy
    assert report.headers["X-Frame-Options"] == "SAMEORIGIN"
    client.force_login(people["viewer"])
    assert submit(client).status_code == 403
    client.logout()
    assert client.get(reverse("job-report", args=[job.id])).status_code == 302
