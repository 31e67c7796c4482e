"""What a browser may do with a page of ours: the policy that goes with every answer."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

_ALLOWED = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "worker-src": "'self'",
    "frame-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
_HEADERS = {
    "Content-Security-Policy": "; ".join(f"{what} {sources}" for what, sources in _ALLOWED.items()),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class PolicyMiddleware:
    """Lets pages run our own files and nothing else: no inline script or style, no `eval`, no other host, no frame.

    What is signed in to is also not kept by caches.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the answer with the policy."""
        return _guarded(request, self._get_response(request))


def _guarded(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    user = getattr(request, "_cached_user", None)
    if user is not None and user.is_authenticated:
        response.headers.setdefault("Cache-Control", "no-store")
    return response
