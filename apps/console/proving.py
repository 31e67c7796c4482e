"""Whether who asks has proved who they are a short while ago, and what a form asks for where they have not."""

from typing import NamedTuple

from django.http import HttpRequest

from apps.console import passkeys, second_factor
from apps.console.access import somebody
from apps.console.sessions import is_fresh
from apps.console.signing_in import proved


class Proof(NamedTuple):
    """What a form has to ask for, beside the password: a code or a passkey where there is a second factor."""

    has_factor: bool
    has_authenticator: bool
    has_passkey: bool


def proof_wanted(request: HttpRequest) -> Proof | None:
    """Return what `console/proof.html` asks for; None: it is known well enough who asks."""
    return None if is_fresh(request) else proof(request)


def proof(request: HttpRequest) -> Proof:
    """Return what somebody can prove with who they are."""
    user = somebody(request)
    factors = second_factor.factors_of(user)
    return Proof(bool(factors), factors.has_authenticator, passkeys.can_be_used(request, user))


def doubted(request: HttpRequest) -> str:
    """Return why it is not known well enough who asks, after what was posted; "": it is."""
    return "" if is_fresh(request) else proved(request)
