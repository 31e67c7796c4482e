from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from banyan.host.memory import verify
from banyan.models import Log, Outbox, Snapshot
from banyan.retention import drop, make_ahead, tidy, verdicts
from banyan.timescale import ensure_partitions
from tests.integration.host.tally import Add

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk"])
NOW = datetime(2026, 6, 1, tzinfo=UTC)
OLD = NOW - timedelta(days=200)


@pytest.fixture
def aged(pair):
    """A key whose log and outbox were written 200 days ago."""
    for number in range(1, 6):
        pair.say(Add(number=number))
        pair.settle()
    old_ns = int(OLD.timestamp() * 1e9)
    with connections["execution"].cursor() as cursor:
        for model in (Log, Outbox):
            cursor.execute(f"UPDATE {model._meta.db_table} SET written_at = %s", [OLD])
            ensure_partitions(connections["execution"], model, old_ns, old_ns)
    yield pair
    with connections["execution"].cursor() as cursor:
        for table in ("banyan_log", "banyan_outbox"):
            cursor.execute("SELECT relname FROM pg_class WHERE relname ~ %s AND relkind = 'r'", [f"^{table}_2"])
            for (name,) in cursor.fetchall():
                cursor.execute(f"DROP TABLE {name}")


def objections():
    return {each.partition.name.rpartition("_")[0]: each.because for each in verdicts("execution", NOW)}


def test_a_log_stays_until_replay_has_verified_a_snapshot_after_it(aged):
    assert "no verified snapshot" in objections()["banyan_log"]
    host = aged.execution
    assert verify(host.context, host.store, "a", 5) == 1
    assert "record 5" in objections()["banyan_log"]
    host.close()
    aged.restart()
    verify(aged.execution.context, aged.execution.store, "a", 5)
    assert objections()["banyan_log"] == ""


def test_an_outbox_stays_until_every_receiver_has_applied_it(aged):
    assert objections()["banyan_outbox"] == ""
    with connections["risk"].cursor() as cursor:
        cursor.execute("UPDATE banyan_mark SET position = position - 1")
    assert objections()["banyan_outbox"] == "risk/a has not applied all that a sent it"


def test_a_key_goes_on_from_its_snapshot_when_its_log_was_dropped(aged):
    aged.execution.close()
    aged.restart()
    verify(aged.execution.context, aged.execution.store, "a", 5)
    for verdict in verdicts("execution", NOW):
        drop(verdict)
    tidy("execution", NOW)
    assert not Log.objects.using("execution").exists()
    assert Snapshot.objects.using("execution").get().number == 5
    aged.restart()
    aged.say(Add(number=6))
    aged.settle()
    assert aged.state()["numbers"] == [1, 2, 3, 4, 5, 6]
    assert aged.told() == [1, 3, 6, 10, 15, 21]
    assert verify(aged.execution.context, aged.execution.store, "a", 6) == 0


def test_what_is_young_stays(pair):
    pair.say(Add(number=1))
    pair.settle()
    make_ahead("execution", datetime.now(UTC))
    assert list(verdicts("execution", datetime.now(UTC))) == []
