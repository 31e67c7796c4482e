"""Telling feeds which sets want their bars: what a feed gives whom stands in the feed's own log."""

import contextlib
import logging
import threading
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

import psycopg
from django.db import Error, connections

from apps.feeds.interface import listen
from apps.signals.models import StrategySet

ALIAS = "signals"
_LOGGER = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0


def wanted() -> set[tuple[str, str]]:
    """Return (feed, set) of all that listen: sets that were started and are not parked. Raises django.db.Error."""
    rows = StrategySet.objects.using(ALIAS).filter(is_started=True, parked_because="").values_list("id", "feeds")
    return {(feed, name) for name, feeds in rows for feed in feeds}


def say_who_listens(name: str, feeds: Iterable[str]) -> None:
    """Have feeds give a set their bars from now on. Raises psycopg.OperationalError."""
    for feed in feeds:
        listen(feed, name, listens=True)


class Listening:
    """Tells feeds once a second of sets that listen from now on, or do not any more.

    Who starts a set tells them too, so that it misses no bar. This is for what changes otherwise: sets that are parked
    because they fail, and feeds that know less, because they were restored, or come from a version that asked instead.
    """

    name = "sets-listening"

    def __init__(self) -> None:
        self._told: AbstractSet[tuple[str, str]] = frozenset()
        self._woken = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set; while a database is away nobody is told anything."""
        while not stop.is_set():
            try:
                self._look()
            except (Error, psycopg.Error) as problem:
                _LOGGER.warning("%s: feeds are told later: %s", self.name, problem)
                with contextlib.suppress(Error):
                    connections[ALIAS].close()
            self._woken.wait(_LOOK_SECONDS)
        connections[ALIAS].close()

    def wake(self) -> None:
        """Return from waiting."""
        self._woken.set()

    def _look(self) -> None:
        now = wanted()
        for feed, name in sorted(self._told - now):
            listen(feed, name, listens=False)
        for feed, name in sorted(now - self._told):
            listen(feed, name, listens=True)
        self._told = now
