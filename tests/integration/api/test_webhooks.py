"""Webhooks: made by keys for what these may hear of, collected without a gap, sent until they arrive, redriven."""

import threading
from datetime import timedelta

import orjson
import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from apps.api.families import FAMILIES
from apps.api.keys import Wanted, make, revoke
from apps.api.models import Delivery, Key, Post, Webhook
from apps.api.webhooks import queueing, sending
from apps.api.webhooks.queueing import collect
from apps.api.webhooks.sending import ATTEMPTS_MAX, WebhookWorker, deliver, due, retain
from apps.api.webhooks.signing import secret_of, secrets_of, signature
from apps.api.webhooks.waiting import WhenWanted
from apps.console.models import Act
from apps.reporting.interface import Scope
from tests.documents import python_blocks
from tests.integration.api.conftest import ALL
from tests.patience import wait_until

pytestmark = [pytest.mark.django_db(databases=ALL), pytest.mark.usefixtures("traded")]
HOOK = {"url": "https://93.184.215.14/hook", "family": "fills"}
"""To a public address, so that no name is looked up."""


def post(caller, path, body, key="k-1"):
    headers = {"Authorization": f"Bearer {caller.key}", "Idempotency-Key": key}
    return Client().post(f"/api/v1/{path}", orjson.dumps(body), content_type="application/json", headers=headers)


def made(caller, key="k-1", **more):
    """Make a webhook from the beginning of all that there is; return it."""
    answer = post(caller, "webhooks", HOOK | more, key)
    assert answer.status_code == 202, answer.content
    hook = Webhook.objects.get(id=orjson.loads(answer.content)["webhook"])
    Webhook.objects.filter(pk=hook.pk).update(places={})
    hook.refresh_from_db()
    return hook


def events_of(hook):
    return [event for each in hook.deliveries.order_by("id") for event in orjson.loads(bytes(each.body))["events"]]


def test_a_secret_is_told_once_and_kept_nowhere(callers):
    first = orjson.loads(post(callers["viewer"], "webhooks", HOOK).content)
    again = orjson.loads(post(callers["viewer"], "webhooks", HOOK).content)
    hook = Webhook.objects.get()
    assert first["secret"] == secret_of(hook.id, bytes(hook.salt))
    assert again == first | {"secret": None}
    kept = bytes(Post.objects.get().answer) + orjson.dumps([Act.objects.get().outcome.after, hook.url])
    assert first["secret"].encode() not in kept
    assert callers["viewer"].rows("webhooks")[0].keys().isdisjoint({"secret", "salt"})


def is_ours(secret, header, body):
    """Check a signature as the document shows it."""
    scope = {}
    (shown,) = [block for block in python_blocks("docs/api.md") if "def is_ours" in block]
    exec(compile(shown, "docs/api.md", "exec"), scope)
    return scope["is_ours"](secret, header, body)


def test_a_secret_is_rotated_and_for_a_while_both_are_good(callers):
    hook = made(callers["viewer"])
    old = secret_of(hook.id, bytes(hook.salt))
    path = f"webhooks/{hook.id}/rotate"
    first = orjson.loads(post(callers["viewer"], path, {"overlap_hours": 2}, "r").content)
    again = orjson.loads(post(callers["viewer"], path, {"overlap_hours": 2}, "r").content)
    assert again == first | {"secret": None}
    new, now = first["secret"], timezone.now()
    assert new not in (None, old)
    hook.refresh_from_db()
    both = signature(secrets_of(hook, now), b"{}", int(now.timestamp()))
    assert is_ours(new, both, b"{}")
    assert is_ours(old, both, b"{}")
    assert not is_ours(new, both, b"[]")
    after = signature(secrets_of(hook, now + timedelta(hours=2)), b"{}", int(now.timestamp()))
    assert is_ours(new, after, b"{}")
    assert not is_ours(old, after, b"{}")
    assert post(callers["viewer"], path, {"overlap_hours": 169}, "s").status_code == 400
    assert post(callers["client one"], path, {}, "t").status_code == 404


