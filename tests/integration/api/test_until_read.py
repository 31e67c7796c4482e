"""Whoever is told that all is ready finds the accounts."""

import time

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.execution.models import Account
from apps.reporting import interface as reporting
from tests.integration.api.conftest import ALL

pytestmark = [pytest.mark.django_db(databases=ALL), pytest.mark.usefixtures("traded")]


def open_one(number):
    return Account.objects.using("execution").create(id=f"N{number}", number=number, shard="0")


def test_accounts_are_waited_for_until_each_can_be_read(monkeypatch):
    for number in range(len(reporting.accounts(reporting.Scope(), 100))):
        open_one(number)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waits for nothing"))
    call_command("load_sample_trading", until_read=0.0)
    late = open_one(1_000)
    with pytest.raises(CommandError, match="1 account cannot be read yet"):
        call_command("load_sample_trading", until_read=0.0)
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        late.delete()

    monkeypatch.setattr(time, "sleep", sleep)
    call_command("load_sample_trading", until_read=600.0)
    assert len(waits) == 1
