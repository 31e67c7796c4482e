"""The edge with a broker and a clock under the test's hand, and its real ledger."""

import itertools

import psycopg
import pytest

from apps.execution.contracts import EdgeRefusal, ReportKind
from apps.execution.edge.entries import EntryKind, Slice
from apps.execution.edge.ledger import Ledger
from apps.execution.edge.port import BrokerUnavailableError
from apps.execution.edge.shard import missed
from tests.integration.edge.desk import SECOND, SHARD, Desk, Open, arrived, name, refusals
from tests.integration.edge.fake_broker import FakeBroker, executions

pytestmark = pytest.mark.django_db(databases=["edge"], transaction=True)

ACCEPTED, FILLED, REJECTED, CANCELLED = (
    ReportKind.ACCEPTED, ReportKind.FILLED, ReportKind.REJECTED, ReportKind.CANCELLED,
)  # fmt: skip
UNKNOWN, NEVER_ARRIVED = ReportKind.UNKNOWN, ReportKind.NEVER_ARRIVED


def slices() -> list[Slice]:
    ledger = Ledger()
    found = [line.what for line in ledger.lines(SHARD, 0, kinds=[EntryKind.SLICE])]
    ledger.close()
    return found


def restarted(desk: Desk, fake: FakeBroker, **options) -> Desk:
    """Return the edge after a crash: the old one is gone without a word."""
    desk.edge.ledger.close()
    made = Desk([fake], clock=desk.clock, **options)
    made.told = desk.told
    made.numbers = desk.numbers
    return made


def test_an_order_is_sent_once_and_its_fate_is_told(desk, fake):
    desk.release([(1, 1, 5), (2, 1, -3)])
    desk.poll()
    assert arrived(fake) == [(name(1, 1), 5), (name(2, 1), -3)]
    fake.say(("e1", name(1, 1), 1, ACCEPTED, 0), ("e2", name(1, 1), 1, FILLED, 2), ("e3", name(2, 1), 2, REJECTED, 0))
    fake.say(("e4", name(1, 1), 1, FILLED, 3))
    desk.poll()
    assert desk.kinds(1, 1) == [ACCEPTED, FILLED, FILLED]
    assert desk.kinds(2, 1) == [REJECTED]
    assert desk.filled(1, 1) == 5


def test_nothing_is_written_before_it_is_in_the_ledger(desk, fake, monkeypatch):
    seen = []
    submit = fake.submit
    monkeypatch.setattr(
        fake, "submit", lambda orders: (seen.append(sum(each.rows for each in slices())), submit(orders))
    )
    desk.release([(1, 1, 5)])
    desk.poll()
    assert seen == [1]


def test_nothing_is_written_when_the_ledger_cannot_be(desk, fake, monkeypatch):
    def fail(*_):
        raise psycopg.OperationalError("the disk is full")

    desk.release([(1, 1, 5)])
    with monkeypatch.context() as broken:
        broken.setattr(desk.edge.ledger, "commit", fail)
        with pytest.raises(psycopg.OperationalError):
            desk.edge.poll()
    assert arrived(fake) == []
    assert slices() == []
    desk.poll()
    assert desk.edge.gaps == {SHARD}


def test_a_decision_number_is_used_once(desk, fake):
    desk.release([(1, 3, 5)])
    desk.poll()
    fake.say(("e1", name(1, 3), 1, ACCEPTED, 0), ("e2", name(1, 3), 1, FILLED, 5))
    desk.poll()
    desk.told.clear()
    desk.release([(1, 3, 5)])
    desk.poll()
    assert arrived(fake) == [(name(1, 3), 5)]
    assert desk.kinds(1, 3) == [FILLED]  # the outcome, as it was recorded
    desk.release([(1, 2, 5)])
    desk.poll()
    assert refusals(desk) == [(1, 2, EdgeRefusal.DECISION_PASSED)]


def test_a_decision_number_with_another_content_gates_the_account_until_a_person_lifts_it(desk, fake):
    desk.release([(1, 1, 5)])
    desk.poll()
    desk.release([(1, 1, 6)])
    desk.release([(1, 2, 1), (2, 1, 1)])
    desk.poll()
    assert refusals(desk) == [(1, 1, EdgeRefusal.GATED), (1, 2, EdgeRefusal.GATED)]
    assert arrived(fake) == [(name(1, 1), 5), (name(2, 1), 1)]
    again = restarted(desk, fake)
    again.until(lambda: again.edge.shards)
    assert 1 in again.edge.shards[SHARD].memory.gated
    again.edge.lift_gate(SHARD, [1])
    assert again.edge.shards[SHARD].memory.gated == {}
    again.close()


