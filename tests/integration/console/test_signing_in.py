from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.console.models import SignInTry
from apps.console.signing_in import FAILURES_MAX, FAILURES_OF_USER_MAX, PERIOD
from tests.integration.console.conftest import PASSWORD, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ada(db):
    return person("ada", "viewers")


def sign_in(client, name="ada", password=PASSWORD, address="10.0.0.1", **more):
    return client.post(reverse("sign-in"), {"username": name, "password": password, **more}, REMOTE_ADDR=address)


def test_the_right_password_opens_the_overview(client):
    assert sign_in(client).headers["Location"] == "/"
    assert not SignInTry.objects.filter(has_failed=True).exists()


def test_one_comes_back_to_where_one_wanted_to_go_and_to_no_other_site(client):
    assert sign_in(client, next="/audit/").headers["Location"] == "/audit/"
    client.logout()
    assert sign_in(client, next="https://evil.example/").headers["Location"] == "/"


def test_after_some_failures_even_the_right_password_has_to_wait(client):
    for _ in range(FAILURES_MAX):
        assert b"Too many" not in sign_in(client, password="wrong").content
    response = sign_in(client)
    assert b"Too many tries. Wait 15 minutes" in response.content
    assert "_auth_user_id" not in client.session


def test_capitals_make_no_new_name(client):
    for name in ("ada", "Ada", "ADA", "aDa", "adA"):
        sign_in(client, name=name, password="wrong")
    assert b"Too many" in sign_in(client).content


def test_another_address_is_not_locked_out_by_the_failures_of_one(client):
    for _ in range(FAILURES_MAX):
        sign_in(client, password="wrong")
    assert sign_in(client, address="10.0.0.2").status_code == 302


def test_many_addresses_together_are_stopped_too(client):
    for number in range(FAILURES_OF_USER_MAX):
        sign_in(client, password="wrong", address=f"10.0.1.{number}")
    assert b"Too many" in sign_in(client, address="10.0.2.1").content


def test_one_address_that_tries_many_names_is_stopped_too(client, monkeypatch):
    monkeypatch.setattr("apps.console.signing_in.FAILURES_OF_ADDRESS_MAX", 6)
    for number in range(6):
        sign_in(client, name=f"somebody-{number}", password="wrong")
    assert b"Too many" in sign_in(client).content
    assert sign_in(client, address="10.0.0.2").status_code == 302


def test_the_lock_ends_and_waiting_in_front_of_it_makes_it_no_longer(client):
    for _ in range(FAILURES_MAX):
        sign_in(client, password="wrong")
    for _ in range(10):
        assert b"Too many" in sign_in(client).content
    SignInTry.objects.update(at=timezone.now() - PERIOD - timedelta(seconds=1))
    assert sign_in(client).status_code == 302


def test_a_name_that_is_nobodys_is_answered_as_a_wrong_password(client):
    one, other = sign_in(client, name="nobody", password="x"), sign_in(client, password="x")
    assert [b"Please enter a correct username and password" in each.content for each in (one, other)] == [True, True]


def test_signing_out_ends_the_session(client):
    sign_in(client)
    assert client.post(reverse("sign-out")).headers["Location"] == reverse("sign-in")
    assert client.get("/").headers["Location"].startswith("/sign-in/")


def test_answers_carry_the_policy_and_no_page_has_a_script_or_style_within(client):
    sign_in(client)
    for path in ("/sign-in/", "/nowhere/"):
        response = client.get(path)
        policy = response.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))
        assert response.headers["X-Frame-Options"] == "DENY"
        text = response.content.decode()
        assert "<style" not in text
        assert "style=" not in text
        assert all("src=" in each.partition(">")[0] for each in text.split("<script")[1:])
    assert client.get("/nowhere/").headers["Cache-Control"] == "no-store"
    cookie = client.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
