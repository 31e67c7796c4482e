"""Acts by the API: once each, recorded, within the caller's accounts, and read again when they are done."""

from datetime import timedelta

import orjson
import psycopg
import pytest
from django.db import OperationalError, connections
from django.test import Client
from django.utils import timezone

from apps.api import versions
from apps.api.keys import rotate
from apps.api.models import Key, Post, Webhook
from apps.api.once import retain
from apps.api.resources import acting
from apps.api.urls import urlpatterns
from apps.backtest.models import Job
from apps.console.models import Act
from apps.execution.book_contracts import ConfigureAccount
from apps.execution.contracts import CancelOrder, ConfigureSet, Flatten, PlaceManualOrder, Subscribe
from apps.execution.interface import NewAccount, open_accounts
from apps.execution.models import Account
from apps.reporting.models import Account as ReadAccount
from apps.reporting.models import Mark
from apps.risk.contracts import SetLimits, SetTradingState, TradingState
from apps.signals.contracts import DefineSet, RunSet
from apps.signals.interface import NewMember, define_set, get_set
from apps.signals.models import StrategySet
from banyan.codec import decode_envelope, decode_message
from banyan.models import Key as LogKey
from banyan.models import Request
from tests.integration.api import test_quarantine
from tests.integration.api.conftest import ALL
from tests.integration.console.conftest import committed, forget_commands
from trading.bars import Close

pytestmark = pytest.mark.django_db(databases=ALL)
MEMBER = {
    "strategy": "sma_cross", "share": 0.5, "parameters": {"fast": 5, "slow": 20},
    "channels": [{"instrument": "OANDA:EURUSD", "interval": "1h"}],
}  # fmt: skip
HOLDS = {"members": [MEMBER], "reason": "a hunch"}
JOB = {"kind": "backtest", "strategy": "sma_cross", "instruments": ["NYSEARCA:SPY"], "interval": "1d"}
ORDER = {"account": "B1", "instrument": "OANDA:EURUSD", "lots": "-1000", "reason": "a hunch"}


@pytest.fixture(autouse=True)
def accounts(callers, commands_of_this_test, monkeypatch, settings, tmp_path):
    """Two accounts of two clients, which reporting knows; a quote; a kill switch of this test's own."""
    settings.KILL_SWITCH = tmp_path / "kill_switch"
    open_accounts([NewAccount("B1", "one", 1000.0), NewAccount("B2", "two", 1000.0)])
    for each in Account.objects.using("execution").all():
        ReadAccount.objects.create(
            number=each.number, id=each.id, client=each.client, broker="paper", currency="USD", time_zone="UTC",
            deposit_micro=0, opened_at_ns=1,
        )  # fmt: skip
    define_set("steady", [NewMember("sma_cross", [("OANDA:EURUSD", "1h")], {})])
    StrategySet.objects.using("signals").update(is_started=True)
    Job.objects.create(
        short_id="waiting1", request_id="w", owner=f"key {callers['quant'].key[5:17]}", kind="sweep", asked={},
        submitted_at=timezone.now(), number=0,
    )  # fmt: skip
    test_quarantine.put_aside()
    forget_commands()  # those that opened them
    monkeypatch.setattr("apps.execution.orders_typed.last_quote", lambda _: Close(108_000, 108_010, 7))


def post(caller, path, body, key="k-1", **headers):
    headers = {"Authorization": f"Bearer {caller.key}", "Idempotency-Key": key, **headers}
    return Client().post(f"/api/v1/{path}", orjson.dumps(body), content_type="application/json", headers=headers)


def told(response):
    return response.status_code, orjson.loads(response.content)


def waiting(context="execution"):
    return [
        decode_message(decode_envelope(bytes(each.header)).name, bytes(each.body))
        for each in Request.objects.using(context)
    ]


def test_an_order_waits_for_its_shard_and_is_recorded(callers):
    status, body = told(post(callers["client one"], "orders", ORDER | {"limit": "1.2", "time_in_force": "day"}))
    assert status == 202
    (asked,) = waiting()
    assert isinstance(asked, PlaceManualOrder)
    assert asked.account == Account.objects.using("execution").get(id="B1").number
    assert (asked.terms.id, asked.steps, asked.limit_ticks, asked.bid_ticks) == (
        "OANDA:EURUSD", -1000, 120_000, 108_000,
    )  # fmt: skip
    act = Act.objects.get()
    assert (str(act.id), act.name, act.subject, act.why) == (body["act"], "order.place", "B1 OANDA:EURUSD", "a hunch")
    assert act.user.endswith("(one)")
    assert act.outcome.is_done


