"""Where requests come from."""

from django.http import HttpRequest


def address_of(request: HttpRequest) -> str | None:
    """Return the address that a request came from: of the proxy, where that hides whom it speaks for."""
    return request.META.get("REMOTE_ADDR") or None
