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
"""but when the last one was told so long ago: each time every account that holds anything is valued."""

Quote = tuple[int, int]
"""Bid and ask, in ticks."""


class Marking:
    """Looks every few seconds which closing quotes have moved. `closes` returns those of now, by instrument."""

    name = "marks"

    def __init__(self, closes: Callable[[], Mapping[str, Close]], clock: Clock) -> None:
        self._closes = closes
        self._clock = clock
        self._told: dict[str, tuple[Quote, int]] = {}  # and when, by the monotonic clock
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
        quotes = {name: (each.bid_ticks, each.ask_ticks) for name, each in self._closes().items()}
        now_ns = self._clock.monotonic_ns()
        moved = {name: quote for name, quote in quotes.items() if self._is_due(name, quote, now_ns)}
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
            self._told |= {name: (quote, now_ns) for name, quote in moved.items()}
        return len(shards - behind)

    def _ask(self, store: Store, shards: list[str], moved: Mapping[str, Quote]) -> list[str]:
        message = MarkPrices(
            instruments=list(moved),
            bid_ticks=ints([bid for bid, _ in moved.values()]),
            ask_ticks=ints([ask_ticks for _, ask_ticks in moved.values()]),
        )
        now_ns = self._clock.wall_ns()
        commands = [Command(shard, message, derive("mark-prices", shard, now_ns)) for shard in shards]
        ask(store, commands, now_ns)
        return [each.id for each in commands]

    def _is_due(self, name: str, quote: Quote, now_ns: int) -> bool:
        if name not in self._told:
            return True
        told, told_ns = self._told[name]
        by = max(abs(new - old) for new, old in zip(quote, told, strict=True))
        return by > 0 and (by * _SMALL >= told[0] or now_ns - told_ns >= _SMALL_NS)
