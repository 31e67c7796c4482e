"""When a system has come to rest, as its databases tell it."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from banyan.process.quiet import Quiet
from tests.integration.host.tally import SENDERS, Add, Remind

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk"])


@pytest.fixture
def is_quiet() -> Iterator[Quiet]:
    with closing(Quiet(["execution", "risk"], SENDERS)) as made:
        yield made


def is_at_rest(is_quiet: Quiet) -> bool:
    """Tell whether two looks find it at rest, and the same."""
    return [is_quiet(), is_quiet()][1]


def test_what_was_sent_and_is_not_applied_keeps_it_from_rest(pair, is_quiet):
    pair.say(Add(number=1))
    while pair.execution.step():
        pass
    assert not is_at_rest(is_quiet)
    pair.settle()
    assert is_at_rest(is_quiet)


def test_what_has_been_applied_since_the_last_look_keeps_it_from_rest(pair, is_quiet):
    assert is_at_rest(is_quiet)
    pair.say(Add(number=1))
    pair.settle()
    assert not is_quiet()
    assert is_quiet()


def test_a_timer_that_is_due_keeps_it_from_rest_and_one_that_is_not_does_not(pair, is_quiet):
    """By the clock of the machine, in which the pair's is still at its first second."""
    pair.say(Remind(at_ns=5_000_000_000))
    pair.settle()
    assert not is_at_rest(is_quiet)
    pair.clock.move_to(5_000_000_000)
    pair.settle()
    pair.say(Remind(at_ns=2**62))
    pair.settle()
    assert is_at_rest(is_quiet)
