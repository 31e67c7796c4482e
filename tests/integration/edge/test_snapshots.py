"""When an edge keeps snapshots, and what they and the lines after them give."""

import pytest

from apps.execution.contracts import ReportKind
from apps.execution.edge.edge import EdgeSettings
from tests.integration.edge.desk import SECOND, SHARD, Desk, name
from tests.integration.edge.test_edge import restarted

pytestmark = pytest.mark.django_db(databases=["edge"], transaction=True)
QUIET_NS = SECOND // 20


def test_shards_that_come_to_their_snapshots_together_keep_them_one_after_the_other(transactional_db, clock):
    keys = ("00", "01")
    desk = Desk([], clock=clock, settings=EdgeSettings(snapshot_every=4, quiet_ns=QUIET_NS), keys=keys)
    desk.poll()
    for key in keys * 5:
        desk.edge.lift_gate(key, [1])
    kept = []
    for ns in (0, 0, QUIET_NS - 1, 1):
        clock.move_to(clock.wall_ns() + ns)
        desk.poll()
        kept.append(sum(shard.snapshot_number > 0 for shard in desk.edge.shards.values()))
    assert kept == [1, 1, 1, 2]
    desk.close()


def test_a_snapshot_and_the_lines_after_it_give_the_same_memory(transactional_db, fake, clock):
    desk = Desk([fake], clock=clock, settings=EdgeSettings(snapshot_every=5, quiet_ns=0, answer_ns_max=100 * SECOND))
    desk.ready(1, 2)
    for decision in range(1, 12):
        desk.release([(1, decision, decision), (2, decision, -1)], seconds=100)
        desk.poll()
        fake.say((f"e{decision}", name(1, decision), 1, ReportKind.FILLED, decision))
        if decision % 3 == 0:
            fake.say((f"f{decision}", name(2, decision), 2, ReportKind.ACCEPTED, 0))
        desk.poll()
    memory = desk.edge.shards[SHARD].memory
    again = restarted(desk, fake)
    fake.is_up = False
    again.poll()
    rebuilt = again.edge.shards[SHARD].memory
    wanted = {**_content(memory)}
    for each in wanted["orders"].values():
        if each[0] == 0:
            each[0] = 2  # what was on its way is unknown after a crash
    assert _content(rebuilt) == wanted
    again.close()


def test_a_snapshot_waits_until_nothing_is_done(transactional_db, fake, clock):
    desk = Desk([fake], clock=clock, settings=EdgeSettings(snapshot_every=10, answer_ns_max=100 * SECOND))
    desk.ready(1)
    before = desk.edge.shards[SHARD].snapshot_number
    while desk.edge.shards[SHARD].committed - before < 12:
        desk.release([(1, desk.edge.shards[SHARD].committed, 1)], seconds=100)
        desk.poll()
    assert desk.edge.shards[SHARD].snapshot_number == before
    clock.move_to(clock.wall_ns() + SECOND // 10)
    desk.poll()
    assert desk.edge.shards[SHARD].snapshot_number == desk.edge.shards[SHARD].committed
    desk.close()


def test_where_much_has_not_ended_snapshots_are_kept_less_often(transactional_db, fake, clock):
    settings = EdgeSettings(orders_max=2, snapshot_every=10_000, quiet_ns=0, answer_ns_max=100 * SECOND)
    desk = Desk([fake], clock=clock, settings=settings)
    desk.ready(1)
    shard, kept = desk.edge.shards[SHARD], []
    for decision in range(1, 15):
        before = shard.snapshot_number
        desk.release([(1, decision, 1)], seconds=100)
        desk.poll()
        if shard.snapshot_number != before:
            kept.append(shard.memory.orders.size)
    assert kept == [2, 4, 6, 9, 13]
    desk.close()


def _content(memory):
    orders = {}
    for row, client_id in zip(memory.orders.rows, memory.ids.ids.tolist(), strict=True):
        orders[client_id] = [int(row["state"]), int(row["filled"]), int(row["steps"]), int(row["decision"])]
    n = len(memory.accounts)
    return {"orders": orders, "marks": memory.marks[: len(memory.terms), :n].tolist(), "accounts": memory.accounts}
