"""What a server that is stopped tells those whom it was answering."""

import asyncio

import pytest

from banyan.endings import Endings

STREAM = {"type": "http.response.start", "status": 200, "headers": []}
PART = {"type": "http.response.body", "body": b"part", "more_body": True}
END = {"type": "http.response.body", "body": b""}


def cancelled(told, kind="http"):
    """Return what is sent by an application that tells `told`, goes on for ever, and is cancelled."""
    sent = []

    async def send(message):
        sent.append(message)

    async def run():
        going_on = asyncio.Event()

        async def application(scope, receive, send):
            for message in told:
                await send(message)
            going_on.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(Endings(application)({"type": kind}, None, send))
        await going_on.wait()
        task.cancel()
        await task

    asyncio.run(run())
    return sent


def test_a_stream_ends_as_one_that_has_come_to_its_end():
    assert cancelled([STREAM, PART]) == [STREAM, PART, END]


def test_who_was_not_answered_yet_is_told_to_come_again():
    begun, ended = cancelled([])
    assert (begun["status"], begun["headers"]) == (503, [(b"retry-after", b"1")])
    assert ended == END


def test_what_is_no_answer_is_cancelled():
    with pytest.raises(asyncio.CancelledError):
        cancelled([], "lifespan")


def test_an_answer_that_comes_to_its_end_is_handed_on_as_it_is():
    sent = []

    async def application(scope, receive, send):
        await send(STREAM)
        await send(END)

    async def send(message):
        sent.append(message)

    asyncio.run(Endings(application)({"type": "http"}, None, send))
    assert sent == [STREAM, END]
