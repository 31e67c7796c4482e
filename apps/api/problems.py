"""What can go wrong with a call, as RFC 9457 has it: a stable code, what happened, and what to do."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions

from apps.api.rendering import to_json

_LOGGER = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    """A code, with what it means and what a caller can do about it."""

    status: int
    title: str
    remedy: str


KINDS: Mapping[str, Kind] = {
    "request-invalid": Kind(400, "The request cannot be read", "Send what docs/api.md shows."),
    "parameter-invalid": Kind(400, "A parameter is not what it should be", "Look at `errors`, and correct them."),
    "cursor-invalid": Kind(
        400, "The cursor is none of ours", "Begin without it, or use `next` as it was given, with the same sort."
    ),
    "body-invalid": Kind(400, "The body is not what it should be", "Look at `errors`, and correct them."),
    "idempotency-key-missing": Kind(
        400, "There is no Idempotency-Key", "Send 1 to 64 letters, digits, `.`, `_`, `-`: new ones for each act."
    ),
    "key-missing": Kind(401, "There is no key", "Send it: `Authorization: Bearer KEY`."),
    "key-unknown": Kind(401, "There is no such key", "Look whether the whole key was sent."),
    "key-revoked": Kind(401, "The key was revoked", "Ask for a new one."),
    "key-outdated": Kind(401, "The key has expired", "Ask for a new one: `manage.py api_keys rotate`."),
    "address-refused": Kind(403, "The key may not be used from here", "Use it from the networks that it was made for."),
    "scope-missing": Kind(403, "The key may not do this", "Ask for a key with the scope that `detail` names."),
    "firm-only": Kind(403, "This is not for keys of clients", "Ask for what concerns your own accounts."),
    "not-found": Kind(404, "There is nothing here", "Look at the address: a list shows what there is."),
    "method-refused": Kind(405, "This cannot be done here", "Use a method that the header Allow names."),
    "not-acceptable": Kind(406, "There is no such format", "Ask for one that `detail` names."),
    "in-flight": Kind(409, "The same is being done right now", "Ask again in a moment: you get its answer."),
    "key-expired": Kind(
        409, "The answer to this Idempotency-Key is no longer kept", "It was done: look at what came of it."
    ),
    "length-missing": Kind(411, "The body has no length", "Send Content-Length."),
    "changed-meanwhile": Kind(
        412, "That has changed since you read it", "Read it again, look what is different, and send its ETag."
    ),
    "body-too-large": Kind(413, "The body is too large", "Send less than 64 KiB."),
    "media-type-refused": Kind(415, "The body is in no format of ours", "Send JSON, without Content-Encoding."),
    "no-data": Kind(404, "There is no such data", "Ask for what is there: `detail` says what that is."),
    "too-much": Kind(422, "That would be too much at once", "Ask for a shorter time, or page by page."),
    "idempotency-key-reused": Kind(
        422, "This Idempotency-Key was used for something else", "Send a new one for each act."
    ),
    "refused": Kind(422, "That cannot be done", "`detail` says why; nothing was changed."),
    "tag-missing": Kind(428, "It is not said what is to be replaced", "Send the ETag of what you read as If-Match."),
    "rate-limited": Kind(429, "Too many calls", "Wait for as many seconds as Retry-After says."),
    "too-many-streams": Kind(
        429, "Too many streams are open by this key", "End one first, or ask for a key that may have more at once."
    ),
    "internal": Kind(500, "That went wrong, and it is our mistake", "Tell us the `request_id`."),
    "version-awaited": Kind(
        503, "What you wrote cannot be read yet", "Try again as Retry-After says: it is done, and will be there."
    ),
    "unavailable": Kind(503, "Somebody who had to be asked could not be reached", "Try again in a few seconds."),
}  # fmt: skip
"""Every problem by its code. Codes are for ever; texts are not."""


class Problem(exceptions.APIException):
    """A problem of KINDS, with what it is in this case."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or KINDS[code].title)
        self.code, self.told, self.errors, self.headers = code, detail, errors, dict(headers or {})
        self.status_code = KINDS[code].status

    def body(self) -> dict[str, Any]:
        """Return it as RFC 9457 has it."""
        kind = KINDS[self.code]
        body: dict[str, Any] = {
            "type": f"urn:banyan:problem:{self.code}",
            "title": kind.title,
            "status": kind.status,
            "code": self.code,
            "detail": self.told or f"{kind.title}.",
            "remedy": kind.remedy,
        }
        if self.errors:
            body["errors"] = list(self.errors)
        return body

    def answer(self) -> HttpResponse:
        """Return it as an answer."""
        return HttpResponse(
            to_json(self.body()), status=KINDS[self.code].status, content_type=MEDIA_TYPE, headers=self.headers
        )


def one_line(error: Exception) -> str:
    """Return what a driver says of an error, for a log: some say it in several lines."""
    return " ".join(str(error).split())


_OF_STATUS = {
    400: "request-invalid", 401: "key-unknown", 403: "scope-missing", 404: "not-found", 405: "method-refused",
    406: "not-acceptable", 413: "body-too-large", 415: "media-type-refused", 429: "rate-limited", 503: "unavailable",
}  # fmt: skip


def problem_of_status(status: int) -> Problem:
    """Return the problem that an answer stands for which somebody else has made."""
    return Problem(_OF_STATUS.get(status, "internal" if status >= 500 else "request-invalid"))


def answer(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """Return the answer to a call that failed. What nobody foresaw is logged, and told without what it was."""
    return _problem_of(error, context).answer()


def _problem_of(error: Exception, context: Mapping[str, Any]) -> Problem:
    match error:
        case Problem():
            found = error
        case Http404():
            found = Problem("not-found")
        case exceptions.MethodNotAllowed():
            found = Problem("method-refused", headers={"Allow": ", ".join(context["view"].allowed_methods)})
        case exceptions.UnsupportedMediaType() | exceptions.ParseError() | exceptions.NotAcceptable():
            found = Problem(_OF_STATUS[error.status_code], str(error.detail))
        case RequestDataTooBig():
            found = Problem("body-too-large")
        case OperationalError() | InterfaceError():
            _LOGGER.warning("a database could not be asked: %s", one_line(error))
            found = Problem("unavailable", headers={"Retry-After": "2"})
        case _:
            _LOGGER.error("a call failed", exc_info=error)
            found = Problem("internal")
    return found
