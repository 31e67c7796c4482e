"""Streams of server-sent events: what came since a place that the listener names, and whatever comes."""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import orjson
from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from apps.api import asking
from apps.api.access import Caller, caller_of, key_of
from apps.api.families import FAMILIES
from apps.api.news import Course, News, listened
from apps.api.problems import Problem, answer
from apps.api.tenancy import scope_of
from apps.console.interface import PULSE, Beat
from apps.reporting.interface import Place

_HEARTBEAT_SECONDS = 10.0
_RETRY_MS = 2_000
_PLACE_MAX = 8_000


async def stream(request: HttpRequest, family: str) -> HttpResponse | StreamingHttpResponse:
    """Answer with what came since a place, and go on."""
    try:
        listener = await sync_to_async(_listener)(request, family)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is answered as a problem)
        return answer(error, {})
    response = StreamingHttpResponse(listener.events(PULSE.beats(float("inf"))), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


class Listener:
    """Somebody who listens to a family, as far as they have heard."""

    def __init__(
        self, family: str, caller: Caller, asked: Mapping[str, Any], places: Mapping[str, Place],
        check: Callable[[], object],
    ) -> None:  # fmt: skip
        self._name, self._family = family, FAMILIES[family]
        self._scope = scope_of(caller, {**asked, "since": None})
        self._course = Course(places)
        self._check = check

    async def events(self, beats: AsyncIterator[Beat]) -> AsyncIterator[bytes]:
        """Yield events as they are sent, for as long as there are beats and the key is good.

        Whoever reads slowly is looked up for slowly: nothing is kept for them.
        """
        yield b"retry: %d\n%b" % (_RETRY_MS, _event("begin", self._course.places, b"{}"))
        seen: object = None
        told_at = checked_at = time.monotonic()
        with listened(self._name, self._scope.client) as news:
            async for beat in beats:
                if beat.problem:
                    continue
                marks: object = beat if self._family.is_apart else beat.marks
                if marks != seen:
                    seen = marks
                    async for event in self._come(news, marks):
                        told_at = time.monotonic()
                        yield event
                now = time.monotonic()
                if now - checked_at >= _HEARTBEAT_SECONDS:
                    checked_at = now
                    if not await sync_to_async(self._is_good, thread_sensitive=False)():
                        return
                if now - told_at >= _HEARTBEAT_SECONDS:
                    told_at = now
                    yield b": heartbeat\n\n"

    async def _come(self, news: News, marks: object) -> AsyncIterator[bytes]:
        while True:
            before = self._course.places
            piece, course = await news.after(self._course, self._scope, marks)
            if piece is None:
                self._course = course
                return
            at = dict(before)
            for item in piece.within(self._scope):
                if self._family.is_later(item.place, before.get(item.log)):
                    at[item.log] = item.place
                    yield _event(self._name, at, item.data)
            self._course = course

    def _is_good(self) -> bool:
        try:
            self._check()
        except Problem:
            return False
        finally:
            connections.close_all()
        return True


def _event(name: str, places: Mapping[str, Place], data: bytes) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (written(places), name.encode(), data)


def written(places: Mapping[str, Place]) -> bytes:
    """Return places as an event's id."""
    return orjson.dumps(places, option=orjson.OPT_SORT_KEYS)


def read(text: str, kinds: Sequence[type]) -> dict[str, Place]:
    """Return the places that an event's id stands for. Raises Problem for what is none."""
    try:
        found = orjson.loads(text) if len(text) <= _PLACE_MAX else None
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Problem("cursor-invalid", "Last-Event-ID is the id of none of our events.")
    places = {shard: tuple(place) if isinstance(place, list) else () for shard, place in found.items()}
    for place in places.values():
        if [type(each) for each in place] not in ([int], [int, *kinds]) or not all(map(_fits, place)):
            raise Problem("cursor-invalid", "Last-Event-ID is the id of none of our events.")
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
    asked = asking.read(request.GET, FAMILIES[family].parameters)
    of, last = FAMILIES[family], request.headers.get("Last-Event-ID", "")
    if last:
        places = read(last, of.kinds)
    elif asked.get("since") is not None:
        places = of.since(asked["since"])
    else:
        places = of.marks()
    return Listener(family, caller, asked, places, lambda: key_of(request))
