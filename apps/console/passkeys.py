"""Passkeys: keys that never leave a device and sign only for the name of this console, as a second factor.

What is kept of one is its public half, so a copy of the database signs nobody in.
"""

import hashlib
import json
from ipaddress import ip_address
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

import webauthn
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from apps.console.models import Passkey

_MOST = 20
_ANSWER_MAX = 20_000
_SECONDS = 300
_CHALLENGE = "passkey_challenge"
_MADE, _USED = "made", "used"


class PasskeyError(ValueError):
    """A passkey cannot be added; the message says why."""

    exit_code: ClassVar = 2


class Asked(NamedTuple):
    """By which name and origin a browser knows the console."""

    name: str
    origin: str


def host_of(request: HttpRequest) -> Asked | None:
    """Return how a browser knows the console; None where by an address, for which no passkeys are."""
    host = request.get_host()
    name = host.rsplit(":", 1)[0]
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return Asked(name, f"{request.scheme}://{host}")
    return None


def address_by_name(request: HttpRequest) -> str:
    """Return where the console is on one's own machine by its name, which an address hides."""
    port = urlsplit(f"//{request.get_host()}").port
    return f"{request.scheme}://localhost{'' if port is None else f':{port}'}/"


def passkeys_of(user: User) -> list[Passkey]:
    """Return the passkeys of somebody, the oldest first."""
    return list(Passkey.objects.filter(user_id=user.pk).order_by("id"))


def can_be_used(request: HttpRequest, user: User) -> bool:
    """Tell whether somebody has a passkey for the name by which the console is opened."""
    host = host_of(request)
    return host is not None and Passkey.objects.filter(user_id=user.pk, host=host.name).exists()


def options_to_make(request: HttpRequest, user: User) -> str:
    """Return, as JSON, what a browser needs to make a passkey. Raises PasskeyError."""
    host = host_of(request)
    if host is None:
        raise PasskeyError("Passkeys belong to a name: open the console by its name, and not by its address.")
    known = passkeys_of(user)
    if len(known) >= _MOST:
        raise PasskeyError(f"You have {_MOST} passkeys, and can have no more: remove one.")
    options = webauthn.generate_registration_options(
        rp_id=host.name,
        rp_name="Banyan",
        user_name=user.get_username(),
        user_id=hashlib.sha256(f"banyan user {user.pk}".encode()).digest(),
        exclude_credentials=_descriptors(known),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.PREFERRED
        ),
    )
    _remember(request, _MADE, options.challenge)
    return webauthn.options_to_json(options)


def add(request: HttpRequest, user: User, answer: str, name: str) -> Passkey:
    """Let a passkey that a browser has just made count from now on. Raises PasskeyError."""
    host, challenge = host_of(request), _asked(request, _MADE)
    name = name.strip()
    if not 1 <= len(name) <= 60:
        raise PasskeyError("Give the passkey a name of 1 to 60 characters, such as that of the device.")
    if host is None or challenge is None:
        raise PasskeyError("The passkey was made too long ago: make it once more.")
    try:
        made = webauthn.verify_registration_response(
            credential=_read(answer), expected_challenge=challenge, expected_rp_id=host.name,
            expected_origin=host.origin,
        )  # fmt: skip
    except (WebAuthnException, ValueError) as error:
        raise PasskeyError("The browser’s answer is no passkey of this console: make it once more.") from error
    if Passkey.objects.filter(credential=made.credential_id).exists():
        raise PasskeyError("That passkey is known already.")
    return Passkey.objects.create(
        user_id=user.pk, credential=made.credential_id, public_key=made.credential_public_key, host=host.name,
        sign_count=made.sign_count, name=name, made_at=timezone.now(),
    )  # fmt: skip


def options_to_use(request: HttpRequest, user: User) -> str:
    """Return, as JSON, what a browser needs to sign with a passkey of somebody. Raises PasskeyError."""
    host = host_of(request)
    known = [each for each in passkeys_of(user) if host is not None and each.host == host.name]
    if host is None or not known:
        raise PasskeyError("You have no passkey for the name by which this console is opened.")
    options = webauthn.generate_authentication_options(
        rp_id=host.name, allow_credentials=_descriptors(known), user_verification=UserVerificationRequirement.PREFERRED
    )
    _remember(request, _USED, options.challenge)
    return webauthn.options_to_json(options)


def is_right(request: HttpRequest, user: User, answer: str) -> bool:
    """Tell whether a browser has signed, with a passkey of somebody, what it was asked to a short while ago. Once."""
    host, challenge = host_of(request), _asked(request, _USED)
    if host is None or challenge is None:
        return False
    try:
        read = _read(answer)
        known = Passkey.objects.get(user_id=user.pk, host=host.name, credential=base64url_to_bytes(str(read["rawId"])))
        used = webauthn.verify_authentication_response(
            credential=read, expected_challenge=challenge, expected_rp_id=host.name, expected_origin=host.origin,
            credential_public_key=bytes(known.public_key), credential_current_sign_count=known.sign_count,
        )  # fmt: skip
    except (WebAuthnException, Passkey.DoesNotExist, KeyError, ValueError):
        return False
    fresh = Passkey.objects.filter(pk=known.pk, sign_count=known.sign_count)
    return fresh.update(sign_count=used.new_sign_count, used_at=timezone.now()) == 1


def _descriptors(known: list[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=bytes(each.credential)) for each in known]


def _remember(request: HttpRequest, what: str, challenge: bytes) -> None:
    request.session[f"{_CHALLENGE}_{what}"] = [bytes_to_base64url(challenge), timezone.now().timestamp()]


def _asked(request: HttpRequest, what: str) -> bytes | None:
    """Return what a browser was asked to sign a short while ago. It is answered once."""
    kept = request.session.pop(f"{_CHALLENGE}_{what}", None)
    if not kept or not 0 <= timezone.now().timestamp() - kept[1] < _SECONDS:
        return None
    return base64url_to_bytes(kept[0])


def _read(answer: str) -> dict[str, Any]:
    """Return an answer of a browser, nothing for what is none. Raises ValueError for what is no JSON."""
    read = json.loads(answer) if len(answer) <= _ANSWER_MAX else None
    return dict(read) if isinstance(read, dict) else {}