def test_two_orders_of_one_account_in_one_message_go_in_their_order(desk, fake):
    desk.release([(1, 1, 5), (1, 2, -4), (2, 1, 1)])
    desk.poll()
    assert [row for row in arrived(fake) if row[0] in (name(1, 1), name(1, 2))] == [(name(1, 1), 5), (name(1, 2), -4)]
    assert len(fake.arrived) == 3


def test_what_comes_again_on_a_stream_is_not_taken_again(desk, fake):
    stream = {"sender": "execution", "sender_key": SHARD, "epoch": 1}
    desk.release([(1, 1, 5)], envelope={**stream, "number": 4096, "previous": 0})
    desk.release([(1, 1, 5)], envelope={**stream, "number": 4096, "previous": 0})
    desk.release([(1, 3, 7)], envelope={**stream, "number": 12288, "previous": 8192})
    desk.poll()
    assert arrived(fake) == [(name(1, 1), 5)]
    assert SHARD in desk.edge.gaps
    assert desk.edge.marks(SHARD) == {("execution", SHARD): (1, 4096)}
    again = restarted(desk, fake)
    again.poll()
    assert again.edge.marks(SHARD) == {("execution", SHARD): (1, 4096)}
    again.close()


def test_a_message_of_an_epoch_that_has_ended_goes_nowhere(desk, fake):
    stream = {"sender": "execution", "sender_key": SHARD}
    desk.release([(1, 1, 5)], envelope={**stream, "epoch": 2, "number": 4096, "previous": 0})
    desk.release([(1, 2, 5)], envelope={**stream, "epoch": 1, "number": 8192, "previous": 4096})
    desk.poll()
    assert arrived(fake) == [(name(1, 1), 5)]


def test_an_order_whose_deadline_has_passed_is_refused_at_release(desk, fake):
    desk.release([(1, 1, 5)], seconds=0)
    desk.poll()
    assert refusals(desk) == [(1, 1, EdgeRefusal.DEADLINE_PASSED)]
    assert arrived(fake) == []


def test_the_deadline_is_checked_again_right_before_the_write(desk, fake, clock, monkeypatch):
    commit = desk.edge.ledger.commit

    def slow(*arguments):
        clock.move_to(clock.wall_ns() + 6 * SECOND)
        return commit(*arguments)

    desk.release([(1, 1, 5)], seconds=5)
    monkeypatch.setattr(desk.edge.ledger, "commit", slow)
    desk.poll()
    assert refusals(desk) == [(1, 1, EdgeRefusal.DEADLINE_PASSED)]
    assert arrived(fake) == []


def test_the_lease_is_checked_again_right_before_the_write(desk, fake, clock, monkeypatch):
    commit = desk.edge.ledger.commit

    def paused(*arguments):
        moved = commit(*arguments)
        clock.move_to(clock.wall_ns() + 5 * SECOND)
        return moved

    desk.release([(1, 1, 5)], seconds=60)
    monkeypatch.setattr(desk.edge.ledger, "commit", paused)
    desk.poll()
    assert refusals(desk) == [(1, 1, EdgeRefusal.LEASE_LOST)]
    assert arrived(fake) == []


def test_an_edge_whose_lease_was_taken_sends_nothing(desk, fake):
    other = Ledger()
    assert [row.key for row in other.take([SHARD], "one")] == [SHARD]
    desk.release([(1, 1, 5)])
    desk.poll()
    assert arrived(fake) == []
    assert slices() == []
    assert desk.edge.shards == {}
    other.close()


def test_a_second_edge_waits_for_the_lease(desk, fake):
    second = Desk([FakeBroker()], clock=desk.clock, owner="two")
    second.poll()
    assert second.edge.shards == {}
    second.edge.ledger.close()


def test_the_leases_of_an_edge_that_is_known_to_have_ended_are_free_at_once(desk):
    second = Desk([FakeBroker()], clock=desk.clock, owner="two")
    second.edge.is_gone = lambda owner: owner == "one"
    second.poll()
    assert list(second.edge.shards) == [SHARD]
    second.close()


