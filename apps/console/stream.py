"""The one stream that a browser has open, however many tabs it shows."""

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from apps.console.access import VIEW
from apps.console.pulse import PULSE

SECONDS_MAX = 300.0
"""Then the browser comes again: somebody who was signed out meanwhile is refused."""


async def stream(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Answer with server-sent events: one whenever the read models have moved, and one a second in any case."""
    if request.method != "GET":
        return HttpResponse(status=405)
    if not await _may_listen(request):
        return HttpResponse(status=401)
    response = StreamingHttpResponse(
        (beat.encoded() async for beat in PULSE.beats(SECONDS_MAX)), content_type="text/event-stream"
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


stream.permission = VIEW  # type: ignore[attr-defined]


@sync_to_async
def _may_listen(request: HttpRequest) -> bool:
    try:
        return request.user.is_authenticated and request.user.has_perm(VIEW)
    finally:
        close_old_connections()  # or they would be kept for as long as the stream goes on
