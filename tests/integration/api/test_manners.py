"""What every call has: problems with a code, ids, ETags, compression, limits."""

import gzip
from datetime import UTC, datetime

import orjson
import pytest
from django.db import OperationalError
from django.test import Client

from apps.api.deprecation import Deprecation, headers_of
from apps.api.problems import KINDS
from apps.api.resources import trading
from tests.integration.api.conftest import ALL

pytestmark = pytest.mark.django_db(databases=ALL)


def problem(response):
    assert response.headers["Content-Type"] == "application/problem+json"
    assert int(response.headers["Content-Length"]) == len(response.content)
    body = orjson.loads(response.content)
    kind = KINDS[body["code"]]
    assert (body["status"], body["title"], body["remedy"]) == (response.status_code, kind.title, kind.remedy)
    assert body["type"] == f"urn:banyan:problem:{body['code']}"
    assert body["request_id"] == response.headers["X-Request-Id"]
    return body


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"), ("limit=501", "limit"), ("limit=ten", "limit"), ("limit=99999999999999999999", "limit"),
        ("limit=1&limit=2", "limit"), ("since=yesterday", "since"), ("since=2026-13-01", "since"),
        ("since=2026-01-01T00:00:00.1234567891Z", "since"), ("until=1969-12-31T00:00:00Z", "until"),
        ("day=2026-02-30", "day"), ("state=lost", "state"), ("sort=price", "sort"), ("fields=lots,secret", "fields"),
        ("fields=lots,lots", "fields"), ("account=%00", "account"), ("page=2", "page"), ("format=xml", "format"),
        ("account=" + "A" * 500, "account"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(callers, query, parameter):
    body = problem(callers["viewer"].get(f"orders?{query}"))
    assert body["code"] == "parameter-invalid"
    assert [each["parameter"] for each in body["errors"]] == [parameter]


@pytest.mark.parametrize(
    "cursor", ["x", "bnVsbA", "WyIiLDFd", "W10", "%00", "WyItcmVxdWVzdGVkX2F0IiwxZTQwMCwiIiwiIiwxXQ"]
)
def test_a_cursor_that_is_none_of_ours_is_refused(callers, cursor):
    assert problem(callers["viewer"].get(f"orders?cursor={cursor}"))["code"] in ("cursor-invalid", "parameter-invalid")


@pytest.mark.usefixtures("traded")
def test_a_cursor_belongs_to_its_sort(callers):
    cursor = orjson.loads(callers["viewer"].get("orders?limit=1").content)["next"]
    assert problem(callers["viewer"].get(f"orders?cursor={cursor}&sort=requested_at"))["code"] == "cursor-invalid"


def test_the_next_page_is_in_the_header_link_too(callers, traded):
    response = callers["viewer"].get("orders?limit=1&set=trend")
    cursor = orjson.loads(response.content)["next"]
    assert response.headers["Link"] == f'</api/v1/orders?limit=1&set=trend&cursor={cursor}>; rel="next"'
    assert "Link" not in callers["viewer"].get("orders?limit=500").headers


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("get", "/api/v1/nothing", "not-found"), ("get", "/api/", "not-found"), ("post", "/api/v2/orders", "not-found"),
        ("delete", "/api/v1/version", "method-refused"), ("options", "/api/v1/version", "method-refused"),
        ("get", "/api/v1/orders/A1/X/" + "9" * 30, "not-found"), ("get", "/api/v1/accounts/%00", "not-found"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_a_problem_too(method, path, code):
    assert problem(getattr(Client(), method)(path))["code"] == code


def test_a_bug_tells_nothing_of_itself_but_an_id(callers, monkeypatch, caplog):
    def fail(*_, **__):
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(trading.reporting, "orders", fail)
    response = callers["viewer"].get("orders", **{"X-Request-Id": "mine-1"})
    assert problem(response)["code"] == "internal"
    assert b"secret of the house" not in response.content
    assert response.headers["X-Request-Id"] == "mine-1"
    assert "the secret of the house" in caplog.text


def test_a_database_that_is_away_is_a_503_and_worth_another_try(callers, monkeypatch):
    def fail(*_, **__):
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(trading.reporting, "orders", fail)
    response = callers["viewer"].get("orders")
    assert (problem(response)["code"], response.headers["Retry-After"]) == ("unavailable", "2")


@pytest.mark.parametrize("given", ["two words", "", "x" * 65, "a\r\nb", "é"])
def test_a_request_id_that_could_do_harm_is_not_taken_over(given):
    found = Client().get("/api/v1/version", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert found != given
    assert len(found) == 32


def test_what_a_caller_has_already_is_not_sent_again(callers, traded):
    response = callers["viewer"].get("orders?limit=5")
    tag = response.headers["ETag"]
    again = callers["viewer"].get("orders?limit=5", **{"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert callers["viewer"].get("orders?limit=6", **{"If-None-Match": tag}).status_code == 200
    assert callers["viewer"].get("orders?limit=5", **{"If-None-Match": f'"x", W/{tag}'}).status_code == 304


def test_answers_are_compressed_for_those_who_can_read_it(callers, traded):
    plain = callers["viewer"].get("orders?limit=50")
    packed = callers["viewer"].get("orders?limit=50", **{"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert len(packed.content) < len(plain.content) / 3


def test_bodies_are_limited_before_they_are_read():
    client = Client()
    post = {"content_type": "application/json"}
    assert problem(client.post("/api/v1/version", b"x" * 65_537, **post))["code"] == "body-too-large"
    packed = client.post("/api/v1/version", gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"}, **post)
    assert problem(packed)["code"] == "media-type-refused"


def test_nothing_else_of_the_site_is_touched():
    response = Client().get("/health")
    assert "X-Request-Id" not in response.headers


def test_the_contract_and_the_page_to_read_it_need_no_key_and_no_other_host(callers):
    page = Client().get("/api/docs")
    assert page.status_code == 200
    assert b"http://" not in page.content
    assert b"https://" not in page.content
    assert b"<style" not in page.content
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert Client().get("/api/v1/openapi.json").json()["openapi"] == "3.1.1"


@pytest.mark.usefixtures("traded")
def test_what_is_on_its_way_out_is_said_with_every_answer_that_it_is_in(callers):
    caller = callers["viewer"]
    page = caller.get("fills?limit=1")
    assert page.headers["Deprecation"] == "@1795737600"
    assert "Sunset" not in page.headers
    onward, warned = page.headers["Link"].split(", ")
    assert onward.endswith('rel="next"')
    assert warned == '</api/docs>; rel="deprecation"'
    (fill,) = orjson.loads(page.content)["data"]
    assert fill["set"] == fill["book"]
    order = caller.rows("orders?state=filled")[0]
    detail = caller.get(f"orders/{order['account']}/{order['instrument']}/{order['decision']}")
    assert detail.headers["Deprecation"] == "@1795737600"
    for other in ("fills?fields=account,set", "orders", "fills?limit=0", "version"):
        assert "Deprecation" not in caller.get(other).headers
    kept = orjson.loads(Client().get("/api/v1/openapi.json").content)["components"]["schemas"]
    assert [name for name, of in kept["Fill"]["properties"].items() if of.get("deprecated")] == ["book"]


def test_what_goes_first_is_said():
    early, late = (datetime(2030, month, 1, tzinfo=UTC) for month in (1, 6))
    headers = headers_of([Deprecation(late), Deprecation(early, sunset=late), Deprecation(late, sunset=early)])
    assert headers["Deprecation"] == f"@{int(early.timestamp())}"
    assert headers["Sunset"] == "Tue, 01 Jan 2030 00:00:00 GMT"
    assert headers_of([]) == {}
