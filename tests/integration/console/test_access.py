"""Who may do what: every address of the console is in the table below, and for everybody who may come."""

import pytest
from django.urls import get_resolver, reverse

from apps.console.access import OPERATE
from apps.console.acts import KINDS
from apps.console.urls import urlpatterns
from tests.integration.console.conftest import ALL

pytestmark = pytest.mark.django_db(databases=ALL)

SIGN_IN, NOT, OK, LED_ON = "sent to sign in", 403, 200, 302
PAGES = {"nobody": SIGN_IN, "stranger": NOT, "viewer": OK, "operator": OK, "administrator": OK}
ACTS = {"nobody": SIGN_IN, "stranger": NOT, "viewer": NOT, "operator": OK, "administrator": OK}
ADMINISTRATORS = ACTS | {"operator": NOT}
ANYBODY = PAGES | {"stranger": OK}
POSTED = dict.fromkeys(PAGES, 405) | {"nobody": SIGN_IN}
UNKNOWN = {"operator": 422, "administrator": 422}
"""Of acts on what there is not."""
TABLE = {
    "overview": PAGES,
    "dead-letters": PAGES,
    "orders": PAGES,
    "order-form": PAGES,
    "unknown": PAGES,
    "fills": PAGES,
    "settings-form": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "order": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "accounts": PAGES,
    "account": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "equity": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "risk": PAGES,
    "limits": PAGES,
    "sets": PAGES,
    "set-edit": PAGES,
    **dict.fromkeys(("set", "set-settings"), PAGES | {"viewer": 404, "operator": 404, "administrator": 404}),
    "research": PAGES,
    "run": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "curve": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "compare": PAGES | {"viewer": 422, "operator": 422, "administrator": 422},
    "markets": PAGES,
    "quarantine": PAGES,
    **dict.fromkeys(
        ("feed-quarantine", "quarantined", "feed-quarantined"),
        PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    ),
    "feed": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "instrument": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "bars": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "alerts": PAGES,
    "alert-rule": PAGES,
    "jobs": PAGES,
    "job-form": PAGES,
    "job": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "job-report": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "job-submit": ACTS | {"operator": LED_ON, "administrator": LED_ON},
    "job-cancel": ACTS | {"operator": LED_ON, "administrator": LED_ON},
    "people": ADMINISTRATORS,
    "person": ADMINISTRATORS | {"administrator": 404},
    "you": ANYBODY,
    **dict.fromkeys(
        (
            "you-password",
            "you-add-factor",
            "you-remove-factor",
            "you-new-codes",
            "you-end-session",
            "you-passkey-options",
            "you-add-passkey",
            "you-remove-passkey",
        ),
        POSTED,
    ),
    "sign-in-passkey": dict.fromkeys(PAGES, 405),
    "sign-in-code": dict.fromkeys(PAGES, SIGN_IN),
    "audit": PAGES,
    "find": PAGES,
    "streams": PAGES,
    "step": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "follow-request": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "follow-step": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "follow-order": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "dead-letter": PAGES | {"viewer": 404, "operator": 404, "administrator": 404},
    "configuration": ACTS,
    "act": ACTS,
    "stream": {"nobody": 401, "stranger": 401, "viewer": OK, "operator": OK, "administrator": OK},
    "sign-in": dict.fromkeys(PAGES, OK),
    "sign-out": dict.fromkeys(PAGES, 405),  # only by POST, so that no link or picture signs anybody out
}
ARGUMENTS = {
    "account": ["NOBODY"], "settings-form": ["NOBODY"], "equity": ["NOBODY"], "order": ["NOBODY", "SIM:EURUSD", 1],
    "set": ["nothing"], "set-settings": ["nothing"],
    "feed": ["none"], "feed-quarantine": ["none"], "quarantined": [987_654_321], "feed-quarantined": ["none", 1, 0],
    "instrument": ["SIM:NONE"], "bars": ["SIM:NONE"],
    "person": ["nobody"], "job": ["nothing"], "job-report": ["nothing"],
    "job-cancel": ["nothing"], "run": ["nothing"], "curve": ["nothing"], "step": ["risk", "00", 1],
    "follow-step": ["risk", "00", 1], "follow-request": ["nobody's"],
    "follow-order": ["NOBODY", "SIM:EURUSD", 1], "dead-letter": ["risk", 1],
}  # fmt: skip
ABOUT = {
    "set": "nothing",
    "instrument": "SIM:NONE",
    "limits": "order=none",
    "members": "ema_cross",
    "find": "nobody",
    "count": "1",
    "account": "NOBODY",
    "feed": "oanda",
    "context": "risk",
    "key": "0",
    "letter": "1",
    "user": "stranger",
    "role": "viewers",
    "alert": "1",
    "rule": "Orders are UNKNOWN",
    "subject": "",
    "minutes": "60",
    "silence": "1",
    "measure": "lag",
    "bound": "10",
    "clears_below": "5",
    "for_seconds": "10",
    "is_grave": "no",
    "is_on": "yes",
    "mail_to": "",
    "record": "1",
    "time": "",
    "values": "",
    "reason": "jump",
    "file": "",
    "places": "1.0",
    "settings": "multiplier=2",
    "lots": "1",
    "limit": "",
    "stop": "",
    "in_force": "gtc",
    "until": "",
    "decision": "1",
    "proposal": "1",
    "series": "1",
}


