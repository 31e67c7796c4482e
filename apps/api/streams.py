"""Streams of server-sent events: what came since a place that the listener names, and whatever comes."""

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import orjson
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from apps.api import asking
from apps.api.access import Caller, caller_of
from apps.api.families import FAMILIES
from apps.api.news import AwayError, Course, News, check_streams, listened, watched
from apps.api.problems import Problem, answer
from apps.api.sealing import opened, sealed
from apps.api.tenancy import scope_of
from apps.console.interface import PULSE, Beat
from apps.reporting.interface import Place
from banyan import tracing

_LOGGER = logging.getLogger(__name__)
_HEARTBEAT_SECONDS = 10.0
_RETRY_MS = 2_000
_PLACE_MAX = 12_000
_TOGETHER_BYTES = 16_384
"""Of events that come together, as many are sent at once."""


def stream(request: HttpRequest, family: str) -> HttpResponse | StreamingHttpResponse:
    """Answer with what came since a place, and go on."""
    try:
        listener = _listener(request, family)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is answered as a problem)
        return answer(error, {})
    response = StreamingHttpResponse(listener.events(PULSE.beats(float("inf"))), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


class Keys(Protocol):
    """Keys that are looked at while somebody listens by them."""

    async def problem_of(self, key: str) -> Problem | None:
        """Return why a key is good no more, None while it is. Raises AwayError."""


class Listener:
    """Somebody who listens to a family, as far as they have heard."""

    def __init__(
        self, family: str, caller: Caller, asked: Mapping[str, Any], places: Mapping[str, Place],
        watched: Callable[[Caller], AbstractContextManager[Keys]] = watched,
    ) -> None:  # fmt: skip
        self._name, self._family = family, FAMILIES[family]
        self._caller = caller
        self._scope = scope_of(caller, {**asked, "since": None})
        self._course = Course(places)
        self._watched = watched
        self._request_id = tracing.current()
        self._told_at = 0.0

    async def events(self, beats: AsyncIterator[Beat]) -> AsyncIterator[bytes]:
        """Yield events as they are sent, for as long as there are beats and the key is good.

        Whoever reads slowly is looked up for slowly: nothing is kept for them. While a database is away they are told
        so, and what comes meanwhile when it is back.
        """
        try:
            with self._watched(self._caller) as keys, listened(self._name, self._scope.client) as news:
                yield b"retry: %d\n%b" % (_RETRY_MS, _event(self._name, "begin", self._course.places, b"{}"))
                self._told_at = time.monotonic()
                async for event in self._heard(beats, news, keys):
                    self._told_at = time.monotonic()
                    yield event
        except Problem as problem:
            yield self._trouble(problem)
        except Exception:
            with tracing.traced(self._request_id):
                _LOGGER.exception("a stream of %s failed", self._name)
            yield self._trouble(Problem("internal"))

    async def _heard(self, beats: AsyncIterator[Beat], news: News, keys: Keys) -> AsyncIterator[bytes]:
        """Yield what comes. Raises Problem when the key is good no more."""
        seen: object = None
        is_away = False
        async for beat in beats:
            try:
                await self._check(keys)
                if beat.problem:
                    raise AwayError(beat.problem)
                marks: object = beat if self._family.is_apart else beat.marks
                if marks != seen:
                    async for event in self._come(news, keys, marks):
                        yield event
                    seen = marks
                is_away = False
            except AwayError:
                if not is_away:
                    yield self._trouble(
                        Problem("unavailable", "A database is away; what comes meanwhile is told then.")
                    )
                is_away = True
            if time.monotonic() - self._told_at >= _HEARTBEAT_SECONDS:
                yield b": heartbeat\n\n"

    async def _check(self, keys: Keys) -> None:
        if (problem := await keys.problem_of(self._caller.key)) is not None:
            raise problem

    def _trouble(self, problem: Problem) -> bytes:
        """Return the event that tells a problem. It has no id: who comes again does so after what they heard last."""
        told = problem.body() | {"request_id": self._request_id}
        return b"event: problem\ndata: %b\n\n" % orjson.dumps(told)

    async def _come(self, news: News, keys: Keys, marks: object) -> AsyncIterator[bytes]:
        while True:
            await self._check(keys)
            before = self._course.places
            piece, course = await news.after(self._course, self._scope, marks)
            if piece is None:
                self._course = course
                return
            at, events, size = dict(before), [], 0
            for item in piece.within(self._scope):
                if self._family.is_later(item.place, before.get(item.log)):
                    at[item.log] = item.place
                    events.append(_event(self._name, self._name, at, item.data))
                    size += len(events[-1])
                    if size >= _TOGETHER_BYTES:
                        yield b"".join(events)
                        events, size = [], 0
            if events:
                yield b"".join(events)
            self._course = course


def _event(family: str, name: str, places: Mapping[str, Place], data: bytes) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (written(places, family).encode(), name.encode(), data)


def written(places: Mapping[str, Place], family: str) -> str:
    """Return places in a family as an event's id."""
    return sealed(places, f"events of {family}")


def read(text: str, family: str) -> dict[str, Place]:
    """Return the places that an event's id stands for. Raises Problem for what is none of the family.

    It may be JSON, as ids were before they were sealed: what it may say is no more than `since` may.
    """
    wrong = Problem("cursor-invalid", f"Last-Event-ID is the id of no event of {family}.")
    if len(text) > _PLACE_MAX:
        raise wrong
    try:
        found = orjson.loads(text) if text.startswith("{") else opened(text, f"events of {family}")
    except orjson.JSONDecodeError:
        raise wrong from None
    if not isinstance(found, dict):
        raise wrong
    places = {shard: tuple(place) if isinstance(place, list) else () for shard, place in found.items()}
    kinds = FAMILIES[family].kinds
    for place in places.values():
        if [type(each) for each in place] not in ([int], [int, *kinds]) or not all(map(_fits, place)):
            raise wrong
    return places


def _fits(value: int | str) -> bool:
    return value.isprintable() if isinstance(value, str) else abs(value) < 2**63


def _listener(request: HttpRequest, family: str) -> Listener:
    if request.method != "GET":
        raise Problem("method-refused", headers={"Allow": "GET"})
    if family not in FAMILIES:
        raise Problem("not-found", f"There are streams of {', '.join(FAMILIES)}.")
    caller = caller_of(request)
    if caller is None:
        raise Problem("key-missing", headers={"WWW-Authenticate": "Bearer"})
    if caller.client and FAMILIES[family].is_firm_only:
        raise Problem("firm-only")
    if FAMILIES[family].scope not in caller.scopes:
        raise Problem("scope-missing", f"This needs a key with the scope {FAMILIES[family].scope}.")
    check_streams(caller)
    asked = asking.read(request.GET, FAMILIES[family].parameters)
    of, last = FAMILIES[family], request.headers.get("Last-Event-ID", "")
    if last:
        places = read(last, family)
    elif asked.get("since") is not None:
        places = of.since(asked["since"])
    else:
        places = of.marks()
    return Listener(family, caller, asked, places)
