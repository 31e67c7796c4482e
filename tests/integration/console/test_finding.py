"""What is typed at the top of a page finds accounts, orders, sets and instruments."""

import pytest
from django.db import OperationalError
from django.urls import reverse

from apps.reporting import interface as reporting
from apps.reporting.interface import Scope
from apps.signals.interface import NewMember, define_set
from tests.integration.console.conftest import ALL
from tests.integration.console.test_overview import read
from tests.integration.reporting.recorded import RecordedDesk
from tests.integration.reporting.test_read_models import trade_at_random

pytestmark = [pytest.mark.django_db(databases=ALL, transaction=True), pytest.mark.usefixtures("commands_of_this_test")]


@pytest.fixture
def found(client, people):
    desk = RecordedDesk()
    trade_at_random(desk, 3, rounds=4)
    read(desk)
    define_set("trending", [NewMember("sma_cross", [("OANDA:EURUSD", "1h")], {})])
    client.force_login(people["viewer"])

    def found(text):
        return {each["title"]: each["href"] for each in client.get(reverse("find"), {"q": text}).json()["found"]}

    return found


def test_each_kind_of_thing_is_found_with_its_page(found, monkeypatch, client):
    order = reporting.orders(Scope(), 1)[0]
    named = f"{order.account} {order.instrument} {order.decision}"
    page = reverse("order", args=[order.account, order.instrument, order.decision])
    assert found(named.lower()) == {f"Order {order.decision} of {order.account} in {order.instrument}": page}
    assert found(f"{order.account} {order.instrument} 987654321") == {}
    of_account = found(order.account.lower())
    assert of_account[f"Account {order.account}"] == reverse("account", args=[order.account])
    assert of_account[f"Orders of {order.account}"].endswith(f"?account={order.account}")
    assert client.get(of_account[f"Orders of {order.account}"]).status_code == 200
    assert found("ENDING")["Set trending"] == reverse("set", args=["trending"])
    instruments = found("eurusd")
    assert instruments["OANDA:EURUSD"] == reverse("instrument", args=["OANDA:EURUSD"])
    assert found("") == found("nothing is called so") == found("%") == {}

    def away(*_):
        raise OperationalError("connection refused")

    monkeypatch.setattr("apps.console.finding.reporting.find_accounts", away)
    answer = client.get(reverse("find"), {"q": "eurusd"}).json()
    assert next(each["title"] for each in answer["found"]) == "OANDA:EURUSD"
    assert "Reporting cannot be asked" in answer["away"][0]
