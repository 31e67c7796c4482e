"""Who may see a page and who may act: every view of the console goes through here."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from apps.console import numbers
from apps.console.asking import ERRORS, is_away, why
from banyan.databases import forget_broken

VIEW, OPERATE = "console.view", "console.operate"
"""Permissions, which a migration gives to the groups `viewers` and `operators`."""
PEOPLE = "auth.change_user"
"""Django's own permission to change users."""

View = Callable[..., HttpResponse]


def page(view: View, permission: str = VIEW) -> View:
    """Let those who may see the console see this page of it; others are sent to sign in, or told that they may not."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        refused = refusal(request, permission)
        return _answer(view, request, *args, **kwargs) if refused is None else refused

    guarded.permission = permission  # type: ignore[attr-defined]
    return require_http_methods(["GET", "HEAD"])(guarded)


def acting(view: View, permission: str = OPERATE) -> View:
    """Let those who may act do so."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        refused = refusal(request, permission)
        return _answer(view, request, *args, **kwargs) if refused is None else refused

    guarded.permission = permission  # type: ignore[attr-defined]
    return require_http_methods(["GET", "POST"])(guarded)


def signed_in(view: View) -> View:
    """Let whoever is signed in have a page of their own; others are sent to sign in."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), "/sign-in/")
        return _answer(view, request, *args, **kwargs)

    return guarded


def somebody(request: HttpRequest) -> User:
    """Return who is signed in, on a page that nobody else gets to."""
    assert isinstance(request.user, User)
    return request.user


def refusal(request: HttpRequest, permission: str) -> HttpResponse | None:
    """Return what to answer to somebody who may not; None: they may. Raises PermissionDenied for who is signed in."""
    if not request.user.is_authenticated:
        if request.headers.get("HX-Request"):
            return HttpResponse(status=401, headers={"HX-Redirect": "/sign-in/"})
        return redirect_to_login(request.get_full_path(), "/sign-in/")
    if not request.user.has_perm(permission):
        raise PermissionDenied
    return None


def _answer(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Return a page, or in words why there is none while the database that it is about is away."""
    numbers.use(request.headers.get("Accept-Language", ""))
    try:
        return view(request, *args, **kwargs)
    except ERRORS as problem:
        if not is_away(problem):
            raise
        forget_broken()
        text = f"What this page is about cannot be asked. {why(problem)} Nothing was changed."
        if request.headers.get("HX-Request"):
            return HttpResponse(text, status=503, content_type="text/plain; charset=utf-8")
        return render(request, "console/error.html", {"title": "A database is away", "text": text}, status=503)
