"""What has come, read once for all who listen to it in this process, and their keys, looked at for all of them at once.

Who listens has places. Who has come as far as the others is given what they are given, and takes what is theirs; who is
behind reads their own rows until they are there. Nothing is read for clients to whom nobody listens.

Databases are asked by a few threads, however many listen. One that cannot be asked is left alone for a moment, so that
not each listener waits for it.
"""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from apps.api.access import Caller
from apps.api.families import FAMILIES, Family
from apps.api.keys import problems_of
from apps.api.pieces import Piece, Places, Reader
from apps.api.problems import Problem, one_line
from apps.api.tenancy import Whose, scope_of_clients
from banyan.road import RoadSeen, place_of

_LOGGER = logging.getLogger(__name__)
_A_PIECE = 500
_PIECES_KEPT = 64
_THREADS = ThreadPoolExecutor(4, "api-news")
_AWAY_SECONDS = 1.0
_KEYS_SECONDS = 1.0
_ROAD = RoadSeen(place_of(settings.DATA_DIR))


class AwayError(RuntimeError):
    """What was to be looked up cannot be at the moment: a database is away. It can be asked for again."""


class Asking:
    """Asks a database in a thread, and does not ask again for a moment when it is away."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._away_until = 0.0

    async def ask(self, look: Callable[..., Any], *given: Any) -> Any:
        """Return what is looked up. Raises AwayError."""
        self._check()
        await _ROAD.let_go_first()
        return await asyncio.get_running_loop().run_in_executor(_THREADS, partial(self._asked, look, *given))

    def _asked(self, look: Callable[..., Any], *given: Any) -> Any:
        self._check()  # others may have found out while this waited for its turn
        try:
            return look(*given)
        except (OperationalError, InterfaceError) as error:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            _LOGGER.warning("%s cannot be looked up, it is tried again: %s", self._what, one_line(error))
            raise AwayError(self._what) from None
        finally:
            connections.close_all()

    def _check(self) -> None:
        if time.monotonic() < self._away_until:
            raise AwayError(self._what)


class Course(NamedTuple):
    """How far a listener has come; `following` is the number of the piece that is next, for who is with the others."""

    places: Places
    following: int | None = None


class News:
    """What comes of a family, while somebody listens. One piece is read at a time, and the last ones are kept."""

    def __init__(self, name: str, of: Family) -> None:
        self.listeners: Counter[str] = Counter()
        self._of = of
        self._reader = Reader(of)
        self._asking = Asking(f"what came to {name}")
        self._lock = asyncio.Lock()
        self._pieces: deque[Piece] = deque(maxlen=_PIECES_KEPT)
        self._last = 0
        self._high: Places | None = None
        self._seen: object = None

    async def after(self, course: Course, scope: Whose, marks: object) -> tuple[Piece | None, Course]:
        """Return what comes next to a listener, and how far they are then; None: nothing, until marks change.

        Raises AwayError.
        """
        if self._is_at_the_end(course):
            await self._read_on(marks, self._last)
            if self._is_at_the_end(course):
                return None, Course(course.places, self._last + 1)
        number, high = self._last, self._high
        assert high is not None
        if course.following is not None and course.following > number - len(self._pieces):
            piece = self._pieces[course.following - number - 1]
            if piece.has_all_of(scope.client):  # who began to listen while it was read reads their own
                return piece, Course(self._reader.ahead(course.places, piece.high), course.following + 1)
        own = await self._read(scope, course.places, high, [scope.client])
        return own, Course(own.high, None if self._reader.lacks(own.high, high) else number + 1)

    def _is_at_the_end(self, course: Course) -> bool:
        if course.following is not None:
            return course.following > self._last
        return self._high is None or not self._reader.lacks(course.places, self._high)

    async def _read_on(self, marks: object, last: int) -> None:
        """Read the next piece for all who listen, unless somebody has done so meanwhile, or there is none."""
        async with self._lock:
            if self._last > last or (self._high is not None and self._seen == marks):
                return
            upto: Places = await self._asking.ask(self._of.marks)
            if self._high is None:
                self._high = upto
            upto = self._reader.ahead(self._high, upto)
            if upto != self._high:
                clients = sorted(client for client, count in self.listeners.items() if count)
                piece = await self._read(scope_of_clients(clients), self._high, upto, clients)
                self._pieces.append(piece)
                self._last += 1
                self._high = piece.high
            if upto == self._high:
                self._seen = marks

    async def _read(self, scope: Whose, after: Places, upto: Places, clients: Collection[str]) -> Piece:
        """Return the next rows within a scope, which is that of `clients`."""
        piece: Piece = await self._asking.ask(self._reader.piece, scope, after, upto, clients, _A_PIECE)
        return piece


class WatchedKeys:
    """The keys of who listens, looked at together."""

    def __init__(self) -> None:
        self.listeners: Counter[str] = Counter()
        self._asking = Asking("whether keys are still good")
        self._lock = asyncio.Lock()
        self._problems: Mapping[str, Problem] = {}
        self._until = 0.0

    async def problem_of(self, key: str) -> Problem | None:
        """Return why a key is good no more, None while it is, as of a second ago at most. Raises AwayError."""
        if time.monotonic() >= self._until:
            async with self._lock:
                if time.monotonic() >= self._until:
                    keys = [each for each, count in self.listeners.items() if count]
                    self._problems = await self._asking.ask(lambda: problems_of(keys, timezone.now()))
                    self._until = time.monotonic() + _KEYS_SECONDS
        return self._problems.get(key)


def check_streams(caller: Caller) -> None:
    """Raise Problem where as many listen by a key in this process as may; for any thread."""
    if sum(each.listeners[caller.key] for each in tuple(_KEYS)) >= caller.streams:
        told = f"It may have {caller.streams:,} open at once here."
        raise Problem("too-many-streams", told, headers={"Retry-After": "10"})


_NEWS: dict[str, News] = {}
_KEYS: list[WatchedKeys] = []


@contextmanager
def listened(family: str, client: str) -> Iterator[News]:
    """Give what comes of a family to a listener of a client, or ("") of the firm; it is there while anybody is."""
    news = _NEWS.setdefault(family, News(family, FAMILIES[family]))
    news.listeners[client] += 1
    try:
        yield news
    finally:
        news.listeners[client] -= 1
        if not news.listeners.total():
            _NEWS.pop(family, None)


@contextmanager
def watched(caller: Caller) -> Iterator[WatchedKeys]:
    """Have a key looked at together with those of all others who listen. Raises Problem where too many do by it."""
    check_streams(caller)
    if not _KEYS:
        _KEYS.append(WatchedKeys())
    keys = _KEYS[0]
    keys.listeners[caller.key] += 1
    try:
        yield keys
    finally:
        keys.listeners[caller.key] -= 1
        if not keys.listeners.total():
            _KEYS.clear()
