"""Strategy sets: what their pages tell against the read models, and how they are defined by a form."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from apps.feeds.models import Instrument
from apps.reporting import interface as reporting
from apps.reporting.interface import Scope
from apps.signals.interface import NewMember, define_set, get_set
from apps.signals.models import SetReport, StrategySet
from tests.integration.console.conftest import ALL
from tests.integration.console.test_overview import queries, read
from tests.integration.reporting.recorded import HOUR_NS, RecordedDesk
from tests.integration.reporting.test_read_models import trade_at_random

pytestmark = pytest.mark.django_db(databases=ALL, transaction=True)
EURO = "OANDA:EURUSD"


@pytest.fixture
def operator(client, people):
    client.force_login(people["operator"])
    return client


@pytest.fixture
def trend():
    Instrument.objects.create(id=EURO, tick_size=1e-5, lot_step=0.01, lot_min=0.01, contract_size=1e5)
    return define_set("trend", [NewMember("ema_cross", [(EURO, "1h")], {"fast": 10, "slow": 50})])


def test_what_a_set_holds_and_came_to_is_what_its_orders_and_positions_are():
    desk = RecordedDesk()
    desk.now_ns = time.time_ns() - 100 * HOUR_NS
    trade_at_random(desk, 5, rounds=14)
    read(desk)
    for name in ("trend", "other"):
        held = {(each.instrument, each.currency): each for each in reporting.of_set(name).held}
        mine = [each for each in reporting.positions(Scope(set=name), 1000) if each.steps]
        assert set(held) == {(each.instrument, each.currency) for each in mine}
        for place, each in held.items():
            of = [row for row in mine if (row.instrument, row.currency) == place]
            assert each.accounts == len(of)
            assert each.long_lots + each.short_lots == pytest.approx(sum(row.lots for row in of))
            assert each.value == pytest.approx(sum(row.value for row in of), abs=1e-3)
            assert each.unrealised == pytest.approx(sum(row.unrealised for row in of), abs=1e-3)
    orders = [each for each in reporting.orders(Scope(set="trend"), 10_000) if each.signalled_at_ns]
    answers = reporting.answered("trend", 1000)
    assert sum(each.ordered for each in answers) == len(orders) > 0
    assert sum(each.filled for each in answers) == sum(each.state == "Filled" for each in orders)
    assert reporting.followers()["trend"] == len(reporting.subscribers("trend", 1000))


def test_a_parameter_is_changed_by_a_form_made_of_its_bounds(operator, trend):
    form = operator.get(reverse("set-edit"), {"set": "trend", "member": "0"})
    fields = {each.name: each for each in form.context["fields"]}
    assert (fields["fast"].value, fields["slow"].value) == (10, 50)
    typed = {"define": "1", "set": "trend", "member": "0", "strategy": "ema_cross", "channels": f"{EURO}@4h",
             "share": "0.5", "p.fast": "12", "p.slow": "60"}  # fmt: skip
    answer = operator.get(reverse("set-edit"), typed)
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)["members"][0]
    assert asked == f"ema_cross {EURO}@4h 0.5 fast=12 slow=60"
    preview = operator.get(answer.headers["Location"])
    assert preview.context["effect"][1:3] == [f"Out: ema_cross {EURO}@1h 1 fast=10 slow=50", f"In: {asked}"]
    done = operator.post(
        reverse("act", args=["set.define"]), {"set": "trend", "members": asked, "why": "slower", "next": "/sets/trend/"}
    )
    assert done.status_code == 302
    assert get_set("trend").members[0].parameters == {"fast": 12, "slow": 60}
    assert operator.get(reverse("set-edit"), typed | {"p.fast": "999999"}).status_code == 422


def test_a_set_is_started_paused_and_says_why_it_is_parked(operator, trend):
    act = reverse("act", args=["set.start"])
    assert operator.post(act, {"set": "trend", "why": "a test"}).status_code == 302
    assert StrategySet.objects.get(id="trend").is_started
    assert operator.post(reverse("act", args=["set.pause"]), {"set": "trend", "why": "a test"}).status_code == 302
    assert StrategySet.objects.get(id="trend").is_paused
    why = "ema_cross failed in strategies/ema_cross.py, line 31: division by zero"
    StrategySet.objects.update(parked_because=why)
    page = operator.get(reverse("set", args=["trend"]))
    assert why in page.content.decode()
    assert operator.get(reverse("set", args=["nothing"])).status_code == 404


def test_pages_of_sets_take_a_constant_number_of_queries(operator, trend):
    few = queries(operator, reverse("sets"))
    for at in range(5):
        define_set(f"more-{at}", [NewMember("ema_cross", [(EURO, "1h")], {})])
        SetReport.objects.create(set_id=f"more-{at}", reported_at="2026-03-02T00:00:00Z", state="running")
    assert queries(operator, reverse("sets")) == few
