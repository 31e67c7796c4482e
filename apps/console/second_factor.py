"""The second factor of people: codes of an authenticator, passkeys, and ten codes to be written down for emergencies.

Nothing in the database is worth stealing: the secret that a phone and we share is derived from the key of this
installation and a random number that is stored, and codes for emergencies are stored as digests.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from time import time
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from apps.console import passkeys, totp
from apps.console.models import Passkey, SecondFactor

RECOVERY_CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class Factors(NamedTuple):
    """What somebody signs in with beside the password: true where there is anything."""

    codes: SecondFactor | None
    passkeys: int

    def __bool__(self) -> bool:
        return self.has_authenticator or bool(self.passkeys)

    @property
    def has_authenticator(self) -> bool:
        """Whether codes of an authenticator count."""
        return self.codes is not None and self.codes.confirmed_at is not None


def factors_of(user: User) -> Factors:
    """Return what somebody signs in with beside the password."""
    codes = SecondFactor.objects.filter(user_id=user.pk).first()
    return Factors(codes, Passkey.objects.filter(user_id=user.pk).count())


def have_factors(user_ids: Collection[int]) -> set[int]:
    """Return those of some users who have a second factor."""
    codes = SecondFactor.objects.filter(user_id__in=user_ids).exclude(confirmed_at=None)
    passkeys = Passkey.objects.filter(user_id__in=user_ids)
    return {*codes.values_list("user_id", flat=True), *passkeys.values_list("user_id", flat=True)}


def of(user: User) -> SecondFactor | None:
    """Return the authenticator that somebody signs in with, None where they have none."""
    return SecondFactor.objects.filter(user_id=user.pk).exclude(confirmed_at=None).first()


def begun(user: User) -> SecondFactor:
    """Return the second factor that somebody sets up: it counts once a code of it has been typed."""
    found, _ = SecondFactor.objects.get_or_create(user_id=user.pk, defaults={"seed": secrets.token_hex(20)})
    return found


def secret_of(factor: SecondFactor, key: str = "") -> bytes:
    """Return what the authenticator knows too."""
    message = f"second factor {factor.user_id} {factor.seed}".encode()
    return hmac.new((key or settings.SECRET_KEY).encode(), message, hashlib.sha256).digest()[: totp.SECRET_BYTES]


def confirm(user: User, code: str) -> list[str] | None:
    """Let a second factor count from now on; return codes to be written down, or None: the code is wrong."""
    factor = begun(user)
    if factor.confirmed_at is not None or not _is_of_authenticator(factor, code):
        return None
    SecondFactor.objects.filter(pk=factor.pk).update(confirmed_at=timezone.now())
    return new_recovery_codes(factor)


def new_recovery_codes(factor: SecondFactor) -> list[str]:
    """Return ten new codes for emergencies, each good for once; those of before are good for nothing."""
    made = ["".join(secrets.choice(_LETTERS) for _ in range(12)) for _ in range(RECOVERY_CODES)]
    SecondFactor.objects.filter(pk=factor.pk).update(recovery=[_digest(each) for each in made])
    return [f"{each[:4]}-{each[4:8]}-{each[8:]}" for each in made]


def is_right(factor: SecondFactor, code: str) -> bool:
    """Tell whether a code is right: of the authenticator, or one that was written down. It is right once."""
    typed = "".join(code.split()).replace("-", "").lower()
    counts = factor.confirmed_at is not None
    return (counts and _is_of_authenticator(factor, typed)) or _was_written_down(factor, typed)


def proves(request: HttpRequest, user: User, factors: Factors) -> bool:
    """Tell whether what was posted (`passkey`, an answer of the browser, or `code`) is of a second factor. Once."""
    if answer := request.POST.get("passkey", ""):
        return passkeys.is_right(request, user, answer)
    return factors.codes is not None and is_right(factors.codes, request.POST.get("code", ""))


def first_codes(user: User) -> list[str]:
    """Return codes to be written down where somebody has none yet, else nothing."""
    codes = begun(user)
    return [] if codes.recovery else new_recovery_codes(codes)


def remove(user: User) -> bool:
    """Let somebody sign in by password alone; return whether they had a second factor."""
    had = bool(factors_of(user))
    Passkey.objects.filter(user_id=user.pk).delete()
    SecondFactor.objects.filter(user_id=user.pk).delete()
    return had


def remove_authenticator(user: User) -> bool:
    """Let the authenticator of somebody count no more; return whether they had one. Passkeys and their codes stay."""
    had = of(user) is not None
    found = SecondFactor.objects.filter(user_id=user.pk)
    if Passkey.objects.filter(user_id=user.pk).exists():
        found.update(seed=secrets.token_hex(20), confirmed_at=None, last_step=0)
    else:
        found.delete()
    return had


def remove_passkey(user: User, number: int) -> str | None:
    """Let a passkey of somebody count no more; return its name, None where there is none."""
    found = Passkey.objects.filter(user_id=user.pk, pk=number).first()
    if found is None:
        return None
    found.delete()
    if not factors_of(user):
        SecondFactor.objects.filter(user_id=user.pk).delete()
    return found.name


def _is_of_authenticator(factor: SecondFactor, code: str) -> bool:
    now = time()
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        step = totp.step_of(secret_of(factor, str(key)), "".join(code.split()), now, factor.last_step)
        if step is not None:
            # Of two who type the same code at once only one comes in.
            return SecondFactor.objects.filter(pk=factor.pk, last_step__lt=step).update(last_step=step) == 1
    return False


def _was_written_down(factor: SecondFactor, code: str) -> bool:
    with transaction.atomic():
        found = SecondFactor.objects.select_for_update().get(pk=factor.pk)
        digest = _digest(code)
        if digest not in found.recovery:
            return False
        found.recovery = [each for each in found.recovery if each != digest]
        found.save(update_fields=["recovery"])
    return True


def _digest(code: str) -> str:
    return hashlib.sha256(f"recovery {code}".encode()).hexdigest()
