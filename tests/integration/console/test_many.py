"""Acts on all accounts that were found: counted before, and done to those and no others."""

import time

import pytest
from django.urls import reverse

from apps.execution.contracts import Flatten
from apps.execution.interface import NewAccount, open_accounts
from apps.reporting import interface as reporting
from apps.reporting.interface import Scope
from apps.risk.contracts import SetTradingState
from banyan.codec import decode_envelope, decode_message
from banyan.models import Request
from tests.integration.console.conftest import ALL
from tests.integration.console.test_overview import read
from tests.integration.reporting.recorded import HOUR_NS, RecordedDesk
from tests.integration.reporting.test_read_models import trade_at_random

pytestmark = [pytest.mark.django_db(databases=ALL, transaction=True), pytest.mark.usefixtures("commands_of_this_test")]


@pytest.fixture
def desk():
    """Accounts as reporting and execution know them."""
    made = RecordedDesk()
    made.now_ns = time.time_ns() - 50 * HOUR_NS
    trade_at_random(made, 9, rounds=10)
    read(made)
    open_accounts(NewAccount(id=each.account, client=each.client, deposit=1e3) for each in accounts())
    return made


@pytest.fixture
def operator(client, people):
    client.force_login(people["operator"])
    return client


def accounts(text=""):
    return reporting.find_accounts(Scope(), text, None, 1000)


def asked(alias, kind):
    rows = Request.objects.using(alias)
    found = [decode_message(decode_envelope(bytes(each.header)).name, bytes(each.body)) for each in rows]
    return sorted(number for each in found if isinstance(each, kind) for number in each.accounts.tolist())


def test_a_selection_is_counted_as_its_accounts_are(desk):
    everybody = accounts()
    held = [each for each in reporting.positions(Scope(), 1000) if each.steps]
    found = reporting.selection("")
    assert found.accounts == len(everybody)
    assert found.holding == len({each.account for each in held}) > 0
    assert found.positions == len(held)
    assert found.working == len(reporting.orders(Scope(), 1000, state="working"))
    assert reporting.selection("%").accounts == reporting.selection("_").accounts == 0


def test_those_that_were_found_are_acted_on_and_no_others(desk, operator):
    text = accounts()[0].account
    mine = accounts(text)
    numbers = sorted(each.number for each in mine)
    assert 0 < len(mine) < len(accounts())
    given = {"find": text, "count": str(len(mine)), "why": "a test"}
    page = operator.get(reverse("accounts"), {"find": text})
    assert page.context["together"].accounts == len(mine)
    shown = operator.get(reverse("act", args=["accounts.halt"]), given)
    assert shown.context["effect"][0].startswith(f"{len(mine)} account")
    assert operator.post(reverse("act", args=["accounts.halt"]), given | {"word": "HALT"}).status_code == 302
    assert len(asked("risk", SetTradingState)) == len(numbers)
    assert operator.post(reverse("act", args=["accounts.flatten"]), given | {"word": "FLATTEN"}).status_code == 302
    assert len(asked("execution", Flatten)) == len(numbers)


def test_a_selection_that_is_another_is_refused(desk, operator):
    for given, words in (
        ({"find": " ", "count": "3"}, "type what finds the accounts"),
        ({"find": "nobody-at-all", "count": "0"}, "no account has"),
        ({"find": "a", "count": "1000"}, "look again"),
    ):
        answer = operator.get(reverse("act", args=["accounts.flatten"]), given)
        assert answer.status_code == 422, given
        assert words in answer.context["problem"]
