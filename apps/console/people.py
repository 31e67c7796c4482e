"""People: who may sign in and do what, and each one's own page, with their password, second factor and sessions."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, NamedTuple

import segno
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from apps.console import passkeys, second_factor, sessions, totp
from apps.console.access import PEOPLE, page, signed_in, somebody
from apps.console.acts_of_people import ROLES
from apps.console.addresses import address_of
from apps.console.models import SignedIn, SignInTry
from apps.console.proving import proof
from apps.console.recording import Actor, Facts, recorded
from apps.console.signing_in import FAILURES_MAX, PERIOD, proved

_LISTED = 200


class Person(NamedTuple):
    """Somebody who may sign in, as the list shows them."""

    user: User
    roles: list[str]
    missing: list[str]
    has_factor: bool
    sessions: int
    failures: int

    @property
    def is_locked(self) -> bool:
        """Whether so many tries failed of late that somebody may have to wait."""
        return self.failures >= FAILURES_MAX


def show_people(request: HttpRequest) -> HttpResponse:
    """Show who may sign in, found by typing."""
    text = request.GET.get("find", "").strip()
    named = Q(username__icontains=text) | Q(first_name__icontains=text) | Q(last_name__icontains=text)
    users = list(User.objects.filter(named).prefetch_related("groups").order_by("username")[: _LISTED + 1])
    context = {
        "title": "People", "people": _told(users[:_LISTED]), "more": len(users) > _LISTED, "text": text,
    }  # fmt: skip
    part = "console/people_live.html" if request.headers.get("HX-Request") else "console/people.html"
    return render(request, part, context)


show_people = page(show_people, PEOPLE)


def show_person(request: HttpRequest, name: str) -> HttpResponse:
    """Show somebody: roles, how they sign in, and where they are signed in."""
    user = User.objects.filter(username=name).prefetch_related("groups").first()
    if user is None:
        raise Http404(f"there is no user {name}")
    context = {"title": name, "of": _told([user])[0], "sessions": sessions.sessions_of(user)}
    return render(request, "console/person.html", context)


show_person = page(show_person, PEOPLE)


def _told(users: list[User]) -> list[Person]:
    ids = [each.pk for each in users]
    factors = second_factor.have_factors(ids)
    open_sessions = dict(
        SignedIn.objects.filter(user_id__in=ids, at__gt=timezone.now() - timedelta(days=1))
        .values_list("user_id")
        .annotate(Count("id"))
    )
    failed = dict(
        SignInTry.objects.filter(has_failed=True, at__gt=timezone.now() - PERIOD)
        .values_list("username")
        .annotate(Count("id"))
    )
    told = []
    for user in users:
        roles = sorted(each.name for each in user.groups.all())
        told.append(
            Person(
                user, roles, [each for each in ROLES if each not in roles], user.pk in factors,
                open_sessions.get(user.pk, 0), failed.get(user.username.lower(), 0),
            )
        )  # fmt: skip
    return told


@signed_in
def show_you(request: HttpRequest) -> HttpResponse:
    """Show somebody their own page."""
    return _you(request)


def _you(request: HttpRequest, problem: str = "", codes: list[str] | None = None) -> HttpResponse:
    user = somebody(request)
    factor, factors = second_factor.of(user), second_factor.factors_of(user)
    begun = None
    if factor is None and "second" in request.GET | request.POST:
        secret = second_factor.secret_of(second_factor.begun(user))
        address = totp.address(secret, user.get_username())
        begun = {"secret": totp.written(secret), "address": address, "picture": _picture(address)}
    context = {
        "title": "You", "factor": factor, "begun": begun, "codes": codes, "problem": problem,
        "sessions": sessions.sessions_of(user, request.session.session_key),
        "rules": password_validators_help_texts(), "left": len(factors.codes.recovery) if factors.codes else 0,
        "passkeys": passkeys.passkeys_of(user), "host": passkeys.host_of(request), "proof": proof(request),
        "factors": factors, "by_name": passkeys.address_by_name(request),
    }  # fmt: skip
    return render(request, "console/you.html", context, status=422 if problem else 200)


def _picture(address: str) -> dict[str, Any]:
    """Return a QR code as a path of SVG, a unit square for each dark one, with the border that readers need."""
    rows = list(segno.make(address, error="m").matrix_iter(border=4))
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return {"size": len(rows), "path": path}


class YouError(ValueError):
    """What somebody asked for on their own page cannot be: the message says why."""


Do = Callable[[HttpRequest, list[str]], tuple[str, Facts]]


def _changing(name: str) -> Callable[[Do], Callable[..., HttpResponse]]:
    """Let somebody change something of their own, with a record, once they have typed their password.

    What is done puts into its second argument the codes that are shown once.
    """

    def decorate(do: Do) -> Callable[..., HttpResponse]:
        @wraps(do)
        def view(request: HttpRequest) -> HttpResponse:
            if problem := proved(request):
                return _you(request, problem)
            codes: list[str] = []
            actor = Actor(request.user.get_username(), address_of(request))
            became = recorded(actor, f"you.{name}", actor.name, "", before=dict, do=lambda: do(request, codes))
            if became.error is not None:
                return _you(request, str(became.error))
            if codes:
                return _you(request, codes=codes)
            messages.success(request, became.outcome.text)
            return redirect("you")

        return signed_in(sensitive_post_parameters()(require_POST(view)))

    return decorate


@_changing("password")
def change_password(request: HttpRequest, _: list[str]) -> tuple[str, Facts]:
    """Change one's password; all other sessions of one's own end."""
    user, new, again = somebody(request), request.POST.get("new", ""), request.POST.get("again", "")
    if new != again:
        raise YouError("The new password was typed in two ways: type the same twice.")
    try:
        validate_password(new, user)
    except ValidationError as error:
        raise YouError(" ".join(error.messages)) from None
    user.set_password(new)
    user.save(update_fields=["password"])
    ended = sessions.end(user, but=request.session.session_key)
    before = request.session.session_key
    update_session_auth_hash(request, user)
    SignedIn.objects.filter(session=before).update(session=request.session.session_key)
    return "Your password is changed. Wherever else you were signed in, you are no more.", {"sessions ended": ended}


@_changing("second-factor-on")
def add_factor(request: HttpRequest, codes: list[str]) -> tuple[str, Facts]:
    """Let the authenticator that was set up count from now on."""
    made = second_factor.confirm(somebody(request), request.POST.get("new_code", ""))
    if made is None:
        raise YouError("That is not the code that your authenticator shows now: look at it once more.")
    codes += made
    return "From now on you sign in with a code too.", {"second factor": True}


@_changing("second-factor-off")
def remove_factor(request: HttpRequest, _: list[str]) -> tuple[str, Facts]:
    """Sign in without the authenticator from now on."""
    user = somebody(request)
    if not second_factor.remove_authenticator(user):
        raise YouError("You have no authenticator.")
    left = second_factor.factors_of(user).passkeys
    return "You sign in by password and passkey." if left else "You sign in by password alone.", {"passkeys": left}


@_changing("passkey-on")
def add_passkey(request: HttpRequest, codes: list[str]) -> tuple[str, Facts]:
    """Let a passkey that was made count from now on."""
    user = somebody(request)
    added = passkeys.add(request, user, request.POST.get("made", ""), request.POST.get("passkey_name", ""))
    codes += second_factor.first_codes(user)
    return f"The passkey “{added.name}” counts from now on.", {"passkey": added.name}


@_changing("passkey-off")
def remove_passkey(request: HttpRequest, _: list[str]) -> tuple[str, Facts]:
    """Let a passkey count no more."""
    which = request.POST.get("which", "")
    number = int(which) if which.isdecimal() and len(which) < 19 else 0
    name = second_factor.remove_passkey(somebody(request), number)
    if name is None:
        raise YouError("You have no such passkey.")
    return f"The passkey “{name}” counts no more.", {"passkey": name}


@signed_in
@require_POST
def options_of_passkey(request: HttpRequest) -> HttpResponse:
    """Answer with what a browser needs to make a passkey."""
    try:
        return HttpResponse(passkeys.options_to_make(request, somebody(request)), content_type="application/json")
    except passkeys.PasskeyError as error:
        return JsonResponse({"problem": str(error)}, status=422)


@_changing("recovery-codes")
def new_codes(request: HttpRequest, codes: list[str]) -> tuple[str, Facts]:
    """Show ten new codes for emergencies."""
    factors = second_factor.factors_of(somebody(request))
    if not factors or factors.codes is None:
        raise YouError("You have no second factor.")
    codes += second_factor.new_recovery_codes(factors.codes)
    return "There are ten new codes; those of before are good for nothing.", {}


@signed_in
@require_POST
def end_session(request: HttpRequest) -> HttpResponse:
    """End a session of one's own, or all but this one."""
    which, this = request.POST.get("session", ""), request.session.session_key
    actor = Actor(request.user.get_username(), address_of(request))

    def do() -> tuple[str, Facts]:
        number = int(which) if which.isdecimal() and len(which) < 19 else None
        ended = sessions.end(somebody(request), number, but=this)
        return f"{ended} of your sessions ended." if ended != 1 else "The session ended.", {"ended": ended}

    messages.success(request, recorded(actor, "you.end-session", actor.name, "", before=dict, do=do).outcome.text)
    return redirect("you")
