import secrets
import time

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.urls import reverse

from apps.console.sessions import CONFIRMED
from banyan.management.commands.serve import make_first_administrator

ALL = ["default", "feeds", "backtest"]


@pytest.mark.django_db
def test_the_first_administrator_gets_a_random_password_that_works():
    password = make_first_administrator()
    assert password is not None
    assert len(password) >= 16
    user = authenticate(username="admin", password=password)
    assert user is not None
    assert user.is_superuser


@pytest.mark.django_db
def test_where_there_is_an_administrator_none_is_made():
    User.objects.create_superuser("somebody", password=secrets.token_urlsafe())
    assert make_first_administrator() is None
    assert not User.objects.filter(username="admin").exists()


def test_the_health_check_answers_under_any_host_name_without_a_database(client):
    response = client.get("/health", headers={"host": "10.0.0.7"})
    assert (response.status_code, response.content) == (200, b"ok")


def test_the_start_page_is_the_overview_for_those_who_are_signed_in(client):
    assert client.get("/").headers["Location"] == "/sign-in/?next=/"


@pytest.mark.django_db(databases=ALL)
def test_every_page_of_the_admin_opens(admin_client):
    from django.contrib import admin

    session = admin_client.session
    session[CONFIRMED] = time.time()  # as somebody who has just signed in
    session.save()
    pages = [reverse("admin:index")]
    for model, site in admin.site._registry.items():
        pages.append(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
        request = admin_client.get(pages[-1]).wsgi_request
        if site.has_add_permission(request):
            pages.append(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add"))
    assert {page: admin_client.get(page).status_code for page in pages} == dict.fromkeys(pages, 200)
