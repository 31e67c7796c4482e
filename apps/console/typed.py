"""What nobody can have typed: text with zero bytes in it, which no database takes."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse

_ELSEWHERE = "/api/"
"""Where it is refused in words of its own."""


class TypedMiddleware:
    """Answers with 400 to what has zero bytes in its address, its query or its form."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer. Raises BadRequest."""
        if not request.path.startswith(_ELSEWHERE) and _has_zeros(request):
            raise BadRequest("there is a zero byte in the request")
        return self._get_response(request)


def _has_zeros(request: HttpRequest) -> bool:
    texts = [request.path_info, *request.GET, *request.POST]
    texts += [text for query in (request.GET, request.POST) for _, values in query.lists() for text in values]
    return any("\0" in text for text in texts)
