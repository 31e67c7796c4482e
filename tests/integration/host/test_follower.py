"""A host that follows, stepped by hand: it takes in its leader's log together, and waits for no disk."""

import dataclasses

import pytest

from banyan.codec import decode_message
from banyan.host import Host, HostSettings
from banyan.host.following import is_chosen
from banyan.models import Key, Log
from banyan.store import Prepared, Store
from tests.integration.host import tally

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk", "signals"])
SECOND = 1_000_000_000


@pytest.fixture
def follower(pair):
    """The host of `execution` on another side, whose leader is the pair's, and what the leader's log holds."""
    store, log = Store("signals", leads_new=False), []
    settings = HostSettings(follow_seconds=1.0, side="service")
    made = Host(tally.context("execution"), store, [], pair.clock, owner="two", settings=settings)
    pair.execution.log = log.extend
    pair.settle()
    made.open(["a", "b"])
    pair.execution.seed(["a", "b"])
    pair.settle()
    yield made, log
    store.close()


def say(pair, *numbers: int) -> None:
    for number in numbers:
        pair.say(tally.Add(number=number))
        pair.settle()


def give(host: Host, log: list) -> None:
    host.offer(log)
    log.clear()
    host.step()


def test_a_follower_takes_in_what_has_come_together_and_at_its_end_at_once(pair, follower):
    host, log = follower
    say(pair, 1)
    give(host, log)
    assert host.keys["a"].state["numbers"] == [1]
    say(pair, 2)
    give(host, log)
    say(pair, 3)
    give(host, log)
    assert host.keys["a"].state["numbers"] == [1], "it has just taken something in"
    assert host.idle_seconds() <= 1.0
    pair.clock.move_to(pair.clock.wall_ns() + SECOND)
    host.step()
    assert host.keys["a"].state["numbers"] == [1, 2, 3]
    say(pair, 4)
    give(host, log)
    assert host.keys["a"].state["numbers"] == [1, 2, 3]
    host.close()
    assert Log.objects.using("signals").filter(key="a").count() == 4


def test_of_records_that_are_not_chosen_a_follower_says_only_that_it_has_them(pair, follower):
    host, log = follower
    host.settings, told = dataclasses.replace(host.settings, follow_seconds=0.0, compare_percent=50), []
    host.compare = told.extend
    host.context = dataclasses.replace(host.context, decide=lambda *_: [tally.Added(number=0, total=999)])
    for number in range(1, 21):
        say(pair, number)
        give(host, log)
    said = [decode_message(each.envelope.name, each.body) for each in told]
    compared = [each for each in said if each.input == tally.Add.wire_name]
    chosen = [is_chosen(each.cause, 50) for each in compared]
    assert len(compared) == 20
    assert {True, False} == set(chosen)
    assert [each.is_compared for each in compared] == chosen
    assert [each.same for each in compared] == [not each for each in chosen]
    assert host.keys["a"].state["numbers"] == list(range(1, 21)), "it knows all the same what its leader has decided"


def test_a_state_that_is_not_its_leaders_is_told_by_the_digests_that_come_with_the_log(pair, follower):
    host, log = follower
    pair.execution.settings = dataclasses.replace(pair.execution.settings, digest_every=2)
    host.settings, told = dataclasses.replace(host.settings, follow_seconds=0.0), []
    host.compare = told.extend
    for number in (1, 2, 3, 4):
        if number == 3:
            host.context = dataclasses.replace(
                host.context, evolve=lambda state, event: {**tally.evolve(state, event), "total": 999}
            )
        say(pair, number)
        give(host, log)
    said = [decode_message(each.envelope.name, each.body) for each in told]
    assert [each.digest for each in said if each.input == tally.Add.wire_name] == ["", "same", "", "differs"]


def test_nobody_waits_for_the_disk_where_all_that_is_committed_follows(pair, follower, monkeypatch):
    host, log = follower
    statements = []
    monkeypatch.setattr(Prepared, "rows", recording(statements))
    say(pair, 1)
    led = [each for each in statements if "moved AS" in each]
    assert led
    assert not any("synchronous_commit" in each for each in led)
    statements.clear()
    give(host, log)
    [followed] = [each for each in statements if "moved AS" in each]
    assert "synchronous_commit" in followed
    assert Key.objects.using("signals").get(key="a").number == 1


def recording(statements: list[str]):
    rows = Prepared.rows

    def recorded(self, statement, parameters):
        statements.append(statement)
        return rows(self, statement, parameters)

    return recorded
