"""Forms in which an account is told what to do: an order by hand, and the settings of a level."""

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.console import levels
from apps.console.access import page
from apps.console.acts_of_orders import IN_FORCE, PLACED, wanted
from apps.console.acts_of_settings import account_of, set_level, terms, typed_last, typed_of_set
from apps.console.asking import ERRORS
from apps.console.levels import Asked, LevelError
from apps.execution.interface import AccountError
from apps.reporting import interface as reporting
from apps.signals import interface as signals
from banyan.commands import explained


@page
def place_order(request: HttpRequest) -> HttpResponse:
    """Show the form of an order by hand; with everything typed, go on to where it says what it would do."""
    given = {name: request.GET.get(name, "").strip() for name in PLACED}
    problem = ""
    if "place" in request.GET:
        given["instrument"] = given["instrument"].upper()
        problem = _problem(lambda: wanted(given))
        if not problem:
            return redirect(_act("order.place", given, _back(given["account"])))
    context = {
        "title": "An order by hand", "given": given, "problem": problem, "in_force": IN_FORCE,
        "instruments": reporting.instruments_traded(),
    }  # fmt: skip
    return render(request, "console/order_form.html", context, status=422 if problem else 200)


@page
def edit_settings(request: HttpRequest, account: str) -> HttpResponse:
    """Show what an account says at a level, its own or that of a set, in a form; with a change, go on to preview it."""
    name = request.GET.get("set", "").strip()
    if name and all(each.name != name for each in signals.set_standings()):
        raise Http404(f"there is no set {name}")
    try:
        of = account_of(account)
        known = typed_last(of, name)
    except (LevelError, AccountError) as error:
        raise Http404(str(error)) from None
    asked = levels.OF_FOLLOWING if name else levels.OF_ACCOUNT
    is_followed = known.get("is_active") == "yes"
    if name and not known:
        known = {"is_active": "yes", "allocation": "1", "join": "next-change"}
    typed, given = _typed(request, asked, known)
    problem = ""
    if "change" in request.GET:
        problem = _problem(lambda: terms(name, given))
        if not problem:
            about = {"account": of.account, "set": name, "settings": levels.line(typed)}
            return redirect(_act(f"account.{'subscribe' if name else 'configure'}", about, _back(of.account)))
    context = {
        "title": of.account, "of": of, "set": name, "problem": problem, "is_followed": is_followed,
        "fields": [(each, typed[each.name]) for each in asked],
        "action": reverse("settings-form", args=[of.account]), "back": _back(of.account),
    }  # fmt: skip
    return render(request, "console/settings_form.html", context, status=422 if problem else 200)


@page
def edit_set_settings(request: HttpRequest, name: str) -> HttpResponse:
    """Show what holds for all who follow a set in a form; with a change, go on to preview it."""
    if all(each.name != name for each in signals.set_standings()):
        raise Http404(f"there is no set {name}")
    typed, given = _typed(request, levels.OF_SET, typed_of_set(name))
    problem = ""
    if "change" in request.GET:
        problem = _problem(lambda: set_level(name, given))
        if not problem:
            about = {"set": name, "settings": levels.line(typed)}
            return redirect(_act("set.configure", about, reverse("set", args=[name])))
    context = {
        "title": name, "set": name, "problem": problem, "fields": [(each, typed[each.name]) for each in levels.OF_SET],
        "action": reverse("set-settings", args=[name]), "back": reverse("set", args=[name]),
    }  # fmt: skip
    return render(request, "console/settings_form.html", context, status=422 if problem else 200)


def _typed(
    request: HttpRequest, asked: tuple[Asked, ...], known: dict[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return what stands in a form, and what of it is given."""
    typed = {each.name: request.GET.get(each.name, known.get(each.name, "")).strip() for each in asked}
    return typed, {name: text for name, text in typed.items() if text}


def _problem(check: Any) -> str:
    """Return what is wrong with what was typed, "" where nothing is."""
    try:
        check()
    except ERRORS:
        raise
    except Exception as error:
        told = explained(error)
        if told is None:
            raise
        return told[0]
    return ""


def _act(name: str, about: dict[str, str], back: str) -> str:
    return f"{reverse('act', args=[name])}?{urlencode(about | {'next': back})}"


def _back(account: str) -> str:
    return reverse("account", args=[account])