def test_a_thrown_kill_switch_lets_only_reduce_only_orders_and_cancels_pass(desk, fake):
    desk.release([(1, 1, 5)])
    desk.poll()
    fake.say(("e1", name(1, 1), 1, ACCEPTED, 0))
    desk.poll()

    class Thrown(Open):
        def is_clear(self):
            return False

    desk.edge.switch = Thrown()
    desk.release([(1, 2, 5), (2, 1, -1)], reduce_only=[0, 1])
    desk.cancel((1, 1))
    desk.poll()
    assert refusals(desk) == [(1, 2, EdgeRefusal.KILL_SWITCH)]
    assert arrived(fake) == [(name(1, 1), 5), (name(2, 1), -1)]
    assert fake.cancelled == [name(1, 1)]


def test_a_kill_switch_thrown_between_release_and_write_stops_the_order(desk, fake):
    class Thrown(Open):
        asked = 0

        def is_clear(self):
            self.asked += 1
            return self.asked <= 2  # at the start of the round, and at release

    desk.edge.switch = Thrown()
    desk.release([(1, 1, 5), (2, 1, -5)], reduce_only=[0, 1])
    desk.poll()
    assert refusals(desk) == [(1, 1, EdgeRefusal.KILL_SWITCH)]
    assert arrived(fake) == [(name(2, 1), -5)]
    assert sum(each.rows for each in slices()) == 2


def test_an_account_that_nobody_has_opened_is_refused(desk, fake):
    desk.release([(9, 1, 5), (1, 1, 2)])
    desk.poll()
    assert refusals(desk) == [(9, 1, EdgeRefusal.NO_SESSION)]
    assert arrived(fake) == [(name(1, 1), 2)]


def test_trading_waits_until_an_account_is_reconciled(transactional_db, fake, clock):
    desk = Desk([fake], clock=clock)
    desk.poll()
    desk.open(1)
    desk.release([(1, 1, 5)])
    desk.poll()
    desk.release([(1, 2, 5)])
    desk.poll()
    assert refusals(desk)[0] == (1, 1, EdgeRefusal.NOT_RECONCILED) or refusals(desk)[0][2] == EdgeRefusal.NO_SESSION
    desk.until(lambda: desk.reconciled() == {1})
    desk.release([(1, 3, 5)])
    desk.poll()
    assert arrived(fake) == [(name(1, 3), 5)]
    desk.close()


# ---- unknown outcomes ----


def test_silence_makes_an_order_unknown_and_freezes_its_account_and_instrument(desk, fake, clock):
    fake.answers_queries = False
    desk.release([(1, 1, 5)], seconds=60)
    desk.poll()
    clock.move_to(clock.wall_ns() + 1_100_000_000)
    desk.poll()
    assert desk.kinds(1, 1) == [UNKNOWN]
    desk.release([(1, 2, 5), (2, 1, 5)], seconds=60)
    desk.release([(1, 3, -5)], seconds=60, reduce_only=[1])
    desk.poll()
    assert refusals(desk) == [(1, 2, EdgeRefusal.FROZEN)]
    assert arrived(fake) == [(name(1, 1), 5), (name(2, 1), 5), (name(1, 3), -5)]


def test_an_unknown_order_that_its_broker_knows_is_adopted(desk, fake, clock):
    desk.release([(1, 1, 5)], seconds=60)
    desk.poll()
    fake.say(("e1", name(1, 1), 1, ACCEPTED, 0), ("e2", name(1, 1), 1, FILLED, 5), is_told=False)
    clock.move_to(clock.wall_ns() + 1_100_000_000)
    desk.until(lambda: FILLED in desk.kinds(1, 1))
    assert desk.kinds(1, 1) == [UNKNOWN, ACCEPTED, FILLED]
    desk.release([(1, 2, 5)], seconds=60)
    desk.poll()
    assert (name(1, 2), 5) in arrived(fake)


