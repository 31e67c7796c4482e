"""Questions to another context: answered, refused, or not answered in time."""

import threading

import pytest

from apps.feeds.contracts import BarsFound, FindBars
from banyan.transport.questions import NoAnswerError, answered_here

QUESTION = FindBars(feed="oanda", before_ns=1, wanted=[])


def test_an_answer_comes_from_this_process_and_so_does_what_went_wrong():
    answer = BarsFound(bars=[])
    assert answered_here(lambda _: answer, "feeds", 60.0)(QUESTION) is answer

    def fails(_):
        raise LookupError("no such feed")

    with pytest.raises(LookupError, match="no such feed"):
        answered_here(fails, "feeds", 60.0)(QUESTION)


def test_nobody_waits_longer_than_until_the_deadline():
    answers = threading.Event()

    def late(_):
        answers.wait()
        return BarsFound(bars=[])

    with pytest.raises(NoAnswerError, match="feeds has not answered feeds.find-bars.v1 within 0 s"):
        answered_here(late, "feeds", 0.01)(QUESTION)
    answers.set()
