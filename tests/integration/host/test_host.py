import psycopg
import pytest

from banyan.host import Host, HostSettings, Route
from banyan.host.memory import state_at
from banyan.models import DeadLetter, Key, Log, Outbox, Request, Snapshot
from banyan.store import Store
from banyan.transport import Command, ask
from tests.integration.host.tally import POISON, POISON_ROW, Add, Added, Remind

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk"])


def numbers_of_log(key="a"):
    return list(Log.objects.using("execution").filter(key=key).order_by("number").values_list("number", flat=True))


def test_inputs_are_applied_in_order_and_their_events_reach_the_next_context(pair):
    for number in (1, 2, 3):
        pair.say(Add(number=number))
    pair.say(Add(number=10), key="b")
    pair.settle()
    assert pair.state()["numbers"] == [1, 2, 3]
    assert pair.told() == [1, 3, 6]
    assert pair.told("b") == [10]
    assert numbers_of_log() == [1, 2, 3]


def test_an_input_that_comes_twice_is_applied_once(pair):
    pair.say(Add(number=5), message_id="same")
    pair.say(Add(number=5), message_id="same")
    pair.settle()
    pair.say(Add(number=5), message_id="same")
    pair.settle()
    pair.restart()
    pair.say(Add(number=5), message_id="same")
    pair.settle()
    assert pair.state()["numbers"] == [5]


def test_memory_is_rebuilt_from_snapshot_and_events_after_a_crash(pair):
    for number in range(1, 8):
        pair.say(Add(number=number))
        pair.settle()
    before = dict(pair.state())
    assert Snapshot.objects.using("execution").filter(key="a").exists()
    pair.restart()
    pair.settle()
    assert pair.state() == before
    assert pair.told() == [1, 3, 6, 10, 15, 21, 28]


def test_what_was_committed_and_not_handed_on_is_read_from_the_outbox(pair):
    pair.execution.hand_on = lambda deliveries: None
    pair.say(Add(number=4))
    pair.say(Add(number=6))
    pair.execution.step()
    assert pair.told() == []
    pair.restart()
    pair.settle()
    assert pair.told() == [4, 10]


def test_what_was_asked_before_a_key_is_held_comes_before_what_is_offered_since(pair):
    pair.execution.close()
    ask(Store("execution"), [Command("a", Add(number=1), "before")], 1)
    again = pair.host("execution", "again")
    pair.transport.join(again)
    again.open(["a"])
    again.offer([pair.delivery(Add(number=2)), pair.delivery(Add(number=3))])
    while again.step():
        pass
    assert again.keys["a"].state["numbers"] == [1, 2, 3]


def test_a_message_that_overtakes_waits_for_the_one_before_it(pair):
    handed = []
    pair.execution.hand_on = handed.extend
    pair.say(Add(number=1))
    pair.execution.step()
    pair.say(Add(number=2))
    pair.execution.step()
    pair.risk.offer([handed[1], handed[0], handed[1]])
    pair.settle()
    assert pair.told() == [1, 3]


def test_an_owner_whose_lease_was_taken_commits_nothing_more(pair):
    pair.say(Add(number=1))
    pair.settle()
    Key.objects.using("execution").update(lease_until="2000-01-01T00:00Z")
    other = pair.host("execution", "two")
    other.open(["a", "b"])
    pair.say(Add(number=100))
    pair.execution.step()
    assert "a" not in pair.execution.keys
    other.offer([pair.delivery(Add(number=2))])
    other.step()
    assert other.keys["a"].state["numbers"] == [1, 2]
    assert numbers_of_log() == [1, 2]
    other.store.close()


def test_a_commit_whose_connection_broke_is_neither_lost_nor_doubled(pair):
    pair.say(Add(number=1))
    pair.settle()
    backend = pair.execution.store.connection.info.backend_pid
    pair.risk.store.connection.execute("SELECT pg_terminate_backend(%s)", [backend])
    pair.say(Add(number=2))
    with pytest.raises(psycopg.OperationalError):
        pair.execution.step()
    pair.settle()
    assert pair.state()["numbers"] == [1, 2]
    assert pair.told() == [1, 3]


def test_a_commit_that_was_done_before_its_connection_broke_is_not_done_again(pair):
    commit = pair.execution.store.commit

    def commit_and_break(batch):
        commit(batch)
        raise psycopg.OperationalError("the connection is gone")

    pair.execution.store.commit = commit_and_break
    pair.say(Add(number=7))
    with pytest.raises(psycopg.OperationalError):
        pair.execution.step()
    pair.execution.store.commit = commit
    pair.settle()
    assert pair.state()["numbers"] == [7]
    assert pair.told() == [7]


