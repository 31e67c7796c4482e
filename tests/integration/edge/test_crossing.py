"""What the edge's reports are read from on their way to Kafka."""

import pytest

from apps.execution.edge.crossing import LedgerOutbox
from tests.integration.edge.desk import SHARD
from tests.integration.edge.test_statements import fill

pytestmark = pytest.mark.django_db(transaction=True, databases=["edge"])
STREAM = ("execution", SHARD, SHARD)


@pytest.fixture
def outbox(clock):
    made = LedgerOutbox(clock)
    yield made
    made.close()


def test_the_last_report_goes_to_kafka_again_at_every_start_and_what_is_acknowledged_does_not(desk, fake, outbox):
    fill(desk, fake, 1)
    last = desk.told[-1][0]
    assert outbox.behind([SHARD], ["execution"]) == [(*STREAM, last.previous, last.number)]
    [again] = outbox.after({STREAM: last.previous})
    assert again.envelope == last
    outbox.keep({STREAM: last.number})
    assert outbox.behind([SHARD], ["execution"]) == [(*STREAM, last.number, last.number)]
    fill(desk, fake, 2)
    assert outbox.behind([SHARD], ["execution"]) == [(*STREAM, last.number, desk.told[-1][0].number)]


def test_who_asks_again_gets_every_report_after_the_one_that_he_has(desk, fake, outbox):
    fill(desk, fake, 1)
    fill(desk, fake, 2)
    told = [envelope for envelope, _ in desk.told]
    assert len(told) > 2
    assert [each.envelope for each in outbox.after({STREAM: 0})] == told
    assert [each.envelope for each in outbox.after({STREAM: told[0].number})] == told[1:]


def test_a_shard_that_has_said_nothing_is_not_behind(desk, outbox):
    assert outbox.behind(["09"], ["execution"]) == []
