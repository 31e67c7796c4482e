"""The health check, for load balancers and container runtimes."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class HealthMiddleware:
    """Answers /health with 200 before anything looks at the host name, the scheme or the session.

    Whoever asks does so by the process's own address, which is no name that Banyan answers to otherwise.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer to /health, or what the rest answers."""
        if request.path == "/health":
            return HttpResponse("ok", content_type="text/plain")
        return self._get_response(request)
