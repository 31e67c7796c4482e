"""Orders placed and cancelled in the console, the tradebook, and the ledger of UNKNOWN orders."""

import time

import pytest
from django.urls import reverse

from apps.console.fills import fills_of
from apps.console.models import Act
from apps.console.orders import Filters
from apps.execution.book_contracts import Resolution, ResolveOrder
from apps.execution.contracts import CancelOrder, Flatten, PlaceManualOrder, ReportKind
from apps.execution.interface import NewAccount, open_accounts
from apps.reporting import interface as reporting
from apps.reporting.interface import Scope
from banyan.codec import decode_envelope, decode_message
from banyan.models import Request
from tests.integration.console.conftest import ALL
from tests.integration.console.test_overview import queries, read
from tests.integration.reporting.recorded import HOUR_NS, RecordedDesk
from tests.integration.reporting.test_read_models import trade_at_random
from tests.unit.execution.desk import EURUSD

pytestmark = [pytest.mark.django_db(databases=ALL, transaction=True), pytest.mark.usefixtures("commands_of_this_test")]


@pytest.fixture
def desk():
    made = RecordedDesk()
    made.now_ns = time.time_ns() - 50 * HOUR_NS
    return made


@pytest.fixture
def operator(client, people):
    client.force_login(people["operator"])
    return client


@pytest.fixture
def unknown(desk):
    """An order of A1 that is UNKNOWN, and one of A2 that works."""
    desk.open(1, 2)
    desk.configure("trend", EURUSD)
    desk.subscribe("trend", 1, 2)
    request = desk.requested(desk.target("trend", 1, EURUSD=0.1))
    desk.approve(request)
    desk.report((ReportKind.UNKNOWN, 1, EURUSD.id, 1, 10))
    desk.report((ReportKind.ACCEPTED, 2, EURUSD.id, 1))
    read(desk)
    open_accounts([NewAccount(id=name, client="c", deposit=1e3) for name in ("A1", "A2")])
    return {"account": "A1", "instrument": EURUSD.id, "decision": "1"}


def asked(kind):
    rows = Request.objects.using("execution").order_by("place")
    found = [decode_message(decode_envelope(bytes(each.header)).name, bytes(each.body)) for each in rows]
    return [each for each in found if isinstance(each, kind)]


def act(client, name, given, **more):
    return client.post(reverse("act", args=[name]), given | more)


def effect(client, name, given):
    return client.get(reverse("act", args=[name]), given).context["effect"]


def test_the_tradebook_has_every_fill_once_and_in_order(desk, operator):
    trade_at_random(desk, 31, rounds=12)
    read(desk)
    everything = [row for _, row in reporting.fills_from(Scope(), 10_000)]
    found, cursor = [], ""
    while True:
        page = fills_of(Filters(), cursor, 7)
        found += [row for row, _ in page.rows]
        if not page.next:
            break
        cursor = page.next
    assert found == everything
    assert len(found) > 14
    mine = operator.get(reverse("fills"), {"account": "A1"})
    assert [row for row, _ in mine.context["page"].rows] == [each for each in everything if each.account == "A1"][:50]
    wrong = operator.get(reverse("fills"), {"account": "NOBODY"})
    assert "NOBODY" in wrong.context["problem"]
    assert operator.get(reverse("fills"), {"before": "no cursor"}).status_code == 200


def test_the_tradebook_costs_the_same_queries_however_much_there_is(desk, operator):
    trade_at_random(desk, 32, rounds=4)
    read(desk)
    before = queries(operator, reverse("fills"))
    desk.now_ns += HOUR_NS
    trade_at_random(desk, 33, rounds=10)
    read(desk)
    assert queries(operator, reverse("fills")) == before


def test_an_account_shows_what_works_there_and_what_it_traded(operator, unknown, desk):
    page = operator.get(reverse("account", args=["A2"]))
    assert [each.decision for each in page.context["working"].rows] == [1]
    assert "Cancel" in page.content.decode()
    desk.report((ReportKind.FILLED, 2, EURUSD.id, 1, 10, 112_345 * 10_000, 100))
    read(desk)
    page = operator.get(reverse("account", args=["A2"]))
    assert page.context["working"].rows == []
    assert [row.decision for row, _ in page.context["fills"].rows] == [1]


def test_one_position_is_closed_and_what_is_not_held_is_told(operator, unknown, desk):
    given = {"account": "A2", "instrument": EURUSD.id}
    nothing = operator.get(reverse("act", args=["account.close"]), given)
    assert nothing.status_code == 422
    assert "A2 holds nothing of" in nothing.context["problem"]
    desk.report((ReportKind.FILLED, 2, EURUSD.id, 1, 10, 112_345 * 10_000, 100))
    read(desk)
    assert "It holds +0.1 lots in trend" in effect(operator, "account.close", given)[0]
    assert act(operator, "account.close", given, why="enough").status_code == 302
    (told,) = asked(Flatten)
    assert (told.accounts.size, told.instrument, told.reason) == (1, EURUSD.id, "operator: enough")


def test_a_working_order_is_cancelled_and_one_that_has_ended_is_not(operator, unknown, desk):
    given = unknown | {"account": "A2"}
    assert "+0.1 lots of" in effect(operator, "order.cancel", given)[0]
    assert act(operator, "order.cancel", given, why="its client asked").status_code == 302
    (told,) = asked(CancelOrder)
    assert (told.instrument, told.decision) == (EURUSD.id, 1)
    desk.report((ReportKind.CANCELLED, 2, EURUSD.id, 1))
    read(desk)
    late = operator.get(reverse("act", args=["order.cancel"]), given)
    assert late.status_code == 422
    assert "has ended" in late.context["problem"]


