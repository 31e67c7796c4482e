"""The stream of a browser ends with what its session stood for."""

import asyncio
import threading

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections

from apps.console import stream
from apps.console.pulse import Beat
from tests.integration.console.conftest import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def apart(django_db_blocker):
    """Do something in a thread, and so outside of the transaction of the test."""

    def do(what):
        def run():
            with django_db_blocker.unblock():
                try:
                    done.append(what())
                finally:
                    connections.close_all()

        done = []
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return done[0]

    yield do
    do(lambda: User.objects.filter(username="listener").delete())


def session_of(user):
    store = SessionStore()
    store[SESSION_KEY], store[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store.create()
    return store.session_key


def new_password(user):
    user.set_password("another and longer one")
    user.save()


@pytest.mark.parametrize(
    "end",
    [
        lambda user, key: SessionStore(key).delete(),
        lambda user, key: new_password(user),
        lambda user, key: User.objects.filter(pk=user.pk).update(is_active=False),
        lambda user, key: user.groups.clear(),
    ],
    ids=["signed out", "another password", "shut out", "without the role"],
)
def test_whether_a_session_may_listen_is_looked_up_as_it_is_now(apart, end):
    user = apart(lambda: person("listener", "viewers"))
    key = apart(lambda: session_of(user))
    assert apart(lambda: stream._may_go_on(key))
    apart(lambda: end(user, key))
    assert not apart(lambda: stream._may_go_on(key))


def test_a_stream_ends_when_its_session_does(monkeypatch):
    async def beats(_):
        for at in range(1, 9):
            yield Beat(at, {})

    answers = [True, True, False]
    monkeypatch.setattr(stream.PULSE, "beats", beats)
    monkeypatch.setattr(stream, "_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(stream, "_may_go_on", lambda _: answers.pop(0))

    async def heard():
        return [each async for each in stream._beats("key")]

    assert len(asyncio.run(heard())) == 2
    assert answers == []
