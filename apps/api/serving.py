"""Reads of the API on the short way: one hop to a thread that keeps its connections, and only what the API needs.

Django takes a call through each of its middlewares by a hop of its own, and gives each call a new thread, which looks
for connections. What a console needs of that, sessions and messages, a call with a key has no use for.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any, NamedTuple

from django.core.handlers.asgi import ASGIRequest, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import convert_exception_to_response
from django.db import connections
from django.http import HttpResponse
from django.urls import set_script_prefix
from django.utils.module_loading import import_string

from apps.api.middleware import PREFIX
from apps.api.problems import Problem

MIDDLEWARE = (
    "apps.api.middleware.ApiMiddleware",
    "apps.console.policy.PolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
"""Of the settings' middlewares those that a read of the API needs, in their order."""
_THREADS = 6
_CHECKED_SECONDS = 1.0
_ELSEWHERE = (b"min_version=", b"min%5Fversion=", b"min%5fversion=")
_STREAMS = f"{PREFIX}v1/streams/"

Call = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Call, Receive, Send], Awaitable[None]]


class _Answer(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]
    content: bytes


class Reads:
    """An ASGI application that answers reads of the API itself, and leaves all else to another.

    What may wait for long, a stream or a read of what was just written, is the other's: it has a thread for each.
    """

    def __init__(self, others: Application, threads: ThreadPoolExecutor | None = None) -> None:
        self._others = others
        self._handler = _Handler()
        self._threads = threads or ThreadPoolExecutor(_THREADS, "api-read")

    async def __call__(self, scope: Call, receive: Receive, send: Send) -> None:
        """Answer a call."""
        if not _is_short(scope):
            await self._others(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._threads, self._handler.answer, scope)
        start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        await send(start)
        await send({"type": "http.response.body", "body": answer.content})


def _is_short(scope: Call) -> bool:
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return False
    path: str = scope["path"]
    if not path.startswith(PREFIX) or path.startswith(_STREAMS):
        return False
    return not any(word in scope["query_string"] for word in _ELSEWHERE)


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

    def answer(self, scope: Call) -> _Answer:
        """Return what is answered."""
        self._check_connections()
        try:
            set_script_prefix(get_script_prefix(scope))
            try:
                request = ASGIRequest(scope, BytesIO())
            except UnicodeDecodeError:
                return _told(Problem("request-invalid").answer())
            answer: Any = self.get_response(request)
            return _told(answer)
        finally:
            for connection in connections.all(initialized_only=True):
                if connection.errors_occurred or connection.in_atomic_block or not connection.get_autocommit():
                    connection.close()
            self._used.at = time.monotonic()

    def _check_connections(self) -> None:
        """Have connections looked at before they are used that have lain still, so long that a server may be new."""
        if time.monotonic() - getattr(self._used, "at", 0.0) >= _CHECKED_SECONDS:
            open_connections: Iterable[Any] = connections.all(initialized_only=True)
            for connection in open_connections:
                connection.health_check_enabled = True
                connection.health_check_done = False


def _told(response: HttpResponse) -> _Answer:
    assert not response.streaming, "streams are not on the short way"
    headers: Iterable[tuple[str, str]] = response.items()
    return _Answer(
        response.status_code, [(name.encode("ascii"), value.encode("latin1")) for name, value in headers],
        response.content,
    )  # fmt: skip
