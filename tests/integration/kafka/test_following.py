"""A side that follows: what it knows and says, and that nothing of it gets out. Its database is that of `signals`."""

import dataclasses
import json
from collections.abc import Iterator
from itertools import accumulate

import msgspec
import pytest
from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition

from banyan.codec import decode_message, encode_envelope
from banyan.messages import Compared, Message, Received, Seeded
from banyan.models import Key, Log, Outbox, Stream
from banyan.store import Store
from banyan.transport.kafka.wire import Resend, encode_resend, envelope_of
from tests.integration.host import tally
from tests.integration.kafka.conftest import KEYS, Bench, Side
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk", "signals"])


def leader(bench: Bench, owner: str = "one") -> Side:
    return bench.side("execution", owner, has_other_side=True)


def follower(bench: Bench, owner: str = "two", decide=tally.decide) -> Side:
    context = dataclasses.replace(tally.context("execution"), decide=decide)
    return bench.side("execution", owner, alias="signals", context=context, has_other_side=True)


def knows(side: Side, key: str = "a") -> list[int]:
    """Return the numbers that a side has added, once they are committed."""
    memory = side.host.keys.get(key)
    committed = Key.objects.using(side.host.store.alias).filter(key=key).values_list("number", flat=True).first()
    return list(memory.state["numbers"]) if memory is not None and memory.number == committed else []


def has_begun(side: Side, key: str = "a") -> bool:
    return key in side.host.keys and ("execution", key) in side.host.keys[key].marks


def compared(bench: Bench) -> Iterator[Compared]:
    consumer = Consumer(bench.cluster.options(group_id="compared", enable_auto_commit=False, enable_partition_eof=True))
    consumer.assign([TopicPartition(bench.topics.compared("execution"), 0, 0)])
    while (record := consumer.poll(PATIENCE_SECONDS)) is not None and record.error() is None:
        found = decode_message(envelope_of(record).name, record.value())
        assert isinstance(found, Compared)
        if found.input != Seeded.wire_name:
            yield found
    consumer.close()


def wrong(state: dict, received: Received) -> list[Message]:
    events = tally.decide(state, received)
    if isinstance(received.message, tally.Add) and received.message.number == 3:
        return [tally.Added(number=3, total=999)]
    if isinstance(received.message, tally.Add) and received.message.number == 4:
        raise ZeroDivisionError("candidate")
    return events


def test_a_follower_is_seeded_by_its_leader_and_knows_what_it_knows_from_then_on(bench):
    first = leader(bench).start()
    first.say(1, 2, 3)
    first.say(7, key="b")
    bench.until(lambda: knows(first) == [1, 2, 3])
    other = follower(bench).start()
    bench.until(lambda: knows(other) == [1, 2, 3] and knows(other, "b") == [7], "a seed")
    first.say(4, 5)
    bench.until(lambda: knows(other) == [1, 2, 3, 4, 5])
    assert other.host.keys["a"].number == first.host.keys["a"].number == 5
    first.stop()
    other.stop()
    theirs, ours = (list(Store(alias).steps("a", 3)) for alias in ("execution", "signals"))
    assert [step[1:] for step in theirs] == [step[1:] for step in ours]
    assert [step.number for step in ours] == [4, 5]
    rows = [
        list(Outbox.objects.using(alias).filter(position__gt=4 * 4096 - 1, key="a").values_list("position", "epoch"))
        for alias in ("execution", "signals")
    ]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 2


def test_what_a_follower_decides_goes_to_the_comparator_and_nowhere_else(bench):
    risk = bench.side("risk").start()
    first, other = leader(bench).start(), follower(bench, decide=wrong)
    handed_on: list = []
    other.host.hand_on = handed_on.extend
    other.start()
    bench.until(lambda: has_begun(other), "a seed")
    first.say(1, 2, 3, 4, 5)
    bench.until(lambda: risk.told() == list(accumulate([1, 2, 3, 4, 5])))
    bench.until(lambda: knows(other) == [1, 2, 3, 4, 5], "the leader's events, whatever is decided here")
    bench.until(lambda: other.link.verdicts.count >= 5 + len(KEYS), "all verdicts, beside those on seeds")
    other.stop()
    told = list(compared(bench))
    assert [each.same for each in told] == [True, True, False, False, True]
    assert json.loads(bytes(told[2].events)) == [["tally.added.v1", {"number": 3, "total": 999}]]
    assert told[3].problem == "ZeroDivisionError: candidate"
    assert handed_on == []
    assert other.link.relay.count == 0
    logs = [[step[:6] for step in Store(alias).steps("a", 0)] for alias in ("execution", "signals")]
    assert logs[0] == logs[1], "what it would send if it led is what its leader has decided"


