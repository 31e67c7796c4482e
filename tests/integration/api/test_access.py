"""Who may call what: every address of the API is in the table below, for everybody who may come."""

from datetime import timedelta

import orjson
import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.api.keys import Wanted, WrongKeyError, make, revoke, rotate
from apps.api.models import Allowance, Key
from apps.api.urls import urlpatterns
from tests.integration.api.conftest import ALL, CALLERS, Caller

pytestmark = [pytest.mark.django_db(databases=ALL), pytest.mark.usefixtures("traded")]

WHO = ("nobody", *CALLERS)


def row(*answers):
    return dict(zip(WHO, answers, strict=True))


EVERYBODY = row(200, 200, 200, 200, 200, 200, 200)
READ = row(401, 200, 200, 200, 200, 200, 200)
OF_ONE = row(401, 200, 404, 200, 200, 200, 200)
FIRM = row(401, 403, 403, 200, 200, 200, 200)
NONE = row(401, 403, 403, 404, 404, 404, 404)
RESEARCH = row(401, 403, 403, 403, 200, 403, 403)
OPERATE = row(401, 403, 403, 403, 403, 200, 403)
OF_STAGES = row(401, 403, 403, 403, 403, 403, 404)
EXTRACT = row(401, 403, 403, 403, 403, 403, 200)
POST_ONLY = dict.fromkeys(WHO, 405)  # who may, is in the table of test_writes
TABLE = {
    "api-version": EVERYBODY,
    "api-live": EVERYBODY,
    "api-ready": EVERYBODY,
    "api-contract": EVERYBODY,
    "api-docs": EVERYBODY,
    "api-missing": dict.fromkeys(WHO, 404),
    "api-key": READ,
    "api-instruments": READ,
    "api-instrument": READ,
    "api-bars": row(401, 404, 404, 404, 404, 404, 404),
    "api-ticks": row(401, 404, 404, 404, 404, 404, 404),
    "api-feeds": FIRM,
    "api-feed": NONE,
    "api-feed-quarantine": NONE,
    "api-quarantine": FIRM,
    "api-quarantined": NONE,
    "api-feed-quarantined": NONE,
    "api-feed-quarantine-release": POST_ONLY,
    **dict.fromkeys(("api-quarantine-release", "api-quarantine-discard", "api-feed-quarantine-discard"), POST_ONLY),
    "api-strategies": FIRM,
    "api-strategy": FIRM,
    "api-sets": FIRM,
    "api-set": NONE,
    "api-set-definition": NONE,
    "api-set-settings": NONE,
    "api-set-start": POST_ONLY,
    "api-set-pause": POST_ONLY,
    "api-signals": FIRM,
    "api-signal": NONE,
    "api-runs": RESEARCH,
    "api-run": RESEARCH | {"quant": 404},
    "api-runs-compared": RESEARCH | {"quant": 404},
    "api-jobs": RESEARCH,
    "api-job": RESEARCH | {"quant": 404},
    "api-job-result": RESEARCH | {"quant": 404},
    "api-job-report": RESEARCH | {"quant": 404},
    "api-job-cancel": POST_ONLY,
    "api-accounts": READ,
    "api-account": OF_ONE,
    "api-equity": OF_ONE,
    "api-settings": OF_ONE,
    "api-subscriptions": OF_ONE,
    "api-restrictions": OF_ONE,
    "api-account-settings": row(401, 404, 404, 404, 404, 404, 404),
    "api-subscription": NONE,
    "api-account-limits": NONE,
    "api-all-limits": FIRM,
    "api-instrument-limits": FIRM,
    "api-limits": row(401, 404, 404, 404, 404, 404, 404),
    "api-orders": READ,
    "api-order": OF_ONE,
    "api-fills": READ,
    "api-refusals": READ,
    "api-skips": READ,
    "api-positions": READ,
    "api-pnl": READ,
    "api-trading-states": FIRM,
    "api-kill-switch": FIRM,
    "api-contexts": FIRM,
    "api-stages": EXTRACT,
    "api-stage-changes": OF_STAGES,
    "api-comparisons": OF_STAGES,
    "api-differences": OF_STAGES,
    "api-readiness": OF_STAGES,
    "api-dead-letters": OPERATE,
    "api-audit": OPERATE,
    "api-webhooks": READ,
    "api-webhook": row(401, 404, 404, 404, 404, 404, 404),
    "api-deliveries": row(401, 404, 404, 404, 404, 404, 404),
    "api-webhook-pause": POST_ONLY,
    "api-webhook-resume": POST_ONLY,
    "api-webhook-remove": POST_ONLY,
    "api-webhook-redrive": POST_ONLY,
    "api-webhook-rotate": POST_ONLY,
    "api-stream": READ,
    "api-cancel": POST_ONLY,
    "api-flatten": POST_ONLY,
    "api-resume": POST_ONLY,
    "api-account-state": POST_ONLY,
}
NAMES = {
    "account": "A1", "instrument": "OANDA:EURUSD", "feed": "none", "strategy": "sma_cross", "set": "none",
    "run": "none", "job": "none", "webhook": "none", "family": "fills", "record": 987_654_321, "number": 1, "event": 0,
    "context": "none",
}  # fmt: skip
NOBODYS = {"account": "nobody's"}  # what is asked of execution and risk, which know none of these accounts
OF_ADDRESS = {
    "api-limits": NOBODYS, "api-account-settings": NOBODYS, "api-account-limits": NOBODYS, "api-subscription": NOBODYS,
    "api-missing": {},
}  # fmt: skip


