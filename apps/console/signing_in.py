"""Signing in, with a lock against those who try passwords one after the other."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

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
        name = (self.cleaned_data.get("username") or "").strip().lower()[:150]
        assert self.request is not None
        now = timezone.now()
        this = SignInTry.objects.create(at=now, username=name, address=address_of(self.request))
        if (seconds := locked_for(this)) > 0:
            minutes = -(-seconds // 60)
            raise ValidationError(
                f"Too many tries. Wait {minutes} minute{'s' * (minutes != 1)}, then try again.", code="locked"
            )
        cleaned: dict[str, Any] = super().clean()
        SignInTry.objects.filter(pk=this.pk).update(has_failed=False)
        SignInTry.objects.filter(at__lt=now - _KEPT).delete()
        return cleaned


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


def address_of(request: HttpRequest) -> str | None:
    """Return the address that a request came from: of the proxy, where that hides whom it speaks for."""
    return request.META.get("REMOTE_ADDR") or None


class SignIn(LoginView):
    """The page to sign in on."""

    form_class = SignInForm
    template_name = "console/sign_in.html"
    redirect_authenticated_user = False


class SignOut(LogoutView):
    """Signs out, and says so."""

    next_page = "sign-in"