def test_a_follower_that_is_made_to_send_sends_nothing(bench):
    risk = bench.side("risk").start()
    first, other = leader(bench), follower(bench).start()
    hand_on, handed = first.host.hand_on, []

    def overheard(deliveries):
        handed.extend(deliveries)
        hand_on(deliveries)

    first.host.hand_on = overheard
    first.start()
    bench.until(lambda: has_begun(other), "a seed")
    first.say(1, 2)
    bench.until(lambda: knows(other) == [1, 2] and risk.told() == [1, 3])
    relay = other.link.relay
    relay.offer(handed)
    asking = Producer(bench.cluster.options())
    asking.produce(bench.topics.resend("execution"), encode_resend(Resend("risk", "a", "a", 0)))
    asking.flush(PATIENCE_SECONDS)
    bench.until(lambda: first.link.relay.count > 2 + 2, "the leader, who does send again")
    relay.look_soon()
    bench.until(lambda: relay._looked_at > 0, "a look of the follower's")
    first.say(3)
    bench.until(lambda: knows(other) == [1, 2, 3] and risk.told() == [1, 3, 6])
    assert relay.count == 0


def test_a_follower_that_is_handed_inputs_applies_none_before_its_leader_has(bench):
    first, other = leader(bench).start(), follower(bench).start()
    bench.until(lambda: has_begun(other), "a seed")
    other.say(8)
    first.say(9)
    bench.until(lambda: knows(other) == [9])
    assert knows(first) == [9]


def test_a_leader_can_not_commit_once_its_row_says_that_it_follows(bench):
    first = leader(bench).start()
    first.say(1)
    bench.until(lambda: knows(first) == [1])
    Key.objects.using("execution").filter(key="a").update(is_leading=False)
    first.say(2)
    bench.until(lambda: "a" in first.host.keys and not first.host.keys["a"].is_leading, "it notices")
    assert Log.objects.using("execution").filter(key="a").count() == 1
    assert Stream.objects.using("execution").get(key="a").position == 4096


def test_a_follower_that_was_away_goes_on_from_its_place_and_asks_for_what_kafka_has_lost(bench):
    first, other = leader(bench).start(), follower(bench).start()
    first.say(1)
    bench.until(lambda: knows(other) == [1])
    other.stop()
    first.say(2, 3)
    bench.until(lambda: first.link.relay.count >= 3)
    again = follower(bench, "three").start()
    bench.until(lambda: knows(again) == [1, 2, 3])
    again.stop()
    lose = bench.admin.delete_records([TopicPartition(bench.log_topic, 0, OFFSET_END)])
    for lost in lose.values():
        lost.result(PATIENCE_SECONDS)
    first.say(4)
    last = follower(bench, "four").start()
    bench.until(lambda: knows(last) == [1, 2, 3, 4])


def test_a_record_that_cannot_be_read_stops_the_follower_and_not_the_leader_until_it_is_seeded_again(bench):
    first, other = leader(bench).start(), follower(bench).start()
    first.say(1)
    bench.until(lambda: knows(other) == [1])
    first_record = msgspec.structs.replace(
        envelope_of_last(bench), number=2, previous=1, id="garbage", name="banyan.logged.v1"
    )
    producer = Producer(bench.cluster.options())
    producer.produce(bench.log_topic, b'{"garbage":', "a", 0, headers=[("envelope", encode_envelope(first_record))])
    producer.flush(PATIENCE_SECONDS)
    bench.until(lambda: "a" in other.host.keys and other.host.keys["a"].parked_because, "it stops")
    first.say(2)
    bench.until(lambda: knows(first) == [1, 2])
    first.host.seed(["a"])
    bench.until(lambda: knows(other) == [1, 2], "a new seed")
    first.say(3)
    bench.until(lambda: knows(other) == [1, 2, 3])


def test_a_follower_whose_state_strays_says_so_once_and_takes_that_of_its_leader(bench):
    def evolve(state: dict, event: Message) -> dict:
        if isinstance(event, tally.Added) and event.number == 3:
            return {**tally.evolve(state, event), "total": 999}
        return tally.evolve(state, event)

    def strays(state: dict, events) -> bool:
        return any(isinstance(each, tally.Added) and each.total != state["total"] for each in events)

    context = dataclasses.replace(tally.context("execution"), evolve=evolve, strays=strays)
    first = leader(bench).start()
    other = bench.side("execution", "two", alias="signals", context=context, has_other_side=True).start()
    bench.until(lambda: has_begun(other), "a seed")
    first.say(1, 2, 3)
    bench.until(lambda: knows(other) == [1, 2, 3] and not other.host.keys["a"].is_astray, "its leader's state")
    assert other.host.keys["a"].state["total"] == 6
    first.say(4)
    bench.until(lambda: knows(other) == [1, 2, 3, 4])
    bench.until(lambda: other.link.verdicts.count >= 4 + len(KEYS) + 1, "verdicts, beside those on seeds")
    other.stop()
    told = list(compared(bench))
    assert [each.digest for each in told] == ["", "", "differs", ""]
    assert [each.same for each in told] == [True] * 4


def envelope_of_last(bench: Bench):
    consumer = Consumer(bench.cluster.options(group_id="last", enable_auto_commit=False, enable_partition_eof=True))
    consumer.assign([TopicPartition(bench.log_topic, 0, 0)])
    found = None
    while (record := consumer.poll(PATIENCE_SECONDS)) is not None and record.error() is None:
        found = envelope_of(record)
    consumer.close()
    assert found is not None
    return found
