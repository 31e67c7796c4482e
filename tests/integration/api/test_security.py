"""What an attacker would try of the API: fields that are not theirs, bombs, formulas, lines of their own."""

import csv
import io
from types import SimpleNamespace
from urllib.parse import quote

import orjson
import pytest
from django.test import Client
from rest_framework import serializers

from apps.api.doing import Body
from apps.api.rendering import Csv
from apps.api.urls import urlpatterns
from tests.integration.api.conftest import ALL
from tests.integration.api.test_writes import REPLACED, WRITES
from tests.integration.console.conftest import PASSWORD, person

pytestmark = [pytest.mark.django_db(databases=ALL), pytest.mark.usefixtures("commands_of_this_test")]
NOT_THEIRS = {
    "id": "x", "holder": "x", "client": "two", "scopes": ["operate"], "owner": "x", "user": "admin",
    "is_superuser": True,
    "secret": "x", "salt": "x", "at_ns": 1, "request_id": "x", "act": "x",
}  # fmt: skip


def headers_of(caller, **more):
    return {"Authorization": f"Bearer {caller.key}", "Idempotency-Key": "k-1", "If-Match": "*", **more}


def send(caller, path, body, method="post", **headers):
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    ask = getattr(Client(), method)
    return ask(f"/api/v1/{path}", content, content_type="application/json", headers=headers_of(caller, **headers))


def bodies():
    """Yield every body that a call of the API can have."""
    waiting = [Body]
    while waiting:
        known = waiting.pop().__subclasses__()
        yield from known
        waiting += known


@pytest.mark.parametrize("name", sorted(WRITES))
def test_a_field_that_nobody_has_asked_for_is_refused_by_name(callers, name):
    path, body, scope = WRITES[name]
    caller = callers[
        "client one" if scope in ("trade", "read of one") else {"research": "quant"}.get(scope, "operator")
    ]
    wanted = {field: value for field, value in NOT_THEIRS.items() if field not in body}
    answer = send(caller, path, body | wanted)
    known = set(_fields_of(name))
    assert answer.status_code == 400, answer.content
    told = {each["field"] for each in orjson.loads(answer.content)["errors"]}
    assert set(wanted) - known <= told


@pytest.mark.parametrize("name", sorted(REPLACED))
def test_what_is_replaced_takes_no_other_fields_either(callers, name):
    path, body, *_ = REPLACED[name]
    answer = send(callers["operator"], path, body | {"is_superuser": True}, "put")
    assert (answer.status_code, orjson.loads(answer.content)["errors"][0]["field"]) == (400, "is_superuser")


def _fields_of(name):
    view = next(each.callback.cls for each in urlpatterns if each.name == name)
    return view.body().fields


def test_no_body_says_whose_or_who():
    """Who asks and for which client is known by the key alone."""
    found = {name for each in bodies() for name in each().fields}
    assert not found & {"client", "holder", "owner", "scopes", "user", "is_superuser", "id", "request_id"}
    assert all(issubclass(each, serializers.Serializer) for each in bodies())


BOMBS = {
    "deep": b"[" * 30_000 + b"]" * 30_000, "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "nine levels": b"[" * 9 + b"]" * 9, "a number": b'{"reason": ' + b"9" * 60_000 + b"}", "half": b'{"reason": "x',
    "not text": b'{"reason": "\xff\xfe"}', "zero": b'{"reason": "a\x00b"}', "escaped zero": b'{"reason": "a\\u0000b"}',
    "half a pair": b'{"reason": "\\ud800"}', "nan": b'{"reason": NaN}', "a text": b'"reason"', "nothing": b"",
    "many keys": orjson.dumps({f"k{at}": at for at in range(5_000)}), "twice": b'{"reason": "a", "reason": ["b"]}',
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_bodies_that_are_made_to_harm_are_refused_in_words(callers, bomb):
    answer = send(callers["operator"], "trading-states", BOMBS[bomb])
    body = orjson.loads(answer.content)
    assert (answer.status_code, body["code"]) in ((400, "request-invalid"), (400, "body-invalid")), body
    assert len(answer.content) < 5_000