def test_an_order_is_typed_previewed_and_placed(operator, unknown, monkeypatch):
    made = PlaceManualOrder(account=0, terms=EURUSD, steps=-20, bid_ticks=112_340, ask_ticks=112_350)
    typed = []
    monkeypatch.setattr("apps.console.acts_of_orders.execution.order_of", lambda *a, **k: typed.append((a, k)) or made)
    monkeypatch.setattr("apps.console.acts_of_orders.get_instrument", lambda name: Traded)
    path = reverse("order-form")
    for wrong, problem in (
        ({"account": "NOBODY", "lots": "1"}, "there is no account NOBODY"),
        ({"account": "A2", "lots": "many"}, "lots: &#x27;many&#x27; is no number"),
        ({"account": "A2", "lots": "0"}, "lots: write how many"),
        ({"account": "A2", "lots": "1", "in_force": "gtd"}, "until: it belongs to gtd"),
        ({"account": "A2", "lots": "1", "in_force": "ever"}, "there is no time in force ever"),
    ):
        told = operator.get(path, {"place": "1", "instrument": EURUSD.id} | wrong)
        assert told.status_code == 422
        assert problem in told.content.decode()
    led_on = operator.get(path, {"place": "1", "account": "A2", "instrument": EURUSD.id, "lots": "-0.2"})
    previewed = operator.get(led_on.headers["Location"]).context
    assert f"Sells 0.2 lots of {EURUSD.id} for A2, at market, until it is cancelled." in previewed["effect"][0]
    assert "22,468.00 USD" in previewed["effect"][1]
    given = dict(previewed["given"].items())
    assert act(operator, "order.place", given).status_code == 422  # without a reason
    assert asked(PlaceManualOrder) == []
    assert act(operator, "order.place", given, why="a hedge").status_code == 302
    (told,) = asked(PlaceManualOrder)
    assert told.steps == -20
    assert typed[-1] == ((EURUSD.id, -0.2), {"limit": None, "stop": None, "in_force": "gtc", "until": ""})
    assert Act.objects.get().name == "order.place"


class Traded:
    id, tick_size, contract_size, currency = EURUSD.id, 1e-5, 100_000, "USD"


def test_the_ledger_has_what_is_unknown_and_people_say_what_became_of_it(operator, unknown, desk):
    page = operator.get(reverse("unknown"))
    assert [(row.account, row.state) for row in page.context["page"].rows] == [("A1", "Unknown")]
    of_it = reverse("order", args=[unknown["account"], unknown["instrument"], int(unknown["decision"])])
    for shown in (page.text, operator.get(of_it).text):
        assert all(reverse("act", args=[name]) in shown for name in ("order.query", "order.adopt", "order.resolve"))
    assert act(operator, "order.query", unknown).status_code == 302
    assert act(operator, "order.adopt", unknown, why="it is on their screen").status_code == 302
    assert act(operator, "order.resolve", unknown, why="they have no such order").status_code == 422  # without the word
    assert act(operator, "order.resolve", unknown, why="they have none", word="NEVER ARRIVED").status_code == 302
    told = asked(ResolveOrder)
    assert [each.how for each in told] == [Resolution.QUERY, Resolution.ADOPT, Resolution.RESOLVE]
    assert {(each.instrument, each.decision) for each in told} == {(EURUSD.id, 1)}
    assert told[-1].reason == "operator: they have none"
    desk.report((ReportKind.ACCEPTED, 1, EURUSD.id, 1))
    read(desk)
    late = operator.get(reverse("act", args=["order.resolve"]), unknown)
    assert late.status_code == 422
    assert "is not UNKNOWN any more" in late.context["problem"]
    assert operator.get(reverse("unknown")).context["page"].rows == []
    assert reverse("act", args=["order.resolve"]) not in operator.get(of_it).text


def test_that_an_order_never_arrived_is_not_said_within_seconds(operator, desk):
    desk.now_ns = time.time_ns()
    desk.open(1)
    desk.configure("trend", EURUSD)
    desk.subscribe("trend", 1)
    desk.approve(desk.requested(desk.target("trend", 1, EURUSD=0.1)))
    desk.now_ns = time.time_ns()
    desk.report((ReportKind.UNKNOWN, 1, EURUSD.id, 1, 10))
    read(desk)
    told = operator.get(
        reverse("act", args=["order.resolve"]), {"account": "A1", "instrument": EURUSD.id, "decision": "1"}
    )
    assert told.status_code == 422
    assert "it may still arrive" in told.context["problem"]


def test_what_waits_for_a_second_person_is_told_where_the_order_is(operator, unknown, settings):
    settings.TWO_PEOPLE = ["order.resolve"]
    assert act(operator, "order.resolve", unknown, why="they have none", word="NEVER ARRIVED").status_code == 302
    for path in (reverse("unknown"), reverse("order", args=["A1", EURUSD.id, 1])):
        (asked,) = operator.get(path).context["asked"]
        assert asked.text == f"operator asks for “Say that the order never arrived: A1 {EURUSD.id} 1”."
        assert "they have none" in asked.detail
    assert operator.get(reverse("order", args=["A2", EURUSD.id, 1])).context["asked"] == []


def test_what_is_unknown_stands_on_the_overview_with_the_way_to_it(unknown, kill_switch):
    from apps.console.overview import overview

    (need,) = [each for each in overview().needs if "UNKNOWN" in each.text]
    assert need.url == reverse("unknown")
