"""Brokers that take only so many orders a second: what goes when, what waits through crashes, and what is dropped."""

import pytest
from django.db import connections

from apps.execution.contracts import EdgeRefusal, OrderType, ReportKind, client_order_id
from apps.execution.edge.edge import EdgeSettings
from apps.execution.edge.paper import PaperBroker
from apps.execution.edge.port import Capabilities
from apps.execution.edge.standing import standing
from tests.integration.edge.desk import SECOND, SHARD, Desk, refusals
from tests.integration.edge.fake_broker import FakeBroker
from tests.integration.edge.paper_client import BrokerProcess, Client

pytestmark = pytest.mark.django_db(databases=["edge"], transaction=True)

SLICE = SECOND // 20
STREAM = {"sender": "execution", "sender_key": SHARD, "epoch": 1}


class Switch:
    """A kill switch in the test's hand."""

    def __init__(self) -> None:
        self.clear = True

    def is_clear(self) -> bool:
        return self.clear

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
def fake() -> FakeBroker:
    return FakeBroker(capabilities=Capabilities(opens_accounts=True, orders_per_second_max=40))


@pytest.fixture
def switch() -> Switch:
    return Switch()


@pytest.fixture
def desk(transactional_db, fake, clock, switch):
    made = Desk([fake], clock=clock, switch=switch, settings=EdgeSettings(answer_ns_max=60 * SECOND))
    made.ready(1, 2, 3, 4, 5, 6)
    yield made
    made.close()


def sent(fake: FakeBroker) -> list[tuple[int, int]]:
    """Return (account, decision number) of the orders that have arrived, in order."""
    return [(account, int(client_id[16:], 16)) for _, client_id, account, _ in fake.arrived]


def pass_time(desk: Desk, clock, nanoseconds: int) -> None:
    clock.move_to(clock.wall_ns() + nanoseconds)
    desk.poll()


