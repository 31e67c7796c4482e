"""The way in and out: name and password, the second factor of who has one, and signing out."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import login
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from apps.console import passkeys, second_factor, sessions
from apps.console.models import SignedIn
from apps.console.signing_in import SignInForm, tried

_PENDING = "half_signed_in"
PENDING_SECONDS = 300
"""How long after the password a code may be typed."""


class SignIn(LoginView):
    """The page to sign in on."""

    form_class = SignInForm
    template_name = "console/sign_in.html"
    redirect_authenticated_user = False

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        """Return what the page shows: until somebody has signed in, also where the first password is."""
        is_first = not User.objects.exclude(last_login=None).exists()
        return super().get_context_data(**more) | {"is_first": is_first}

    def form_valid(self, form: Any) -> HttpResponse:
        """Sign in who has no second factor; ask the others for it."""
        user = form.get_user()
        if not second_factor.factors_of(user):
            login(self.request, user)
            sessions.begin(self.request)
            return HttpResponseRedirect(self.get_success_url())
        # A session of its own for who is half in: nothing of one that somebody else may know of goes on.
        self.request.session.flush()
        self.request.session[_PENDING] = [str(user.pk), user.get_session_auth_hash(), timezone.now().timestamp()]
        self.request.session.set_expiry(PENDING_SECONDS)
        return redirect(f"{reverse('sign-in-code')}?{urlencode({'next': _wanted(self.request)})}")


@never_cache
@sensitive_post_parameters("code", "passkey")
@require_http_methods(["GET", "POST"])
def type_code(request: HttpRequest) -> HttpResponse:
    """Ask who is half in for a code of the second factor."""
    user = _half_in(request)
    factors = None if user is None else second_factor.factors_of(user)
    if user is None or not factors:
        return redirect("sign-in")
    problem = ""
    if request.method == "POST":
        try:
            with tried(request, user.get_username()):
                if not second_factor.proves(request, user, factors):
                    raise ValidationError(
                        "The passkey’s answer is not right: try it once more."
                        if "passkey" in request.POST
                        else "That code is not right, or was used already."
                    )
        except ValidationError as error:
            problem = error.messages[0]
        else:
            request.session.set_expiry(None)
            login(request, user, "django.contrib.auth.backends.ModelBackend")
            request.session.pop(_PENDING, None)
            sessions.begin(request)
            return HttpResponseRedirect(_wanted(request))
    context = {
        "problem": problem, "next": _wanted(request), "has_passkey": passkeys.can_be_used(request, user),
        "has_authenticator": factors.has_authenticator,
    }  # fmt: skip
    return render(request, "console/sign_in_code.html", context, status=422 if problem else 200)


@never_cache
@require_POST
def passkey_options(request: HttpRequest) -> HttpResponse:
    """Answer with what a browser needs to sign with a passkey of who is signed in, or half in."""
    user = request.user if isinstance(request.user, User) else _half_in(request)
    if user is None:
        return JsonResponse({"problem": "Sign in once more: it took too long."}, status=401)
    try:
        return HttpResponse(passkeys.options_to_use(request, user), content_type="application/json")
    except passkeys.PasskeyError as error:
        return JsonResponse({"problem": str(error)}, status=422)


def _half_in(request: HttpRequest) -> User | None:
    """Return who has typed a password a short while ago, which is the same still."""
    kept = request.session.get(_PENDING)
    if not kept or timezone.now().timestamp() - kept[2] > PENDING_SECONDS:
        return None
    user = User.objects.filter(pk=kept[0], is_active=True).first()
    return user if user is not None and user.get_session_auth_hash() == kept[1] else None


def _wanted(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next") or "/"
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours and wanted.startswith("/") else "/"


class SignOut(LogoutView):
    """Signs out, and says so."""

    next_page = "sign-in"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """End the session."""
        SignedIn.objects.filter(session=request.session.session_key).delete()
        return super().post(request, *args, **kwargs)