def test_an_input_that_fails_every_time_becomes_a_dead_letter_and_the_rest_goes_on(pair):
    pair.say(Add(number=1))
    pair.say(Add(number=POISON))
    pair.say(Add(number=2))
    pair.say(Add(number=9), key="b")
    pair.settle()
    assert pair.state()["numbers"] == [1, 2]
    assert pair.state("b")["numbers"] == [9]
    letter = DeadLetter.objects.using("execution").get()
    assert letter.key == "a"
    assert letter.rows is None
    assert b"-13" in bytes(letter.body)
    assert numbers_of_log() == [1, 2, 3]


def test_a_bad_row_becomes_a_dead_letter_with_its_account(pair):
    pair.say(Add(number=POISON_ROW))
    pair.settle()
    letter = DeadLetter.objects.using("execution").get()
    assert (letter.rows, letter.accounts, letter.reason) == ([0], [7], "a bad row")


def test_a_message_that_cannot_be_decoded_stops_its_key_and_no_other(pair):
    broken = pair.delivery(Add(number=1))
    pair.execution.offer([broken._replace(body=b'{"number":"three"}')])
    pair.say(Add(number=1))
    pair.say(Add(number=9), key="b")
    pair.settle()
    assert "a" not in pair.execution.keys or pair.execution.keys["a"].parked_because
    assert "expected `int`" in Key.objects.using("execution").get(key="a").parked_because.lower()
    assert pair.state("b")["numbers"] == [9]


def test_a_timer_comes_due_once_and_survives_a_crash(pair):
    pair.say(Remind(at_ns=5_000_000_000))
    pair.say(Add(number=3))
    pair.settle()
    assert pair.state()["told"] == []
    pair.restart()
    pair.clock.move_to(6_000_000_000)
    pair.settle()
    assert pair.state()["told"] == [3]
    pair.restart()
    pair.settle()
    assert pair.state()["told"] == [3]


def test_a_key_can_be_rebuilt_as_it_was_at_any_number(pair):
    for number in (1, 2, 3, 4, 5, 6):
        pair.say(Add(number=number))
        pair.settle()
    host: Host = pair.execution
    for upto in range(7):
        state, _ = state_at(host.context, host.store, "a", upto)
        assert state["numbers"] == list(range(1, upto + 1))


def test_a_full_queue_leaves_messages_in_the_outbox_and_loses_none(pair):
    pair.settings = type(pair.settings)(always_decode=True, waiting_max=2)
    pair.restart()
    for number in range(1, 4):
        pair.say(Add(number=number)) if number < 3 else None
    pair.execution.step()
    for number in (3, 4):
        pair.say(Add(number=number))
    pair.execution.step()
    pair.settle()
    assert pair.told() == [1, 3, 6, 10]


def test_an_ordered_close_gives_the_keys_back_with_a_snapshot(pair):
    pair.say(Add(number=1))
    pair.execution.close()
    assert set(Key.objects.using("execution").values_list("owner", flat=True)) == {""}
    assert Snapshot.objects.using("execution").get(key="a").number == 1
    assert Outbox.objects.using("execution").count() == 1


def test_commands_are_applied_in_the_order_in_which_they_were_asked_for(pair):
    commands = [Command("a", Add(number=number), f"command-{number * 7919 % 1000}") for number in range(1, 601)]
    assert ask(pair.execution.store, commands, now_ns=1) == 600
    assert ask(pair.execution.store, commands[:5], now_ns=2) == 0
    pair.restart()
    pair.settle()
    assert pair.state()["numbers"] == list(range(1, 601))
    assert Request.objects.using("execution").count() == 0
    assert ask(pair.execution.store, commands[:5], now_ns=3) == 0


def test_a_command_that_was_asked_again_just_when_it_was_applied_does_not_wait_for_ever(pair):
    ask(pair.execution.store, [Command("a", Add(number=1), "once")], now_ns=1)
    (asked,) = Request.objects.using("execution").all()
    pair.restart()
    pair.settle()
    asked.save(using="execution", force_insert=True)
    pair.execution.look_for([("", "a")])
    pair.settle()
    assert Request.objects.using("execution").count() == 0
    assert pair.state()["numbers"] == [1]


