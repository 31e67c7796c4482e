"""The life of an order is told in the order of causes, whichever clock its times are of."""

import pytest

from apps.execution.contracts import OrdersReported, ReportKind
from apps.reporting import interface
from apps.reporting.models import Fill
from banyan.columns import ints
from tests.integration.reporting.conftest import read_all
from tests.integration.reporting.test_read_models import EVERYTHING, two_clients
from tests.unit.execution.desk import EURUSD

pytestmark = pytest.mark.django_db(databases=["reporting"], transaction=True)


def first_words(order):
    return [each.what.partition(" ")[0].rstrip(":") for each in interface.timeline(order, interface.fills_of(order))]


def test_a_fill_stands_after_what_led_to_it_and_before_the_end_that_it_led_to(desk, follower):
    two_clients(desk)
    request = desk.requested(desk.target("trend", 1, EURUSD=0.1))
    desk.approve(request)
    desk.now_ns += 1_000
    desk.report((ReportKind.ACCEPTED, 1, EURUSD.id, 1))
    desk.report((ReportKind.FILLED, 1, EURUSD.id, 1, 4, 112_345 * 10_000, 100))
    read_all(follower)
    order = min(interface.orders(EVERYTHING, 10))
    begun = ["trend", "requested", "approved", "sent", "acknowledged"]
    told = interface.timeline(order, interface.fills_of(order))
    first_ns, last_ns = told[0].at_ns, told[-1].at_ns
    assert [each.is_brokers for each in told] == [False] * 5 + [True]
    Fill.objects.using("reporting").update(filled_at_ns=first_ns - 1)  # by a clock that is behind ours
    assert first_words(order) == [*begun, "filled"]
    cancelled = order._replace(state="Canceled", ended_at_ns=last_ns, why="by hand")
    assert first_words(cancelled) == [*begun, "filled", "Canceled"]
    assert first_words(order._replace(state="Filled", ended_at_ns=first_ns - 2)) == [*begun, "filled", "Filled"]
    Fill.objects.using("reporting").update(filled_at_ns=last_ns + 1)  # a fill after the cancel is legal
    assert first_words(cancelled) == [*begun, "Canceled", "filled"]
    late = order._replace(accepted_at_ns=last_ns + 9, unknown_at_ns=last_ns + 5)
    assert first_words(late)[4:6] == ["unknown", "acknowledged"]


def test_what_came_of_a_persons_word_stands_in_the_life_of_its_order(desk, follower):
    two_clients(desk)
    desk.approve(desk.requested(desk.target("trend", 1, EURUSD=0.1)))
    desk.now_ns += 1_000
    desk.report((ReportKind.UNKNOWN, 1, EURUSD.id, 1, 10))
    for answer in ("a person asked for it: its broker is asked for it", "a person said that: not taken"):
        read_all(follower)
        answered_ns = desk.now_ns
        told = OrdersReported(
            instruments=[EURUSD.id], account=ints([2, 1]), instrument=ints([0, 0]), decision=ints([1, 1]),
            kind=ints([ReportKind.ACCEPTED, ReportKind.UNKNOWN]), at_ns=ints([answered_ns] * 2), answers=["", answer],
        )  # fmt: skip
        desk.feed(told)
        read_all(follower)
        (order,) = interface.orders(interface.Scope(account="A1"), 10)
        assert (order.state, order.answer, order.answered_at_ns) == ("Unknown", answer, answered_ns)
        assert interface.timeline(order, interface.fills_of(order))[-1] == (answered_ns, answer, False)
