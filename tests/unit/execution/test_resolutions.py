"""A person's word on an UNKNOWN order, as execution hands it to the edge."""

from apps.execution.book_contracts import CommandRefused, Resolution, ResolutionAsked, ResolveOrder
from tests.unit.execution.desk import EURUSD, Desk


def asked(desk, **changed):
    given = {"account": 1, "instrument": EURUSD.id, "decision": 3, "how": int(Resolution.ADOPT), "reason": "ann: seen"}
    return desk.feed(ResolveOrder(**(given | changed)))


def test_it_is_handed_on_as_it_was_said():
    desk = Desk()
    desk.open(1)
    (told,) = asked(desk)
    assert isinstance(told, ResolutionAsked)
    assert (told.account, told.instrument, told.decision, told.how) == (1, EURUSD.id, 3, Resolution.ADOPT)
    assert told.reason == "ann: seen"


def test_of_an_account_that_is_not_here_or_a_word_that_there_is_not_it_is_refused():
    desk = Desk()
    desk.open(1)
    for changed, why in (({"account": 2}, "not open in this shard"), ({"how": 9}, "no such resolution")):
        (told,) = asked(desk, **changed)
        assert isinstance(told, CommandRefused)
        assert why in told.reason
