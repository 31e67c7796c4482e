"""Who calls, and whether they may: every call goes through here before anything is looked up."""

from typing import Any, NamedTuple

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.api.allowance import Allowance
from apps.api.keys import OF_CLIENTS, check
from apps.api.models import Key
from apps.api.problems import Problem


class Caller(NamedTuple):
    """Who holds a key: of a client, or ("") of the firm. `holder` stays when the key is rotated.

    `streams` may be open at once by it, in each process of a server.
    """

    key: str
    holder: str
    name: str
    client: str
    scopes: frozenset[str]
    streams: int = 1
    is_authenticated: bool = True


class KeyAuthentication(BaseAuthentication):
    """Knows a caller by a key, and counts the call."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        """Return the caller, None where there is no key. Raises Problem."""
        caller = caller_of(request._request)
        return None if caller is None else (caller, None)

    def authenticate_header(self, request: Request) -> str:
        """Return what a call without a key is told to send."""
        return "Bearer"


def caller_of(request: HttpRequest) -> Caller | None:
    """Return who calls, None where there is no key, and count the call. Raises Problem."""
    found = key_of(request)
    if found is None:
        return None
    raw: Any = request
    key, raw.allowance = found
    if not raw.allowance.is_granted:
        raise Problem("rate-limited", headers={"Retry-After": str(raw.allowance.seconds)})
    scopes = frozenset(key.scopes) & OF_CLIENTS if key.client else frozenset(key.scopes)
    return Caller(key.id, key.holder, key.name, key.client, scopes, key.streams)


def key_of(request: HttpRequest) -> tuple[Key, Allowance] | None:
    """Return the key of a call, and what is left of its calls; None where there is none.

    Raises Problem for one that is not good.
    """
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if not header:
        return None
    scheme, _, written = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Problem("key-missing", headers={"WWW-Authenticate": "Bearer"})
    return check(written.strip(), address_of(request), timezone.now())


class MayCall(BasePermission):
    """Lets a view be called by those who have its scope; `scope` is None where everybody may."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether they may. Raises Problem where they may not."""
        scope = view.post_scope if request.method in ("POST", "PUT") else view.scope
        if scope is None:
            return True
        caller = request.user
        if not isinstance(caller, Caller):
            raise Problem("key-missing", headers={"WWW-Authenticate": "Bearer"})
        if caller.client and view.is_firm_only:
            raise Problem("firm-only")
        if scope not in caller.scopes:
            raise Problem("scope-missing", f"This needs a key with the scope {scope}.")
        return True


def address_of(request: Request | HttpRequest) -> str | None:
    """Return the address that a call came from."""
    return request.META.get("REMOTE_ADDR") or None
