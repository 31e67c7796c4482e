"""The short way of calls: the same answers as by the long one, connections that stay, and all else left to others."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
from django.db import connections
from django.test import Client

from apps.api import news, serving
from apps.api.keys import Wanted, make
from apps.api.models import Key
from apps.api.serving import Calls
from tests.integration.api.conftest import ALL
from tests.patience import wait_until

pytestmark = [pytest.mark.django_db(databases=ALL), pytest.mark.usefixtures("traded")]
STREAMS = 100
CHANGING = ("x-request-id", "ratelimit", "date")


@pytest.fixture
def key(django_db_blocker):
    """A key that is committed, so that other threads know it."""

    def apart(do):
        def run():
            with django_db_blocker.unblock():
                made.append(do())
                connections.close_all()

        made: list = []
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return made[0]

    yield apart(lambda: make(Wanted("reads", ("read",), calls_per_minute=1_000_000, streams=STREAMS))[1])
    apart(lambda: Key.objects.all().delete())


async def not_ours(scope, receive, send):
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"elsewhere"})


@pytest.fixture
def reads(key, django_db_blocker):
    with ThreadPoolExecutor(1) as threads:
        yield Calls(not_ours, threads)
        with django_db_blocker.unblock():
            threads.submit(connections.close_all).result()


class Gate:
    """A road that counts who waits for it."""

    def __init__(self):
        self.waited = 0

    async def let_go_first(self):
        self.waited += 1


def test_what_is_answered_here_lets_go_first_who_decides_about_orders(reads, key):
    reads._road = Gate()
    assert ask(reads, "/api/v1/accounts", key)[0] == 200
    assert reads._road.waited == 1
    assert ask(reads, "/orders/")[0] == 299
    assert reads._road.waited == 1, "a page is not kept waiting"


def call(path, key="", method="GET", query="", **headers):
    """Return a call as ASGI has it."""
    given = {"host": "testserver", "accept": "application/json", **headers}
    if key:
        given["authorization"] = f"Bearer {key}"
    return {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": query.encode("latin1"),
        "http_version": "1.1", "scheme": "http", "server": ("testserver", 80), "client": ("127.0.0.1", 1),
        "root_path": "", "asgi": {"version": "3.0"},
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip


def ask(application, path, key="", body=(), **more):
    """Return (status, headers, body) of a call by ASGI, whose own body comes in pieces."""
    scope = call(path, key, **more)
    sent, pieces = [], list(body)

    async def receive():
        assert pieces, "a read has no body"
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message):
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    told = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], told, sent[1]["body"]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/v1/accounts/A1", ""), ("/api/v1/orders", "limit=3"), ("/api/v1/orders", "limit=0"),
        ("/api/v1/orders", "limit=3&format=csv"), ("/api/v1/accounts/A99", ""), ("/api/v1/nothing", ""),
        ("/api/v1/runs", ""), ("/api/v1/openapi.json", ""), ("/api/docs", ""),
    ],
)  # fmt: skip
def test_a_read_is_answered_as_the_long_way_answers_it(reads, key, path, query):
    status, headers, body = ask(reads, path, key, query=query)
    other = Client().get(f"{path}?{query}", headers={"Authorization": f"Bearer {key}", "Accept": "application/json"})
    theirs = {name.lower(): value for name, value in other.items()}
    assert status == other.status_code
    assert {name: headers[name] for name in headers if name not in CHANGING} == {
        name: theirs[name] for name in theirs if name not in CHANGING and name != "vary"
    } | ({"vary": headers["vary"]} if "vary" in headers else {})
    if status < 400:
        assert body == other.content
    else:
        assert orjson.loads(body) | {"request_id": ""} == orjson.loads(other.content) | {"request_id": ""}


@pytest.mark.parametrize("written", [b'{"account": "A1", "reason": "x"}', b"{", b'{"instrument": 5}'])
def test_a_write_is_answered_as_the_long_way_answers_it(reads, key, written):
    """The key may only read: what is checked before that, and that it is checked, is the same."""
    path, length = "/api/v1/orders", str(len(written))
    more = {"content_type": "application/json", "content_length": length}
    status, _, body = ask(reads, path, key, (written[:3], written[3:]), method="POST", **more)
    headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
    other = Client().post(path, written, content_type="application/json", headers=headers)
    assert status == other.status_code == 403
    assert orjson.loads(body) | {"request_id": ""} == orjson.loads(other.content) | {"request_id": ""}


def test_who_goes_before_all_is_sent_has_nothing_done(reads, key):
    told = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive():
        return told.pop(0)

    async def send(message):
        raise AssertionError("nobody listens")

    asyncio.run(reads(call("/api/v1/orders", key, method="POST"), receive, send))


def test_who_has_no_key_or_no_name_of_ours_is_told_so(reads, key):
    assert ask(reads, "/api/v1/accounts/A1")[0] == 401
    assert ask(reads, "/api/v1/accounts/A1", key, host="elsewhere.example")[0] == 400
    assert ask(reads, "/api/v1/accounts/A1", key, method="HEAD")[0] == 200


def test_bytes_of_a_query_that_are_no_text_are_answered_like_any_others(reads, key):
    status, headers, body = ask(reads, "/api/v1/orders", key, query="limit=\xff")
    problem = orjson.loads(body)
    assert (status, problem["code"]) == (400, "parameter-invalid")
    assert problem["request_id"] == headers["x-request-id"]
    assert (ask(reads, "/api/v1/orders", key, query="account=\xff"))[0] == 200
    seen = []

    async def others(scope, receive, send):
        seen.append(scope["query_string"])
        await not_ours(scope, receive, send)

    assert ask(Calls(others), "/orders/", query="a=\xff&b=%20+c")[0] == 299
    assert seen == [b"a=%FF&b=%20+c"]


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/", {}), ("/sign-in/", {"method": "POST"}),
        ("/api/v1/orders", {"query": "min_version=x"}), ("/api/v1/orders", {"query": "min%5Fversion=x"}),
        ("/api/v1/orders", {"query": "limit=1&%6din_versio%6E=x"}), ("/api/v1/orders", {"query": "version=x"}),
    ],
)  # fmt: skip
def test_what_may_wait_or_is_no_call_of_the_api_is_left_to_others(reads, key, path, more):
    assert ask(reads, path, key, **more)[0] == 299


def test_a_connection_that_broke_while_it_lay_still_is_made_anew(reads, key, monkeypatch):
    assert ask(reads, "/api/v1/accounts/A1", key)[0] == 200
    reads._threads.submit(lambda: [each.connection.close() for each in connections.all(initialized_only=True)]).result()
    monkeypatch.setattr("apps.api.serving._CHECKED_SECONDS", 0.0)
    assert ask(reads, "/api/v1/accounts/A1", key)[0] == 200


class Open:
    """A stream that somebody has open, until they hang up."""

    def __init__(self):
        self.begun, self.left, self.sent = asyncio.Event(), asyncio.Event(), []

    async def receive(self):
        if not self.sent:
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.sent.append(message)
        if b"event: begin" in message.get("body", b""):
            self.begun.set()


def test_who_has_gone_is_told_no_more_though_nothing_waits():
    """Sends seldom wait: a stream that catches up would write all of it to a connection that is not there."""

    class Behind:
        def __aiter__(self):
            return self.parts()

        async def parts(self):
            for _ in range(1_000):
                yield b"event"

    sent = []

    async def gone():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(serving._until_gone(serving._pass_on(Behind(), send), gone))
    assert len(sent) < 5


def test_many_streams_are_open_at_once_and_none_keeps_a_thread_or_a_connection(reads, key):
    """All of them begin by one thread; the pulse and what reads for all of them have theirs, whoever listens."""

    async def run():
        assert (await asyncio.to_thread(ask, reads, "/api/v1/accounts/A1", key))[0] == 200
        threads = {each.name for each in threading.enumerate()}
        streams = [Open() for _ in range(STREAMS)]
        tasks = [
            asyncio.create_task(reads(call("/api/v1/streams/fills", key), each.receive, each.send)) for each in streams
        ]
        for each in streams:
            await asyncio.wait_for(each.begun.wait(), 120)
        new = {each.name for each in threading.enumerate()} - threads
        assert all(name.startswith(("api-news", "console-pulse", "asyncio")) for name in new), new
        assert len(new) < 16
        assert news._NEWS["fills"].listeners[""] == STREAMS
        status, headers, body = await asyncio.to_thread(ask, reads, "/api/v1/streams/fills", key)
        assert (status, orjson.loads(body)["code"], headers["retry-after"]) == (429, "too-many-streams", "10")
        for each in streams:
            each.left.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 120)
        assert "fills" not in news._NEWS
        return [each.sent[0] for each in streams]

    for head in asyncio.run(run()):
        assert head["status"] == 200
        told = {name.decode().lower(): value.decode() for name, value in head["headers"]}
        assert told["content-type"] == "text/event-stream"
        assert {"x-request-id", "ratelimit", "content-security-policy"} <= told.keys()
    wait_until(lambda: not any(each.name == "console-pulse" for each in threading.enumerate()), "the pulse to stop")


def test_a_stream_that_cannot_be_is_refused_with_a_problem(reads, key):
    status, headers, body = ask(reads, "/api/v1/streams/fills", key, last_event_id="x")
    assert (status, orjson.loads(body)["code"]) == (400, "cursor-invalid")
    assert headers["content-type"] == "application/problem+json"
    assert ask(reads, "/api/v1/streams/fills")[0] == 401
