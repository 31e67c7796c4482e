"""The pages."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.console import charts
from apps.console.access import page
from apps.console.models import Act
from apps.console.overview import LIMIT_MS, SPEED_MINUTES, overview
from apps.console.paging import Page, cut
from banyan.dead_letters import letters, stopped

_ACTS_A_PAGE = 50


@page
def show_overview(request: HttpRequest) -> HttpResponse:
    """Show whether all is right; asked by the page itself, only what moves."""
    found = overview()
    speed, minutes = found.speed.value, found.minutes.value
    context = {
        "title": "Overview",
        "o": found,
        "columns": charts.columns(minutes) if minutes is not None else None,
        "line": charts.line(speed, LIMIT_MS) if speed is not None else None,
        "orders_of_hour": sum(each.orders for each in minutes or []),
        "refusals_of_hour": sum(each.refusals for each in minutes or []),
        "limit_ms": LIMIT_MS,
        "speed_minutes": SPEED_MINUTES,
    }
    return render(request, _part(request, "console/overview.html", "console/overview_live.html"), context)


@page
def show_dead_letters(request: HttpRequest) -> HttpResponse:
    """Show what could not be processed."""
    context = {"title": "Dead letters", "letters": list(letters()), "stopped": list(stopped())}
    return render(request, _part(request, "console/dead_letters.html", "console/dead_letters_live.html"), context)


@page
def show_audit(request: HttpRequest) -> HttpResponse:
    """Show who did what, newest first."""
    found = Act.objects.select_related("outcome")
    for column in ("user", "name", "subject"):
        if wanted := request.GET.get(column, "").strip():
            found = found.filter(**{f"{column}__icontains": wanted})
    cursor = request.GET.get("before", "")
    acts: Page[Act] = cut(found, ("at", "id"), cursor, _ACTS_A_PAGE)
    context = {"title": "Audit", "page": acts, "filters": request.GET}
    return render(request, "console/audit.html", context)


def refused(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001  (Django's name)
    """Say that somebody may not do what they wanted."""
    text = "Your account may not do this. Somebody who administers users can give it a role: viewers or operators."
    return render(request, "console/error.html", {"title": "Not allowed", "text": text}, status=403)


def missing(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001  (Django's name)
    """Say that there is no such page."""
    text = "There is nothing at this address. It may have been moved, or typed wrongly."
    return render(request, "console/error.html", {"title": "Not found", "text": text}, status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """Say that it is our fault."""
    text = "This page could not be made, and that is our mistake. The log of the server says more. Nothing was changed."
    return render(request, "console/error.html", {"title": "That went wrong", "text": text}, status=500)


def _part(request: HttpRequest, whole: str, live: str) -> str:
    return live if request.headers.get("HX-Request") else whole