ZERO = {"limits": {"a\0": "5%"}, "reason": "x"}, {"limits": {"loss": ["\0"]}, "reason": "x"}


@pytest.mark.parametrize("body", ZERO)
def test_what_no_database_takes_is_refused_wherever_it_is(callers, body):
    """As names of fields too, which no serializer looks at."""
    answer = send(callers["operator"], "limits", body, "put")
    assert (answer.status_code, orjson.loads(answer.content)["code"]) == (400, "request-invalid")
    written = {"limits": {"a\\u0000": "5%"}, "reason": "x"}  # which says no such thing: it is only not known
    assert send(callers["operator"], "limits", written, "put").status_code == 422


@pytest.mark.parametrize(("levels", "is_refused"), [(7, False), (8, True)])
def test_what_is_deeper_than_anything_of_ours_is_not_looked_at(callers, levels, is_refused):
    answer = send(callers["operator"], "trading-states", b'{"reason": ' + b"[" * levels + b"]" * levels + b"}")
    assert ("deeper than 8 levels" in orjson.loads(answer.content)["detail"]) == is_refused


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0",
        "＝1+1", "＋1", "－1", "＠SUM(A1)", '=HYPERLINK("http://evil.example")', "-", "--1", "+", "-1e5", "-.", "-²",
    ],
)  # fmt: skip
def test_no_cell_of_a_csv_is_a_formula(text):
    row = {"name": text, "inner": [text], "lots": "-1.5", "value": -3, "none": None}
    context = {"view": SimpleNamespace(names_of=lambda request: list(row)), "request": None}
    table = io.StringIO(Csv().render({"data": [row]}, renderer_context=context).decode(), newline="")
    names, cells = csv.reader(table)
    told = dict(zip(names, cells, strict=True))
    assert told["name"] == f"'{text}"
    assert (told["lots"], told["value"], told["none"]) == ("-1.5", "-3", "")
    assert told["inner"].startswith("[")


@pytest.mark.parametrize(
    "path", ["accounts/A1{}", "orders?account=A1{}", "nothing{}", "orders?cursor={}", "streams/{}"]
)
@pytest.mark.parametrize("end", ["\r\nSet-Cookie: a=b", "\nX: y", "\u2028X: y", "\0"])
def test_no_header_is_written_by_who_asks(callers, path, end):
    answer = Client().get(f"/api/v1/{path.format(quote(end))}", headers=headers_of(callers["viewer"]))
    assert answer.status_code in (400, 404)
    assert "Set-Cookie" not in answer.headers
    assert all("\n" not in value and "\r" not in value for value in answer.headers.values())


def test_the_link_to_the_next_page_has_nothing_that_ends_it(callers, traded):
    answer = Client().get("/api/v1/orders?limit=1&sort=requested_at", headers=headers_of(callers["viewer"]))
    assert answer.headers["Link"].count("<") == answer.headers["Link"].count(">") == 1


def test_a_session_of_the_console_is_no_key(db):
    client = Client()
    client.force_login(person("boss", is_superuser=True, is_staff=True))
    for path in ("accounts", "key", "streams/orders"):
        assert client.get(f"/api/v1/{path}").status_code == 401
    post = {"content_type": "application/json", "headers": {"Idempotency-Key": "k"}}
    assert client.post("/api/v1/kill-switch", b"{}", **post).status_code == 401
    assert client.get("/api/v1/key", headers={"Authorization": f"Basic boss:{PASSWORD}"}).status_code == 401


def test_a_key_is_taken_from_its_header_alone(callers):
    key = callers["viewer"].key
    for path in (f"accounts?key={key}", f"accounts?access_token={key}", f"accounts?Authorization=Bearer+{key}"):
        assert Client().get(f"/api/v1/{path}").status_code in (400, 401)
    client = Client()
    client.cookies["key"] = key
    assert client.get("/api/v1/accounts").status_code == 401
