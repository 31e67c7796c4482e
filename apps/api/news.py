"""What has come, read once for all who listen to it in this process.

Who listens has places. Who has come as far as the others is given what they are given, and takes what is theirs; who is
behind reads their own rows until they are there. Nothing is read for clients to whom nobody listens.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import orjson
from asgiref.sync import sync_to_async
from django.db import connections

from apps.api.families import FAMILIES, Family
from apps.api.rows import told
from apps.api.tenancy import Whose, scope_of_clients
from apps.reporting import interface as reporting
from apps.reporting.interface import Place

_A_PIECE = 500
_PIECES_KEPT = 64
_BEGIN: Place = (0,)
Places = Mapping[str, Place]


class Item(NamedTuple):
    """A row that came: where, whose, what it is about, and how it is told."""

    log: str
    place: Place
    client: str
    account: str
    set: str
    instruments: Sequence[str]
    data: bytes


class Piece:
    """Rows up to places, those of `clients`; "" among them: of all."""

    def __init__(self, items: Sequence[Item], high: Places, clients: Collection[str]) -> None:
        self.high = high
        self._clients = clients
        self._items = items
        self._of_accounts: dict[str, list[Item]] = {}
        self._of_clients: dict[str, list[Item]] = {}
        for item in items:
            self._of_accounts.setdefault(item.account, []).append(item)
            self._of_clients.setdefault(item.client, []).append(item)

    def has_all_of(self, client: str) -> bool:
        """Tell whether it was read for a client too, or ("") for the firm."""
        return "" in self._clients or client in self._clients

    def within(self, scope: Whose) -> Iterator[Item]:
        """Yield the items within a scope."""
        found = self._items
        if scope.account:
            found = self._of_accounts.get(scope.account, [])
        elif scope.client:
            found = self._of_clients.get(scope.client, [])
        for item in found:
            is_theirs = scope.client in ("", item.client) and scope.set in ("", item.set)
            if is_theirs and (not scope.instrument or scope.instrument in item.instruments):
                yield item


class Course(NamedTuple):
    """How far a listener has come; `following` is the number of the piece that is next, for who is with the others."""

    places: Places
    following: int | None = None


class News:
    """What comes of a family, while somebody listens. One piece is read at a time, and the last ones are kept."""

    def __init__(self, of: Family) -> None:
        self.listeners: Counter[str] = Counter()
        self._of = of
        self._lock = asyncio.Lock()
        self._pieces: deque[Piece] = deque(maxlen=_PIECES_KEPT)
        self._last = 0
        self._high: Places | None = None
        self._seen: object = None
        self._clients: dict[str, str] = {}

    async def after(self, course: Course, scope: Whose, marks: object) -> tuple[Piece | None, Course]:
        """Return what comes next to a listener, and how far they are then; None: nothing, until marks change."""
        if self._is_at_the_end(course):
            await self._read_on(marks, self._last)
            if self._is_at_the_end(course):
                return None, Course(course.places, self._last + 1)
        number, high = self._last, self._high
        assert high is not None
        if course.following is not None and course.following > number - len(self._pieces):
            piece = self._pieces[course.following - number - 1]
            if piece.has_all_of(scope.client):  # who began to listen while it was read reads their own
                return piece, Course(self._ahead(course.places, piece.high), course.following + 1)
        own = await self._read(scope, course.places, high, [scope.client])
        return own, Course(own.high, None if self._lacks(own.high, high) else number + 1)

    def _is_at_the_end(self, course: Course) -> bool:
        if course.following is not None:
            return course.following > self._last
        return self._high is None or not self._lacks(course.places, self._high)

    async def _read_on(self, marks: object, last: int) -> None:
        """Read the next piece for all who listen, unless somebody has done so meanwhile, or there is none."""
        async with self._lock:
            if self._last > last or (self._high is not None and self._seen == marks):
                return
            upto = await sync_to_async(self._marks, thread_sensitive=False)()
            if self._high is None:
                self._high = upto
            upto = self._ahead(self._high, upto)
            if upto != self._high:
                clients = sorted(client for client, count in self.listeners.items() if count)
                piece = await self._read(scope_of_clients(clients), self._high, upto, clients)
                self._pieces.append(piece)
                self._last += 1
                self._high = piece.high
            if upto == self._high:
                self._seen = marks

    def _lacks(self, places: Places, others: Places) -> bool:
        return any(self._of.is_later(place, places.get(log, _BEGIN)) for log, place in others.items())

    def _ahead(self, places: Places, others: Places) -> Places:
        """Return of each log the place that is further on."""
        if places == others:
            return others
        further = {log: place for log, place in others.items() if self._of.is_later(place, places.get(log))}
        return {**places, **further}

    def _marks(self) -> Places:
        try:
            return self._of.marks()
        finally:
            connections.close_all()

    async def _read(self, scope: Whose, after: Places, upto: Places, clients: Collection[str]) -> Piece:
        """Return the next rows within a scope, which is that of `clients`."""
        items, high = await sync_to_async(self._items, thread_sensitive=False)(scope, after, upto)
        return Piece(items, high, clients)

    def _items(self, scope: Whose, after: Places, upto: Places) -> tuple[list[Item], Places]:
        """Return the next rows within a scope, and up to where; of rows that are the same thing only the last."""
        of = self._of
        try:
            found = of.onward(scope, after, upto, _A_PIECE)
            last = found
            if of.thing is not None:
                newest = {of.thing(each[-1]): at for at, each in enumerate(found)}
                last = [found[at] for at in sorted(newest.values())]
            rows = told(of.row, of.told([row for *_, row in last]))
            about = [of.about(row) for *_, row in last]
            self._learn_clients({each.account for each in about})
        finally:
            connections.close_all()
        items = [
            Item(log, place, self._clients.get(each.account, ""), *each, orjson.dumps(row))
            for (log, place, _), each, row in zip(last, about, rows, strict=True)
        ]
        reached = {**after, **{log: place for log, place, _ in found}}
        return items, reached if len(found) == _A_PIECE else self._ahead(reached, upto)

    def _learn_clients(self, accounts: set[str]) -> None:
        unknown = accounts - {""} - self._clients.keys()
        if unknown:
            self._clients |= reporting.clients_of(sorted(unknown))


_NEWS: dict[str, News] = {}


@contextmanager
def listened(family: str, client: str) -> Iterator[News]:
    """Give what comes of a family to a listener of a client, or ("") of the firm; it is there while anybody is."""
    news = _NEWS.setdefault(family, News(FAMILIES[family]))
    news.listeners[client] += 1
    try:
        yield news
    finally:
        news.listeners[client] -= 1
        if not news.listeners.total():
            _NEWS.pop(family, None)
