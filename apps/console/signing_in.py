"""Proving who one is, with a lock against those who try passwords or codes one after the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from apps.console import second_factor, sessions
from apps.console.access import somebody
from apps.console.addresses import address_of
from apps.console.models import SignInTry

PERIOD = timedelta(minutes=15)
FAILURES_MAX = 5
"""Of one user from one address in PERIOD; then that address has to wait."""
FAILURES_OF_USER_MAX = 30
"""Of one user from anywhere."""
FAILURES_OF_ADDRESS_MAX = 50
"""Of one address, whoever it says it is."""
_KEPT = timedelta(days=1)


class SignInForm(AuthenticationForm):
    """Name and password. A try counts as failed from its beginning, so that many at once are not more than in turn."""

    def clean(self) -> dict[str, Any]:
        """Return what was typed, if it is right and nobody has to wait."""
        name = self.cleaned_data.get("username") or ""
        assert self.request is not None
        with tried(self.request, name):
            cleaned: dict[str, Any] = super().clean()
        return cleaned


@contextmanager
def tried(request: HttpRequest, name: str) -> Iterator[None]:
    """Let somebody try to prove who they are; it counts as failed unless what is done within goes well.

    Raises ValidationError where they have to wait.
    """
    now = timezone.now()
    this = SignInTry.objects.create(at=now, username=name.strip().lower()[:150], address=address_of(request))
    if (seconds := locked_for(this)) > 0:
        minutes = -(-seconds // 60)
        raise ValidationError(
            f"Too many tries. Wait {minutes} minute{'s' * (minutes != 1)}, then try again.", code="locked"
        )
    yield
    SignInTry.objects.filter(pk=this.pk).update(has_failed=False)
    SignInTry.objects.filter(at__lt=now - _KEPT).delete()


def proved(request: HttpRequest) -> str:
    """Let who is signed in prove it again, by `password` and the `code` or `passkey` of who has a second factor.

    Returns what is wrong; "": it is proved, and remembered for some minutes.
    """
    user = somebody(request)
    factors = second_factor.factors_of(user)
    try:
        with tried(request, user.get_username()):
            if not user.check_password(request.POST.get("password", "")):
                raise ValidationError("Type your password: it is asked for again before this.")
            if factors and not second_factor.proves(request, user, factors):
                what = "answer of your passkey" if request.POST.get("passkey") else "code of your authenticator"
                raise ValidationError(f"The {what} is not right, or was used already.")
    except ValidationError as error:
        return str(error.messages[0])
    sessions.confirmed(request)
    return ""


def locked_for(this: SignInTry) -> int:
    """Return for how many seconds nobody may try again as this one does; 0: it may go on.

    Tries that were refused because of the lock do not make it longer.
    """
    tries = SignInTry.objects.filter(at__gt=this.at - PERIOD, has_failed=True, id__lt=this.pk)
    bounds = (
        (Q(username=this.username, address=this.address), FAILURES_MAX),
        (Q(username=this.username), FAILURES_OF_USER_MAX),
        (Q(address=this.address), FAILURES_OF_ADDRESS_MAX),
    )
    waits = [0]
    for whose, most in bounds:
        oldest_first = list(tries.filter(whose).order_by("id").values_list("at", flat=True)[:most])
        if len(oldest_first) == most:
            waits.append(int((oldest_first[-1] + PERIOD - this.at).total_seconds()) + 1)
    if max(waits):
        this.delete()
    return max(waits)
