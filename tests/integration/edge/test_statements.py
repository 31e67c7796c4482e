"""What a broker's statements tell again, and what an edge may forget because they no longer do."""

import pytest

from apps.execution.contracts import EdgeRefusal, ReportKind
from apps.execution.edge.edge import EdgeSettings
from apps.execution.edge.ledger import Ledger
from apps.execution.edge.worker import EdgeWorker
from banyan.transport import LocalTransport
from tests.integration.edge.desk import SECOND, SHARD, Desk, name, refusals

pytestmark = pytest.mark.django_db(databases=["edge"], transaction=True)

ACCEPTED, FILLED, CANCELLED = ReportKind.ACCEPTED, ReportKind.FILLED, ReportKind.CANCELLED
STRANGE = "somebody's order"


def forget(desk):
    """Keep a snapshot, which leaves out what may be forgotten."""
    desk.edge._keep_snapshot(desk.edge.shards[SHARD])


def state(desk):
    """Let the broker say what accounts hold, and book it."""
    desk.edge.reconcile()
    desk.poll()
    desk.poll()


def orders_known(desk):
    return desk.edge.shards[SHARD].memory.orders.size


def fills(desk):
    return [(account, decision, steps) for account, decision, kind, steps, _ in desk.rows() if kind is FILLED]


def test_orders_that_ended_long_ago_leave_the_memory_and_their_late_fills_are_still_told(desk, fake, clock):
    desk.release([(1, 1, 5)])
    desk.poll()
    fake.say(("e1", name(1, 1), 1, ACCEPTED, 0), ("e2", name(1, 1), 1, CANCELLED, 0))
    desk.poll()
    clock.move_to(clock.wall_ns() + 20 * SECOND)
    forget(desk)
    assert orders_known(desk) == 1, "the next statement tells of it again"
    state(desk)
    forget(desk)
    assert orders_known(desk) == 0
    fake.say(("e3", name(1, 1), 1, FILLED, 5))
    desk.poll()
    assert desk.kinds(1, 1) == [ACCEPTED, CANCELLED, FILLED]
    desk.release([(1, 1, 5)])
    desk.poll()
    assert refusals(desk) == [(1, 1, EdgeRefusal.DECISION_PASSED)]


def test_a_statement_tells_nothing_twice_of_what_was_forgotten(desk, fake, clock):
    desk.release([(1, 1, 5)])
    desk.poll()
    fake.say(("e1", name(1, 1), 1, FILLED, 5), ("e2", STRANGE, 2, FILLED, 7))
    desk.poll()
    clock.move_to(clock.wall_ns() + 20 * SECOND)
    forget(desk)
    state(desk)
    forget(desk)
    assert orders_known(desk) == 0
    fake.say(("e1", name(1, 1), 1, FILLED, 5), ("e2", STRANGE, 2, FILLED, 7))  # as a new session may
    state(desk)
    assert fills(desk) == [(1, 1, 5), (2, 0, 7)]


def test_somebody_elses_fill_is_told_once_though_a_snapshot_came_before_the_statement(desk, fake):
    fake.say(("e1", STRANGE, 2, FILLED, 7))
    desk.poll()
    forget(desk)
    state(desk)
    assert fills(desk) == [(2, 0, 7)]


def test_a_statement_counts_though_every_account_has_an_order_on_its_way(desk, fake, clock):
    desk.release([(1, 1, 5), (2, 1, 5)])
    desk.poll()
    fake.say(("e1", name(1, 1), 1, FILLED, 5), ("e2", name(2, 1), 2, FILLED, 5))
    desk.poll()
    clock.move_to(clock.wall_ns() + 20 * SECOND)
    desk.release([(1, 2, 5), (2, 2, 5)])
    desk.poll()
    state(desk)
    forget(desk)
    assert orders_known(desk) == 2, "those that are on their way"
    memory = desk.edge.shards[SHARD].memory
    assert memory.upto == {"paper": 2}


def test_reports_that_come_one_after_another_are_one_line_of_the_ledger(desk, fake):
    desk.release([(1, 1, 5), (2, 1, 5)])
    desk.poll()
    before = desk.edge.shards[SHARD].number
    fake.say(("e1", name(1, 1), 1, ACCEPTED, 0), ("e2", name(2, 1), 2, ACCEPTED, 0))
    fake.say(("e3", name(1, 1), 1, FILLED, 2))
    fake.say(("e4", name(1, 1), 1, FILLED, 3), ("e5", name(2, 1), 2, CANCELLED, 0))
    desk.poll()
    assert desk.edge.shards[SHARD].number == before + 1
    assert desk.kinds(1, 1) == [ACCEPTED, FILLED, FILLED]
    assert desk.kinds(2, 1) == [ACCEPTED, CANCELLED]
    assert fills(desk) == [(1, 1, 2), (1, 1, 3)]


def test_what_others_trade_is_told_with_decision_0_and_counts_in_the_statement(desk, fake, clock):
    fake.say(("x1", "somebody else", 1, FILLED, 7), ("x2", "somebody else", 1, ACCEPTED, 0))
    desk.poll()
    assert desk.kinds(1, 0) == [FILLED]
    desk.told.clear()
    desk.edge.reconcile()
    desk.until(lambda: desk.reconciled() == {1, 2})
    assert desk.positions() == {1: 7, 2: 0}


def test_accounts_are_reconciled_on_a_timer_but_not_those_with_an_order_on_its_way(desk, fake, clock):
    desk.release([(1, 1, 5)], seconds=90)
    desk.poll()
    fake.answers_queries = False
    desk.told.clear()
    clock.move_to(clock.wall_ns() + 31 * SECOND)
    for _ in range(4):
        desk.poll()
    assert desk.reconciled() == {2}


def test_a_shard_with_many_orders_asks_for_a_statement_sooner(fake, clock, transactional_db):
    settings = EdgeSettings(orders_max=2, quiet_ns=0, settle_ns=SECOND // 10, recheck_ns=SECOND // 20)
    desk = Desk([fake], clock=clock, settings=settings)
    desk.ready(1, 2)
    desk.told.clear()
    fill(desk, fake, 1)
    clock.move_to(clock.wall_ns() + 6 * SECOND)
    for _ in range(3):
        desk.poll()
    assert desk.reconciled() == set(), "one order is not many"
    fill(desk, fake, 2)
    for _ in range(3):
        desk.poll()
    assert desk.reconciled() == {1, 2}
    desk.close()


def fill(desk, fake, decision):
    desk.release([(1, decision, 5)])
    desk.poll()
    fake.say((f"e{decision}", name(1, decision), 1, FILLED, 5))
    desk.poll()


def test_what_execution_has_heard_is_not_looked_for_in_the_ledger(desk, fake, monkeypatch):
    worker = EdgeWorker(desk.edge, [SHARD], LocalTransport({}))
    fill(desk, fake, 1)
    last = desk.edge.shards[SHARD].reported
    (missed,) = worker._missed(SHARD, last - 1)
    assert missed.envelope.number == last
    monkeypatch.setattr(Ledger, "lines", lambda *_, **__: pytest.fail("it was looked for"))
    assert worker._missed(SHARD, last) == []
    worker._archive.close()
