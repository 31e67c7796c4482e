"""Rules looked at, alerts raised once, silenced, acknowledged and mailed."""

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.core import mail
from django.db import OperationalError, connections
from django.urls import reverse

from apps.alerts import interface as alerts
from apps.alerts.interface import MEASURES, AlertError, NewRule
from apps.alerts.judging import Reading
from apps.alerts.looking import Watch
from apps.alerts.mailing import mail_what_is_due
from apps.alerts.models import Alert, Rule, Silence
from apps.alerts.worker import AlertsWorker, sweep
from apps.console.models import Act
from tests.integration.console.conftest import ALL, people  # noqa: F401  (a fixture)
from tests.patience import wait_until

pytestmark = pytest.mark.django_db(databases=ALL)


class Readings:
    """What is measured, as a test sets it, at a time that it sets."""

    def __init__(self):
        self.now = 0.0
        self.of = {"lag": {}, "refusals": {}}
        self.away = set()
        self.asked = []
        self.watch = Watch(self.read, lambda: self.now, lambda name: 25 if name == "refusals" else 0)

    def read(self, measure):
        self.asked.append(measure)
        if measure in self.away:
            raise OperationalError("it is away")
        return {name: Reading(value, f"{name} is {value}") for name, value in self.of[measure].items()}

    def look(self, **lag):
        self.of["lag"] = lag
        self.now += 10
        return [str(each) for each in self.watch.look()]


def rule(name="behind", **more):
    given = {"measure": "lag", "subject": "", "bound": "100", "clears_below": "50", "for_seconds": "10",
             "is_grave": True, "is_on": True, "mail_to": ""}  # fmt: skip
    return alerts.set_rule(NewRule(name=name, **(given | more)))


@pytest.fixture
def readings():
    Rule.objects.all().delete()
    return Readings()


def test_an_alert_is_raised_once_for_each_subject_and_is_over_when_it_is(readings):
    rule()
    assert [readings.look(risk=100, feeds=10), readings.look(risk=120, feeds=10)] == [[], ["behind risk"]]
    assert [readings.look(risk=90), readings.look(risk=300), readings.look(risk=60)] == [[], [], []]
    (alert,) = Alert.objects.all()
    assert (alert.value, alert.worst, alert.text, alert.ended_at) == (60, 300, "risk is 60", None)
    readings.look(risk=10)
    readings.look(risk=10)
    assert Alert.objects.get().ended_at is not None
    assert [readings.look(risk=100), readings.look(risk=100)] == [[], ["behind risk"]]
    assert Alert.objects.count() == 2


def test_whoever_begins_anew_goes_on_with_what_is_open(readings):
    rule()
    readings.look(risk=100)
    readings.look(risk=100)
    later = Readings()
    assert [later.look(risk=100), later.look(risk=100), later.look(risk=10), later.look(risk=10)] == [[]] * 4
    assert Alert.objects.get().ended_at is not None


def test_what_cannot_be_measured_changes_nothing(readings):
    rule()
    rule("refused", measure="refusals", for_seconds="0")
    readings.look(risk=100)
    readings.look(risk=100)
    readings.away = {"lag"}
    readings.of["refusals"] = {"": 500}
    assert [readings.look(), readings.look()] == [[], ["refused"]]
    assert Alert.objects.get(rule="behind").ended_at is None


def test_what_costs_more_is_asked_less_often(readings):
    rule()
    rule("refused", measure="refusals")
    for _ in range(7):
        readings.look()
    assert (readings.asked.count("lag"), readings.asked.count("refusals")) == (7, 3)


def test_a_look_that_fails_ends_neither_the_worker_nor_its_process(readings):
    worker, stop, looks = AlertsWorker(), threading.Event(), []

    def look(_):
        looks.append(1)
        worker.wake()
        if len(looks) == 2:
            stop.set()
            return []
        raise KeyError("a mistake")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("apps.alerts.worker.Watch.look", look)
        patch.setattr(AlertsWorker, "_is_mine", lambda _: True)
        patch.setattr("apps.alerts.worker.mail_what_is_due", lambda: 0)
        patch.setattr("apps.alerts.worker.sweep", lambda _: None)
        patch.setattr(AlertsWorker, "_forget", lambda _: None)
        worker.run(stop)
    assert len(looks) == 2


def test_a_rule_of_one_subject_looks_at_that_alone_and_one_that_is_off_ends_what_it_raised(readings):
    rule(subject="feeds")
    readings.look(risk=500, feeds=500)
    assert readings.look(risk=500, feeds=500) == ["behind feeds"]
    rule(subject="feeds", is_on=False)
    readings.look(risk=500, feeds=500)
    assert Alert.objects.get().ended_at is not None


def test_a_subject_that_is_no_more_ends_its_alert(readings):
    rule()
    readings.look(risk=500)
    readings.look(risk=500)
    readings.look()
    assert Alert.objects.get().ended_at is not None


def test_an_alert_is_mailed_once_and_what_fails_is_told_and_tried_again(readings, settings, monkeypatch):
    rule(mail_to="ops@example.com, desk@example.com")
    readings.look(risk=100)
    readings.look(risk=100)
    assert mail_what_is_due() == 0
    assert "BANYAN_EMAIL_HOST" in Alert.objects.get().mail_problem
    settings.EMAIL_HOST = "smtp.example.com"
    with monkeypatch.context() as broken:
        broken.setattr("apps.alerts.mailing.EmailMessage.send", lambda *_: (_ for _ in ()).throw(OSError("refused")))
        assert mail_what_is_due() == 0
    assert "refused" in Alert.objects.get().mail_problem
    assert [mail_what_is_due(), mail_what_is_due()] == [1, 0]
    (sent,) = mail.outbox
    assert (sent.subject, sent.to) == ("Banyan: behind risk", ["ops@example.com", "desk@example.com"])
    assert "risk is 100" in sent.body
    assert Alert.objects.get().mail_problem == ""


