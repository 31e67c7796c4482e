"""What of the edge's ledger may go, and what stands against it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from apps.execution.contracts import ReportKind, client_order_id
from apps.execution.edge.models import Entry, Snapshot
from apps.execution.edge.retention import has_taken, objection, retain
from apps.execution.edge.standing import standing
from banyan.models import Mark
from banyan.timescale import ensure_partitions
from banyan.timescale.partitions import partitions_of
from tests.integration.edge.desk import SHARD, Desk

pytestmark = pytest.mark.django_db(databases=["edge", "execution", "reporting"], transaction=True)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
OLD = NOW - timedelta(days=500)


@pytest.fixture
def aged(desk, fake):
    """A shard with an order that was filled 500 days ago."""
    desk.release([(1, 1, 5)], envelope={"sender": "execution", "sender_key": SHARD, "number": 4096, "epoch": 1})
    desk.poll()
    fake.say(("e1", client_order_id("A1", "EURUSD", 1), 1, ReportKind.FILLED, 5))
    desk.poll()
    old_ns = int(OLD.timestamp() * 1e9)
    with connections["edge"].cursor() as cursor:
        cursor.execute("UPDATE edge_entry SET written_at = %s", [OLD])
        ensure_partitions(connections["edge"], Entry, old_ns, old_ns)
    yield desk
    for partition in old():
        with connections["edge"].cursor() as cursor:
            cursor.execute(f"DROP TABLE {partition.name}")


def old():
    return [each for each in partitions_of(connections["edge"], Entry) if each.end < NOW - timedelta(days=400)]


def test_entries_go_when_a_snapshot_execution_and_reporting_are_past_them(aged, fake, clock, settings):
    (partition,) = old()
    assert (
        objection(partition) == f"shard {SHARD} has no snapshot at or after its entry {aged.edge.shards[SHARD].number}"
    )
    assert list(retain(NOW, is_dry=False)) == []
    last = aged.edge.shards[SHARD].committed
    aged.edge.close()
    assert objection(partition).startswith(f"execution/{SHARD} has not applied entry")
    Mark.objects.using("execution").create(key=SHARD, sender="edge", sender_key=SHARD, epoch=1, position=last)
    assert "has not read record" in objection(partition)
    settings.UNREAD = "tests.integration.edge.test_retention.nobody"
    assert list(retain(NOW, is_dry=True)) == [partition.name]
    assert list(retain(NOW, is_dry=False)) == [partition.name]
    assert old() == []
    again = Desk([fake], clock=clock)
    again.poll()
    again.until(lambda: {1, 2} <= again.reconciled())
    again.release([(1, 1, 5), (1, 2, 1)])
    again.poll()
    assert [account for _, _, account, _ in fake.arrived] == [1, 1], "its decision numbers are remembered"
    again.close()


def nobody(*_):
    """Everybody has read everything."""
    return ""


def test_how_far_the_edge_has_taken_what_it_was_sent_is_known(aged):
    assert has_taken(SHARD, "execution", SHARD, 4096)
    assert not has_taken(SHARD, "execution", SHARD, 4097)
    assert not has_taken("01", "execution", SHARD, 1)


def test_a_shard_whose_snapshot_is_of_another_version_is_told_anew_from_all_lines_or_refused_in_words(
    aged, fake, clock, settings, caplog
):
    settings.UNREAD = "tests.integration.edge.test_retention.nobody"
    last = aged.edge.shards[SHARD].committed
    aged.edge.close()
    Mark.objects.using("execution").create(key=SHARD, sender="edge", sender_key=SHARD, epoch=1, position=last)
    Snapshot.objects.using("edge").update(version=1)
    (partition,) = old()
    assert objection(partition).startswith(f"shard {SHARD} has no snapshot")
    again = Desk([fake], clock=clock)
    again.poll()
    assert SHARD in again.edge.shards, "all lines are there"
    again.edge.close()
    with connections["edge"].cursor() as cursor:
        cursor.execute(f"DROP TABLE {partition.name}")
    Snapshot.objects.using("edge").update(version=1)
    third = Desk([fake], clock=clock)
    third.poll()
    assert not third.edge.shards
    assert f"edge/{SHARD} has a snapshot of version 1, this release reads version" in caplog.text
    told = standing()
    assert told["stopped"] == 1
    assert "Start the release that kept it" in told["keys"][0]["parked_because"]
    third.edge.close()
