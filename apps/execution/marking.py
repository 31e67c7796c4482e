"""Telling shards the prices of now: accounts are valued, and stopped by risk, while nothing of theirs is traded."""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

import psycopg
from django.db import Error

from apps.execution.book_contracts import MarkPrices
from apps.execution.interface import ALIAS
from banyan.clock import Clock
from banyan.columns import ints
from banyan.ids import derive
from banyan.store import Store
from banyan.transport import Command, ask
from trading.bars import Close

_LOGGER = logging.getLogger(__name__)
_LOOK_SECONDS = 5.0
_SMALL = 10_000
"""A price that has moved by less than this part of itself is not told at once,"""
_SMALL_NS = 60_000_000_000
"""but when the last one was told so long ago: each time every account that holds anything is valued. A price that has
not moved since is told then too, and values nobody: it is not stale."""


class Marking:
    """Looks every few seconds which closing quotes have moved. `closes` returns those of now, by instrument."""

    name = "marks"

    def __init__(self, closes: Callable[[], Mapping[str, Close]], clock: Clock) -> None:
        self._closes = closes
        self._clock = clock
        self._told: dict[str, tuple[Close, int]] = {}  # and when, by the monotonic clock
        self._asked: list[str] = []
        self._woken = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set; while a database is away nobody is told anything."""
        while not stop.is_set():
            try:
                self.look()
            except (Error, psycopg.Error) as problem:
                why = str(problem).strip().partition("\n")[0]
                _LOGGER.warning("%s: accounts are valued when the database is back: %s", self.name, why)
            self._woken.wait(_LOOK_SECONDS)

    def wake(self) -> None:
        """Stop waiting."""
        self._woken.set()

    def look(self) -> int:
        """Tell the shards that have accounts what has moved enough; return how many are told.

        One that has not taken yet what it was told last is told more when it has. Raises psycopg.Error.
        """
        now_ns = self._clock.monotonic_ns()
        moved = {name: close for name, close in self._closes().items() if self._is_due(name, close, now_ns)}
        if not moved:
            return 0
        store = Store(ALIAS)
        try:
            shards = {key for (key,) in store.connection.execute("SELECT DISTINCT shard FROM execution_account")}
            query = "SELECT id, key FROM banyan_request WHERE id = ANY(%s)"
            waiting = dict(store.connection.execute(query, [self._asked]).fetchall())
            behind = set(waiting.values())
            self._asked = [*waiting, *self._ask(store, sorted(shards - behind), moved)]
        finally:
            with suppress(psycopg.Error):
                store.close()
        if not behind:
            self._told |= {name: (close, now_ns) for name, close in moved.items()}
        return len(shards - behind)

    def _ask(self, store: Store, shards: list[str], moved: Mapping[str, Close]) -> list[str]:
        message = MarkPrices(
            instruments=list(moved),
            bid_ticks=ints([each.bid_ticks for each in moved.values()]),
            ask_ticks=ints([each.ask_ticks for each in moved.values()]),
            quoted_at_ns=ints([each.closed_at_ns for each in moved.values()]),
        )
        now_ns = self._clock.wall_ns()
        commands = [Command(shard, message, derive("mark-prices", shard, now_ns)) for shard in shards]
        ask(store, commands, now_ns)
        return [each.id for each in commands]

    def _is_due(self, name: str, close: Close, now_ns: int) -> bool:
        if name not in self._told:
            return True
        told, told_ns = self._told[name]
        by = max(abs(close.bid_ticks - told.bid_ticks), abs(close.ask_ticks - told.ask_ticks))
        if by > 0 and by * _SMALL >= told.bid_ticks:
            return True
        return close != told and now_ns - told_ns >= _SMALL_NS
