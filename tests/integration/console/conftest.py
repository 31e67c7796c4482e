import importlib
import secrets

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User

from apps.risk.reading import forget_kept_states
from banyan.store import Store

ALL = ["default", "feeds", "signals", "execution", "risk", "edge", "reporting", "facade", "backtest"]
PASSWORD = secrets.token_urlsafe()


ROLES = importlib.import_module("apps.console.migrations.0002_kept_acts_and_roles")


def person(name: str, *roles: str, **more: bool) -> User:
    if not Group.objects.exists():  # a test that empties tables has run before
        ROLES.make_roles(apps, None)
    user = User.objects.create_user(name, password=PASSWORD, **more)
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


@pytest.fixture
def people(db) -> dict[str, User | None]:
    """One of each kind who may come: None is nobody at all."""
    return {
        "nobody": None,
        "stranger": person("stranger"),
        "viewer": person("viewer", "viewers"),
        "operator": person("operator", "operators"),
        "administrator": User.objects.create_superuser("administrator", password=PASSWORD),
    }


@pytest.fixture
def kill_switch(settings, tmp_path):
    """A kill switch of this test's own."""
    settings.KILL_SWITCH = tmp_path / "edge" / "kill_switch"
    settings.KILL_SWITCH.parent.mkdir()
    return settings.KILL_SWITCH


@pytest.fixture
def commands_of_this_test(db):
    """Forget what was asked of contexts: it is committed beside the transaction of the test, and would outlive it."""
    forget_commands()
    forget_kept_states()
    yield
    forget_commands()


def forget_commands() -> None:
    for context in ("execution", "risk", "signals"):
        committed(context, "DELETE FROM banyan_request")
        committed(context, "DELETE FROM banyan_seen")


def committed(context: str, statement: str, parameters: tuple[object, ...] = ()) -> None:
    """Do something in the way in which commands are kept."""
    store = Store(context)
    store.connection.execute(statement, parameters)
    store.close()
