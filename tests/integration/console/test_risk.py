"""The page of risk: limits of all levels as risk has them, how they are changed, and refusals by code."""

import time
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from apps.console.limits import limit_title
from apps.execution.interface import NewAccount, open_accounts
from apps.execution.models import Account
from apps.feeds.models import Instrument
from apps.reporting import interface as reporting
from apps.reporting.interface import Scope
from apps.risk.contracts import Limits
from apps.risk.interface import limits_by_level, limits_known, set_limits
from apps.risk.levels import LimitsReader
from tests.integration.console.conftest import ALL
from tests.integration.console.test_overview import queries, read
from tests.integration.reporting.recorded import HOUR_NS, RecordedDesk
from tests.integration.reporting.test_read_models import trade_at_random
from tests.integration.risk.test_command import EURO, host, told  # noqa: F401  (a fixture)

pytestmark = pytest.mark.django_db(databases=ALL, transaction=True)


@pytest.fixture
def operator(client, people):
    client.force_login(people["operator"])
    return client


def apply(host):  # noqa: F811
    host.look_for(("", key) for key in host.store.all_keys())
    while host.step():
        pass


def test_limits_of_all_levels_are_told_as_they_change(host):  # noqa: F811
    reader = LimitsReader()
    assert reader.levels() == []
    set_limits(Limits(order_steps_max=500), request="1")
    set_limits(Limits(order_notional_micro_max=10**9), instrument=EURO, request="2")
    apply(host)
    assert [(each.account, each.instrument) for each in reader.levels()] == [(-1, ""), (-1, EURO)]
    set_limits(Limits(daily_loss_e9_max=5 * 10**7), account="b", request="3")
    set_limits(Limits(position_steps_max=7), account="a", instrument=EURO, request="4")
    set_limits(Limits(), instrument=EURO, request="5")
    apply(host)
    anew = LimitsReader()
    assert sorted(reader.levels(), key=repr) == sorted(anew.levels(), key=repr)
    numbers = {each.id: each.number for each in Account.objects.using("execution").all()}
    assert [(each.account, each.instrument, each.limits) for each in limits_by_level()] == [
        (-1, "", {"order": "500steps"}),
        (numbers["b"], "", {"daily-loss": "5%"}),
        (numbers["a"], EURO, {"position": "0.07lots"}),
    ]


def test_a_form_of_limits_leads_to_a_preview_of_what_was_changed_in_it(host, operator):  # noqa: F811
    told("limit", "order=9steps", "daily-loss=5%")
    apply(host)
    page = operator.get(reverse("limits"))
    assert {row.name: row.value for row in page.context["rows"] if row.value} == {"order": "9steps", "daily-loss": "5%"}
    typed = {row.name: row.value for row in page.context["rows"]} | {"order": "", "leverage": "10"}
    answer = operator.get(reverse("limits"), typed)
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert asked["limits"] == ["order=none leverage=10"]
    preview = operator.get(answer.headers["Location"])
    assert preview.context["effect"][:2] == [
        "Largest order: 9 steps becomes not set, for all accounts.",
        "Leverage: not set becomes 10 times equity, for all accounts.",
    ]
    same = operator.get(
        reverse("act", args=["risk.limits"]), {"account": "", "instrument": "", "limits": "daily-loss=5%"}
    )
    assert same.context["idle"] == "Nothing changes: this is what is set for all accounts."
    assert all(limit_title(name) != name for name in limits_known(of_instrument=False))
    done = operator.post(reverse("act", args=["risk.limits"]), {
        "account": "", "instrument": "", "limits": "order=none leverage=10", "why": "a test", "next": reverse("risk"),
    })  # fmt: skip
    assert done.status_code == 302
    apply(host)
    assert [each.limits for each in limits_by_level()] == [{"daily-loss": "5%", "leverage": "10"}]


def test_what_cannot_be_a_limit_is_told_in_the_form(operator):
    for typed, words in (
        ({"order": "many"}, "order=many"),
        ({"account": "NOBODY"}, "there is no account NOBODY"),
        ({"instrument": "SIM:NONE"}, "SIM:NONE"),
    ):
        answer = operator.get(reverse("limits"), typed)
        assert answer.status_code == 422, typed
        assert words in answer.context["problem"]


def test_refusals_by_code_are_all_refusals_there_were(operator):
    desk = RecordedDesk()
    desk.now_ns = time.time_ns() - 100 * HOUR_NS
    trade_at_random(desk, 11, rounds=14)
    read(desk)
    now_ns = time.time_ns()
    each = reporting.refusals(Scope(since_ns=now_ns - 7 * 24 * HOUR_NS), 10_000)
    found = reporting.refusals_by_code(now_ns)
    assert Counter({(row.by, row.code): row.of_week for row in found}) == Counter((row.by, row.reason) for row in each)
    last_day = [row for row in each if row.refused_at_ns >= now_ns - 24 * HOUR_NS]
    assert sum(row.of_day for row in found) == len(last_day)
    assert operator.get(reverse("risk")).status_code == 200
    assert {row.instrument for row in reporting.last_orders(0)} <= set(reporting.instruments_traded())


def test_the_page_takes_as_many_queries_for_many_accounts_as_for_few(operator, host):  # noqa: F811
    set_limits(Limits(order_steps_max=1), account="a", request="a")
    apply(host)
    few = queries(operator, reverse("risk"))
    open_accounts(NewAccount(id=f"m{at}", client="c", deposit=1e3) for at in range(20))
    for at in range(20):
        set_limits(Limits(order_steps_max=at), account=f"m{at}", request=f"m{at}")
    apply(host)
    assert len(operator.get(reverse("risk")).context["levels"]) == 21
    assert queries(operator, reverse("risk")) == few
    assert Instrument.objects.count() == 1
