"""Users and roles among the records: changed by who has just proved who they are, with a record in the audit too."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from apps.console.addresses import address_of
from apps.console.recording import Actor, Facts, recorded
from apps.console.sessions import is_fresh

admin.site.unregister(User)
admin.site.unregister(Group)

_OF_SUPERUSERS = ("is_staff", "is_superuser", "groups", "user_permissions")
"""What says who may do what: others than superusers give roles on the page People, which asks and records."""
_WORDS = {"add": "added", "change": "changed", "delete": "deleted"}
View = Callable[..., HttpResponse]


def _asks_who(view: View) -> View:
    """Let who proved who they are a short while ago have a page; others sign in once more, and come back to it."""

    @wraps(view)
    def guarded(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not is_fresh(request):
            return redirect_to_login(request.get_full_path(), "/sign-in/")
        return view(self, request, *args, **kwargs)

    return guarded


class _Recorded(admin.ModelAdmin):
    """Rows that say who may do what."""

    @_asks_who
    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Return the form of a row, or of a new one; or change it."""
        row = None if object_id is None else self.get_object(request, object_id)
        request.stood = {} if row is None else _facts(row)  # type: ignore[attr-defined]
        return super().changeform_view(request, object_id, form_url, extra_context)  # type: ignore[no-any-return]

    @_asks_who
    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Ask whether a row is to go; or delete it."""
        return super().delete_view(request, object_id, extra_context)  # type: ignore[no-any-return]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Return the list; or do something with several rows of it."""
        if request.method == "POST" and not is_fresh(request):
            return redirect_to_login(request.get_full_path(), "/sign-in/")
        return super().changelist_view(request, extra_context)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Record that a row was made."""
        _record(request, "add", obj, {}, _facts(obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Record that a row was changed."""
        before = getattr(request, "stood", None)
        after = {"changed": "password"} if before is None else _facts(type(obj).objects.get(pk=obj.pk))
        _record(request, "change", obj, before or {}, after)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Record that rows are deleted."""
        for each in queryset:
            _record(request, "delete", each, _facts(each), {})
        return super().log_deletions(request, queryset)


@admin.register(User)
class ConsoleUserAdmin(_Recorded, UserAdmin, ModelAdmin):
    """Who may sign in, and with which roles."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "first_name", "last_name", "is_staff", "is_superuser", "is_active", "last_login")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Return what cannot be changed here by who asks."""
        return () if _is_superuser(request) else _OF_SUPERUSERS

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether who asks may: a superuser's password and all else is changed by superusers alone."""
        return _may(request, obj) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether who asks may, likewise."""
        return _may(request, obj) and bool(super().has_delete_permission(request, obj))

    @_asks_who
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Return the form of a new password; or set it."""
        return super().user_change_password(request, id, form_url)


@admin.register(Group)
class ConsoleGroupAdmin(_Recorded, GroupAdmin, ModelAdmin):
    """Roles: what their members may do. Others than superusers could give themselves anything by them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether who asks may."""
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether who asks may."""
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether who asks may."""
        return _is_superuser(request)


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


def _may(request: HttpRequest, user: User | None) -> bool:
    return user is None or not user.is_superuser or _is_superuser(request)


def _facts(row: Any) -> Facts:
    if isinstance(row, Group):
        return {"name": row.name, "permissions": _names(row.permissions)}
    return {
        "user": row.username, "name": row.get_full_name(), "e-mail": row.email, "active": row.is_active,
        "staff": row.is_staff, "superuser": row.is_superuser,
        "roles": sorted(row.groups.values_list("name", flat=True)), "permissions": _names(row.user_permissions),
    }  # fmt: skip


def _names(permissions: Any) -> list[str]:
    return sorted(
        f"{each.content_type.app_label}.{each.codename}" for each in permissions.select_related("content_type")
    )


def _record(request: HttpRequest, what: str, row: Any, before: Facts, after: Facts) -> None:
    kind = type(row)._meta
    text = f"The record of {kind.verbose_name} {row}: {_WORDS[what]}."
    actor = Actor(request.user.get_username(), address_of(request))
    recorded(
        actor, f"record.{kind.model_name}-{what}", str(row), "", before=lambda: before, do=lambda: (text, after)
    )  # fmt: skip
