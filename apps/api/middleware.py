"""What all calls have in common: an id, limits on the body, problems instead of pages, ETags, gzip."""

import hashlib
import re
import secrets
from collections.abc import Callable

import orjson
from django.http import HttpRequest, HttpResponse
from django.middleware.gzip import GZipMiddleware

from apps.api.problems import MEDIA_TYPE, Problem, problem_of_status
from apps.api.rendering import to_json
from banyan import tracing

PREFIX = "/api/"
BODY_MAX = 64 * 1024
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACE = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_COMPRESSED = ("application/json", "text/csv", "text/html", MEDIA_TYPE)


class ApiMiddleware:
    """Stands around all calls of the API, and leaves everything else alone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._gzip = GZipMiddleware(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer."""
        if not request.path.startswith(PREFIX):
            return self._get_response(request)
        request_id = _id_of(request)
        with tracing.traced(request_id):
            problem = _problem_of_body(request)
            response = self._get_response(request) if problem is None else problem.answer()
            return self._finished(request, response, request_id)

    def _finished(self, request: HttpRequest, response: HttpResponse, request_id: str) -> HttpResponse:
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        if response.status_code >= 400 and kind != MEDIA_TYPE:
            response = problem_of_status(response.status_code).answer()
            kind = MEDIA_TYPE
        if kind == MEDIA_TYPE and not response.streaming:
            response.content = to_json(orjson.loads(response.content) | {"request_id": request_id})
            response.headers["Content-Length"] = str(len(response.content))
        response.headers["X-Request-Id"] = request_id
        response.headers.setdefault("Cache-Control", "private, no-cache")
        allowance = getattr(request, "allowance", None)
        if allowance is not None:
            for name, value in allowance.headers().items():
                response.headers[name] = value
        if response.status_code == 200 and request.method in ("GET", "HEAD") and not response.streaming:
            response = _unless_known(request, response)
        if not response.streaming and kind in _COMPRESSED:
            self._gzip.process_response(request, response)
        return response


def _id_of(request: HttpRequest) -> str:
    """Return the id that a caller gives, else that of the caller's own trace (W3C Trace Context), else a new one."""
    given = request.META.get("HTTP_X_REQUEST_ID", "")
    if _ID.fullmatch(given):
        return given
    trace = _TRACE.fullmatch(request.META.get("HTTP_TRACEPARENT", ""))
    return trace[1] if trace else secrets.token_hex(16)


def _problem_of_body(request: HttpRequest) -> Problem | None:
    if request.method not in _WITH_BODY:
        return None
    if request.headers.get("Content-Encoding", "identity") != "identity":
        return Problem("media-type-refused", "The body is compressed.")
    length = request.headers.get("Content-Length", "")
    if not length:
        return Problem("length-missing") if "Transfer-Encoding" in request.headers else None
    if not length.isdigit():
        return Problem("length-missing")
    return Problem("body-too-large") if int(length) > BODY_MAX else None


def tag_of(content: bytes) -> str:
    """Return the ETag of what is answered."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _unless_known(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Give an answer its ETag, or say that the caller has it already."""
    tag = tag_of(response.content)
    response.headers["ETag"] = tag
    asked: str = request.META.get("HTTP_IF_NONE_MATCH", "")
    known = [each.strip().removeprefix("W/") for each in asked.split(",")]
    if tag not in known and "*" not in known:
        return response
    unchanged = HttpResponse(status=304)
    for name in ("ETag", "Cache-Control", "X-Request-Id", "Vary", "RateLimit", "RateLimit-Policy", "Link"):
        if name in response.headers:
            unchanged.headers[name] = response.headers[name]
    return unchanged
