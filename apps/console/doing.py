"""Acts, asked for, recorded and done: the one way by which a POST of the console changes anything."""

import uuid
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.module_loading import import_string

from apps.console.access import acting
from apps.console.acts import KINDS
from apps.console.addresses import address_of
from apps.console.kinds import Danger, Given, Kind, NothingChangesError
from apps.console.models import Outcome, Proposal
from apps.console.proposing import confirm, needs_two, propose, proposed
from apps.console.proving import doubted, proof_wanted
from apps.console.recording import Actor, Became, Facts, in_words, recorded
from banyan.commands import explained


@acting
def act(request: HttpRequest, name: str) -> HttpResponse:
    """Show what an act would do and ask for what it needs; or do it."""
    kind = kind_of(name)
    if kind is None:
        raise Http404(f"there is no act {name}")
    if not request.user.has_perm(kind.permission):
        raise PermissionDenied
    try:
        given = kind.given(request.POST if request.method == "POST" else request.GET)
    except KeyError as missing:
        raise Http404(f"{name} needs {missing}") from None
    problem, proposal = "", _proposal(request, kind, given)
    why, typed = request.POST.get("why", "").strip(), request.POST.get("word", "").strip()
    if request.method == "POST":
        problem = _missing(kind, why, typed) or (doubted(request) if kind.asks_who else "")
        if not problem:
            do = carry_out if proposal is not None or not needs_two(kind) else _ask_another
            outcome = do(request, kind, given, why)
            (messages.success if outcome.is_done else messages.error)(request, outcome.text)
            return HttpResponseRedirect(_back(request))
    is_refused, idle = False, ""
    try:
        effect = kind.effect(given)
    except NothingChangesError as nothing:
        effect, idle = [], str(nothing)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is told)
        effect, problem = [], in_words(error)
        is_refused = isinstance(error, ValueError) and explained(error) is not None
    context = {
        "kind": kind, "given": given, "subject": kind.subject(given), "effect": effect, "problem": problem, "why": why,
        "next": _back(request), "needs_word": kind.danger is Danger.GREAT, "needs_why": kind.danger >= Danger.SOME,
        "title": kind.title, "proof": proof_wanted(request) if kind.asks_who else None, "proposal": proposal,
        "is_by_two": needs_two(kind), "is_refused": is_refused, "idle": idle,
    }  # fmt: skip
    return render(request, "console/act.html", context, status=422 if problem else 200)


def kind_of(name: str) -> Kind | None:
    """Return an act by its name, also one of those who stand above the console."""
    return KINDS.get(name) or _beyond().get(name)


@cache
def _beyond() -> dict[str, Kind]:
    """Return the acts of those who stand above the console."""
    return {kind.name: kind for name in settings.CONSOLE_ACTS for kind in import_string(name)}


def carry_out(request: HttpRequest, kind: Kind, given: Given, why: str) -> Outcome:
    """Do an act with a record of it; return what became of it."""
    proposal = _proposal(request, kind, given)
    return carried_out(_actor(request), kind, given, why, uuid.uuid4().hex, proposal=proposal).outcome


def carried_out(
    actor: Actor, kind: Kind, given: Given, why: str, request_id: str, *, proposal: Proposal | None = None
) -> Became:  # fmt: skip
    """Do an act with a record of it; `request_id` makes asking twice one act.

    One that needs two people is done only where another has proposed it.
    """
    why = f"{why} (asked for by {proposal.user}: {proposal.why})" if proposal is not None else why

    def do() -> tuple[str, Facts]:
        if needs_two(kind):
            confirm(kind, proposal, actor.name)
        return kind.do(given, f"{actor.name}: {why}" if why else actor.name, request_id)

    return recorded(
        actor, kind.name, kind.subject(given), why, title=kind.title, before=lambda: kind.before(given), do=do
    )


def _ask_another(request: HttpRequest, kind: Kind, given: Given, why: str) -> Outcome:
    """Let an act wait for a second person, with a record of who asked."""
    actor = _actor(request)

    def do() -> tuple[str, Facts]:
        propose(kind, given, actor.name, why)
        return f"Asked for: {kind.title.lower()}. Somebody else confirms it within an hour, from the overview.", {}

    subject = f"{kind.name} {kind.subject(given)}"
    return recorded(actor, "proposal.ask", subject, why, title=kind.title, before=dict, do=do).outcome


def _proposal(request: HttpRequest, kind: Kind, given: Given) -> Proposal | None:
    number = request.POST.get("proposal") or request.GET.get("proposal") or ""
    return proposed(number, kind, given) if number and needs_two(kind) else None


def _actor(request: HttpRequest) -> Actor:
    return Actor(request.user.get_username(), address_of(request))


def _missing(kind: Kind, why: str, typed: str) -> str:
    if kind.danger >= Danger.SOME and not why:
        return "Say why: those who find it will want to know."
    if kind.danger is Danger.GREAT and typed != kind.word:
        return f"Type {kind.word} to confirm."
    return ""


def _back(request: HttpRequest) -> str:
    wanted: Any = request.POST.get("next") or request.GET.get("next") or "/"
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return str(wanted) if is_ours and wanted.startswith("/") else "/"
