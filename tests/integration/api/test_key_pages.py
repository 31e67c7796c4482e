"""Keys of the API in the console: made, shown once, rotated, revoked, and each of it recorded."""

import re
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.api.key_acts import KINDS
from apps.api.key_urls import urlpatterns
from apps.api.keys import Wanted, make
from apps.api.models import Key
from apps.console.models import Act
from apps.console.sessions import CONFIRMED
from tests.integration.console.conftest import ALL, PASSWORD, people  # noqa: F401  (a fixture)
from tests.integration.console.test_access import ADMINISTRATORS, visit

pytestmark = pytest.mark.django_db(databases=ALL)
NEW = {"name": "ACME's robot", "client": "acme", "scope": ["read", "trade"], "days": "30", "calls": "60",
       "streams": "5", "networks": "127.0.0.0/8, 203.0.113.7", "why": "they asked"}  # fmt: skip


@pytest.fixture
def administrator(client, people):  # noqa: F811
    """Somebody who may change users, and signed in long ago."""
    client.force_login(people["administrator"])
    return client


def shown(response):
    (written,) = re.findall(r"bnyn_[a-z2-7]{12}_[A-Za-z0-9_-]{43}", response.content.decode())
    return written


def called(written):
    return Client().get("/api/v1/key", headers={"Authorization": f"Bearer {written}"}).status_code


@pytest.mark.parametrize("name", [each.name for each in urlpatterns])
def test_pages_open_for_those_who_may_change_people(client, people, name):  # noqa: F811
    key, _ = make(Wanted("reports", ["read"]))
    path = reverse(name, args=[key.id] if name == "api-key-rotate" else [])
    assert {who: visit(client, user, path) for who, user in people.items()} == ADMINISTRATORS


@pytest.mark.parametrize("kind", KINDS)
def test_only_they_are_asked_whether_they_mean_it(client, people, kind):  # noqa: F811
    key, _ = make(Wanted("reports", ["read"]))
    path = f"{reverse('act', args=[kind.name])}?key={key.id}"
    assert kind.asks_who
    assert {who: visit(client, user, path) for who, user in people.items()} == ADMINISTRATORS


def test_a_key_is_made_shown_once_and_kept_nowhere(administrator):
    path = reverse("api-key-new")
    asked = administrator.post(path, NEW)
    assert asked.status_code == 422  # who asks has to prove it first
    assert not Key.objects.exists()
    response = administrator.post(path, NEW | {"password": PASSWORD})
    written = shown(response)
    assert response.headers["Cache-Control"] == "no-store"
    key = Key.objects.get()
    assert (key.client, key.scopes, key.networks, key.calls_per_minute, key.streams) == (
        "acme", ["read", "trade"], ["127.0.0.0/8", "203.0.113.7"], 60, 5,
    )  # fmt: skip
    assert timedelta(days=29) < key.expires_at - timezone.now() <= timedelta(days=30)
    assert called(written) == 200
    secret = written.split("_", 2)[2]
    assert secret not in administrator.get(reverse("api-keys")).content.decode()
    act = Act.objects.get()
    assert (act.name, act.subject, act.why) == ("key.make", "ACME's robot", "they asked")
    assert act.outcome.after["key"] == key.id
    with connections["default"].cursor() as cursor:
        for table in ("console_act", "console_outcome", "api_key", "django_session"):
            cursor.execute(f"SELECT string_agg(t::text, '') FROM {table} AS t")
            assert secret not in (cursor.fetchone()[0] or "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scope": ["read", "operate"]}, "cannot have operate"), ({"scope": []}, "a key needs a scope"),
        ({"networks": "10.0.0.1/8"}, "is no network"), ({"days": "0"}, "1 to 3650 days"), ({"days": "x"}, "no whole"),
        ({"name": " "}, "say what the key is for"), ({"why": " "}, "Say why"), ({"password": "wrong"}, "password"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_in_the_form_and_nothing_is_made(administrator, change, words):
    response = administrator.post(reverse("api-key-new"), NEW | {"password": PASSWORD} | change)
    assert response.status_code == 422
    assert words in response.context["problem"]
    assert not Key.objects.exists()


def test_a_key_is_rotated_with_an_overlap_and_revoked_at_once(administrator):
    key, written = make(Wanted("robot", ["read"], "acme"))
    session = administrator.session
    session[CONFIRMED] = timezone.now().timestamp()
    session.save()
    path = reverse("api-key-rotate", args=[key.id])
    assert administrator.post(path, {"days": "30", "overlap": "721", "why": "x"}).status_code == 422
    new = shown(administrator.post(path, {"days": "30", "overlap": "2", "why": "it is time"}))
    key.refresh_from_db()
    assert key.expires_at <= timezone.now() + timedelta(hours=2)
    assert [called(each) for each in (written, new)] == [200, 200]
    listed = administrator.get(reverse("api-keys")).content.decode()
    assert listed.count("never") == 0  # both were used just now
    revoked = administrator.post("/act/key.revoke/", {"key": key.id, "why": "it leaked", "next": "/keys/"})
    assert revoked.headers["Location"] == "/keys/"
    assert [called(each) for each in (written, new)] == [401, 200]
    assert key.id not in [each.id for each in administrator.get("/keys/").context["keys"]]
    assert "revoked" in administrator.get("/keys/?all=1").content.decode()
    assert administrator.get("/keys/nothing/rotate/").status_code == 404
    assert administrator.get("/act/key.revoke/?key=nothing").status_code == 422
