"""What a person says of an order that is UNKNOWN: asked for again, adopted, or said never to have arrived."""

import pytest

from apps.execution.book_contracts import Resolution, ResolutionAsked
from apps.execution.contracts import ReportKind
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


def test_that_it_never_arrived_is_taken_when_its_deadline_and_the_settle_window_have_passed(silent, fake, clock):
    say(silent, Resolution.RESOLVE)
    assert silent.kinds(1, 1) == [UNKNOWN]
    clock.move_to(clock.wall_ns() + 3 * SECOND)
    silent.poll()
    say(silent, Resolution.RESOLVE)
    assert silent.kinds(1, 1) == [UNKNOWN, NEVER_ARRIVED]
    fake.say(("e1", name(1, 1), 1, FILLED, 5))
    silent.poll()
    assert silent.kinds(1, 1) == [UNKNOWN, NEVER_ARRIVED, FILLED]


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
    assert silent.kinds(1, 1) == [UNKNOWN]


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
    assert desk.kinds(1, 1) == [ACCEPTED]
    assert fake.written == written