def test_every_address_is_in_the_table():
    assert {each.name for each in urlpatterns} == set(TABLE)


def path_of(name, orders):
    if name == "api-missing":
        return "/api/v1/nothing"
    if name in ("api-order", "api-cancel"):
        return reverse(name, kwargs={key: orders[0][key] for key in ("account", "instrument", "decision")})
    pattern = next(each for each in urlpatterns if each.name == name).pattern
    names = NAMES | OF_ADDRESS.get(name, {})
    path = reverse(name, kwargs={key: names[key] for key in pattern.converters})
    return path + {"api-bars": "?interval=1h", "api-runs-compared": "?runs=one,two"}.get(name, "")


@pytest.mark.parametrize("name", sorted(TABLE))
def test_everybody_gets_what_the_table_says(callers, settings, tmp_path, name):
    settings.KILL_SWITCH = tmp_path / "kill_switch"
    path = path_of(name, callers["viewer"].rows("orders?account=A1"))
    found = {}
    for who, caller in callers.items():
        headers = {"Authorization": f"Bearer {caller.key}"} if caller.key else {}
        found[who] = Client().get(path, headers=headers).status_code
    assert found == TABLE[name]


OF_A1 = [name for name, answers in sorted(TABLE.items()) if answers is OF_ONE]
FOUND = ["accounts/A1/limits", "accounts/A1/settings/own", *(f"{each}?account=A1" for each in sorted(
    ("orders", "fills", "positions", "pnl", "refusals", "skips")))]  # fmt: skip


@pytest.mark.parametrize("name", [*OF_A1, *FOUND])
def test_what_is_anothers_is_answered_as_what_is_not_there_and_takes_as_long(callers, statements, name):
    """How long an answer takes is what is asked of databases for it: that is the same, statement by statement."""
    path = name if name in FOUND else path_of(name, callers["viewer"].rows("orders?account=A1"))
    answers = []
    for each in ("A1", "A1", "A99"):  # the first finds out what is asked once in a process, or once a minute of a key
        statements.clear()
        answer = callers["client two"].get(path.removeprefix("/api/v1/").replace("A1", each))
        told = orjson.loads(answer.content)
        answers.append((answer.status_code, told | {"request_id": ""}, list(statements)))
    _, theirs, nobodys = answers
    assert theirs == nobodys
    assert (theirs[0], len(theirs[2]) > 1) == (200 if "?" in name else 404, True)
    assert theirs[1].get("data", []) == []


def test_a_client_that_asks_for_anothers_rows_is_told_that_there_are_none(callers):
    assert callers["client one"].rows("orders?account=A3") == []
    assert callers["client one"].rows("positions?account=A3") == []
    assert callers["client one"].get("orders?client=two").status_code == 404
    assert callers["client one"].rows("orders?client=one") == callers["client one"].rows("orders")


def answer(key, **headers):
    response = Client().get("/api/v1/key", headers={"Authorization": f"Bearer {key}", **headers})
    body = orjson.loads(response.content)
    return response.status_code if response.status_code == 200 else (response.status_code, body["code"])


def test_a_key_is_good_until_it_expires_or_is_revoked():
    key, written = make(Wanted("reports", ["read"]))
    assert answer(written) == 200
    Key.objects.filter(id=key.id).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert answer(written) == (401, "key-outdated")
    revoke(key.id)
    assert answer(written) == (401, "key-revoked")
    with pytest.raises(WrongKeyError, match="revoked already"):
        revoke(key.id)


def test_no_text_but_the_whole_key_is_the_key():
    _, written = make(Wanted("reports", ["read"]))
    _, other = make(Wanted("others", ["read"]))
    swapped = written[:18] + other[18:]
    for wrong in (written[:-1], written + "A", swapped, written.upper(), "", "bnyn_", "bnyn_" + "é" * 12):
        assert answer(wrong) in ((401, "key-unknown"), (401, "key-missing"))


