"""Which sets a feed's bars go to, and who looks."""

import threading

import psycopg
import pytest
from django.db import OperationalError

from settings import roles
from settings.roles import SetsOfFeeds


class Directory:
    """Who is asked: `looked` is set whenever somebody has."""

    def __init__(self) -> None:
        self.sets = ["one"]
        self.asked_by: list[str] = []
        self.looked = threading.Event()

    def __call__(self, feed: str) -> list[str]:
        if not self.sets:
            raise OperationalError("away")
        self.asked_by.append(threading.current_thread().name)
        self.looked.set()
        return list(self.sets)


@pytest.fixture
def directory(monkeypatch):
    made = Directory()
    monkeypatch.setattr(roles, "sets_of_feed", made)
    return made


@pytest.fixture
def looking(directory):
    """Sets of feeds whose worker runs."""
    sets, stop = SetsOfFeeds(), threading.Event()
    thread = threading.Thread(target=sets.run, args=(stop,), name="worker")
    thread.start()
    yield sets
    stop.set()
    sets.wake()
    thread.join()


def test_what_was_asked_just_now_is_not_asked_again(directory):
    sets = SetsOfFeeds()
    assert list(sets("oanda", None)) == ["one"]
    directory.sets = ["one", "two"]
    assert list(sets("oanda", None)) == ["one"]
    assert len(directory.asked_by) == 1


def test_the_worker_looks_again_so_that_no_bar_has_to(directory, looking):
    assert list(looking("oanda", None)) == ["one"]
    directory.looked.clear()
    directory.sets = ["one", "two"]
    assert directory.looked.wait(10.0)
    assert directory.asked_by[-1] == "worker"
    directory.looked.clear()
    assert directory.looked.wait(10.0)  # by then the first look is known
    assert list(looking("oanda", None)) == ["one", "two"]


def test_where_nobody_can_be_asked_a_bar_that_needs_to_know_is_told(directory):
    directory.sets = []
    with pytest.raises(psycopg.OperationalError, match="away"):
        SetsOfFeeds()("oanda", None)