def test_asking_again_orders_once_and_gets_the_same_answer(callers):
    first = post(callers["client one"], "orders", ORDER)
    again = post(callers["client one"], "orders", dict(reversed(ORDER.items())))
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert len(waiting()) == Act.objects.count() == 1
    assert post(callers["client one"], "orders", ORDER, key="k-2").status_code == 202
    assert len(waiting()) == 2


def test_a_key_that_was_rotated_is_still_the_same_caller(callers):
    caller = callers["client one"]
    first = post(caller, "orders", ORDER)
    _, written = rotate(caller.key.split("_")[1], days=1, overlap_hours=1)
    assert post(type(caller)(written, Client()), "orders", ORDER).content == first.content
    assert len(waiting()) == 1


def test_the_key_of_one_caller_is_nothing_to_another(callers):
    post(callers["client one"], "orders", ORDER)
    assert post(callers["operator"], "orders", ORDER).status_code == 202
    assert len(waiting()) == 2


def test_another_body_under_the_same_key_is_refused(callers):
    post(callers["client one"], "orders", ORDER)
    status, body = told(post(callers["client one"], "orders", ORDER | {"lots": "2000"}))
    assert (status, body["code"]) == (422, "idempotency-key-reused")
    assert told(post(callers["client one"], "accounts/B1/flatten", {"reason": "x"}))[1]["code"] == body["code"]
    assert len(waiting()) == 1


def test_the_same_while_it_is_done_is_told_to_wait(callers):
    caller = callers["client one"]
    holder = Key.objects.get(id=caller.key.split("_")[1]).holder
    parameters = connections["default"].get_connection_params()
    other = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters}
    with psycopg.connect(**other, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"api:{holder}:k-1"])
        response = post(caller, "orders", ORDER)
        assert (response.status_code, told(response)[1]["code"]) == (409, "in-flight")
        assert response.headers["Retry-After"] == "1"
    assert waiting() == []
    assert post(caller, "orders", ORDER).status_code == 202


@pytest.mark.parametrize("is_applied", [False, True])
def test_a_crash_between_the_order_and_its_answer_does_not_order_twice(callers, is_applied):
    first = told(post(callers["client one"], "orders", ORDER))[1]
    Post.objects.update(answered_at=None, status=None, answer=None)  # as it stands when the process dies there
    (request,) = Request.objects.using("execution").all()
    if is_applied:
        values = (request.key, request.id)
        committed("execution", "INSERT INTO banyan_seen (key, id, seen_at) VALUES (%s, %s, now())", values)
        committed("execution", "DELETE FROM banyan_request")
    status, again = told(post(callers["client one"], "orders", ORDER))
    assert (status, again["version"]) == (202, first["version"])
    assert len(waiting()) == (0 if is_applied else 1)


def test_what_failed_for_want_of_a_database_is_done_by_who_asks_again(callers, monkeypatch):
    with monkeypatch.context() as patch:

        def fail(*_, **__):
            raise OperationalError("server closed the connection")

        patch.setattr(acting, "place_order", fail)
        status, body = told(post(callers["client one"], "orders", ORDER))
        assert (status, body["code"]) == (503, "unavailable")
    assert post(callers["client one"], "orders", ORDER).status_code == 202
    assert sorted(act.outcome.is_done for act in Act.objects.select_related("outcome")) == [False, True]


def test_an_answer_is_kept_for_a_day_and_its_key_for_longer(callers):
    post(callers["client one"], "orders", ORDER)
    Post.objects.update(answered_at=timezone.now() - timedelta(hours=25))
    assert told(post(callers["client one"], "orders", ORDER))[1]["code"] == "key-expired"
    now = timezone.now()
    assert list(retain(now, is_dry=True)) == list(retain(now, is_dry=False)) == ["1 answers"]
    assert told(post(callers["client one"], "orders", ORDER))[1]["code"] == "key-expired"
    assert list(retain(now + timedelta(days=179), is_dry=False)) == []
    assert list(retain(now + timedelta(days=181), is_dry=False)) == ["1 idempotency keys"]
    assert len(waiting()) == 1


