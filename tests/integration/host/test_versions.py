"""Two versions of a program over one database: what the newer has written of a key does not take it from the older."""

import dataclasses
import json

import pytest

from banyan.codec import decode_message
from banyan.host import Delivery, Host, HostSettings
from banyan.host.memory import NewerError, verify
from banyan.messages import Compared
from banyan.models import Key, Log, Snapshot
from banyan.store import Store
from tests.integration.host import tally
from tests.integration.host.tally import Add

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk", "signals"])


def from_snapshot(key: str, version: int, written: bytes) -> dict:
    assert version <= 2
    state = json.loads(written)
    return state["state"] if version == 2 else state


NEWER = dataclasses.replace(
    tally.context("execution"), snapshot_version=2, from_snapshot=from_snapshot,
    to_snapshot=lambda state: json.dumps({"of": 2, "state": state}).encode(),
)  # fmt: skip


def worker(pair, owner: str, *, newer: bool) -> Host:
    store = Store("execution")
    pair.stores.append(store)
    context = NEWER if newer else tally.context("execution")
    return Host(context, store, tally.ROUTES, pair.clock, owner=owner, settings=pair.settings)


def say(pair, host: Host, *numbers: int) -> None:
    host.open(["a"])
    host.offer([pair.delivery(Add(number=number), "a", "") for number in numbers])
    while host.step():
        pass


def versions() -> list[tuple[int, int]]:
    return list(Snapshot.objects.using("execution").filter(key="a").order_by("number").values_list("number", "version"))


def test_an_older_version_goes_on_from_what_it_can_read_of_a_key_that_a_newer_one_has_held(pair):
    pair.execution.close()
    older = worker(pair, "older", newer=False)
    say(pair, older, 1, 2, 3)
    older.close()
    newer = worker(pair, "newer", newer=True)
    say(pair, newer, 4, 5)
    newer.close()
    assert versions() == [(3, 1), (5, 2)]
    again = worker(pair, "again", newer=False)
    say(pair, again, 6)
    assert again.keys["a"].state["numbers"] == [1, 2, 3, 4, 5, 6]
    again.close()
    last = worker(pair, "last", newer=True)
    say(pair, last, 7)
    assert last.keys["a"].state["numbers"] == [1, 2, 3, 4, 5, 6, 7]
    assert versions() == [(3, 1), (5, 2), (6, 1)]


def test_a_key_that_only_a_newer_version_knows_is_left_to_it_unharmed(pair):
    pair.execution.close()
    newer = worker(pair, "newer", newer=True)
    say(pair, newer, 1, 2, 3)
    newer.close()
    Log.objects.using("execution").filter(key="a", number__lte=2).delete()  # as after a seed, or long retention
    older = worker(pair, "older", newer=False)
    older.open(["a", "b"])
    older.step()
    assert sorted(older.keys) == ["b"]
    row = Key.objects.using("execution").get(key="a")
    assert (row.owner, row.parked_because) == ("", "")
    with pytest.raises(NewerError, match="version 2, and this program reads those up to 1"):
        verify(tally.context("execution"), older.store, "a", 3)
    again = worker(pair, "again", newer=True)
    say(pair, again, 4)
    assert again.keys["a"].state["numbers"] == [1, 2, 3, 4]


def follow(pair, context) -> tuple[Host, list[Compared]]:
    """Return a host of another side that follows the pair's, and what it tells."""
    store, told = Store("signals", leads_new=False), []
    pair.stores.append(store)
    made = Host(context, store, [], pair.clock, owner="other", settings=HostSettings(side="service"))
    made.compare = lambda said: told.extend(decode_message(each.envelope.name, each.body) for each in said)
    made.open(["a"])
    return made, told


@pytest.mark.parametrize(("newer", "digest"), [(False, "same"), (True, "")])
def test_a_digest_is_compared_with_one_of_the_same_version_alone(pair, newer, digest):
    log: list[Delivery] = []
    pair.execution.log = log.extend
    pair.execution.settings = dataclasses.replace(pair.settings, digest_every=1)
    pair.execution.seed(["a"])
    pair.settle()
    other, told = follow(pair, NEWER if newer else tally.context("execution"))
    pair.say(Add(number=1))
    pair.settle()
    other.offer(log)
    other.step()
    assert other.keys["a"].state["numbers"] == [1]
    assert [(each.same, each.digest) for each in told] == [(True, "same"), (True, digest)]


def test_a_follower_leaves_the_seed_of_a_newer_version_alone(pair, caplog):
    pair.execution.close()
    leader, log = worker(pair, "newer", newer=True), []
    say(pair, leader, 1)
    leader.log = log.extend
    leader.seed(["a"])
    leader.step()
    other, told = follow(pair, tally.context("execution"))
    other.offer(log)
    other.step()
    assert "state is of version 2, and this program reads those up to 1" in caplog.text
    assert (told, other.keys["a"].number, other.keys["a"].parked_because) == ([], 0, "")
