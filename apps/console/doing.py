"""Acts, asked for, recorded and done: the one way by which a POST of the console changes anything."""

import logging
import uuid
from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from apps.console.access import acting
from apps.console.acts import KINDS, Danger, Facts, Given, Kind
from apps.console.models import Act, Outcome
from apps.console.signing_in import address_of
from banyan.commands import explained

_LOGGER = logging.getLogger(__name__)


@acting
def act(request: HttpRequest, name: str) -> HttpResponse:
    """Show what an act would do and ask for what it needs; or do it."""
    kind = KINDS.get(name)
    if kind is None:
        raise Http404(f"there is no act {name}")
    try:
        given = kind.given(request.POST if request.method == "POST" else request.GET)
    except KeyError as missing:
        raise Http404(f"{name} needs {missing}") from None
    problem = ""
    why, typed = request.POST.get("why", "").strip(), request.POST.get("word", "").strip()
    if request.method == "POST":
        problem = _missing(kind, why, typed)
        if not problem:
            outcome = carry_out(request, kind, given, why)
            (messages.success if outcome.is_done else messages.error)(request, outcome.text)
            return redirect(_back(request))
    try:
        effect = kind.effect(given)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is told)
        effect, problem = [], _in_words(error)
    context = {
        "kind": kind, "given": given, "subject": kind.subject(given), "effect": effect, "problem": problem, "why": why,
        "next": _back(request), "needs_word": kind.danger is Danger.GREAT, "needs_why": kind.danger >= Danger.SOME,
        "title": kind.title,
    }  # fmt: skip
    return render(request, "console/act.html", context, status=422 if problem else 200)


def carry_out(request: HttpRequest, kind: Kind, given: Given, why: str) -> Outcome:
    """Record that an act is asked for, do it, and record what became of it. What goes wrong is told, never raised."""
    recorded = Act.objects.create(
        id=uuid.uuid4(),
        at=datetime.now(UTC),
        user=request.user.get_username(),
        address=address_of(request),
        name=kind.name,
        subject=kind.subject(given)[:200],
        why=why,
        before=_before(kind, given),
    )
    try:
        text, after = kind.do(given, f"{recorded.user}: {why}" if why else recorded.user, recorded.id.hex)
        is_done = True
    except Exception as error:  # noqa: BLE001  (whatever it is, it is recorded and told)
        text, after, is_done = f"{kind.title} was not done: {_in_words(error)}", {}, False
    return Outcome.objects.create(act=recorded, at=datetime.now(UTC), is_done=is_done, text=text, after=after)


def _before(kind: Kind, given: Given) -> Facts:
    try:
        return kind.before(given)
    except Exception as error:  # noqa: BLE001  (an act is not kept from being done because nobody can tell how it was)
        return {"unknown": _in_words(error)}


def _in_words(error: Exception) -> str:
    found = explained(error)
    if found is None:
        _LOGGER.error("an act failed", exc_info=error)
        return f"it failed for a reason that nobody foresaw ({type(error).__name__}); the log has it"
    return found[0]


def _missing(kind: Kind, why: str, typed: str) -> str:
    if kind.danger >= Danger.SOME and not why:
        return "Say why: those who find it will want to know."
    if kind.danger is Danger.GREAT and typed != kind.word:
        return f"Type {kind.word} to confirm."
    return ""


def _back(request: HttpRequest) -> str:
    wanted: Any = request.POST.get("next") or request.GET.get("next") or "/"
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return str(wanted) if is_ours else "/"
