"""What was summed up is kept for as long as it is true."""

from types import SimpleNamespace

import pytest

from apps.reporting import kept
from apps.reporting.kept import Kept
from apps.reporting.models import Mark

pytestmark = pytest.mark.django_db(databases=["reporting"], transaction=True)


class Question:
    """Something to ask, which counts how often it is asked."""

    def __init__(self):
        self.times = 0

    def __call__(self):
        self.times += 1
        return self.times


def read(source, number, key="0", reader="reporting"):
    Mark.objects.using("reporting").update_or_create(
        reader=reader, source=source, key=key, defaults={"number": number, "received_at_ns": 1}
    )


def test_an_answer_is_kept_until_something_is_read_that_it_may_be_of():
    sums, question = Kept("execution", "edge"), Question()
    read("execution", 1)
    assert [sums.get("a", question) for _ in range(3)] == [1, 1, 1]
    read("feeds", 5)
    read("execution", 7, reader="books")
    assert sums.get("a", question) == 1
    for number, (source, key) in enumerate([("execution", "0"), ("execution", "1"), ("edge", "0")], 2):
        read(source, number, key)
        assert sums.get("a", question) == sums.get("a", question) == number
    assert Kept("execution").get("a", question) == 5, "nobody else's"


def test_read_models_that_are_built_again_are_asked_again_though_they_are_as_far():
    sums, question = Kept("execution"), Question()
    read("execution", 1)
    assert sums.get("a", question) == 1
    Mark.objects.using("reporting").all().delete()
    read("execution", 1)
    assert sums.get("a", question) == 2


def test_nothing_is_kept_where_nothing_was_read():
    sums, question = Kept("execution"), Question()
    assert [sums.get("a", question) for _ in range(2)] == [1, 2]


def test_a_new_day_is_asked_anew_and_what_was_asked_long_ago_is_forgotten(monkeypatch):
    sums, question = Kept("execution"), Question()
    read("execution", 1)
    monkeypatch.setattr(kept, "time", SimpleNamespace(time=lambda: 899.0))
    assert [sums.get("a", question) for _ in range(2)] == [1, 1]
    monkeypatch.setattr(kept, "time", SimpleNamespace(time=lambda: 900.0))
    assert sums.get("a", question) == 2
    for other in range(kept._KEPT_MAX):
        sums.get(other, question)
    assert sums.get("a", question) == question.times > 60


def test_who_asks_while_something_is_read_has_not_what_was_before_it_from_then_on():
    sums = Kept("execution")
    read("execution", 1)

    def ask():
        read("execution", 2)
        return "as of one of both"

    assert sums.get("a", ask) == "as of one of both"
    assert sums.get("a", lambda: "as of both") == "as of both"