def test_a_silenced_alert_is_raised_and_told_to_nobody_until_the_silence_ends(readings, settings):
    settings.EMAIL_HOST = "smtp.example.com"
    rule(mail_to="ops@example.com")
    made = alerts.silence("behind", "risk", "60", why="we move it", by="ann")
    readings.look(risk=100, feeds=100)
    readings.look(risk=100, feeds=100)
    assert mail_what_is_due() == 1
    assert mail.outbox[0].subject == "Banyan: behind feeds"
    assert [(each.of.subject, each.silenced_why) for each in alerts.open_alerts()] == [
        ("feeds", ""),
        ("risk", "we move it"),
    ]
    alerts.end_silence(str(made.pk))
    assert mail_what_is_due() == 1
    assert alerts.silences() == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": " "}, "name: give the rule a name"),
        ({"measure": "luck"}, "there is no 'luck'; there are stale-feed"),
        ({"bound": "many"}, "bound: 'many' is no number"),
        ({"bound": "nan"}, "bound: 'nan' is no number"),
        ({"clears_below": "101"}, "it would never be over"),
        ({"clears_below": "0"}, "is never reached"),
        ({"for_seconds": "-1"}, "no whole number from 0 to 86,400"),
        ({"mail_to": "ops@example.com\nBcc: x@y.z"}, "is no e-mail address"),
    ],
)
def test_what_cannot_be_a_rule_is_told_with_what_to_do(wrong, words):
    with pytest.raises(AlertError, match=words.replace("(", r"\(")):
        rule(**wrong)


def test_every_measure_can_be_asked_and_the_first_rules_look_at_measures_there_are():
    for each in MEASURES.values():
        assert all(isinstance(reading, Reading) for reading in each.read().values())
    assert {each.measure for each in alerts.rules()} <= set(MEASURES.values())


def test_what_is_long_over_is_forgotten(readings):
    now = datetime.now(UTC)
    rule()
    readings.look(risk=100)
    readings.look(risk=100)
    Silence.objects.create(rule="behind", until=now, why="x", by="ann")
    sweep(now + timedelta(days=400))
    assert Alert.objects.count() == 1  # it is not over
    assert Silence.objects.count() == 0
    Alert.objects.update(ended_at=now)
    sweep(now + timedelta(days=400))
    assert Alert.objects.count() == 0


def test_an_operator_acknowledges_silences_and_changes_rules_with_a_record_of_each(readings, client, people):  # noqa: F811
    rule()
    readings.look(risk=100)
    readings.look(risk=100)
    client.force_login(people["operator"])
    (alert,) = Alert.objects.all()
    assert "behind" in client.get(reverse("alerts")).text
    client.post(reverse("act", args=["alert.acknowledge"]), {"alert": alert.pk})
    client.post(
        reverse("act", args=["alert.silence"]), {"rule": "behind", "subject": "risk", "minutes": "15", "why": "known"}
    )
    asked = client.get(reverse("alert-rule"), {"rule": "behind", "bound": "200", "define": "1"})
    assert asked.status_code == 302
    told = client.get(asked.headers["Location"]).context["effect"]
    assert told[:2] == ["It is changed.", "Raised at: 200 records, was 100 records."]
    assert told[-1].startswith("As things are")
    same = client.get(client.get(reverse("alert-rule"), {"rule": "behind", "define": "1"}).headers["Location"])
    assert (same.context["subject"], same.context["idle"]) == ("behind", "Nothing changes: this is the rule already.")
    assert client.get(reverse("alert-rule"), {"rule": "behind", "bound": "1", "define": "1"}).status_code == 422
    alert.refresh_from_db()
    assert alert.acknowledged_by == "operator"
    assert Silence.objects.get().by == "operator"
    assert [each.outcome.is_done for each in Act.objects.all()] == [True, True]


@pytest.mark.django_db(transaction=True, databases=ALL)
def test_one_process_looks_at_a_time_and_another_takes_over():
    first, second = AlertsWorker(), AlertsWorker()
    assert [first._is_mine(), second._is_mine(), first._is_mine()] == [True, False, True]
    first._forget()
    wait_until(second._is_mine, "the server to notice that the first has gone")
    second._forget()


@pytest.mark.django_db(transaction=True, databases=ALL)
def test_the_worker_looks_until_it_is_told_to_stop():
    worker, stop, looked = AlertsWorker(), threading.Event(), threading.Event()
    rule("one")

    def look(_):
        looked.set()
        stop.set()
        worker.wake()
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("apps.alerts.worker.Watch.look", look)
        thread = threading.Thread(target=worker.run, args=[stop])
        thread.start()
        thread.join()
    assert looked.is_set()


@pytest.mark.django_db(transaction=True, databases=ALL)
def test_what_a_server_that_was_away_knows_is_measured_again_when_it_is_back(readings):
    rule()
    found = []

    def read(_):
        with connections["reporting"].cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            found.append(cursor.fetchone()[0])
        return {}

    watch = Watch(read, pause=lambda _: 0)
    watch.look()
    with psycopg.connect(**connections["reporting"].get_connection_params()) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", found)
    watch.look()
    assert len(found) == 1
    watch.look()
    assert len(set(found)) == 2
