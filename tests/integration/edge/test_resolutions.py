"""How an order that is UNKNOWN ceases to be: by its broker or by what a person says, and no sooner than is safe."""

from dataclasses import replace

import pytest

from apps.execution.book_contracts import Resolution, ResolutionAsked
from apps.execution.contracts import EdgeRefusal, OrdersReported, ReportKind
from apps.execution.edge.ledger import Ledger
from tests.integration.edge.desk import SECOND, arrived, name, refusals
from tests.integration.edge.test_edge import restarted

pytestmark = pytest.mark.django_db(databases=["edge"], transaction=True)
UNKNOWN, ACCEPTED, FILLED, NEVER_ARRIVED = (
    ReportKind.UNKNOWN, ReportKind.ACCEPTED, ReportKind.FILLED, ReportKind.NEVER_ARRIVED,
)  # fmt: skip


@pytest.fixture
def silent(desk, fake, clock):
    """A desk with an UNKNOWN order of account 1, whose broker answers no question."""
    fake.answers_queries = False
    desk.release([(1, 1, 5)], seconds=3)
    desk.poll()
    clock.move_to(clock.wall_ns() + 1_100_000_000)
    desk.poll()
    assert desk.kinds(1, 1) == [UNKNOWN]
    return desk


def say(desk, how, *, account=1, decision=1):
    desk.give(
        ResolutionAsked(account=account, instrument="EURUSD", decision=decision, how=int(how), reason="ann: I looked")
    )
    desk.poll()


def answers(desk):
    """Return what came of what was said, by kind of the row that tells it."""
    reports = [message for _, message in desk.told if isinstance(message, OrdersReported) and message.answers]
    return [(int(message.kind[-1]), message.answers[-1].partition(": ")[2]) for message in reports]


def test_that_it_never_arrived_is_taken_when_its_deadline_and_the_settle_window_have_passed(silent, fake, clock):
    say(silent, Resolution.RESOLVE)
    assert silent.kinds(1, 1) == [UNKNOWN, UNKNOWN]
    assert answers(silent) == [(UNKNOWN, "not taken: it may arrive within 2 s still; say so again after that")]
    clock.move_to(clock.wall_ns() + 3 * SECOND)
    silent.poll()
    say(silent, Resolution.RESOLVE)
    assert silent.kinds(1, 1) == [UNKNOWN, UNKNOWN, NEVER_ARRIVED]
    assert answers(silent)[1:] == [(NEVER_ARRIVED, "taken never to have arrived")]
    fake.say(("e1", name(1, 1), 1, FILLED, 5))
    silent.poll()
    assert silent.kinds(1, 1) == [UNKNOWN, UNKNOWN, NEVER_ARRIVED, FILLED]


def test_an_adopted_order_works_and_its_account_trades_on(silent, fake, clock):
    say(silent, Resolution.ADOPT)
    assert silent.kinds(1, 1) == [UNKNOWN, ACCEPTED]
    silent.release([(1, 2, 5)], seconds=60)
    silent.poll()
    assert refusals(silent) == []
    assert (name(1, 2), 5) in arrived(fake)
    fake.say(("e1", name(1, 1), 1, FILLED, 5))
    silent.poll()
    assert silent.kinds(1, 1) == [UNKNOWN, ACCEPTED, FILLED]


def test_its_broker_is_asked_at_once(silent, fake):
    before = fake.written.count("query")
    say(silent, Resolution.QUERY)
    assert fake.written.count("query") == before + 1
    assert silent.kinds(1, 1) == [UNKNOWN, UNKNOWN]
    assert answers(silent) == [(UNKNOWN, "its broker is asked for it")]


@pytest.mark.parametrize("how", list(Resolution))
def test_a_word_on_what_is_not_unknown_comes_too_late(desk, fake, how):
    desk.release([(1, 1, 5)], seconds=60)
    desk.poll()
    fake.say(("e1", name(1, 1), 1, ACCEPTED, 0))
    desk.poll()
    written = list(fake.written)
    say(desk, how)
    say(desk, how, decision=7)
    say(desk, how, account=99)
    assert desk.kinds(1, 1) == [ACCEPTED, ACCEPTED]
    assert answers(desk) == [(ACCEPTED, "too late: its broker has told of it meanwhile")]
    assert fake.written == written


def pass_time(desk, clock, *, tenths):
    for _ in range(tenths):
        clock.move_to(clock.wall_ns() + SECOND // 10)
        desk.poll()


def test_what_a_broker_denies_in_the_session_that_it_was_sent_in_may_still_arrive(desk, fake, clock):
    fake.capabilities = replace(fake.capabilities, login_epochs=False)
    fake.swallows, session = True, fake.session
    desk.release([(1, 1, 5)], seconds=1)
    pass_time(desk, clock, tenths=40)
    assert fake.written.count("query") > 1
    assert (desk.kinds(1, 1), fake.session) == ([UNKNOWN], session)


def test_what_a_newer_session_denies_may_still_arrive_until_it_has_settled(desk, fake, clock):
    desk.edge.settings = replace(desk.edge.settings, settle_ns=SECOND)
    fake.swallows, session = True, fake.session
    desk.release([(1, 1, 5)], seconds=4)
    desk.poll()
    fake.is_up = False
    desk.poll()
    fake.is_up = True
    pass_time(desk, clock, tenths=49)
    assert fake.session > session
    assert fake.written.count("query") > 1
    assert desk.kinds(1, 1) == [UNKNOWN]
    pass_time(desk, clock, tenths=5)
    assert desk.kinds(1, 1) == [UNKNOWN, NEVER_ARRIVED]


def test_what_is_asked_for_after_a_restore_freezes_its_account_and_instrument(desk, fake, clock):
    earlier_ns = clock.wall_ns()
    desk.close()
    ledger = Ledger()
    clock.move_to(clock.wall_ns() + 10 * SECOND)
    ledger.begin_incarnation(clock.wall_ns(), "restored")
    ledger.close()
    again = restarted(desk, fake)
    again.until(lambda: again.edge.links["paper"].session and not again.edge.links["paper"].statement)
    clock.move_to(clock.wall_ns() + 5 * SECOND)
    again.poll()
    fake.answers_queries = False
    again.release([(1, 1, 5)], seconds=60, envelope={"sent_at_ns": earlier_ns})
    again.release([(1, 2, 5), (2, 1, 5)], seconds=60)
    again.poll()
    assert again.kinds(1, 1) == [UNKNOWN]
    assert refusals(again) == [(1, 2, EdgeRefusal.FROZEN)]
    assert arrived(fake) == [(name(2, 1), 5)]
    again.close()
