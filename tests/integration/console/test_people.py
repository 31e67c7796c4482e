"""People: second factors, sessions that end, who one is asked again before what is dangerous, roles."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from apps.console import second_factor, totp
from apps.console.acts import KINDS
from apps.console.models import Act, SecondFactor, SignedIn, SignInTry
from apps.console.sessions import CONFIRMED, FRESH_SECONDS
from apps.console.signing_in import FAILURES_MAX
from tests.integration.console.conftest import ALL, PASSWORD, person

pytestmark = pytest.mark.django_db(databases=ALL)
NEW = "a new and long passphrase"
NOW = 1_790_000_000.0


@pytest.fixture(autouse=True)
def authenticators_stand_still(monkeypatch):
    """Let the time of codes be one that no step ends in meanwhile."""
    monkeypatch.setattr("apps.console.second_factor.time", lambda: NOW)


@pytest.fixture
def ann(db):
    return person("ann", "operators")


def sign_in(name="ann", password=PASSWORD, **more):
    client = Client()
    return client, client.post(reverse("sign-in"), {"username": name, "password": password, **more})


def code_of(user, ahead=0):
    """A code that the user's authenticator shows now, or some steps later."""
    secret = second_factor.secret_of(SecondFactor.objects.get(user_id=user.pk))
    return totp.code_at(secret, int(NOW) // totp.STEP_SECONDS + ahead)


def with_factor(user):
    """Let a user have a second factor; return the codes for emergencies."""
    second_factor.begun(user)
    codes = second_factor.confirm(user, code_of(user, -1))
    assert codes is not None
    return codes


def is_in(client):
    return client.get(reverse("you")).status_code == 200


def test_a_second_factor_is_set_up_with_a_code_and_the_password_and_then_asked_for(ann):
    client, _ = sign_in()
    page = client.get(reverse("you"), {"second": "1"}).text
    assert totp.written(second_factor.secret_of(SecondFactor.objects.get())) in page
    add = {"password": PASSWORD, "second": "1"}
    assert client.post(reverse("you-add-factor"), add | {"new_code": "wrong"}).status_code == 422
    assert client.post(reverse("you-add-factor"), {"new_code": code_of(ann)}).status_code == 422
    assert second_factor.of(ann) is None
    done = client.post(reverse("you-add-factor"), add | {"new_code": code_of(ann)})
    assert "Write them down now" in done.text
    assert [each.outcome.is_done for each in Act.objects.filter(name="you.second-factor-on")] == [True, False]

    other, answer = sign_in(next="/audit/")
    assert answer.headers["Location"] == "/sign-in/code/?next=%2Faudit%2F"
    assert not is_in(other)
    assert other.post(reverse("sign-in-code"), {"code": "wrong"}).status_code == 422
    answer = other.post(reverse("sign-in-code"), {"code": code_of(ann, 1), "next": "/audit/"})
    assert answer.headers["Location"] == "/audit/"
    assert is_in(other)


def test_a_code_that_was_used_and_one_of_emergencies_are_good_once(ann):
    codes = with_factor(ann)
    factor = second_factor.of(ann)
    used = code_of(ann)
    assert [second_factor.is_right(second_factor.of(ann), used) for _ in range(2)] == [True, False]
    assert [second_factor.is_right(factor, codes[0].upper()) for _ in range(2)] == [True, False]
    assert len(second_factor.of(ann).recovery) == len(codes) - 1
    assert codes[1].replace("-", "") not in str(SecondFactor.objects.values())


def test_wrong_codes_lock_like_wrong_passwords(ann):
    with_factor(ann)
    client, _ = sign_in()
    for _ in range(FAILURES_MAX):
        client.post(reverse("sign-in-code"), {"code": "wrong"})
    answer = client.post(reverse("sign-in-code"), {"code": code_of(ann)})
    assert "Too many tries" in answer.text
    assert not is_in(client)


def test_half_a_sign_in_is_none_and_ends_with_the_password_that_it_was_begun_with(ann):
    with_factor(ann)
    client, _ = sign_in()
    assert client.get(reverse("overview")).headers["Location"].startswith("/sign-in/")
    ann.set_password(NEW)
    ann.save()
    assert client.post(reverse("sign-in-code"), {"code": code_of(ann)}).headers["Location"] == "/sign-in/"
    assert Client().get(reverse("sign-in-code")).headers["Location"] == "/sign-in/"


def test_half_a_sign_in_ends_by_itself_and_goes_on_with_nothing_of_the_session_before(ann, monkeypatch):
    with_factor(ann)
    client = Client()
    session = client.session
    session["planted"] = "by somebody who knows this session"
    session.save()
    client.post(reverse("sign-in"), {"username": "ann", "password": PASSWORD})
    assert client.session.session_key != session.session_key
    assert "planted" not in client.session
    assert client.get(reverse("sign-in-code")).status_code == 200
    monkeypatch.setattr("apps.console.entrance.PENDING_SECONDS", -1)
    assert client.post(reverse("sign-in-code"), {"code": code_of(ann)}).headers["Location"] == "/sign-in/"


def test_a_new_password_ends_all_other_sessions_and_keeps_this_one(ann):
    (here, _), (there, _) = sign_in(), sign_in()
    asked = {"password": PASSWORD, "new": NEW, "again": NEW}
    assert "typed in two ways" in here.post(reverse("you-password"), asked | {"again": "other"}).text
    assert (
        "too common"
        in here.post(reverse("you-password"), asked | {"new": "password1234", "again": "password1234"}).text
    )
    assert here.post(reverse("you-password"), asked | {"password": "wrong"}).status_code == 422
    assert here.post(reverse("you-password"), asked).status_code == 302
    assert [is_in(here), is_in(there)] == [True, False]
    assert len(here.get(reverse("you")).context["sessions"]) == 1
    assert NEW not in str(list(Act.objects.values())) + str(list(Act.objects.values("outcome__after")))


def test_a_password_that_somebody_else_changes_ends_sessions_too(ann):
    client, _ = sign_in()
    ann.set_password(NEW)
    ann.save()
    assert not is_in(client)


def test_sessions_are_listed_and_ended_one_by_one_and_only_ones_own(ann):
    person("bob", "operators")
    (here, _), (there, _), (others, _) = sign_in(), sign_in(), sign_in("bob")
    assert [each.is_this for each in here.get(reverse("you")).context["sessions"]] == [False, True]
    of_bob = SignedIn.objects.get(user_id=User.objects.get(username="bob").pk)
    here.post(reverse("you-end-session"), {"session": of_bob.pk})
    assert is_in(others)
    here.post(reverse("you-end-session"))
    assert [is_in(here), is_in(there), is_in(others)] == [True, False, True]
    here.post(reverse("sign-out"))
    assert SignedIn.objects.count() == 1


def test_before_what_is_dangerous_one_is_asked_again_after_a_while(ann, kill_switch):
    kill_switch.write_text("a test\n")
    lift = reverse("act", args=["kill-switch.lift"])
    client, _ = sign_in()
    assert 'name="password"' not in client.get(lift).text
    session = client.session
    session[CONFIRMED] -= FRESH_SECONDS + 1
    session.save()
    assert 'name="password"' in client.get(lift).text
    assert client.post(lift, {"why": "x"}).status_code == 422
    assert client.post(lift, {"why": "x", "password": "wrong"}).status_code == 422
    assert kill_switch.exists()
    assert not Act.objects.exists()
    assert client.post(lift, {"why": "x", "password": PASSWORD}).status_code == 302
    assert not kill_switch.exists()
    assert SignInTry.objects.filter(has_failed=True).count() == 2
    client.session.flush()
    client, _ = sign_in()
    session = client.session
    session[CONFIRMED] -= FRESH_SECONDS + 1
    session.save()
    for _ in range(FAILURES_MAX):
        client.post(lift, {"why": "x", "password": "wrong"})
    assert "Too many tries" in client.post(lift, {"why": "x", "password": PASSWORD}).text


def test_who_has_a_second_factor_is_asked_for_it_too(ann, kill_switch):
    with_factor(ann)
    client = Client()
    client.force_login(ann)
    lift = reverse("act", args=["kill-switch.lift"])
    assert client.post(lift, {"why": "x", "password": PASSWORD}).status_code == 422
    assert client.post(lift, {"why": "x", "password": PASSWORD, "code": code_of(ann)}).status_code == 302


def test_what_asks_who_one_is():
    assert {name for name, kind in KINDS.items() if kind.asks_who} == {
        "kill-switch.lift", "person.give-role", "person.let-in", "person.remove-factor", "person.shut-out",
        "person.take-role",
    }  # fmt: skip
    from extract.board.acts import KINDS as OF_BOARD

    assert all(kind.asks_who for kind in OF_BOARD)


def ask(client, name, **given):
    return client.post(reverse("act", args=[name]), {"why": "a test", "password": PASSWORD, **given})


def test_an_administrator_gives_roles_shuts_out_and_lets_in(people, ann):
    admin, _ = sign_in("administrator")
    theirs, _ = sign_in()
    ask(admin, "person.take-role", user="ann", role="operators")
    ask(admin, "person.give-role", user="ann", role="viewers")
    assert [each.name for each in ann.groups.all()] == ["viewers"]
    assert "ann" in admin.get(reverse("people"), {"find": "an"}).text
    assert admin.get(reverse("person", args=["ann"])).status_code == 200
    ask(admin, "person.shut-out", user="ann")
    assert not is_in(theirs)
    assert sign_in()[1].status_code == 200
    ask(admin, "person.unlock", user="ann")
    ask(admin, "person.let-in", user="ann")
    assert sign_in()[1].status_code == 302
    assert {each.outcome.is_done for each in Act.objects.all()} == {True}
    ask(admin, "person.shut-out", user="administrator")
    assert "nobody shuts themselves out" in Act.objects.first().outcome.text


def test_who_is_no_superuser_changes_no_superuser(people, ann):
    from django.contrib.auth.models import Permission

    ann.user_permissions.add(Permission.objects.get(codename="change_user"))
    with_factor(people["administrator"])
    client, _ = sign_in()
    for name in ("person.shut-out", "person.remove-factor", "person.end-sessions"):
        ask(client, name, user="administrator")
        assert "only another superuser" in Act.objects.first().outcome.text, name
    assert second_factor.of(people["administrator"]) is not None


def test_operators_change_nobody(ann, people):
    client, _ = sign_in()
    assert client.get(reverse("people")).status_code == 403
    assert ask(client, "person.give-role", user="ann", role="viewers").status_code == 403
