"""A context's keys spread over processes: who holds which, and who is woken when something comes for them."""

import msgspec
import pytest

from banyan.codec import Envelope, encode_envelope, encode_message
from banyan.process import Part
from banyan.store import Notice, Store
from banyan.transport import Command, ask, deliveries_of
from tests.integration.host.tally import Add

pytestmark = pytest.mark.django_db(databases=["execution", "risk"], transaction=True)


@pytest.mark.parametrize("count", [1, 2, 3, 12, 13])
def test_parts_have_all_keys_each_once(count):
    keys = [f"{number:02d}" for number in range(12)]
    parts = [Part(number, count).of(keys) for number in range(1, count + 1)]
    assert sorted(key for part in parts for key in part) == keys
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.fixture
def listener():
    store = Store("risk")
    assert store.woken(0.0) == []
    yield store
    store.close()


def test_who_holds_a_key_elsewhere_is_told_at_once(pair, listener):
    pair.transport.join(pair.risk, ["a"])  # "b" is held by another process
    pair.say(Add(number=1), key="a")
    pair.say(Add(number=2), key="b")
    pair.execution.step()
    assert pair.risk.has_offers()
    (notice,) = listener.woken(10.0)
    (told,) = deliveries_of("risk", notice)
    assert (told.receiver, told.envelope.key) == ("risk", "b")
    pair.risk.offer([told])
    pair.risk.fetch = lambda _: {}
    pair.risk.step()
    assert (pair.told("a"), pair.told("b")) == ([1], [2])


def test_what_is_told_is_what_the_outbox_has(pair, listener):
    pair.transport.join(pair.risk, [])
    told = []
    for number in (1, 2):
        pair.say(Add(number=number), key="a")
        pair.execution.step()
        told += [each for notice in listener.woken(10.0) for each in deliveries_of("risk", notice)]
    kept = pair.transport.missed("risk", {"a": ({}, {"execution"})})["a"]
    assert [each._replace(message=None) for each in told] == kept
    assert [encode_message(each.message) for each in told] == [each.body for each in kept]
    assert kept[1].envelope.previous == kept[0].envelope.number > 0


def test_what_is_too_long_to_be_told_is_looked_for(listener):
    store = Store("risk")
    header = msgspec.Raw(encode_envelope(Envelope(name="some.v1", id="1", key="a", number=1)))
    long = Notice("execution", ["a", "b"], [0, 0], header, msgspec.Raw(b'"' + b"x" * 8000 + b'"'))
    store.wake([long])
    store.close()
    assert listener.woken(10.0) == [Notice("execution", ["a", "b"])]


def test_a_key_that_is_woken_is_read_from_that_sender_only(pair):
    asked = []
    pair.risk.step()
    pair.risk.fetch = lambda wanted: asked.extend((key, senders) for key, (_, senders) in wanted.items()) or {}
    pair.risk.look_for([("execution", "b"), ("", "b")])
    pair.risk.step()
    assert asked == [("b", {"execution", ""})]


def test_more_keys_than_a_notification_holds_are_woken_all(listener):
    store = Store("risk")
    keys = [f"{number:03d} é" + "x" * 90 for number in range(100)]
    store.wake([Notice("signals", keys)])
    store.close()
    woken: list[str] = []
    while len(woken) < len(keys):
        found = listener.woken(10.0)
        assert found, "not all were woken"
        woken += [key for notice in found for key in notice.keys]
    assert woken == keys


def test_a_command_wakes_its_key(listener):
    store = Store("risk")
    assert ask(store, [Command("a", Add(number=1), "one"), Command("a", Add(number=2), "two")], 1) == 2
    assert listener.woken(10.0) == [Notice("", ["a"])]
    assert ask(store, [Command("a", Add(number=2), "two")], 1) == 0
    store.close()


def test_a_poll_looks_only_into_streams_that_have_something_new(pair):
    pair.transport.join(pair.risk, [])
    for number in range(1, 40):
        pair.say(Add(number=number), key="a" if number % 2 else "b")
    pair.execution.step()
    sent = pair.execution.store.outgoing("risk", {"a": {"a": 0}, "b": {}, "c": {}})
    assert [(each.receiver_key, each.position) for each in sent] == sorted(
        (each.receiver_key, each.position) for each in sent
    )
    assert len(sent) == 39
    middle = sent[9].position
    assert len(pair.execution.store.outgoing("risk", {"a": {"a": middle}})) == 10
    last = {key: {key: pair.execution.keys[key].number * 4096} for key in "ab"}
    assert pair.execution.store.outgoing("risk", last) == []
