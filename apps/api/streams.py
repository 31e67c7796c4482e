"""Streams of server-sent events: what came since a place that the listener names, and whatever comes."""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from asgiref.sync import sync_to_async
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from rest_framework import serializers

from apps.api import asking
from apps.api.access import Caller, caller_of, key_of
from apps.api.asking import Parameter
from apps.api.problems import Problem, answer
from apps.api.resources.signalled import SignalRow
from apps.api.resources.trading import FillRow, OrderRow, PositionRow, RefusalRow
from apps.api.rows import Row, Time, told
from apps.api.tenancy import scope_of
from apps.console.interface import PULSE, Beat
from apps.reporting import interface as reporting
from apps.reporting.interface import Place

_A_PIECE = 500
_HEARTBEAT_SECONDS = 10.0
_RETRY_MS = 2_000
_PLACE_MAX = 8_000
_SINCE = asking.moment("since", "From this time on; the header Last-Event-ID goes before it.")
_SET = asking.text("set", "Only of this strategy set, or of the book manual or external.")
_INSTRUMENT = asking.text("instrument", "Only in this instrument.")
OF_ACCOUNTS = (
    asking.text("client", "Only of this client."), asking.text("account", "Only of this account."), _SET, _INSTRUMENT,
    _SINCE,
)  # fmt: skip
Piece = list[tuple[str, Place, dict[str, Any]]]


class FeedEventRow(Row):
    """What happened to a feed: `what` is stale, back, gap or quarantined."""

    at = Time(source="said_at_ns", allow_null=False)
    feed = serializers.CharField()
    what = serializers.CharField()
    instrument = serializers.CharField()
    detail = serializers.CharField()


class Family(NamedTuple):
    """What can be listened to: how its rows are found, how they are told, and where and when each came.

    `source` is whose logs it follows, `key` the column of its table that names a log. Of rows that are the same thing,
    by `thing`, only the last of a piece is told.
    """

    onward: Callable[..., Sequence[tuple[str, Place, Any]]]
    row: type[Row]
    table: str
    time: str
    kinds: tuple[type, ...]
    """Of what a place in a record consists."""
    told: Callable[[Sequence[Any]], Sequence[Any]] = list
    parameters: Sequence[Parameter] = OF_ACCOUNTS
    source: str = "execution"
    key: str = "shard"
    is_firm_only: bool = False
    thing: Callable[[Any], object] | None = None


FAMILIES: Mapping[str, Family] = {
    "orders": Family(
        reporting.orders_onward, OrderRow, "reporting_orderchange", "changed_at_ns", (str, str, int),
        told=reporting.with_reasons,
        thing=lambda row: (row.account, row.instrument, row.decision),
    ),
    "fills": Family(reporting.fills_onward, FillRow, "reporting_fill", "filled_at_ns", (int,) * 3),
    "positions": Family(
        reporting.positions_onward, PositionRow, "reporting_fill", "filled_at_ns", (int,) * 3,
        thing=lambda row: (row.account, row.set, row.instrument),
    ),
    "refusals": Family(
        reporting.refusals_onward, RefusalRow, "reporting_refusal", "refused_at_ns", (str, str, int),
        told=lambda rows: [row._asdict() | {"words": reporting.refusal_in_words(row)} for row in rows],
    ),
    "signals": Family(
        reporting.signals_onward, SignalRow, "reporting_signal", "said_at_ns", (int,),
        parameters=(_SET, _INSTRUMENT, _SINCE), source="signals", key="set", is_firm_only=True,
    ),
    "feeds": Family(
        reporting.feed_events_onward, FeedEventRow, "reporting_feedevent", "said_at_ns", (int,),
        parameters=(_INSTRUMENT, _SINCE), source="feeds", key="feed", is_firm_only=True,
    ),
}  # fmt: skip


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
            if beat.marks != seen:
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
        upto = await sync_to_async(_marks, thread_sensitive=False)(self._family.source)
        while True:
            found, piece = await sync_to_async(self._piece, thread_sensitive=False)(upto)
            for log, place, row in piece:
                self._places[log] = place
                yield self._event(self._name, row)
            if found < _A_PIECE:
                break
        self._places = {**self._places, **upto}

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


def _marks(source: str) -> dict[str, Place]:
    try:
        return reporting.log_marks(source)
    finally:
        connections.close_all()


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
    if "read" not in caller.scopes:
        raise Problem("scope-missing", "This needs a key with the scope read.")
    asked = asking.read(request.GET, FAMILIES[family].parameters)
    of, last = FAMILIES[family], request.headers.get("Last-Event-ID", "")
    if last:
        places = read(last, of.kinds)
    elif asked["since"] is not None:
        places = reporting.places_at(of.table, of.time, asked["since"], of.key)
    else:
        places = reporting.log_marks(of.source)
    return Listener(family, caller, asked, places, lambda: key_of(request))
