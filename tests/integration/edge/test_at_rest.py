"""When the edge is at rest: nothing it was sent, nothing a broker has to answer, nothing execution has not applied."""

from collections.abc import Iterator

import pytest

from apps.execution.contracts import ReportKind, client_order_id
from apps.execution.edge.at_rest import EdgeAtRest
from banyan.models import Mark, Stream
from tests.integration.edge.desk import SHARD, Desk

pytestmark = pytest.mark.django_db(databases=["edge", "execution"], transaction=True)


@pytest.fixture
def at_rest(desk) -> Iterator[EdgeAtRest]:
    asked = EdgeAtRest()
    execution_applies_all(desk)
    yield asked
    asked.close()


def execution_sends(position: int) -> None:
    fields = {"key": SHARD, "receiver": "edge", "receiver_key": SHARD}
    Stream.objects.using("execution").update_or_create(**fields, defaults={"position": position})


def execution_applies_all(desk: Desk) -> None:
    fields = {"key": SHARD, "sender": "edge", "sender_key": SHARD}
    position = desk.edge.shards[SHARD].reported
    Mark.objects.using("execution").update_or_create(**fields, defaults={"epoch": 1, "position": position})


def test_an_edge_that_has_nothing_to_do_is_at_rest(at_rest):
    assert at_rest.is_at_rest()


def test_what_execution_has_sent_and_the_edge_has_not_taken_keeps_it_from_rest(at_rest):
    execution_sends(7)
    assert not at_rest.is_at_rest()


def test_an_order_is_awaited_until_its_broker_has_answered_and_execution_has_applied_that(at_rest, desk, fake):
    execution_sends(7)
    desk.release([(1, 1, 5)], envelope={"sender": "execution", "sender_key": SHARD, "number": 7, "epoch": 1})
    desk.poll()
    assert not at_rest.is_at_rest(), "it is sent, and nobody knows what became of it"
    fake.say(("e1", client_order_id("A1", "EURUSD", 1), 1, ReportKind.FILLED, 5))
    desk.poll()
    assert not at_rest.is_at_rest(), "execution has not applied the fill"
    execution_applies_all(desk)
    assert at_rest.is_at_rest()


def test_an_order_that_rests_at_the_broker_keeps_nobody_from_rest(at_rest, desk, fake):
    desk.release([(1, 1, 5)], envelope={"sender": "execution", "sender_key": SHARD, "number": 7, "epoch": 1})
    desk.poll()
    fake.say(("e1", client_order_id("A1", "EURUSD", 1), 1, ReportKind.ACCEPTED, 0))
    desk.poll()
    execution_applies_all(desk)
    assert at_rest.is_at_rest()
