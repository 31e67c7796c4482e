"""Alerts: what is open, what is silenced, what is over, and the rules, each in a form."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.alerts import interface as alerts
from apps.alerts.interface import MEASURES, AlertError
from apps.console.access import page
from apps.console.acts_of_alerts import RULE, SILENCE_MINUTES, new_rule

_ENDED_A_PAGE = 30


@page
def show_alerts(request: HttpRequest) -> HttpResponse:
    """Show what is raised, what is silenced, what is looked at, and what is over."""
    before = request.GET.get("before", "")
    place = int(before) if before.isdecimal() and len(before) < 19 else None
    ended = alerts.ended_alerts(_ENDED_A_PAGE + 1, place)
    context = {
        "title": "Alerts",
        "opened": alerts.open_alerts(),
        "silences": alerts.silences(),
        "rules": alerts.rules(),
        "ended": ended[:_ENDED_A_PAGE],
        "next": ended[_ENDED_A_PAGE - 1].pk if len(ended) > _ENDED_A_PAGE else None,
        "is_newest": place is None,
        "lengths": SILENCE_MINUTES,
    }
    part = "console/alerts_live.html" if request.headers.get("HX-Request") else "console/alerts.html"
    return render(request, part, context)


@page
def edit_rule(request: HttpRequest) -> HttpResponse:
    """Show a rule in a form; with everything typed, go on to where it says what it would do."""
    name = request.GET.get("rule", "").strip()
    known = next((each.of for each in alerts.rules() if each.of.name == name), None)
    measure = request.GET.get("measure", known.measure if known else "")
    first = MEASURES.get(measure)
    shown: dict[str, Any] = {
        "rule": name,
        "measure": measure,
        "subject": known.subject if known else "",
        "bound": f"{known.bound:.15g}" if known else f"{first.bound:.15g}" if first else "",
        "clears_below": f"{known.clears_below:.15g}" if known else f"{first.bound:.15g}" if first else "",
        "for_seconds": known.for_seconds if known else first.for_seconds if first else "",
        "is_grave": "yes" if known and known.is_grave else "no",
        "is_on": "no" if known and not known.is_on else "yes",
        "mail_to": known.mail_to if known else "",
    } | {each: request.GET[each].strip() for each in RULE if each in request.GET}
    problem = ""
    if "define" in request.GET:
        given = {each: str(shown[each]) for each in RULE}
        try:
            alerts.checked(new_rule(given))
        except AlertError as error:
            problem = str(error)
        else:
            return redirect(f"{reverse('act', args=['alert.rule'])}?{urlencode(given | {'next': reverse('alerts')})}")
    context = {
        "title": name if known else "A new rule", "known": known, "shown": shown, "measures": MEASURES, "first": first,
        "problem": problem,
    }  # fmt: skip
    return render(request, "console/alert_rule.html", context, status=422 if problem else 200)
