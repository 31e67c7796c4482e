from itertools import accumulate

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer

from banyan.codec import Envelope, encode_envelope, encode_message
from banyan.kafka import Cluster, KafkaServer
from banyan.models import DeadLetter, Log, Place, Relayed, Stream
from banyan.store import Store
from tests.integration.host.tally import Added
from tests.integration.kafka.conftest import Bench, Side
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk"])


def sums(numbers):
    return list(accumulate(numbers))


def test_what_is_committed_on_one_side_is_applied_on_the_other_once_and_in_order(bench):
    execution, risk = bench.side("execution").start(), bench.side("risk").start()
    for key in ("a", "b", "c"):
        execution.say(*range(1, 301), key=key)
    bench.until(lambda: all(len(risk.told(key)) == 300 for key in ("a", "b", "c")))
    assert all(risk.told(key) == sums(range(1, 301)) for key in ("a", "b", "c"))
    risk.stop()
    execution.stop()
    assert Relayed.objects.using("execution").filter(receiver="risk").count() == 3
    assert Place.objects.using("risk").get(key="b").next_offset >= 300
    assert {place.partition for place in Place.objects.using("risk").all()} == {0, 1, 2}


def offsets_read(side: Side, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the offset of each record of key "a" that a side is given: some may come twice."""
    found: list[int] = []
    offer = side.host.offer

    def note(deliveries):
        given = list(deliveries)
        found.extend(each.place.offset for each in given if each.place is not None and each.envelope.key == "a")
        offer(given)

    monkeypatch.setattr(side.host, "offer", note)
    return found


def test_a_side_that_was_away_goes_on_from_its_place_and_shows_its_lag_until_then(bench, monkeypatch):
    execution = bench.side("execution").start()
    risk = bench.side("risk").start()
    execution.say(1, 2, 3)
    bench.until(lambda: risk.told() == [1, 3, 6])
    risk.stop()
    execution.say(4, 5)
    bench.until(lambda: execution.link.relay.count >= 5)
    again = bench.side("risk", "two").start()
    bench.until(lambda: again.told() == [1, 3, 6, 10, 15])
    assert 2 <= again.link.intake.count < 5
    bench.until(lambda: again.link.intake.is_caught_up() and again.link.intake.lags().get("a") == 0)
    bench.until(lambda: offset_in(bench, f"{bench.topics.environment}.risk.app.inputs") >= 5)


def test_a_group_that_kafka_has_lost_changes_nothing_and_a_place_that_was_lost_too_doubles_nothing(bench, monkeypatch):
    execution, risk = bench.side("execution").start(), bench.side("risk").start()
    group = f"{bench.topics.environment}.risk.app.inputs"
    execution.say(1, 2, 3)
    bench.until(lambda: risk.told() == [1, 3, 6])
    bench.until(lambda: offset_in(bench, group) >= 3, "an offset in Kafka")
    risk.stop()
    bench.admin.delete_consumer_groups([group])[group].result(PATIENCE_SECONDS)
    assert offset_in(bench, group) == 0
    execution.say(4, 5)
    bench.until(lambda: execution.link.relay.count >= 5)
    place = Place.objects.using("risk").get(key="a").next_offset
    again = bench.side("risk", "two")
    read = offsets_read(again, monkeypatch)
    again.start()
    bench.until(lambda: again.told() == [1, 3, 6, 10, 15])
    assert min(read) == place > 0, "it was read on from the place in the database"
    again.stop()
    Place.objects.using("risk").all().delete()
    execution.say(6)
    bench.until(lambda: execution.link.relay.count >= 6)
    last = bench.side("risk", "three")
    read = offsets_read(last, monkeypatch)
    last.start()
    bench.until(lambda: last.told() == [1, 3, 6, 10, 15, 21])
    assert min(read) == 0, "all of it was read once more"
    assert [step.number for step in Store("risk").steps("a", 0)] == [1, 2, 3, 4, 5, 6]


def offset_in(bench: Bench, group: str) -> int:
    """Return how far Kafka says that a group has read, of all partitions together."""
    asked = bench.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
    return sum(max(0, part.offset) for part in asked[group].result(PATIENCE_SECONDS).topic_partitions)


def test_what_was_committed_while_kafka_did_not_take_it_is_relayed_from_the_outbox(bench):
    execution = bench.side("execution")
    execution.host.open(("a", "b", "c"))
    execution.say(1, 2)
    execution.host.close()  # committed by a process that ends before it has a producer
    risk = bench.side("risk").start()
    bench.side("execution", "two").start()
    bench.until(lambda: risk.told() == [1, 3])


def test_a_record_that_kafka_has_lost_is_asked_of_its_sender(bench):
    execution, risk = bench.side("execution").start(), bench.side("risk").start()
    execution.say(1, 2)
    bench.until(lambda: risk.told() == [1, 3])
    risk.stop()
    execution.say(3, 4)
    bench.until(lambda: execution.link.relay.count >= 4)
    bench.lose_topic()
    again = bench.side("risk", "two").start()
    bench.until(lambda: again.told() == [1, 3, 6, 10], "what was lost")
    execution.say(5)
    bench.until(lambda: again.told() == [1, 3, 6, 10, 15], "what came after")
    assert again.link.intake.resent > 0
    assert [step.number for step in Store("risk").steps("a", 0)] == [1, 2, 3, 4, 5]


def test_a_record_that_is_missing_before_another_is_asked_of_its_sender(bench):
    risk, first = bench.side("risk").start(), bench.side("execution").start()
    first.say(1)
    bench.until(lambda: risk.told() == [1])
    first.stop()
    second = bench.side("execution", "two")
    second.host.open(("a", "b", "c"))
    second.say(2)
    second.host.close()
    last = Stream.objects.using("execution").get(key="a").position
    Relayed.objects.using("execution").filter(key="a").update(position=last)  # as if Kafka had taken it, and lost it
    bench.until(lambda: risk.link.intake.is_caught_up() and not risk.link.intake._doubted)
    third = bench.side("execution", "three").start()
    third.say(3)
    bench.until(lambda: risk.told() == [1, 3, 6])
    assert risk.link.intake.resent > 0


def test_records_that_come_again_are_applied_once(bench):
    execution, risk = bench.side("execution").start(), bench.side("risk").start()
    execution.say(1, 2, 3)
    bench.until(lambda: risk.told() == [1, 3, 6])
    execution.stop()
    Relayed.objects.using("execution").all().delete()  # as if it had been killed before it remembered
    other = bench.side("execution", "two").start()
    bench.until(lambda: other.link.relay.count >= 3)
    bench.until(lambda: risk.link.intake.count >= 6 and risk.link.intake.lags().get("a") == 0, "what waits: nothing")
    other.say(4)
    bench.until(lambda: risk.told() == [1, 3, 6, 10])
    assert risk.link.intake.count > 4
    assert Log.objects.using("risk").filter(key="a").count() == 4


def test_records_of_nobody_who_may_send_them_are_passed_over_and_said(bench, caplog):
    risk = bench.side("risk").start()
    bench.until(risk.link.intake.is_caught_up)
    producer = Producer(bench.cluster.options())
    body = encode_message(Added(number=1, total=666))
    stranger = Envelope(name="tally.added.v1", id="x", key="a", sender="signals", sender_key="a", number=4096)
    unnumbered = Envelope(name="tally.added.v1", id="y", key="a", sender="execution", sender_key="a")
    for header in (encode_envelope(stranger), encode_envelope(unnumbered), b"{"):
        producer.produce(bench.topic, body, "a", 0, headers=[("envelope", header)])
    producer.flush(PATIENCE_SECONDS)
    execution = bench.side("execution").start()
    execution.say(7)
    bench.until(lambda: risk.told() == [7])
    assert sum("is not what" in record.message for record in caplog.records) == 2
    assert sum("is no message of ours" in record.message for record in caplog.records) == 1
    assert DeadLetter.objects.using("risk").count() == 0


def test_a_key_that_another_worker_takes_over_is_read_there_from_the_place_where_it_was_left(bench):
    execution = bench.side("execution").start()
    first = bench.side("risk", "one").start()
    execution.say(1, 2)
    execution.say(5, key="b")
    bench.until(lambda: first.told() == [1, 3] and first.told("b") == [5])
    second = bench.side("risk", "two").start()
    first.stop()
    execution.say(3)
    bench.until(lambda: second.told() == [1, 3, 6])
    bench.until(lambda: second.told("b") == [5])
    assert [step.number for step in Store("risk").steps("a", 0)] == [1, 2, 3]


@pytest.mark.soak
def test_a_broker_that_dies_and_comes_back_costs_time_and_nothing_else(
    kafka, transactional_db, tmp_path, record_property
):
    if kafka.server is None:
        pytest.skip("KAFKA_BOOTSTRAP names a cluster that is not ours to kill")
    server = KafkaServer(tmp_path / "broker", kafka.server.jars)
    bench = Bench(Cluster("soak", server.start()))
    try:
        execution, risk = bench.side("execution").start(), bench.side("risk").start()
        for number in range(1, 201):
            execution.say(number)
            if number in (50, 120):
                bench.until(risk.told)
                server.kill()
            if number in (80, 150):
                server.start()
        bench.until(lambda: len(risk.told()) == 200, "all after two deaths")
        assert risk.told() == sums(range(1, 201))
        record_property("faults", 2)
    finally:
        for side in bench.sides:
            side.stop()
        server.remove()
