"""Users and roles among the records: nobody makes themselves more than they are, and everything is recorded."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from apps.console.models import Act
from apps.console.sessions import CONFIRMED
from tests.integration.console.conftest import ALL, PASSWORD, person

pytestmark = pytest.mark.django_db(databases=ALL)
NEW = "a new and long passphrase"


def signed_in(user):
    """Sign in by the door, so that it is known that they proved who they are just now."""
    client = Client()
    assert client.post(reverse("sign-in"), {"username": user.username, "password": PASSWORD}).status_code == 302
    return client


@pytest.fixture
def clerk(db):
    """Who administers users, and is no superuser."""
    user = person("clerk", "viewers", is_staff=True)
    wanted = ("add_user", "change_user", "delete_user", "view_user", "add_group", "change_group", "delete_group")
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    return user


def fields(user, **more):
    return {
        "username": user.username, "first_name": "", "last_name": "", "email": "", "is_active": "on",
        "last_login_0": "", "last_login_1": "", "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00", **more,
    }  # fmt: skip


def test_who_is_no_superuser_makes_nobody_one_and_gives_no_permission(people, clerk):
    client, operate = signed_in(clerk), Permission.objects.get(codename="operate")
    more = {
        "is_superuser": "on",
        "is_staff": "on",
        "user_permissions": [operate.pk],
        "groups": [Group.objects.first().pk],
    }
    for user in (clerk, people["stranger"]):
        before = (user.is_superuser, user.is_staff, user.groups.count(), user.user_permissions.count())
        client.post(reverse("admin:auth_user_change", args=[user.pk]), fields(user, first_name="New", **more))
        user.refresh_from_db()
        assert user.first_name == "New"
        assert (user.is_superuser, user.is_staff, user.groups.count(), user.user_permissions.count()) == before


def test_a_superuser_is_changed_deleted_and_given_a_password_by_superusers_alone(people, clerk):
    client, above = signed_in(clerk), people["administrator"]
    assert (
        client.post(reverse("admin:auth_user_change", args=[above.pk]), fields(above, first_name="x")).status_code
        == 403
    )
    password = {"usable_password": "true", "password1": NEW, "password2": NEW}
    assert client.post(reverse("admin:auth_user_password_change", args=[above.pk]), password).status_code == 403
    assert client.post(reverse("admin:auth_user_delete", args=[above.pk]), {"post": "yes"}).status_code == 403
    many = {"action": "delete_selected", "_selected_action": [above.pk], "post": "yes"}
    client.post(reverse("admin:auth_user_changelist"), many)
    above.refresh_from_db()
    assert above.check_password(PASSWORD)
    assert above.first_name == ""


def test_roles_are_changed_by_superusers_alone(people, clerk):
    group, operate = Group.objects.get(name="viewers"), Permission.objects.get(codename="operate")
    change, add = reverse("admin:auth_group_change", args=[group.pk]), reverse("admin:auth_group_add")
    client = signed_in(clerk)
    assert client.post(change, {"name": "viewers", "permissions": [operate.pk]}).status_code == 403
    assert client.post(add, {"name": "mine", "permissions": [operate.pk]}).status_code == 403
    assert (
        signed_in(people["administrator"]).post(change, {"name": "viewers", "permissions": [operate.pk]}).status_code
        == 302
    )
    (act,) = Act.objects.filter(name="record.group-change")
    assert (act.before["permissions"], act.outcome.after["permissions"]) == (["console.view"], ["console.operate"])


def test_whoever_signed_in_long_ago_signs_in_once_more_and_comes_back(people):
    client, user = signed_in(people["administrator"]), people["stranger"]
    session = client.session
    session[CONFIRMED] = 0.0
    session.save()
    paths = [
        reverse("admin:auth_user_change", args=[user.pk]), reverse("admin:auth_user_add"),
        reverse("admin:auth_user_password_change", args=[user.pk]), reverse("admin:auth_user_delete", args=[user.pk]),
        reverse("admin:auth_group_add"),
    ]  # fmt: skip
    for path in paths:
        for answer in (client.get(path), client.post(path, fields(user, is_superuser="on"))):
            assert answer.headers["Location"] == f"/sign-in/?next={path}"
    many = {"action": "delete_selected", "_selected_action": [user.pk], "post": "yes"}
    assert client.post(reverse("admin:auth_user_changelist"), many).headers["Location"].startswith("/sign-in/")
    user.refresh_from_db()
    assert not user.is_superuser
    assert client.get(reverse("admin:auth_user_changelist")).status_code == 200
    again = {"username": "administrator", "password": PASSWORD, "next": paths[0]}
    assert client.post(reverse("sign-in"), again).headers["Location"] == paths[0]
    assert client.get(paths[0]).status_code == 200


def test_what_a_superuser_does_to_users_is_in_the_audit_with_how_it_stood(people):
    client, user = signed_in(people["administrator"]), people["stranger"]
    new = {"username": "eve", "usable_password": "true", "password1": NEW, "password2": NEW}
    assert client.post(reverse("admin:auth_user_add"), new).status_code == 302
    assert (
        client.post(reverse("admin:auth_user_change", args=[user.pk]), fields(user, is_superuser="on")).status_code
        == 302
    )
    password = {"usable_password": "true", "password1": NEW, "password2": NEW}
    assert client.post(reverse("admin:auth_user_password_change", args=[user.pk]), password).status_code == 302
    assert client.post(reverse("admin:auth_user_delete", args=[user.pk]), {"post": "yes"}).status_code == 302
    acts = [(each.name, each.subject, each.user) for each in Act.objects.order_by("at")]
    of = [("add", "eve"), ("change", "stranger"), ("change", "stranger"), ("delete", "stranger")]
    assert acts == [(f"record.user-{what}", whom, "administrator") for what, whom in of]
    changed = Act.objects.filter(name="record.user-change").order_by("at")
    assert (changed[0].before["superuser"], changed[0].outcome.after["superuser"]) == (False, True)
    assert changed[1].outcome.after == {"changed": "password"}
    assert NEW not in str(list(Act.objects.values())) + str(list(Act.objects.values("outcome__after")))
    assert not User.objects.filter(username="stranger").exists()