def test_what_is_read_as_it_waits_is_not_looked_up_again_and_what_is_brought_is(pair, monkeypatch):
    looked_up = []
    monkeypatch.setattr(pair.execution.store, "seen", lambda pairs: looked_up.extend(pairs) or set())
    ask(pair.execution.store, [Command("a", Add(number=1), "asked")], now_ns=1)
    pair.execution.look_for([("", "a")])
    pair.settle()
    assert (pair.state()["numbers"], looked_up) == ([1], [])
    pair.say(Add(number=2), message_id="brought")
    pair.settle()
    assert (pair.state()["numbers"], looked_up) == ([1, 2], [("a", "brought")])


def test_a_key_that_was_released_makes_a_dead_letter_of_what_it_stopped_at_and_goes_on(pair):
    broken = pair.delivery(Add(number=1))._replace(body=b'{"number":"three"}')
    pair.execution.offer([broken])
    pair.say(Add(number=2))
    pair.settle()
    pair.execution.store.unpark("a")
    pair.clock.move_to(pair.clock.wall_ns() + 10_000_000_000)
    pair.restart()
    pair.execution.offer([broken])
    pair.say(Add(number=2))
    pair.settle()
    assert pair.state()["numbers"] == [2]
    assert "expected `int`" in DeadLetter.objects.using("execution").get().reason.lower()


def test_a_key_whose_log_is_damaged_rests_and_the_others_go_on(pair):
    for key in ("a", "b"):
        pair.say(Add(number=1), key=key)
        pair.say(Add(number=2), key=key)
    pair.settle()
    Log.objects.using("execution").filter(key="a", number=1).delete()
    pair.restart()
    pair.say(Add(number=3), key="b")
    pair.settle()
    assert pair.state("b")["numbers"] == [1, 2, 3]
    assert "a" not in pair.execution.keys
    assert "the log has 2 after 0" in Key.objects.using("execution").get(key="a").parked_because


def test_a_gap_that_nobody_can_fill_yet_is_no_reason_to_ask_again_and_again(pair):
    handed = []
    pair.execution.hand_on = handed.extend
    for number in (1, 2):
        pair.say(Add(number=number))
        pair.execution.step()
    asked = []
    pair.risk.fetch = lambda wanted: asked.extend(wanted) or {}
    pair.risk.step()
    asked.clear()
    pair.risk.offer([handed[1]])
    while pair.risk.step():
        pass
    assert asked == ["a"]
    assert pair.told() == []


def test_a_route_that_cannot_ask_its_database_parks_nothing(pair):
    left = [None] * 5

    def keys(key, _, __):
        if left:
            left.pop()
            raise psycopg.OperationalError("the database is away")
        return [key]

    pair.execution._routes[Added] = [Route(Added, "risk", keys)]
    pair.say(Add(number=1))
    for _ in range(5):
        with pytest.raises(psycopg.OperationalError):
            pair.execution.step()
    pair.settle()
    assert pair.told() == [1]
    assert not DeadLetter.objects.using("execution").exists()


def test_making_leases_last_longer_waits_for_no_disk_and_commits_do(pair):
    connection = pair.execution.store.connection
    connection.execute("SET synchronous_commit = on")
    epochs = {key: memory.epoch for key, memory in pair.execution.keys.items()}
    with connection.transaction():
        assert pair.execution.store.renew(epochs).keys() == {"a", "b"}
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("off",)
    assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def kept(pair):
    return Snapshot.objects.using("execution").filter(key="a").count()


def test_a_snapshot_waits_until_nothing_is_done_and_no_longer_than_for_twice_the_records(pair):
    pair.settings = HostSettings(snapshot_every=4, snapshot_quiet_seconds=0.05)
    pair.restart()
    for number in range(6):
        pair.say(Add(number=number))
        pair.settle()
    assert kept(pair) == 0
    pair.clock.move_to(pair.clock.wall_ns() + 60_000_000)
    pair.settle()
    assert kept(pair) == 1
    for number in range(8):
        assert kept(pair) == 1
        pair.say(Add(number=number))
        pair.settle()
    assert kept(pair) == 2


def test_keys_that_come_to_their_snapshots_together_keep_them_one_after_the_other(pair):
    pair.settings = HostSettings(snapshot_every=4, snapshot_quiet_seconds=0.05)
    pair.restart()
    for number in range(4):
        for key in ("a", "b"):
            pair.say(Add(number=number), key=key)
        pair.settle()
    for count in (0, 1, 2):
        assert Snapshot.objects.using("execution").count() == count
        pair.clock.move_to(pair.clock.wall_ns() + 50_000_000)
        pair.settle()
