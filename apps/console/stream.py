"""The one stream that a browser has open, however many tabs it shows."""

import time
from collections.abc import AsyncIterator
from importlib import import_module

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.db import Error, close_old_connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from apps.console.access import VIEW
from apps.console.pulse import PULSE

SECONDS_MAX = 300.0
"""Then the browser comes again."""
_CHECK_SECONDS = 10.0
"""How often it is looked up whether who listens is signed in still, and may see the console."""


async def stream(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Answer with server-sent events: one whenever the read models have moved, and one a second in any case."""
    if request.method != "GET":
        return HttpResponse(status=405)
    if not await sync_to_async(_may_listen)(request):
        return HttpResponse(status=401)
    response = StreamingHttpResponse(_beats(str(request.session.session_key)), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


stream.permission = VIEW  # type: ignore[attr-defined]


async def _beats(session: str) -> AsyncIterator[bytes]:
    checked_at = time.monotonic()
    async for beat in PULSE.beats(SECONDS_MAX):
        now = time.monotonic()
        if now - checked_at >= _CHECK_SECONDS:
            checked_at = now
            if not await sync_to_async(_may_go_on, thread_sensitive=False)(session):
                return
        yield beat.encoded()


def _may_listen(request: HttpRequest) -> bool:
    try:
        return request.user.is_authenticated and request.user.has_perm(VIEW)
    finally:
        close_old_connections()  # or they would be kept for as long as the stream goes on


def _may_go_on(session: str) -> bool:
    """Tell whether a session is somebody's still, by a look at it as it is now."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session)
    try:
        user = get_user(request)
        return user.is_authenticated and user.has_perm(VIEW)
    except Error:
        return True  # what is away is said by the beats
    finally:
        close_old_connections()