@pytest.mark.parametrize("key", ["", "two words", "x" * 65, "é", "a/b"])
def test_without_a_key_for_the_act_nothing_is_done(callers, key):
    status, body = told(post(callers["client one"], "orders", ORDER, key=key))
    assert (status, body["code"]) == (400, "idempotency-key-missing")
    assert waiting() == []
    assert not Act.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lots": 0.1}, "lots"), ({"lots": "0"}, "lots"), ({"lots": "1e3"}, "lots"), ({"lots": "NaN"}, "lots"),
        ({"lots": "9" * 23}, "lots"), ({"limit": "-1"}, "limit"), ({"time_in_force": "gtx"}, "time_in_force"),
        ({"until": "2030-01-01T00:00:00Z"}, "until"), ({"time_in_force": "gtd"}, "until"),
        ({"account": None}, "account"), ({"client": "two"}, "client"), ({"reason": "x" * 501}, "reason"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_body_is_named_and_nothing_done(callers, change, field):
    status, body = told(post(callers["client one"], "orders", ORDER | change))
    assert (status, body["code"]) == (400, "body-invalid")
    assert [each["field"] for each in body["errors"]] == [field]
    assert not Post.objects.exists()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "request-invalid"), (b"[" * 9 + b"]" * 9, "request-invalid"), (b"[]", "body-invalid"),
        (b"", "body-invalid"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_object_of_json_is_refused(callers, body, code):
    headers = {"Authorization": f"Bearer {callers['client one'].key}", "Idempotency-Key": "k"}
    response = Client().post("/api/v1/orders", body, content_type="application/json", headers=headers)
    assert (response.status_code, told(response)[1]["code"]) == (400, code)


def test_an_order_that_cannot_be_is_refused_in_words_and_so_it_stays(callers):
    for _ in range(2):
        status, body = told(post(callers["client one"], "orders", ORDER | {"lots": "0.1"}))
        assert (status, body["code"]) == (422, "refused")
        assert "whole steps" in body["detail"]
    assert Act.objects.get().outcome.is_done is False
    assert told(post(callers["client one"], "orders", ORDER | {"instrument": "OANDA:NONE"}, key="k-2"))[0] == 422


WRITES = {
    **test_quarantine.WRITES,
    "api-orders": ("orders", ORDER, "trade"),
    "api-cancel": ("orders/B1/OANDA:EURUSD/7/cancel", {}, "trade"),
    "api-flatten": ("accounts/B1/flatten", {"reason": "enough"}, "trade"),
    "api-resume": ("accounts/B1/resume", {"reason": "again"}, "trade"),
    "api-account-state": ("accounts/B1/trading-state", {"state": "halted", "reason": "x"}, "operate"),
    "api-trading-states": ("trading-states", {"state": "halted", "reason": "x"}, "operate"),
    "api-kill-switch": ("kill-switch", {"is_thrown": True, "reason": "x"}, "operate"),
    "api-sets": ("sets", {"name": "fresh", **HOLDS}, "operate"),
    "api-set-start": ("sets/steady/start", {"reason": "x"}, "operate"),
    "api-set-pause": ("sets/steady/pause", {"reason": "x"}, "operate"),
    "api-jobs": ("jobs", JOB, "research"),
    "api-job-cancel": ("jobs/waiting1/cancel", {}, "research"),
    "api-webhooks": ("webhooks", {"url": "https://93.184.215.14/", "family": "fills"}, "read"),
    "api-webhook-pause": ("webhooks/of-one/pause", {}, "read of one"),
    "api-webhook-resume": ("webhooks/of-one/resume", {}, "read of one"),
    "api-webhook-redrive": ("webhooks/of-one/redrive", {}, "read of one"),
    "api-webhook-rotate": ("webhooks/of-one/rotate", {}, "read of one"),
    "api-webhook-remove": ("webhooks/of-one/remove", {}, "read of one"),
}
MAY = {
    "read": {
        "nobody": 401, "client one": 202, "client two": 202, "viewer": 202, "quant": 202, "operator": 202,
        "platform": 202,
    },
    "read of one": {
        "nobody": 401, "client one": 202, "client two": 404, "viewer": 404, "quant": 404, "operator": 404,
        "platform": 404,
    },
    "trade": {
        "nobody": 401, "client one": 202, "client two": 403, "viewer": 403, "quant": 403, "operator": 202,
        "platform": 403,
    },
    "research": {
        "nobody": 401, "client one": 403, "client two": 403, "viewer": 403, "quant": 202, "operator": 403,
        "platform": 403,
    },
    "operate": {
        "nobody": 401, "client one": 403, "client two": 403, "viewer": 403, "quant": 403, "operator": 202,
        "platform": 403,
    },
}  # fmt: skip
MAY |= {f"operate, if it were {it}": MAY["operate"] | {"operator": at} for it, at in (("there", 404), ("one", 422))}


def test_every_address_that_something_is_done_by_is_in_the_table():
    doing = {each.name for each in urlpatterns if hasattr(getattr(each.callback, "cls", None), "act")}
    assert doing == set(WRITES)
    replacing = {each.name for each in urlpatterns if hasattr(getattr(each.callback, "cls", None), "replace")}
    assert replacing == set(REPLACED)


@pytest.mark.parametrize("name", sorted(WRITES))
def test_only_those_who_may_do_it(callers, name, settings):
    Webhook.objects.create(
        id="of-one", holder=callers["client one"].key[5:17], client="one", url="https://93.184.215.14/", family="fills",
        filters={}, places={}, salt=b"s", made_at=timezone.now(),
    )  # fmt: skip
    path, body, scope = WRITES[name]
    found = {}
    for who, caller in callers.items():
        headers = {"Authorization": f"Bearer {caller.key}"} if caller.key else {}
        response = Client().post(
            f"/api/v1/{path}", orjson.dumps(body), content_type="application/json",
            headers={**headers, "Idempotency-Key": "k-1"},
        )  # fmt: skip
        found[who] = response.status_code
    assert found == MAY[scope]
    assert settings.KILL_SWITCH.exists() == (name == "api-kill-switch")


@pytest.mark.parametrize("name", [name for name, (path, *_) in sorted(WRITES.items()) if "B1" in path] + ["api-orders"])
def test_anothers_account_is_as_one_that_there_is_not(callers, name, statements):
    path, body, scope = WRITES[name]
    callers["client one"].get("key")
    answers = []
    for account in ("B2", "B99"):
        changed = body | {"account": account} if "account" in body else body
        statements.clear()
        status, problem = told(post(callers["client one"], path.replace("B1", account), changed, key=account))
        answers.append((status, problem | {"request_id": ""}, list(statements)))
    assert answers[0] == answers[1]
    assert answers[0][0] == (404 if scope == "trade" else 403)
    assert waiting() == waiting("risk") == []


def test_acts_become_the_commands_that_people_give(callers):
    post(callers["client one"], *WRITES["api-cancel"][:2], key="1")
    post(callers["client one"], *WRITES["api-flatten"][:2], key="2")
    cancel, flatten = waiting()
    assert isinstance(cancel, CancelOrder)
    assert (cancel.instrument, cancel.decision) == ("OANDA:EURUSD", 7)
    assert isinstance(flatten, Flatten)
    assert flatten.reason.endswith("(one): enough")
    post(callers["operator"], *WRITES["api-account-state"][:2], key="1")
    (asked,) = waiting("risk")
    assert (type(asked), asked.state) == (SetTradingState, TradingState.HALTED)


@pytest.fixture
def clock(monkeypatch):
    """Time that goes on by sleeping alone."""
    now = [0.0]
    monkeypatch.setattr(versions.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(versions.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def test_a_read_waits_for_what_was_written(callers, clock, monkeypatch):
    version = told(post(callers["client one"], "orders", ORDER))[1]["version"]
    request = Request.objects.using("execution").get()
    path = f"orders?min_version={version}"
    response = callers["client one"].get(path)
    assert (response.status_code, told(response)[1]["code"], response.headers["Retry-After"]) == (
        503, "version-awaited", "1",
    )  # fmt: skip
    assert 1.0 <= clock[0] < 1.1
    LogKey.objects.using("execution").update_or_create(key=request.key, defaults={"number": 5})
    Mark.objects.create(reader="reporting", source="execution", key=request.key, number=4, received_at_ns=1)
    committed("execution", "DELETE FROM banyan_request")
    assert callers["client one"].get(path).status_code == 503
    slept = versions.time.sleep

    def sleep(seconds):  # reporting comes while somebody waits
        Mark.objects.update(number=5)
        slept(seconds)

    monkeypatch.setattr(versions.time, "sleep", sleep)
    before = clock[0]
    assert callers["client one"].get(path).status_code == 200
    assert clock[0] - before < 0.1


@pytest.mark.parametrize("version", ["x", "WyJhIl0", "WzEsMl0"])
def test_a_version_that_no_write_answered_with_is_refused(callers, version):
    assert callers["client one"].get(f"orders?min_version={version}").status_code == 400


# ---- what is replaced as it was read --------------------------------------------------------------------------------

REPLACED = {
    "api-set-definition": ("sets/steady/definition", HOLDS, "operate"),
    "api-set-settings": ("sets/steady/settings", {"multiplier": "0.5", "close_only": True}, "operate"),
    "api-account-settings": ("accounts/B1/settings/own", {"multiplier": "0.5", "close_only": True}, "trade"),
    "api-subscription": ("accounts/B1/subscriptions/steady", {"allocation": "0.25", "sizing": "vol:15"}, "operate"),
    "api-account-limits": ("accounts/B1/limits/own", {"limits": {"daily-loss": "5%"}, "reason": "x"}, "operate"),
    "api-all-limits": ("limits", {"limits": {"order": "7steps"}, "reason": "x"}, "operate"),
    "api-instrument-limits": (
        "instruments/OANDA:EURUSD/limits", {"limits": {"position": "5000lots"}, "reason": "x"}, "operate",
    ),
}  # fmt: skip


def put(caller, path, body, tag=""):
    headers = {"Authorization": f"Bearer {caller.key}"} if caller.key else {}
    headers |= {"If-Match": tag} if tag else {}
    return Client().put(f"/api/v1/{path}", orjson.dumps(body), content_type="application/json", headers=headers)


@pytest.mark.parametrize("name", sorted(REPLACED))
def test_only_those_who_may_replace_it(callers, name):
    path, body, scope = REPLACED[name]
    assert {who: put(caller, path, body, "*").status_code for who, caller in callers.items()} == MAY[scope]


@pytest.mark.parametrize("name", sorted(REPLACED))
def test_what_is_replaced_is_what_its_caller_has_read(callers, name):
    path, body, _ = REPLACED[name]
    caller = callers["operator"]
    assert told(put(caller, path, body))[1]["code"] == "tag-missing"
    read = caller.get(path)
    status, problem = told(put(caller, path, body, '"of another time"'))
    assert (status, problem["code"]) == (412, "changed-meanwhile")
    assert put(caller, path, body, read.headers["ETag"]).status_code == 202
    changed = caller.get(path)
    assert changed.headers["ETag"] != read.headers["ETag"]
    again = put(caller, path, body, read.headers["ETag"])
    assert (again.status_code, again.headers["ETag"]) == (412, changed.headers["ETag"])
    assert put(caller, path, body, f"W/{changed.headers['ETag']}").status_code == 202
    assert {act.outcome.is_done for act in Act.objects.select_related("outcome")} == {True}


def test_a_set_is_made_replaced_started_and_paused(callers):
    caller = callers["operator"]
    assert post(caller, "sets", {"name": "fresh", **HOLDS}, key="1").status_code == 202
    assert get_set("fresh").members[0].parameters == {"fast": 5, "slow": 20}
    status, problem = told(post(caller, "sets", {"name": "fresh", **HOLDS}, key="2"))
    assert (status, problem["code"]) == (422, "refused")
    assert "already" in problem["detail"]
    assert post(caller, "sets/fresh/start", {"reason": "go"}, key="3").status_code == 202
    assert post(caller, "sets/fresh/pause", {"reason": "stop"}, key="4").status_code == 202
    defined, started, paused = waiting("signals")
    assert (type(defined), type(started), type(paused)) == (DefineSet, RunSet, RunSet)
    assert (started.is_running, paused.is_running) == (True, False)
    assert put(caller, "sets/nobody/definition", HOLDS, "*").status_code == 404
    assert told(post(caller, "sets/nobody/start", {"reason": "go"}, key="5"))[0] == 422


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"members": []}, "members"), ({"members": [MEMBER | {"share": 2}]}, "members.0.share"),
        ({"members": [MEMBER, MEMBER | {"channels": []}]}, "members.1.channels"),
        ({"members": [MEMBER | {"parameters": {"fast": [1]}}]}, "members.0.parameters.fast"),
        ({"members": [MEMBER | {"lots": 1}]}, "members.0.lots"), ({"grace_seconds": -1}, "grace_seconds"),
    ],
)  # fmt: skip
def test_what_is_wrong_within_a_body_is_named_by_its_way_there(callers, change, field):
    status, body = told(post(callers["operator"], "sets", {"name": "fresh", **HOLDS, **change}))
    assert (status, body["code"]) == (400, "body-invalid")
    assert [each["field"] for each in body["errors"]] == [field]