def visit(client, user, path, method="get"):
    client.logout()
    if user is not None:
        client.force_login(user)
    response = getattr(client, method)(path)
    if response.status_code == 302 and response.headers["Location"].startswith("/sign-in/"):
        return SIGN_IN
    return response.status_code


def test_every_address_is_in_the_table():
    assert {each.name for each in urlpatterns} == set(TABLE)


def test_nothing_is_served_but_the_console_and_the_records():
    assert {str(each.pattern) for each in get_resolver().url_patterns} == {
        "",
        "admin/",
        "admin/login/",
        "admin/logout/",
    }


@pytest.mark.parametrize("name", sorted(set(TABLE) - {"act"}))
def test_pages_open_for_those_who_may_see_them(client, people, kill_switch, monkeypatch, name):
    # That of the test is in the middle of a transaction, which its client keeps requests from closing.
    monkeypatch.setattr("apps.console.stream.close_old_connections", lambda: None)
    found = {who: visit(client, user, reverse(name, args=ARGUMENTS.get(name))) for who, user in people.items()}
    assert found == TABLE[name]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_only_operators_are_asked_whether_they_mean_it(client, people, kill_switch, name):
    path = reverse("act", args=[name]) + "?" + "&".join(f"{key}={ABOUT[key]}" for key in KINDS[name].about)
    told = ACTS if KINDS[name].permission == OPERATE else ADMINISTRATORS
    if set(KINDS[name].about) & {"set", "instrument", "find", "alert", "settings", "proposal"}:
        told = told | UNKNOWN
    if name in ("quarantine.release", "quarantine.discard", "quarantine.release-live"):  # there is no such record
        told = told | UNKNOWN
    if name == "person.remove-factor":  # the stranger has none
        told = told | {"administrator": 422}
    assert {who: visit(client, user, path) for who, user in people.items()} == told


@pytest.mark.parametrize("who", ["nobody", "stranger", "viewer"])
def test_whoever_may_not_act_changes_nothing_by_asking_all_the_same(client, people, kill_switch, who):
    if people[who] is not None:
        client.force_login(people[who])
    response = client.post(reverse("act", args=["kill-switch.throw"]), {"why": "I can", "word": "STOP"})
    assert response.status_code in (302, 403)
    assert not kill_switch.exists()


def test_records_are_for_staff_and_are_reached_by_the_same_sign_in(client, people):
    assert client.get("/admin/").headers["Location"] == "/admin/login/?next=/admin/"
    assert client.get("/admin/login/?next=/admin/").headers["Location"] == "/sign-in/?next=/admin/"
    client.force_login(people["administrator"])
    assert client.get("/admin/").status_code == 200
