"""`manage.py report`: every list as a table, as JSON, and what there is none of."""

import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.execution.contracts import Flatten, OrdersFilled, OrdersUnknown
from apps.reporting import interface
from apps.reporting.interface import Scope
from banyan.columns import ints
from tests.integration.reporting.conftest import read_all
from tests.integration.reporting.test_read_models import EVERYTHING, two_clients
from tests.unit.execution.desk import of_type

pytestmark = pytest.mark.django_db(databases=["reporting"], transaction=True)


def run(capsys, *arguments):
    call_command("report", *arguments)
    return capsys.readouterr().out


def test_the_command_shows_tables_json_and_what_is_not_there(desk, follower, capsys):
    assert run(capsys, "orders") == "no orders\n"
    two_clients(desk)
    desk.trade(desk.target("trend", 1, EURUSD=0.1))
    read_all(follower)
    lines = run(capsys, "positions", "--account", "A1").splitlines()
    assert len({len(line) for line in lines[1:]}) == 1
    assert lines[0].split()[:4] == ["account", "set", "instrument", "currency"]
    assert json.loads(run(capsys, "pnl", "--by", "set", "--json"))[0]["set"] == "trend"
    assert "acknowledged" in run(capsys, "latency") or "sent" in run(capsys, "latency")
    assert "requested +0.1 lots" in run(capsys, "orders", "--timeline")
    assert run(capsys, "fills", "--set", "manual") == "no fills of set manual\n"
    with pytest.raises(CommandError, match="cannot be told by week"):
        call_command("report", "pnl", "--by", "week")
    with pytest.raises(CommandError, match="there is no account A9"):
        call_command("report", "orders", "--account", "A9")


def test_every_report_of_a_flattened_account_can_be_shown(desk, follower, capsys):
    two_clients(desk)
    desk.trade(desk.target("trend", 1, EURUSD=0.1))
    desk.trade(desk.feed(Flatten(accounts=ints([1]))))
    read_all(follower)
    for what in ("accounts", "orders", "fills", "positions", "pnl", "signals", "refusals", "skips", "latency"):
        assert run(capsys, what)
    assert interface.orders(Scope(account="A1"), 10)[0].set == "flatten"
    assert not of_type(desk.events, OrdersUnknown)
    assert len(interface.fills(EVERYTHING, 10)) == sum(fill.account.size for fill in of_type(desk.events, OrdersFilled))
