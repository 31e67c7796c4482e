"""When an edge keeps snapshots."""

import pytest

from apps.execution.edge.edge import EdgeSettings
from tests.integration.edge.desk import SECOND, Desk

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
