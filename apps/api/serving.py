"""Calls and streams of the API on the short way: one hop to a thread that keeps its connections, and no more.

Django takes a call through each of its middlewares by a hop of its own, and gives each call a new thread, which looks
for connections. What a console needs of that, sessions and messages, a call with a key has no use for. A stream would
keep that thread and its connections for as long as somebody listens; here it has neither once it has begun.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from io import BytesIO
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from django.core.handlers.asgi import ASGIRequest, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import convert_exception_to_response
from django.db import connections
from django.http import HttpResponse
from django.urls import set_script_prefix
from django.utils.module_loading import import_string

from apps.api.middleware import PREFIX
from apps.api.versions import WAITING
from banyan.road import RoadSeen

MIDDLEWARE = (
    "apps.api.middleware.ApiMiddleware",
    "apps.console.policy.PolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
"""Of the settings' middlewares those that a call of the API needs, in their order."""
_THREADS = 6
_WRITING_THREADS = 6
"""What one of them does may take seconds, for thousands of accounts: reads do not wait for it."""
_OPENING_THREADS = 2
"""For streams that begin: many may do so at once, and reads do not wait for them."""
_CHECKED_SECONDS = 1.0
_READS = ("GET", "HEAD")
_ELSEWHERE = {each.encode() for each in WAITING}
_STREAMS = f"{PREFIX}v1/streams/"
_ASCII = bytes(range(128))

Call = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Call, Receive, Send], Awaitable[None]]


class Calls:
    """An ASGI application that answers calls and streams of the API itself, and leaves all else to another.

    A read of what was just written may wait, and is the other's: it has a thread for each. Reads that it answers itself
    let go first who decides about orders on the same machine, where `road` tells of it.
    """

    def __init__(
        self, others: Application, threads: ThreadPoolExecutor | None = None, road: RoadSeen | None = None
    ) -> None:
        self._others = others
        self._road = road
        self._handler = _Handler()
        self._threads = threads or ThreadPoolExecutor(_THREADS, "api-read")
        self._writing = threads or ThreadPoolExecutor(_WRITING_THREADS, "api-write")
        self._opening = threads or ThreadPoolExecutor(_OPENING_THREADS, "api-stream")

    async def __call__(self, scope: Call, receive: Receive, send: Send) -> None:
        """Answer a call."""
        scope = _written_out(scope)
        if not _is_short(scope):
            await self._others(scope, receive, send)
            return
        is_read = scope["method"] in _READS
        body = b"" if is_read else await _body(receive)
        if body is None:
            return
        threads = self._threads if is_read else self._writing
        threads = self._opening if scope["path"].startswith(_STREAMS) else threads
        if is_read and self._road is not None:
            await self._road.let_go_first()
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(threads, self._handler.response, scope, body)
        await send({"type": "http.response.start", "status": response.status_code, "headers": _headers(response)})
        if response.streaming:
            await _until_gone(_pass_on(response, send), receive)
        else:
            await send({"type": "http.response.body", "body": response.content})


def _written_out(scope: Call) -> Call:
    """Return a call whose query says bytes beyond ASCII as it should have: by percent signs."""
    query: bytes = scope.get("query_string", b"")
    return scope if query.isascii() else {**scope, "query_string": quote_from_bytes(query, _ASCII).encode()}


def _is_short(scope: Call) -> bool:
    if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
        return False
    return not _waits(scope["query_string"])


def _waits(query: bytes) -> bool:
    """Tell whether a read may wait, however the names in its query are written."""
    return any(unquote_to_bytes(each.partition(b"=")[0]) in _ELSEWHERE for each in query.split(b"&"))


async def _body(receive: Receive) -> bytes | None:
    """Return what a caller sends, which is known not to be too much; None where they have gone meanwhile."""
    parts = []
    while (heard := await receive())["type"] == "http.request":
        parts.append(heard.get("body", b""))
        if not heard.get("more_body"):
            return b"".join(parts)
    return None


class _Handler(BaseHandler):
    """Django's handler with the middlewares of the API, all of them called in the thread that it is called in."""

    def __init__(self) -> None:
        super().__init__()
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        own: Any = self  # of which Django's stubs do not tell all
        handler = convert_exception_to_response(own._get_response)
        for name in reversed(MIDDLEWARE):
            handler = convert_exception_to_response(import_string(name)(handler))
        self._middleware_chain = handler
        self._used = threading.local()

    def response(self, scope: Call, body: bytes = b"") -> Any:
        """Return what is answered: a HttpResponse, or a StreamingHttpResponse of an async iterator."""
        self._check_connections()
        try:
            set_script_prefix(get_script_prefix(scope))
            return self.get_response(ASGIRequest(scope, BytesIO(body)))
        finally:
            for connection in connections.all(initialized_only=True):
                if connection.connection is not None and _is_of_no_use(connection):
                    connection.close()
            self._used.at = time.monotonic()

    def _check_connections(self) -> None:
        """Have connections looked at before they are used that have lain still, so long that a server may be new."""
        if time.monotonic() - getattr(self._used, "at", 0.0) >= _CHECKED_SECONDS:
            open_connections: Iterable[Any] = connections.all(initialized_only=True)
            for connection in open_connections:
                connection.health_check_enabled = True
                connection.health_check_done = False


def _is_of_no_use(connection: Any) -> bool:
    """Tell whether nobody should go on with an open connection."""
    return connection.errors_occurred or connection.in_atomic_block or not connection.get_autocommit()


def _headers(response: HttpResponse) -> list[tuple[bytes, bytes]]:
    headers: Iterable[tuple[str, str]] = response.items()
    return [(name.encode("ascii"), value.encode("latin1")) for name, value in headers]


async def _pass_on(response: Any, send: Send) -> None:
    async with aclosing(aiter(response)) as parts:
        async for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(0)  # a send seldom waits: who has gone would be told everything that there is
    await send({"type": "http.response.body", "body": b""})


async def _until_gone(telling: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Tell until all is told, or whoever listens has gone."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    tasks = [asyncio.create_task(telling), asyncio.create_task(gone())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
