"""What callers send before, between and behind bodies is bounded: httptools keeps it until it is complete."""

import asyncio
import socket
import threading
from contextlib import suppress

import pytest
import uvicorn

from banyan.heads import HEAD_MAX, PIPELINED_MAX, BoundedHeads
from tests.patience import PATIENCE_SECONDS, wait_for_thread, wait_until

CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"
CALL = b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n"


async def answer(scope, receive, send):
    """Answer with the path and how much was sent; a call of /waits is never answered."""
    if scope["path"] == "/waits":
        await asyncio.Event().wait()
    size, more = 0, True
    while more and (heard := await receive())["type"] == "http.request":
        size += len(heard["body"])
        more = heard["more_body"]
    told = b"%b %d\n" % (scope["raw_path"], size)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(told))]})
    await send({"type": "http.response.body", "body": told})


@pytest.fixture(scope="module")
def port():
    config = uvicorn.Config(
        answer, http=BoundedHeads, lifespan="off", log_level="critical", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        wait_until(lambda: server.started, "the server")
        yield listener.getsockname()[1]
        server.should_exit = True
        wait_for_thread(thread)


def heard(port, *pieces):
    """Return all that is answered until the server hangs up, before it has heard all or when there is no more."""
    parts = []
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as connection, suppress(ConnectionError):
        for piece in pieces:
            connection.sendall(piece)
        while part := connection.recv(1 << 20):
            parts.append(part)
    return b"".join(parts)


LINES = b"a: b\r\n" * (HEAD_MAX // 6 + 1)
LONG = b"a" * (HEAD_MAX + 1)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + LONG, b"431"), (b"GET / HTTP/1.1\r\nhost: x\r\nb: " + LONG, b"431"),
        (b"GET / HTTP/1.1\r\nhost: x\r\n" + LINES, b"431"), (b"no call\r\n\r\n", b"400"),
        (CHUNKED + b"0\r\n" + LINES * 8, b""), (CHUNKED + b"1;" + LONG * 8, b""),
    ],
    ids=["address", "line", "lines", "no HTTP", "trailers", "between pieces"],
)  # fmt: skip
def test_who_never_ends_a_head_is_told_so_and_hung_up_on(port, sent, status):
    """Where an answer is owed to a call that has begun there is none, which would be taken for its own."""
    last = heard(port, sent).rpartition(b"HTTP/1.1 ")[2]
    assert last[:3] == status


def test_heads_of_a_proper_length_bodies_and_calls_one_after_the_other_pass(port):
    head = b"POST /long HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\nb: " + LONG[: HEAD_MAX - 200] + b"\r\n\r\n"
    calls = b"GET /next HTTP/1.1\r\nhost: x\r\nb: " + LONG[:2_000] + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as connection:
        lines = connection.makefile("rb")
        for sent, told in (
            (head, b"/long 1000000\n"),
            *[(calls, b"/next 0\n")] * 50,
            (CHUNKED + b"0\r\n\r\n", b"/ 1\n"),
        ):
            connection.sendall(sent)
            if sent is head:
                connection.sendall(b"x" * 1_000_000)
            while (line := lines.readline()) != b"\r\n":
                assert line, "hung up"
            assert lines.readline() == told
        connection.sendall(b"GET / HTTP/1.1\r\n" + LINES)
        assert lines.readline().startswith(b"HTTP/1.1 431 ")


def test_calls_that_do_not_await_answers_are_answered_in_order_and_not_without_end(port):
    few = b"".join(CALL % number for number in range(PIPELINED_MAX))
    end = b"GET /end HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    told = [line.split(b" ")[0] for line in heard(port, few, end).splitlines() if line.startswith(b"/")]
    assert told == [b"/%d" % number for number in range(PIPELINED_MAX)] + [b"/end"]
    assert heard(port, b"GET /waits HTTP/1.1\r\nhost: x\r\n\r\n" + few * 2) == b""


def test_who_offers_another_protocol_is_answered_in_this_one(port):
    offer = b"GET /%d HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as connection:
        lines = connection.makefile("rb")
        for number in range(2):
            connection.sendall(offer % number)
            while (line := lines.readline()) != b"\r\n":
                assert line, "hung up"
            assert lines.readline() == b"/%d 0\n" % number