@pytest.mark.parametrize("size", [100, 3])
def test_a_webhook_hears_of_everything_once_as_its_list_has_it(callers, monkeypatch, size):
    monkeypatch.setattr(queueing, "_EVENTS_MAX", size)
    hook = made(callers["client one"])
    for _ in range(500):
        if not collect().moved:
            break
    rows = callers["client one"].rows("fills?limit=500")
    key = lambda row: sorted((name, str(value)) for name, value in row.items())  # noqa: E731
    assert sorted(events_of(hook), key=key) == sorted(rows, key=key)
    assert {row["account"] for row in rows} <= {"A1", "A2"}
    bodies = [orjson.loads(bytes(each.body)) for each in hook.deliveries.order_by("id")]
    assert [body["delivery"] for body in bodies] == [each.pk for each in hook.deliveries.order_by("id")]
    assert all(len(body["events"]) <= size for body in bodies)


def test_what_waits_is_bounded_and_nothing_of_the_rest_is_lost(callers, monkeypatch):
    monkeypatch.setattr(queueing, "_EVENTS_MAX", 3)
    monkeypatch.setattr(queueing, "WAITING_MAX", 2)
    hook = made(callers["viewer"])
    for _ in range(5):
        collect()
    assert hook.deliveries.count() == 2
    for _ in range(500):
        hook.deliveries.update(state="delivered")
        if not collect().moved:
            break
    assert len(events_of(hook)) == len(callers["viewer"].rows("fills?limit=500"))


def test_webhooks_that_are_equally_far_are_given_what_was_read_once_and_each_what_is_its_own(callers, monkeypatch):
    of, scopes = FAMILIES["fills"], []

    def onward(scope, *rest):
        scopes.append(scope)
        return of.onward(scope, *rest)

    monkeypatch.setitem(FAMILIES, "fills", of._replace(onward=onward))
    rows = callers["viewer"].rows("fills?limit=500")
    account, instrument = rows[0]["account"], rows[0]["instrument"]
    wanted = {
        made(callers["viewer"], "k-1"): lambda row: True,
        made(callers["viewer"], "k-2", account=account): lambda row: row["account"] == account,
        made(callers["viewer"], "k-3", instrument=instrument): lambda row: row["instrument"] == instrument,
        made(callers["client one"], "k-4"): lambda row: row["account"] in ("A1", "A2"),
        made(callers["client one"], "k-5", account="A3"): lambda row: False,
        made(callers["client two"], "k-6"): lambda row: row["account"] in ("A3", "A4"),
    }
    assert collect() == (len(wanted), False)
    assert scopes == [Scope()]
    for hook, is_theirs in wanted.items():
        assert [each["execution_id"] for each in events_of(hook)] == [
            each["execution_id"] for each in events_of(next(iter(wanted))) if is_theirs(each)
        ]
        assert len(events_of(hook)) == sum(map(is_theirs, rows))
    del scopes[:]
    Webhook.objects.exclude(client="one").delete()
    Webhook.objects.update(places={})
    collect()
    assert scopes == [Scope(clients=("one",))]  # and nothing of others for a client alone


@pytest.mark.parametrize("family", ["orders", "positions"])
def test_of_changes_that_come_together_a_webhook_hears_what_they_led_to(callers, family):
    hook = made(callers["viewer"], family=family)
    while collect().moved:
        pass
    rows = callers["viewer"].rows(f"{family}?limit=500")
    key = lambda row: sorted((name, str(value)) for name, value in row.items())  # noqa: E731
    assert sorted(events_of(hook), key=key) == sorted(rows, key=key)


def test_a_webhook_that_is_further_than_all_logs_waits_for_them(callers):
    """As after a restore: what it is sent is what comes when the logs are there again."""
    hook = made(callers["viewer"])
    Webhook.objects.update(places={"0": [10**9], "gone": [7]})
    assert collect() == (0, False)
    assert events_of(hook) == []


def test_what_does_not_arrive_is_sent_later_and_later_then_parked_and_sent_once_more(callers):
    hook = made(callers["viewer"])
    collect()
    sent, now = [], timezone.now()

    def failing(webhook, delivery, at):
        sent.append((delivery.pk, bytes(delivery.body)))
        return "the receiver answered 500"

    waits = []
    while due(now):
        (delivery,) = due(now)
        deliver(delivery, now, failing)
        delivery.refresh_from_db()
        waits.append(delivery.next_at - now)
        if delivery.state == "parked":
            break
        assert due(delivery.next_at - timedelta(microseconds=1)) == []
        now = delivery.next_at
    assert len(sent) == ATTEMPTS_MAX
    assert len(set(sent)) == 1  # the same body under the same id, each time
    assert waits[:3] == [timedelta(seconds=each) for each in (5, 10, 20)]
    assert max(waits) == timedelta(hours=1)
    (row,) = callers["viewer"].rows(f"webhooks/{hook.id}/deliveries?state=parked")
    assert (row["attempts"], row["problem"]) == (ATTEMPTS_MAX, "the receiver answered 500")

    assert post(callers["viewer"], f"webhooks/{hook.id}/redrive", {}, "r").status_code == 202
    (delivery,) = due(timezone.now())
    deliver(delivery, timezone.now(), lambda *_: "")
    assert callers["viewer"].rows(f"webhooks/{hook.id}/deliveries?state=delivered")[0]["id"] == sent[0][0]


