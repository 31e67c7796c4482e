"""`manage.py api_keys`, as it is typed."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.api.models import Key
from tests.integration.api.conftest import ALL
from tests.integration.api.test_access import answer

pytestmark = pytest.mark.django_db(databases=ALL)


def typed(*words):
    out = StringIO()
    call_command("api_keys", *words, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_a_key_that_was_made_can_be_used_listed_rotated_and_revoked():
    written = typed("make", "--name", "ACME's robot", "--client", "acme", "--scope", "read", "--scope", "trade")
    assert answer(written) == 200
    (found,) = json.loads(typed("list", "--client", "acme", "--json"))
    assert (found["name"], found["scopes"]) == ("ACME's robot", ["read", "trade"])
    assert found["id"] in typed("list")
    rotated = typed("rotate", found["id"], "--overlap", "0")
    assert answer(rotated) == 200
    assert answer(written) == (401, "key-outdated")
    new = Key.objects.get(replaces=found["id"])
    assert new.id in typed("revoke", new.id)
    assert answer(rotated) == (401, "key-revoked")
    assert typed("list", "--client", "acme").startswith("no keys")
    assert found["id"] in typed("list", "--all")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("revoke", "nothing"), "there is no key nothing"),
        (("make", "--name", "x", "--scope", "all"), "there is no scope all"),
        (("make", "--name", "x", "--client", "acme", "--scope", "operate"), "cannot have operate"),
        (("rotate", "nothing"), "there is no key nothing"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(words, why):
    with pytest.raises(CommandError, match=why):
        typed(*words)
