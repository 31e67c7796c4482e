"""The blotter against all orders there are, and an order's page."""

import time

import pytest
from django.urls import reverse

from apps.console.orders import Filters, orders_of
from apps.execution.book_contracts import SkipReason
from apps.execution.contracts import EdgeRefusal
from apps.reporting import interface as reporting
from apps.reporting.interface import ORDER_STATES, RefusalRow, Scope, ScopeError, refusal_in_words, skip_in_words
from apps.risk.contracts import RefusalReason
from banyan.cursors import decoded, encoded
from tests.integration.console.conftest import ALL
from tests.integration.console.test_overview import queries, read
from tests.integration.reporting.recorded import HOUR_NS, RecordedDesk
from tests.integration.reporting.test_read_models import trade_at_random

pytestmark = pytest.mark.django_db(databases=ALL, transaction=True)


@pytest.fixture
def traded():
    desk = RecordedDesk()
    desk.now_ns = time.time_ns() - 100 * HOUR_NS
    trade_at_random(desk, 11, rounds=14)
    read(desk)
    return desk


@pytest.fixture
def viewer(client, people):
    client.force_login(people["administrator"])
    return client


def places(rows):
    return [reporting.place_of(row) for row in rows]


def test_pages_by_cursor_have_every_order_once_and_in_order(traded):
    everything = places(reporting.orders(Scope(), 10_000))
    assert everything == sorted(everything, reverse=True)
    for size in (1, 3, 7):
        found, cursor = [], ""
        while len(found) <= len(everything):
            page = orders_of(Filters(), cursor, size)
            found += places(page.rows)
            if not page.next:
                break
            cursor = page.next
        assert found == everything


def test_an_order_that_comes_meanwhile_moves_none_from_page_to_page(traded):
    first = orders_of(Filters(), "", 5)
    second = places(orders_of(Filters(), first.next, 5).rows)
    traded.now_ns += HOUR_NS
    traded.trade(traded.target("trend", 99, EURUSD=0.31))
    read(traded)
    assert places(orders_of(Filters(), first.next, 5).rows) == second


def test_states_part_all_orders(traded):
    everything = reporting.orders(Scope(), 10_000)
    by_state = {state: reporting.orders(Scope(), 10_000, state=state) for state in ORDER_STATES}
    assert {row.state for row in by_state["filled"]} <= {"Filled"}
    assert {row.state for row in by_state["refused"]} <= {"Denied", "Rejected"}
    assert {row.state for row in by_state["cancelled"]} <= {"Canceled", "Expired"}
    assert by_state["refused"]
    apart = [by_state[state] for state in ("working", "filled", "refused", "cancelled")]
    assert sorted(place for rows in apart for place in places(rows)) == sorted(places(everything))


@pytest.mark.parametrize("filters", [{"account": "NOBODY"}, {"state": "lost"}, {"day": "yesterday"}])
def test_a_filter_that_cannot_be_is_told(traded, viewer, filters):
    with pytest.raises(ScopeError):
        orders_of(Filters(**filters))
    response = viewer.get(reverse("orders"), filters)
    assert response.status_code == 200
    assert b'role="alert"' in response.content


@pytest.mark.parametrize(
    "cursor", ["", "x", "!!!", encoded([1, 2]), encoded(["a", "b", "c", "d"]), encoded([[], 1, 1, 1])]
)
def test_a_cursor_that_was_made_up_begins_at_the_beginning(traded, cursor):
    assert orders_of(Filters(), cursor, 3).rows == orders_of(Filters(), "", 3).rows


def test_a_cursor_holds_what_was_put_in():
    assert decoded(encoded([5, "a/ü", "b", 7]), 4) == [5, "a/ü", "b", 7]


def test_refusals_are_found_by_their_orders_and_only_by_them(traded):
    everything = reporting.orders(Scope(), 10_000)
    found = reporting.refusals_of(everything)
    told = {(row.account, row.instrument, row.decision): row for row in reporting.refusals(Scope(), 10_000)}
    assert {place[1:] for place in found} == set(told)
    for place, row in found.items():
        assert row == told[place[1:]]


def test_every_order_has_a_page_that_says_what_became_of_it(traded, viewer):
    for row in reporting.orders(Scope(), 10_000)[:30]:
        response = viewer.get(reverse("order", args=[row.account, row.instrument, row.decision]))
        assert response.status_code == 200
        assert f"requested {row.lots:+,.10g} lots" in response.content.decode()
    refused = next(row for row in reporting.orders(Scope(), 10_000, state="refused") if row.why.startswith("risk"))
    page = viewer.get(reverse("order", args=[refused.account, refused.instrument, refused.decision])).content.decode()
    assert "where an order may have" in page


def test_no_such_order_is_not_found(traded, viewer):
    assert viewer.get(reverse("order", args=["A1", "SIM:EURUSD", 99_999])).status_code == 404


def test_pages_cost_the_same_queries_however_much_there_is(traded, viewer, kill_switch):
    row = reporting.orders(Scope(), 1)[0]
    paths = [reverse("orders"), reverse("order", args=[row.account, row.instrument, row.decision])]
    before = [queries(viewer, path) for path in paths]
    traded.now_ns += HOUR_NS
    trade_at_random(traded, 12, rounds=6)
    read(traded)
    assert [queries(viewer, path) for path in paths] == before
    assert max(before) <= 14


def test_every_reason_has_a_sentence():
    for reason in RefusalReason:
        if reason:
            name = reason.name.lower().replace("_", " ")
            row = RefusalRow(0, "A", "I", 1, "s", "risk", name, "account", 2_000_000, 3_000_000)
            assert refusal_in_words(row).endswith(".")
            assert refusal_in_words(row) != name
    for refusal in EdgeRefusal:
        if refusal:
            name = refusal.name.lower().replace("_", " ")
            assert refusal_in_words(RefusalRow(0, "A", "I", 1, "s", "edge", name, "", 0, 0)) != name
    for skip in SkipReason:
        if skip:
            assert skip_in_words(skip.name.lower().replace("_", " ")).endswith(".")
