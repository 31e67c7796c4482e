"""Feeds are told which sets want their bars."""

import threading

import pytest
from django.db import OperationalError

from apps.signals import listening
from apps.signals.listening import Listening
from tests.patience import PATIENCE_SECONDS


class Feeds:
    """Which sets want bars, who is told so, and what fails."""

    def __init__(self) -> None:
        self.wanted = {("oanda", "one")}
        self.told: list[tuple[str, str, bool]] = []
        self.looked = threading.Semaphore(0)
        self.failures = 0

    def look(self) -> set[tuple[str, str]]:
        self.looked.release()
        if self.failures:
            self.failures -= 1
            raise OperationalError("away")
        return set(self.wanted)

    def listen(self, feed: str, name: str, *, listens: bool) -> None:
        self.told.append((feed, name, listens))

    def wait(self, looks: int) -> None:
        """Wait for so many looks from now on: there may have been more than anybody has waited for."""
        while self.looked.acquire(blocking=False):
            pass
        for _ in range(looks):
            assert self.looked.acquire(timeout=PATIENCE_SECONDS)


@pytest.fixture
def feeds(monkeypatch):
    made = Feeds()
    monkeypatch.setattr(listening, "wanted", made.look)
    monkeypatch.setattr(listening, "listen", made.listen)
    monkeypatch.setattr(listening, "_LOOK_SECONDS", 0.01)
    return made


@pytest.fixture
def running(feeds):
    worker, stop = Listening(), threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))

    def start() -> None:
        thread.start()

    yield start
    stop.set()
    worker.wake()
    thread.join()


def test_who_listens_is_told_once_and_who_does_not_any_more_too(feeds, running):
    running()
    feeds.wait(3)
    assert feeds.told == [("oanda", "one", True)]
    feeds.wanted = {("oanda", "two"), ("nasdaq", "two")}
    feeds.wait(3)
    assert feeds.told[1:] == [("oanda", "one", False), ("nasdaq", "two", True), ("oanda", "two", True)]


def test_while_nobody_can_be_asked_nobody_is_told_that_sets_are_gone(feeds, running):
    running()
    feeds.wait(3)
    feeds.failures = 2
    feeds.wait(5)
    assert feeds.told == [("oanda", "one", True)]