@pytest.mark.parametrize("strategy", ["none", "tests/benchmarks/flip.py", "../../etc/passwd"])
def test_a_set_holds_strategies_that_are_shipped_and_no_files(callers, strategy):
    body = {"name": "fresh", "members": [MEMBER | {"strategy": strategy}]}
    status, problem = told(post(callers["operator"], "sets", body))
    assert (status, problem["code"]) == (422, "refused")
    assert "there is no strategy" in problem["detail"]


def test_settings_and_limits_become_the_commands_that_people_give(callers):
    caller = callers["operator"]
    for name in sorted(set(REPLACED) - {"api-set-definition"}):
        assert put(caller, *REPLACED[name][:2], "*").status_code == 202
    configured, subscribed = [each for each in waiting() if isinstance(each, ConfigureAccount | Subscribe)]
    assert (configured.multiplier_e9, configured.close_only, configured.lots_max_e9) == (500_000_000, True, -1)
    assert (subscribed.allocation_e9, subscribed.sizing, subscribed.sizing_number_e9) == (25 * 10**7, "vol", 15 * 10**9)
    assert any(each.multiplier_e9 == 500_000_000 for each in waiting() if isinstance(each, ConfigureSet))
    limits = [each for each in waiting("risk") if isinstance(each, SetLimits)]
    assert {(each.limits.daily_loss_e9_max, each.limits.order_steps_max, each.instrument) for each in limits} == {
        (5 * 10**7, -1, ""), (-1, 7, ""), (-1, -1, "OANDA:EURUSD"),
    }  # fmt: skip
    assert orjson.loads(caller.get("accounts/B1/settings/own").content)["multiplier"] == "0.5"
    assert orjson.loads(caller.get("accounts/B1/limits/own").content) == {"limits": {"daily-loss": "5%"}}
    assert Request.objects.using("risk").filter(key=Account.objects.using("execution").get(id="B1").shard).exists()