def test_an_order_has_never_arrived_only_on_a_newer_session_after_its_settle_window(desk, fake, clock):
    fake.swallows = True
    desk.release([(1, 1, 5)], seconds=3)
    desk.poll()
    session = fake.session
    for _ in range(29):
        clock.move_to(clock.wall_ns() + SECOND // 10)
        desk.poll()
        desk.poll()
        assert NEVER_ARRIVED not in desk.kinds(1, 1)
    assert "query" in fake.written
    assert fake.session == session
    for _ in range(10):
        clock.move_to(clock.wall_ns() + SECOND // 10)
        desk.poll()
        desk.poll()
    assert desk.kinds(1, 1) == [UNKNOWN, NEVER_ARRIVED]
    assert fake.session == session + 1
    assert fake.written.count("submit") == 1


def test_a_fill_of_an_order_that_was_given_up_is_adopted(desk, fake, clock):
    fake.swallows = True
    desk.release([(1, 1, 5)], seconds=1)
    desk.poll()
    for _ in range(40):
        clock.move_to(clock.wall_ns() + SECOND // 10)
        desk.poll()
    assert desk.kinds(1, 1) == [UNKNOWN, NEVER_ARRIVED]
    fake.say(("e7", name(1, 1), 1, CANCELLED, 0), ("e8", name(1, 1), 1, FILLED, 5))
    desk.poll()
    assert desk.kinds(1, 1) == [UNKNOWN, NEVER_ARRIVED, FILLED]


def test_a_lost_connection_makes_what_is_on_its_way_unknown_and_the_account_unreconciled(desk, fake):
    desk.release([(1, 1, 5)])
    desk.poll()
    fake.is_up = False
    desk.poll()
    assert desk.kinds(1, 1) == [UNKNOWN]
    desk.release([(2, 1, 5)])
    desk.poll()
    assert refusals(desk) == [(2, 1, EdgeRefusal.NO_SESSION)]


def test_a_broker_that_is_gone_during_the_write_leaves_the_order_unknown(desk, fake, monkeypatch):
    def half_written(orders):
        fake.is_up = False
        raise BrokerUnavailableError("broken pipe")

    monkeypatch.setattr(fake, "submit", half_written)
    desk.release([(1, 1, 5)])
    desk.poll()
    assert desk.kinds(1, 1) == [UNKNOWN]


def test_what_was_sent_before_a_crash_is_unknown_at_start_and_found(desk, fake):
    desk.release([(1, 1, 5)])
    desk.edge.poll()  # the edge dies before it has read an answer
    fake.say(("e1", name(1, 1), 1, ACCEPTED, 0), ("e2", name(1, 1), 1, FILLED, 5), is_told=False)
    again = restarted(desk, fake)
    again.until(lambda: FILLED in again.kinds(1, 1))
    assert again.kinds(1, 1) == [UNKNOWN, ACCEPTED, FILLED]
    assert fake.written.count("submit") == 1
    again.close()


def test_what_was_not_handed_on_is_read_from_the_ledger(desk, fake):
    before = desk.told[-1][0].number
    desk.release([(1, 1, 5)])
    desk.poll()
    fake.say(("e1", name(1, 1), 1, ACCEPTED, 0), ("e2", name(1, 1), 1, FILLED, 5))
    desk.poll()
    told = [(envelope, message.account.tolist()) for envelope, message in desk.told if envelope.number > before]
    found = missed(desk.edge.ledger, SHARD, before, now_ns=desk.edge.time.now_ns())
    assert [each.envelope for each in found] == [envelope for envelope, _ in told]
    numbers = [(each.envelope.previous, each.envelope.number) for each in found]
    assert numbers[0][0] == before
    assert all(one[1] == other[0] for one, other in itertools.pairwise(numbers))


# ---- reconciliation ----


def test_an_execution_is_told_once_however_often_it_is_heard(desk, fake, clock):
    desk.release([(1, 1, 5)])
    desk.poll()
    fill = ("e2", name(1, 1), 1, FILLED, 2)
    fake.say(("e1", name(1, 1), 1, ACCEPTED, 0), fill, fill)
    desk.poll()
    fake.say(fill)
    desk.poll()
    again = restarted(desk, fake)
    again.poll()
    fake.say(fill)
    again.until(lambda: again.edge.shards)
    again.poll()
    assert again.filled(1, 1) == 2
    again.close()


def test_a_cancel_goes_to_the_broker_once_it_is_in_the_ledger_and_again_after_a_crash(desk, fake):
    desk.release([(1, 1, 5)], order_type=[1], limit_ticks=[100_000])
    desk.poll()
    fake.say(("e1", name(1, 1), 1, ACCEPTED, 0))
    desk.poll()
    desk.cancel((1, 1), (2, 9))
    desk.poll()
    assert fake.cancelled == [name(1, 1)]
    assert desk.kinds(2, 9) == [ReportKind.CANCEL_REJECTED]
    again = restarted(desk, fake)
    again.until(lambda: len(fake.cancelled) == 2)
    fake.say(("e2", name(1, 1), 1, CANCELLED, 0))
    again.poll()
    assert again.kinds(1, 1) == [ACCEPTED, CANCELLED]
    again.close()


# ---- restores ----


def test_an_order_that_is_cancelled_before_it_was_written_never_leaves(desk, fake):
    desk.release([(1, 1, 5), (2, 1, 5)], order_type=[1, 1], limit_ticks=[100_000, 100_000])
    desk.cancel((1, 1))
    desk.poll()
    assert (arrived(fake), fake.cancelled) == ([(name(2, 1), 5)], [])
    assert refusals(desk) == [(1, 1, EdgeRefusal.RECALLED)]
    desk.release([(1, 2, 5)])
    desk.poll()
    assert arrived(fake)[1:] == [(name(1, 2), 5)]


def test_a_broker_that_had_no_order_to_cancel_yet_is_asked_again_when_it_has(desk, fake, clock):
    fake.answers_queries = False
    desk.release([(1, 1, 5)], order_type=[1], limit_ticks=[100_000])
    desk.poll()
    clock.move_to(clock.wall_ns() + 1_100_000_000)
    desk.poll()
    desk.cancel((1, 1))
    desk.poll()
    fake.events.append(executions([0], ("", name(1, 1), 1, ReportKind.CANCEL_REJECTED, 0)))
    desk.poll()
    assert desk.kinds(1, 1) == [UNKNOWN, ReportKind.CANCEL_REJECTED]
    fake.say(("e1", name(1, 1), 1, ACCEPTED, 0))
    desk.poll()
    desk.edge.reconcile()
    desk.until(lambda: fake.cancelled == [name(1, 1)] * 2)


def test_what_works_after_all_and_was_to_be_cancelled_is_cancelled_as_soon_as_that_is_known(desk, fake, clock):
    begun_ns = clock.wall_ns()
    fake.answers_queries = False
    desk.release([(1, 1, 5)], order_type=[1], limit_ticks=[100_000])
    desk.poll()
    clock.move_to(clock.wall_ns() + 1_100_000_000)
    desk.poll()
    desk.cancel((1, 1))
    desk.poll()
    fake.events.append(executions([0], ("", name(1, 1), 1, ReportKind.CANCEL_REJECTED, 0)))
    fake.say(("e1", name(1, 1), 1, ACCEPTED, 0), is_told=False)
    fake.answers_queries = True
    clock.move_to(clock.wall_ns() + 6 * SECOND)
    desk.poll()
    clock.move_to(clock.wall_ns() + SECOND // 10)
    desk.until(lambda: fake.cancelled == [name(1, 1)] * 2)
    assert clock.wall_ns() < begun_ns + desk.edge.settings.reconcile_ns


def test_after_a_restore_orders_released_before_are_asked_for_and_never_sent(desk, fake, clock):
    earlier = clock.wall_ns()
    desk.close()
    ledger = Ledger()
    clock.move_to(clock.wall_ns() + 10 * SECOND)
    assert ledger.begin_incarnation(clock.wall_ns(), "restored").number > 1
    ledger.close()
    again = restarted(desk, fake)
    again.until(lambda: again.edge.links["paper"].session and not again.edge.links["paper"].statement)
    clock.move_to(clock.wall_ns() + 5 * SECOND)
    again.poll()
    again.release([(1, 1, 5)], seconds=1, envelope={"sent_at_ns": earlier})
    again.poll()
    assert arrived(fake) == []
    assert again.kinds(1, 1) == [UNKNOWN]
    for _ in range(30):
        clock.move_to(clock.wall_ns() + SECOND // 10)
        again.poll()
    assert again.kinds(1, 1) == [UNKNOWN, NEVER_ARRIVED]
    again.told.clear()
    again.release([(1, 2, 5)])
    again.poll()
    assert arrived(fake) == [(name(1, 2), 5)]
    again.close()


def test_an_order_with_our_id_that_only_the_broker_knows_is_adopted_and_its_number_used_up(desk, fake):
    desk.release([(1, 1, 1)])
    desk.poll()
    fake.say(("e0", name(1, 1), 1, FILLED, 1), ("e1", name(1, 7), 1, ACCEPTED, 0), ("e2", name(1, 7), 1, FILLED, 5))
    desk.poll()
    assert desk.kinds(1, 7) == [ACCEPTED, FILLED]
    desk.release([(1, 7, 5)])
    desk.poll()
    assert len(fake.arrived) == 1
    assert refusals(desk) == [(1, 7, EdgeRefusal.DECISION_PASSED)]
