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
from apps.api.problems import Problem, answer
from apps.api.rows import told
from apps.api.tenancy import scope_of
from apps.console.interface import PULSE, Beat
from apps.reporting.interface import Place

_A_PIECE = 500
_HEARTBEAT_SECONDS = 10.0
_RETRY_MS = 2_000
_PLACE_MAX = 8_000
Piece = list[tuple[str, Place, dict[str, Any]]]


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
        self._places = dict(places)
        self._check = check

    async def events(self, beats: AsyncIterator[Beat]) -> AsyncIterator[bytes]:
        """Yield events as they are sent, for as long as there are beats and the key is good.

        Whoever reads slowly is looked up for slowly: nothing is kept for them.
        """
        yield b"retry: %d\n%b" % (_RETRY_MS, self._event("begin", {}))
        seen: Mapping[str, int] | None = None
        told_at = time.monotonic()
        async for beat in beats:
            if beat.problem:
                continue
            if beat.marks != seen or self._family.is_apart:
                seen = beat.marks
                async for event in self._come():
                    told_at = time.monotonic()
                    yield event
            if time.monotonic() - told_at >= _HEARTBEAT_SECONDS:
                told_at = time.monotonic()
                if not await sync_to_async(self._is_good, thread_sensitive=False)():
                    return
                yield b": heartbeat\n\n"

    async def _come(self) -> AsyncIterator[bytes]:
        upto = await sync_to_async(self._marks, thread_sensitive=False)()
        while True:
            found, piece = await sync_to_async(self._piece, thread_sensitive=False)(upto)
            for log, place, row in piece:
                self._places[log] = place
                yield self._event(self._name, row)
            if found < _A_PIECE:
                break
        self._places = {**self._places, **upto}

    def _marks(self) -> dict[str, Place]:
        try:
            return self._family.marks()
        finally:
            connections.close_all()

    def _piece(self, upto: Mapping[str, Place]) -> tuple[int, Piece]:
        """Return how many rows a piece has, and those of them that are told, with their places."""
        of = self._family
        try:
            found = of.onward(self._scope, self._places, upto, _A_PIECE)
            last = found
            if of.thing is not None:
                newest = {of.thing(each[-1]): at for at, each in enumerate(found)}
                last = [found[at] for at in sorted(newest.values())]
            rows = told(of.row, of.told([row for *_, row in last]))
            return len(found), [(log, place, row) for (log, place, _), row in zip(last, rows, strict=True)]
        finally:
            connections.close_all()

    def _is_good(self) -> bool:
        try:
            self._check()
        except Problem:
            return False
        finally:
            connections.close_all()
        return True

    def _event(self, name: str, data: Any) -> bytes:
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (
            written(self._places), name.encode(), orjson.dumps(data),
        )  # fmt: skip


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