def test_the_secret_is_kept_nowhere():
    key, written = make(Wanted("reports", ["read"]))
    secret = written.split("_", 2)[2]
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT k::text FROM api_key AS k WHERE id = %s", [key.id])
        assert secret not in cursor.fetchone()[0]


def test_a_key_that_was_rotated_goes_on_for_as_long_as_both_overlap():
    key, written = make(Wanted("robot", ["read", "trade"], "one", networks=["127.0.0.0/8"], streams=7))
    new, new_written = rotate(key.id, days=30, overlap_hours=1)
    assert (new.scopes, new.client, new.networks, new.replaces) == (["read", "trade"], "one", ["127.0.0.0/8"], key.id)
    assert new.streams == 7
    assert answer(written) == answer(new_written) == 200
    key.refresh_from_db()
    assert key.expires_at <= timezone.now() + timedelta(hours=1)
    rotate(new.id, days=30, overlap_hours=0)
    assert answer(new_written) == (401, "key-outdated")


def test_a_key_is_used_from_its_networks_alone():
    _, inside = make(Wanted("robot", ["read"], networks=["10.0.0.0/8", "127.0.0.1"]))
    _, outside = make(Wanted("robot", ["read"], networks=["10.0.0.0/8", "2001:db8::/32"]))
    assert answer(inside) == 200
    assert answer(outside) == (403, "address-refused")


def test_who_may_not_use_a_key_takes_none_of_its_calls():
    networked, elsewhere = make(Wanted("robot", ["read"], networks=["10.0.0.0/8"]))
    key, written = make(Wanted("robot", ["read"]))
    assert answer(elsewhere) == (403, "address-refused")
    assert answer(written[:-1] + ("A" if written[-1] != "A" else "B")) == (401, "key-unknown")
    revoked, gone = make(Wanted("robot", ["read"]))
    revoke(revoked.id)
    assert answer(gone) == (401, "key-revoked")
    assert not Allowance.objects.filter(key__in=[networked.id, key.id, revoked.id]).exists()


def test_the_last_use_is_known_to_a_minute():
    key, written = make(Wanted("robot", ["read"]))
    before = timezone.now()
    answer(written)
    key.refresh_from_db()
    assert before <= key.used_at <= timezone.now()


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Wanted("x", ["write"]), "no scope write"),
        (Wanted("x", []), "needs a scope"),
        (Wanted("x", ["read", "operate"], "acme"), "cannot have operate"),
        (Wanted(" ", ["read"]), "say what"),
        (Wanted("x", ["read"], days=0), "1 to 3650"),
        (Wanted("x", ["read"], networks=["10.0.0.1/8"]), "no network"),
        (Wanted("x", ["read"], networks=["fe80::1%" + "x" * 40]), "no network"),
        (Wanted("x", ["read"], "x" * 65), "64 printable"),
        (Wanted("x", ["read"], "a\nb"), "64 printable"),
        (Wanted("x", ["read"], calls_per_minute=0), "calls a minute"),
        (Wanted("x", ["read"], streams=0), "streams open"),
    ],
)
def test_a_key_that_cannot_be_is_refused(wanted, why):
    with pytest.raises(WrongKeyError, match=why):
        make(wanted)


def test_calls_are_counted_and_those_beyond_have_to_wait(monkeypatch):
    _, written = make(Wanted("robot", ["read"], calls_per_minute=3))
    now = timezone.now()
    monkeypatch.setattr("apps.api.access.timezone.now", lambda: now)
    caller = Caller(written, Client())
    left = [caller.get("key").headers["RateLimit"] for _ in range(3)]
    assert left == ['"key";r=2;t=20', '"key";r=1;t=40', '"key";r=0;t=60']
    refused = caller.get("key")
    assert (refused.status_code, orjson.loads(refused.content)["code"]) == (429, "rate-limited")
    assert refused.headers["RateLimit-Policy"] == '"key";q=3;w=60'
    assert refused.headers["Retry-After"] == "20"
    now += timedelta(seconds=20)
    assert [caller.get("key").status_code for _ in range(2)] == [200, 429]


def test_one_place_says_whose_rows_a_caller_sees():
    import ast
    from pathlib import Path

    for path in Path("apps/api").rglob("*.py"):
        if path.name == "tenancy.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                {node.id} if isinstance(node, ast.Name) else {node.attr} if isinstance(node, ast.Attribute) else set()
            )
            assert "Scope" not in names, f"{path}: only tenancy.py makes a Scope"
