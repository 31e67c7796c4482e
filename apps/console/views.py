"""The pages."""

import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from apps.console import charts
from apps.console.access import page
from apps.console.asking import Asking, is_away, why
from apps.console.models import Act
from apps.console.needs import LIMIT_MS, SPEED_MINUTES
from apps.console.overview import overview
from apps.console.paging import Page, cut
from apps.console.unmet import tell_unmet

_ACTS_A_PAGE = 50
_OUTCOMES: dict[str, dict[str, Any]] = {
    "done": {"outcome__is_done": True},
    "not done": {"outcome__is_done": False},
    "cut off": {"outcome__isnull": True},
}
"""What became of acts, as they can be asked for by."""


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
def show_audit(request: HttpRequest) -> HttpResponse:
    """Show who did what, newest first."""
    found = Act.objects.select_related("outcome")
    for column in ("user", "name", "subject"):
        if wanted := request.GET.get(column, "").strip():
            found = found.filter(**{f"{column}__icontains": wanted})
    if wanted := request.GET.get("request", "").strip():
        found = found.filter(request_id=wanted)
    problem = ""
    for name, condition in (("from", "at__gte"), ("to", "at__lt")):
        try:
            found = _within(found, condition, request.GET.get(name, "").strip())
        except ValueError:
            problem = f"{request.GET[name]} is no day: write it as 2026-03-31"
    outcome = request.GET.get("outcome", "")
    found = found.filter(**_OUTCOMES.get(outcome, {}))
    cursor = request.GET.get("before", "")
    acts: Page[Act] = cut(found, ("at", "id"), cursor, _ACTS_A_PAGE)
    query = request.GET.copy()
    query.pop("before", None)
    asking = Asking()
    tell_unmet(asking, acts.rows)
    context = {
        "title": "Audit", "page": acts, "filters": request.GET, "from": request.GET.get("from", ""),
        "outcomes": _OUTCOMES, "problem": problem, "query": query.urlencode(), "is_filtered": any(query.values()),
        "away": asking.away,
    }  # fmt: skip
    return render(request, "console/audit.html", context, status=422 if problem else 200)


def _within(found: "QuerySet[Act]", condition: str, day: str) -> "QuerySet[Act]":
    """Return acts from a day on, or until its end, in UTC. Raises ValueError for what is no day."""
    if not day:
        return found
    begins = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    if not 1970 <= begins.year <= 9998:
        raise ValueError(f"{day} is no day on which anything was done")
    return found.filter(**{condition: begins if condition == "at__gte" else begins + timedelta(days=1)})


def refused(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001  (Django's name)
    """Say that somebody may not do what they wanted."""
    text = "Your account may not do this. Somebody who administers users can give it a role: viewers or operators."
    return render(request, "console/error.html", {"title": "Not allowed", "text": text}, status=403)


def missing(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:  # noqa: ARG001  (Django's name)
    """Say that there is no such page."""
    text = "There is nothing at this address. It may have been moved, or typed wrongly."
    return render(request, "console/error.html", {"title": "Not found", "text": text}, status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """Say that it is our fault, or that not even who asks can be known."""
    problem = sys.exc_info()[1]
    if isinstance(problem, Exception) and is_away(problem):
        context = {
            "title": "The console's database is away",
            "text": f"Nobody can be signed in without it. {why(problem)}",
        }
        return HttpResponse(render_to_string("console/bare.html", context), status=503)
    text = "This page could not be made, and that is our mistake. The log of the server says more. Nothing was changed."
    return render(request, "console/error.html", {"title": "That went wrong", "text": text}, status=500)


def _part(request: HttpRequest, whole: str, live: str) -> str:
    return live if request.headers.get("HX-Request") else whole
