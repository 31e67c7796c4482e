"""A body that is too large is refused before it is read: it would be kept on the disk before anybody looks at it."""

import asyncio
from typing import Any

import orjson
import pytest
from django.test import Client
from django.urls import reverse

from apps.api.middleware import BODY_MAX
from banyan.bodies import Bodies
from settings.asgi import application
from tests.integration.api.conftest import ALL

pytestmark = pytest.mark.django_db(databases=ALL)
MOST = 100


class Call:
    """A call by ASGI whose body comes in parts; `read` is how many bytes of it were asked for."""

    def __init__(self, path: str, parts: list[bytes], **headers: str) -> None:
        self.scope = {
            "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
            "server": ("testserver", 80), "client": ("127.0.0.1", 1), "scheme": "http", "http_version": "1.1",
        }  # fmt: skip
        self.parts, self.read, self.sent = list(parts), 0, []

    async def receive(self) -> dict[str, Any]:
        if not self.parts:
            return {"type": "http.disconnect"} if self.sent else await asyncio.Event().wait()
        part = self.parts.pop(0)
        self.read += len(part)
        return {"type": "http.request", "body": part, "more_body": bool(self.parts)}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    def answer(self, app: Any) -> tuple[int, bytes]:
        asyncio.run(app(self.scope, self.receive, self.send))
        return self.sent[0]["status"], b"".join(each.get("body", b"") for each in self.sent)


async def whole(scope, receive, send):
    """Answer with how many bytes a body has."""
    count = 0
    while True:
        heard = await receive()
        count += len(heard["body"])
        if not heard["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % count})


BOUNDED = Bodies(whole, lambda path: MOST, told="/api/")


@pytest.mark.parametrize(("length", "status"), [(0, 200), (MOST, 200), (MOST + 1, 413), (10**30, 413)])
def test_as_many_bytes_as_a_path_takes_are_handed_on(length, status):
    call = Call("/here/", [b"x" * min(length, 200)], content_length=str(length))
    told, body = call.answer(BOUNDED)
    assert told == status
    assert body == (b"%d" % length if status == 200 else b"The request is too large.")
    assert call.read == (length if status == 200 else 0)


@pytest.mark.parametrize("length", ["-1", "x", "", "1 1", "٣"])
def test_a_length_that_is_none_is_refused(length):
    assert Call("/here/", [b"x"], content_length=length).answer(BOUNDED)[0] == 413


def test_a_body_that_does_not_say_how_long_it_is_is_not_read():
    call = Call("/here/", [b"x"] * 1_000, transfer_encoding="chunked")
    assert call.answer(BOUNDED) == (411, b"The request does not say how large it is.")
    assert call.read == 0


def test_what_has_no_body_and_what_is_no_call_pass():
    assert Call("/here/", [b""]).answer(BOUNDED) == (200, b"0")
    heard = []

    async def others(scope, receive, send):
        heard.append(scope["type"])

    asyncio.run(Bodies(others, lambda path: 0, told="/api/")({"type": "lifespan"}, None, None))
    assert heard == ["lifespan"]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"content_length": str(BODY_MAX + 1)}, "body-too-large"), ({"content_length": "9" * 20}, "body-too-large"),
        ({"transfer_encoding": "chunked"}, "length-missing"),
    ],
)  # fmt: skip
def test_the_api_refuses_in_its_own_words_and_keeps_nothing(headers, code, monkeypatch):
    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", lambda self: pytest.fail("it went to the disk"))
    call = Call(
        "/api/v1/webhooks", [b"x" * 60_000] * 200, host="testserver", content_type="application/json", **headers
    )
    status, body = call.answer(application)
    assert orjson.loads(body)["code"] == code
    assert status == orjson.loads(body)["status"]


def test_a_form_of_the_console_takes_no_more_than_a_form_has(settings):
    call = Call(
        reverse("sign-in"), [b"x"], host="testserver", content_length=str(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    )
    assert call.answer(application)[0] == 413
    assert call.read == 0


@pytest.mark.parametrize("path", ["/?find=%00", "/people/%00/", "/sign-in/?next=%00"])
def test_zero_bytes_are_refused_wherever_they_are(path):
    assert Client().get(path).status_code == 400


def test_zero_bytes_in_a_form_are_refused():
    assert Client().post(reverse("sign-in"), {"username": "a\0", "password": "x"}).status_code == 400