def test_deliveries_of_a_webhook_go_in_order_and_those_of_others_beside_them(callers, monkeypatch):
    monkeypatch.setattr(queueing, "_EVENTS_MAX", 3)
    one, other = made(callers["viewer"]), made(callers["client one"])
    for _ in range(3):
        collect()
    first = due(timezone.now())
    assert {each.webhook_id for each in first} == {one.id, other.id}
    assert {each.webhook_id for each in due(timezone.now(), frozenset({one.id}))} == {other.id}
    mine = next(each for each in first if each.webhook_id == one.id)
    assert mine.pk == min(one.deliveries.values_list("pk", flat=True))
    deliver(mine, timezone.now(), lambda *_: "it failed")
    assert {each.webhook_id for each in due(timezone.now())} == {other.id}  # what comes later waits for it


def test_a_webhook_that_is_paused_or_whose_key_was_revoked_hears_nothing(callers):
    hook = made(callers["viewer"])
    assert post(callers["viewer"], f"webhooks/{hook.id}/pause", {}, "p").status_code == 202
    assert collect().moved == 0
    post(callers["viewer"], f"webhooks/{hook.id}/resume", {}, "q")
    revoke(callers["viewer"].key[5:17])
    assert collect().moved == 0
    Key.objects.filter(id=callers["viewer"].key[5:17]).update(revoked_at=None)
    assert collect().moved == 1
    Key.objects.filter(id=callers["viewer"].key[5:17]).update(expires_at=timezone.now())
    assert due(timezone.now()) == []


def test_a_key_reaches_its_own_webhooks_alone(callers):
    hook = made(callers["client one"])
    for who in ("client two", "viewer", "operator"):
        assert callers[who].get(f"webhooks/{hook.id}").status_code == 404
        assert callers[who].get(f"webhooks/{hook.id}/deliveries").status_code == 404
        for verb in ("pause", "resume", "remove", "redrive"):
            assert post(callers[who], f"webhooks/{hook.id}/{verb}", {}, verb).status_code == 404
        assert callers[who].rows("webhooks") == []
    assert post(callers["client one"], f"webhooks/{hook.id}/remove", {}, "x").status_code == 202
    assert Webhook.objects.count() == 0


@pytest.mark.parametrize(
    ("who", "change", "status", "words"),
    [
        ("client one", {"family": "signals"}, 403, "firm-only"),
        ("viewer", {"family": "jobs"}, 403, "research"),
        ("viewer", {"family": "signals", "account": "A1"}, 400, "account"),
        ("viewer", {"family": "weather"}, 400, "family"),
        ("viewer", {"url": "http://93.184.215.14/"}, 422, "https://"),
        ("viewer", {"url": "https://10.1.3.1/"}, 422, "no public address"),
        ("viewer", {"url": "https://localhost/"}, 422, "no public address"),
        ("viewer", {"url": "nowhere"}, 422, "give a URL"),
    ],
)
def test_what_can_be_no_webhook_is_told_so(callers, who, change, status, words):
    answer = post(callers[who], "webhooks", HOOK | change)
    assert answer.status_code == status
    assert words in answer.content.decode()
    assert Webhook.objects.count() == 0


def test_networks_of_the_firm_are_reached_by_webhooks_of_its_own_keys_alone(callers, settings, monkeypatch):
    settings.WEBHOOK_NETWORKS = ("10.1.2.0/24",)
    inside = HOOK | {"url": "http://10.1.2.3/hook"}
    assert post(callers["client one"], "webhooks", inside).status_code == 422
    assert post(callers["viewer"], "webhooks", inside).status_code == 202
    hook, heard = Webhook.objects.get(), []
    monkeypatch.setattr(sending, "post", lambda target, *_: heard.append(str(target.addresses[0])) or 204)
    now = timezone.now()
    delivery = Delivery.objects.create(webhook=hook, body=b"{}", made_at=now, next_at=now)
    assert sending.sent(hook, delivery, now) == ""
    hook.client = "one"  # as one that a client had before
    assert "https://" in sending.sent(hook, delivery, now)
    assert heard == ["10.1.2.3"]


