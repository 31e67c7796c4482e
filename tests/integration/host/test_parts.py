"""A context's keys spread over processes: who holds which, and who is woken when something comes for them."""

import pytest

from banyan.process import Part
from banyan.store import Store
from tests.integration.host.tally import Add

pytestmark = pytest.mark.django_db(databases=["execution", "risk"], transaction=True)


@pytest.mark.parametrize("count", [1, 2, 3, 12, 13])
def test_parts_have_all_keys_each_once(count):
    keys = [f"{number:02d}" for number in range(12)]
    parts = [Part(number, count).of(keys) for number in range(1, count + 1)]
    assert sorted(key for part in parts for key in part) == keys
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_who_holds_a_key_elsewhere_is_woken_and_reads_what_its_sender_has(pair):
    pair.transport.join(pair.risk, ["a"])  # "b" is held by another process
    listener = Store("risk")
    assert listener.woken(0.0) == set()
    pair.say(Add(number=1), key="a")
    pair.say(Add(number=2), key="b")
    pair.execution.step()
    assert pair.risk.has_offers()
    assert listener.woken(10.0) == {("execution", "b")}
    listener.close()
    pair.risk.step()
    assert pair.told("a") == [1]


def test_a_key_that_is_woken_is_read_from_that_sender_only(pair):
    asked = []
    pair.risk.step()
    pair.risk.fetch = lambda wanted: asked.extend((key, senders) for key, (_, senders) in wanted.items()) or {}
    pair.risk.look_for([("execution", "b"), ("", "b")])
    pair.risk.step()
    assert asked == [("b", {"execution", ""})]


def test_more_keys_than_a_notification_holds_are_woken_all():
    listener, store = Store("risk"), Store("risk")
    listener.woken(0.0)
    keys = {f"{number:03d} é" + "x" * 90 for number in range(100)}
    store.wake("signals", keys)
    woken: set[tuple[str, str]] = set()
    while len(woken) < len(keys):
        found = listener.woken(10.0)
        assert found, "not all were woken"
        woken |= found
    assert woken == {("signals", key) for key in keys}
    store.close()
    listener.close()
