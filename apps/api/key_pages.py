"""Pages about keys of the API: listed, made, rotated. A key is shown once, by what answers, and kept nowhere."""

from collections.abc import Callable
from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters

from apps.api.key_acts import key_of, key_told
from apps.api.keys import OF_CLIENTS, SCOPES, Wanted, WrongKeyError, make, rotate
from apps.api.models import Key
from apps.console.interface import PEOPLE, Actor, acting, address_of, doubted, page, proof_wanted, recorded

_LISTED = 200
_TOLD = {
    "read": "what there is to see", "trade": "orders, cancels, flattening", "research": "backtests and sweeps",
    "operate": "halts, limits, sets, quarantine", "extract": "stages of contexts",
}  # fmt: skip
Made = tuple[Key, str]


def show_keys(request: HttpRequest) -> HttpResponse:
    """Show keys, those that are good unless all are wanted, found by typing."""
    text, now = request.GET.get("find", "").strip(), timezone.now()
    found = Key.objects.filter(Q(name__icontains=text) | Q(client__icontains=text) | Q(id__icontains=text))
    if "all" not in request.GET:
        found = found.filter(revoked_at=None, expires_at__gt=now)
    keys = list(found.order_by("-made_at", "-id")[: _LISTED + 1])
    context = {
        "title": "API keys", "keys": keys[:_LISTED], "more": len(keys) > _LISTED, "text": text, "now": now,
        "all": "all" in request.GET,
    }  # fmt: skip
    part = "api/keys_found.html" if request.headers.get("HX-Request") else "api/keys.html"
    return render(request, part, context)


show_keys = page(show_keys, PEOPLE)


@sensitive_post_parameters("password", "code", "passkey")
def make_key(request: HttpRequest) -> HttpResponse:
    """Ask what a key is to be for and may do; make it."""
    name = request.POST.get("name", "").strip()
    given: dict[str, Any] = {
        "name": name, "client": request.POST.get("client", "").strip(),
        "days": request.POST.get("days", "90").strip(), "calls": request.POST.get("calls", "600").strip(),
        "streams": request.POST.get("streams", "50").strip(),
        "networks": request.POST.get("networks", "").strip(),
        "scopes": request.POST.getlist("scope") if request.method == "POST" else ["read"],
    }  # fmt: skip
    context = {
        "title": "A new API key", "given": given, "scopes": _TOLD.items(), "of_clients": sorted(OF_CLIENTS),
    }  # fmt: skip
    return _answer(request, "key.make", name, "api/key_new.html", context, lambda: make(_wanted(given)))


make_key = acting(make_key, PEOPLE)


@sensitive_post_parameters("password", "code", "passkey")
def rotate_key(request: HttpRequest, key: str) -> HttpResponse:
    """Ask for how long a key goes on beside the one that is made instead of it; make it."""
    try:
        old = key_of(key)
    except WrongKeyError as error:
        raise Http404(str(error)) from None
    days, overlap = request.POST.get("days", "90").strip(), request.POST.get("overlap", "24").strip()
    context = {"title": f"Rotate {old.id}", "old": old, "days": days, "overlap": overlap}

    def do() -> Made:
        return rotate(old.id, days=_whole("days", days), overlap_hours=_whole("hours", overlap))

    return _answer(request, "key.rotate", old.id, "api/key_rotate.html", context, do)


rotate_key = acting(rotate_key, PEOPLE)


def _answer(
    request: HttpRequest, name: str, subject: str, form: str, context: dict[str, Any], do: Callable[[], Made]
) -> HttpResponse:
    """Show a form, or do what it asks for, with a record, and show the key that was made, once."""
    why, problem, made = request.POST.get("why", "").strip(), "", []
    if request.method == "POST":
        problem = "" if why else "Say why: those who find it will want to know."
        problem = problem or doubted(request)
    if request.method == "POST" and not problem:
        actor = Actor(request.user.get_username(), address_of(request))

        def done() -> tuple[str, dict[str, Any]]:
            made.append(do())
            key = made[0][0]
            return f"Key {key.id} ({key.name}) is made.", key_told(key)

        became = recorded(actor, name, subject, why, before=dict, do=done, title=str(context["title"]))
        problem = "" if became.error is None else became.outcome.text
    if made:
        key, written = made[0]
        shown = {"title": "An API key", "key": key, "written": written, "told": key_told(key).items()}
        return render(request, "api/key_shown.html", shown)
    context |= {"problem": problem, "why": why, "proof": proof_wanted(request)}
    return render(request, form, context, status=422 if problem else 200)


def _wanted(given: dict[str, Any]) -> Wanted:
    networks = given["networks"].replace(",", " ").split()
    days, calls = _whole("days", given["days"]), _whole("calls a minute", given["calls"])
    streams = _whole("streams", given["streams"])
    scopes = [each for each in SCOPES if each in given["scopes"]]
    return Wanted(given["name"], scopes, given["client"], days, networks, calls, streams)


def _whole(name: str, text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise WrongKeyError(f"{name}: {text!r} is no whole number")
    return int(text)