def test_who_tries_names_is_not_told_which_of_the_firms_there_are(callers, monkeypatch):
    def found(host, port, **_):
        if host == "nobody.internal":
            raise OSError("no such name")
        return [(None, None, 0, "", ("10.9.8.7", port))]

    monkeypatch.setattr("socket.getaddrinfo", found)
    told = []
    for name in ("database.internal", "nobody.internal"):
        answer = post(callers["client one"], "webhooks", HOOK | {"url": f"https://{name}/"}, key=name)
        told.append(orjson.loads(answer.content)["detail"].replace(name, "NAME"))
    assert told[0] == told[1]
    assert "10.9.8.7" not in told[0]


def test_where_a_name_leads_to_is_looked_at_anew_at_each_delivery(callers, monkeypatch):
    leads = ["93.184.215.14", "10.9.8.7"]
    monkeypatch.setattr("socket.getaddrinfo", lambda host, port, **_: [(None, None, 0, "", (leads.pop(0), port))])
    hook = made(callers["viewer"], url="https://turns.example/")
    now = timezone.now()
    delivery = Delivery.objects.create(webhook=hook, body=b"{}", made_at=now, next_at=now)
    deliver(delivery, now)
    delivery.refresh_from_db()
    assert (delivery.state, leads) == ("waiting", [])
    assert "leads to no public address" in delivery.problem


def test_deliveries_that_arrived_are_forgotten_after_a_week(callers):
    hook = made(callers["viewer"])
    collect()
    assert list(retain(timezone.now() + timedelta(days=8), is_dry=False)) == []
    hook.deliveries.update(state="delivered")
    assert list(retain(timezone.now() + timedelta(days=8), is_dry=False)) == ["1 deliveries"]


def test_who_answers_slowly_keeps_nobody_else_waiting(django_db_blocker):
    """By the worker itself, which begins with the first webhook, on rows that are committed."""
    slow_began, may_end, heard = threading.Event(), threading.Event(), []

    def send(webhook, delivery, at):
        if webhook.url.endswith("slow"):
            slow_began.set()
            assert may_end.wait(120)
        else:
            heard.append(delivery.pk)
        return ""

    begun = threading.Event()

    def begin(woken):
        begun.set()
        return WebhookWorker(send, 0.01, woken)

    worker, stop = WhenWanted(begin, look_seconds=0.01), threading.Event()

    def prepare():
        with django_db_blocker.unblock():
            key, _ = make(Wanted("hooks", ("read",)))
            now = timezone.now()
            for name in ("slow", "fast"):
                hook = Webhook.objects.create(
                    id=name, holder=key.holder, url=f"http://10.1.2.3/{name}", family="fills", filters={},
                    places=queueing.places_now("fills"), salt=b"s", made_at=now,
                )  # fmt: skip
                for _ in range(3):
                    Delivery.objects.create(webhook=hook, body=b"{}", made_at=now, next_at=now)
            connections.close_all()

    def work():
        with django_db_blocker.unblock():
            worker.run(stop)

    def forget():
        with django_db_blocker.unblock():
            Webhook.objects.filter(id__in=("slow", "fast")).delete()
            Key.objects.filter(name="hooks").delete()
            connections.close_all()

    working = threading.Thread(target=work)
    working.start()
    try:
        assert not begun.wait(0.2), "there is no webhook yet"
        apart(prepare)
        assert slow_began.wait(120)
        wait_until(lambda: len(heard) == 3, "the fast receiver to have all")
        assert not may_end.is_set()
    finally:
        stop.set()
        may_end.set()
        worker.wake()
        working.join()
        wait_until(lambda: not any(each.name.startswith("webhook_") for each in threading.enumerate()), "its threads")
        apart(forget)
    assert heard == sorted(heard)


def apart(do):
    """Do something in a thread, and so outside of the transaction of the test."""
    thread = threading.Thread(target=do)
    thread.start()
    thread.join()