def test_a_setting_that_is_applied_but_not_read_yet_is_not_overwritten(callers, clock):
    caller, path = callers["client one"], "accounts/B1/settings/own"
    tag = caller.get(path).headers["ETag"]
    shard = Account.objects.using("execution").get(id="B1").shard
    LogKey.objects.using("execution").update_or_create(key=shard, defaults={"number": 5})
    Mark.objects.create(reader="reporting", source="execution", key=shard, number=4, received_at_ns=1)
    status, problem = told(put(caller, path, {"multiplier": "2"}, tag))
    assert (status, problem["code"]) == (503, "version-awaited")
    Mark.objects.update(number=5)
    assert put(caller, path, {"multiplier": "2"}, tag).status_code == 202


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("api-set-settings", {"sizing": "vol"}), ("api-account-settings", {"instruments": ["OANDA:NONE"]}),
        ("api-all-limits", {"limits": {"daily-loss": "5"}, "reason": "x"}),
        ("api-all-limits", {"limits": {"luck": "5%"}, "reason": "x"}),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused_in_words(callers, name, body):
    status, problem = told(put(callers["operator"], REPLACED[name][0], body, "*"))
    assert (status, problem["code"]) == (422, "refused")
    assert waiting() == waiting("risk") == []


def test_the_settings_of_anothers_account_are_as_those_of_none(callers):
    found = [told(put(callers["client one"], f"accounts/{each}/settings/own", {}, "*")) for each in ("B2", "B99")]
    assert found[0][1] | {"request_id": ""} == found[1][1] | {"request_id": ""}
    assert found[0][0] == 404