def test_orders_go_in_slices_of_what_the_broker_takes_and_what_would_be_late_is_dropped(desk, fake, clock):
    desk.release([(account, 1, 5) for account in range(1, 7)], seconds=0.09)
    desk.poll()
    desk.poll()
    assert sent(fake) == [(1, 1), (2, 1)]
    pass_time(desk, clock, SLICE - 1)
    assert len(sent(fake)) == 2
    pass_time(desk, clock, 1)
    assert sent(fake) == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert refusals(desk) == []
    pass_time(desk, clock, SECOND // 25)
    assert refusals(desk) == [(5, 1, EdgeRefusal.RATE_LIMIT), (6, 1, EdgeRefusal.RATE_LIMIT)]
    pass_time(desk, clock, 10 * SECOND)
    assert len(sent(fake)) == 4
    desk.release([(5, 2, 5)])
    desk.poll()
    assert sent(fake)[-1] == (5, 2)


def test_two_orders_of_an_account_and_instrument_keep_their_order_though_one_is_reduce_only(desk, fake, clock):
    desk.release([(1, 1, 5), (2, 1, 5), (1, 2, -5), (3, 1, 5)], reduce_only=[0, 0, 1, 0])
    desk.poll()
    assert sent(fake) == [(1, 1), (1, 2)]
    pass_time(desk, clock, SLICE)
    assert sent(fake)[2:] == [(2, 1), (3, 1)]


def test_an_entry_and_what_protects_it_go_together(desk, fake, clock):
    desk.release([(1, 1, 5), (2, 1, 5)])
    desk.poll()
    desk.release(
        [(3, 1, 5), (4, 1, 5), (3, 2, -5)],
        order_type=[0, 0, OrderType.PROTECTIVE],
        stop_ticks=[0, 0, 100],
        tag=[1, 0, 1],
    )
    pass_time(desk, clock, SLICE)
    assert sent(fake)[2:] == [(3, 1), (3, 2)]
    pass_time(desk, clock, SLICE)
    assert sent(fake)[4:] == [(4, 1)]


def test_cancels_go_before_orders_and_count(desk, fake, clock):
    desk.release([(1, 1, 5), (2, 1, 5)])
    desk.poll()
    fake.say(("e1", client_order_id("A1", "EURUSD", 1), 1, ReportKind.ACCEPTED, 0))
    fake.say(("e2", client_order_id("A2", "EURUSD", 1), 2, ReportKind.ACCEPTED, 0))
    desk.release([(3, 1, 5)])
    desk.cancel((1, 1), (2, 1))
    desk.poll()
    assert fake.cancelled == []
    pass_time(desk, clock, SLICE)
    assert fake.cancelled == [client_order_id(f"A{number}", "EURUSD", 1) for number in (1, 2)]
    assert len(sent(fake)) == 2
    pass_time(desk, clock, SLICE)
    assert sent(fake)[2:] == [(3, 1)]


def test_a_cancel_that_waits_while_a_session_ends_is_asked_for_in_the_next(desk, fake, clock):
    desk.release([(1, 1, 5), (2, 1, 5)])
    desk.poll()
    fake.say(("e1", client_order_id("A1", "EURUSD", 1), 1, ReportKind.ACCEPTED, 0))
    desk.release([(3, 1, 5), (4, 1, 5)])
    pass_time(desk, clock, SLICE)
    desk.cancel((1, 1))
    desk.poll()
    before, fake.holds_logins = fake.session, True
    desk.open(7)
    desk.poll()
    pass_time(desk, clock, SLICE)
    pass_time(desk, clock, SLICE)
    assert (fake.session, fake.cancelled_in) == (before + 1, [])
    fake.holds_logins = False
    desk.until(lambda: fake.cancelled)
    assert fake.cancelled_in == [fake.session]


def test_an_order_that_waits_can_be_cancelled_and_never_leaves(desk, fake, clock):
    desk.release([(account, 1, 5) for account in (1, 2, 3)])
    desk.release([(3, 2, 5)])
    desk.poll()
    desk.cancel((3, 2))
    pass_time(desk, clock, SLICE)
    assert sent(fake) == [(1, 1), (2, 1), (3, 1)]
    assert refusals(desk) == [(3, 2, EdgeRefusal.RECALLED)]
    pass_time(desk, clock, SLICE)
    assert len(sent(fake)) == 3


def test_a_thrown_kill_switch_refuses_at_once_all_that_waits_but_what_reduces(desk, fake, clock, switch):
    desk.release([(account, 1, 5) for account in range(1, 7)], reduce_only=[0, 0, 0, 0, 0, 1])
    desk.poll()
    assert sorted(sent(fake)) == [(1, 1), (6, 1)]
    desk.release([(6, 2, -5)], reduce_only=[1])
    switch.clear = False
    pass_time(desk, clock, SLICE)
    assert sent(fake)[2:] == [(6, 2)]
    assert refusals(desk) == [(account, 1, EdgeRefusal.KILL_SWITCH) for account in (2, 3, 4, 5)]


def test_what_waits_when_the_edge_dies_is_sent_by_the_next_one_and_nothing_twice(desk, fake, clock, switch):
    first = [(account, 1, 5) for account in range(1, 7)]
    messages = [(first, 1, 0), ([(1, 2, 7)], 2, 1)]
    for rows, number, previous in messages:
        desk.release(rows, envelope={**STREAM, "number": number, "previous": previous})
    desk.poll()
    assert desk.edge.marks(SHARD) == {("execution", SHARD): (1, 2)}
    assert len(sent(fake)) == 2
    for account in (1, 2):
        fake.say((f"e{account}", client_order_id(f"A{account}", "EURUSD", 1), account, ReportKind.FILLED, 5))
    desk.poll()
    desk.edge.ledger.close()
    again = Desk([fake], clock=clock, switch=switch, settings=desk.edge.settings)
    again.poll()
    assert again.edge.marks(SHARD) == {}, "a message of which orders wait comes again"
    pass_time(again, clock, SECOND)
    again.until(lambda: again.reconciled() == set(range(1, 7)))
    for rows, number, previous in messages:
        again.release(rows, envelope={**STREAM, "number": number, "previous": previous})
    for _ in range(5):
        pass_time(again, clock, SLICE)
    assert sorted(sent(fake)) == sorted([*((account, 1) for account in range(1, 7)), (1, 2)])
    assert refusals(again) == []
    again.poll()
    assert again.edge.marks(SHARD) == {("execution", SHARD): (1, 2)}
    again.close()


@pytest.mark.django_db(databases=["edge", "execution"], transaction=True)
def test_the_status_tells_how_many_messages_have_orders_that_wait(desk, settings):
    settings.PAPER_RATES = 40, 0
    desk.release([(account, 1, 5) for account in range(1, 7)], envelope={**STREAM, "number": 4096, "previous": 0})
    desk.poll()
    sent = "INSERT INTO banyan_outbox (receiver, receiver_key, key, position, previous, epoch, written_at) "
    connections["execution"].cursor().execute(f"{sent} VALUES ('edge', '00', '00', 4096, 0, 1, now())")
    told = standing()
    assert told["waiting"] == 1
    assert [(key["key"], key["owner"], key["is_held"]) for key in told["keys"]] == [(SHARD, "one", True)]
    assert told["facts"] == ["paper takes 40 orders a second, any number of an account"]


@pytest.fixture
def venue(tmp_path):
    made = BrokerProcess(tmp_path, "--orders-per-second", "100", "--orders-per-second-per-account", "4").start()
    client = Client(made.socket)
    client.quote(110_000, 110_003)
    client.close()
    yield made
    made.kill()


@pytest.mark.parametrize(("rates", "is_over"), [((50, 2), False), ((0, 0), True)], ids=["known", "not known"])
def test_a_real_broker_rejects_nothing_of_an_edge_that_knows_what_it_takes(transactional_db, venue, rates, is_over):
    """Half of it, so that what a busy machine brings to the broker late is not too much with what comes next."""
    desk = Desk([PaperBroker(venue.socket, rates=rates)])
    accounts = range(1, 31)
    desk.ready(*accounts)
    for decision in range(1, 6):
        desk.release([(account, decision, 5) for account in accounts], seconds=30)
    desk.until(lambda: sum(kind in ENDED for *_, kind, _, _ in desk.rows()) == 150)
    kinds = [kind for *_, kind, _, _ in desk.rows()]
    assert (ReportKind.REJECTED in kinds) == is_over
    assert is_over or kinds.count(ReportKind.FILLED) == 150
    desk.close()


ENDED = {ReportKind.FILLED, ReportKind.REJECTED}
