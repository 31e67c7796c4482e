"""What a person says of an order that is UNKNOWN: asked for again, adopted, or said never to have arrived."""

import pytest

from apps.execution.book_contracts import Resolution, ResolutionAsked
from apps.execution.contracts import OrdersReported, ReportKind
from tests.integration.edge.desk import SECOND, arrived, name, refusals

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
