"""Where people are signed in: each session with since when and from where, to be ended one by one."""

from datetime import datetime
from importlib import import_module
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone

from apps.console.access import somebody
from apps.console.addresses import address_of
from apps.console.models import SignedIn

CONFIRMED = "confirmed_at"
FRESH_SECONDS = 300
"""For how long after somebody proved who they are dangerous acts do not ask again."""
_LISTED = 100
_AGENT_MAX = 200


class SessionTold(NamedTuple):
    """A session of somebody: whether it is the one that asks."""

    id: int
    at: datetime
    address: str | None
    agent: str
    is_this: bool


def begin(request: HttpRequest) -> None:
    """Remember that somebody has just signed in with this session, and proved who they are."""
    confirmed(request)
    if request.session.session_key is None:
        request.session.save()
    told = {
        "user_id": somebody(request).pk, "at": timezone.now(), "address": address_of(request),
        "agent": request.headers.get("User-Agent", "")[:_AGENT_MAX],
    }  # fmt: skip
    # Who signs in once more, in a session that goes on, has one all the same.
    SignedIn.objects.update_or_create(session=str(request.session.session_key), defaults=told)


def confirmed(request: HttpRequest) -> None:
    """Remember that somebody has just proved who they are."""
    request.session[CONFIRMED] = timezone.now().timestamp()


def is_fresh(request: HttpRequest) -> bool:
    """Tell whether somebody proved who they are a short while ago."""
    at = request.session.get(CONFIRMED, 0.0)
    return bool(0 <= timezone.now().timestamp() - at < FRESH_SECONDS)


def sessions_of(user: User, this: str | None = None) -> list[SessionTold]:
    """Return where somebody is signed in, the newest first. What has ended or is stale is forgotten on the way."""
    told, over = [], []
    for each in SignedIn.objects.filter(user_id=user.pk).order_by("-at", "-id")[:_LISTED]:
        if _is_alive(each.session, user):
            told.append(SessionTold(each.pk, each.at, each.address, each.agent, each.session == this))
        else:
            over.append(each.pk)
    SignedIn.objects.filter(pk__in=over).delete()
    return told


def end(user: User, which: int | None = None, *, but: str | None = None) -> int:
    """End a session of somebody, or all of them but one; return how many."""
    found = SignedIn.objects.filter(user_id=user.pk)
    if which is not None:
        found = found.filter(pk=which)
    ended = 0
    for each in found:
        if each.session != but:
            _store(each.session).delete()
            each.delete()
            ended += 1
    return ended


def _is_alive(key: str, user: User) -> bool:
    """Tell whether a session is somebody's still: it is not after its time, nor after a change of the password."""
    kept = _store(key).load()
    return kept.get(SESSION_KEY) == str(user.pk) and kept.get(HASH_SESSION_KEY) == user.get_session_auth_hash()


def _store(key: str) -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore(key)
