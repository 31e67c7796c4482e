"""Instruments, bars and feeds."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request

from apps.api import asking
from apps.api.access import Caller
from apps.api.bars import FORMS, MEDIA_TYPES, columns_of, encode
from apps.api.problems import Problem
from apps.api.rendering import to_json
from apps.api.rows import Amount, Moment, Row, decimal, fields_of, time_text
from apps.api.sealing import cursor_of, place_of
from apps.api.views import Listing, Page, Thing, View, page_of
from apps.feeds import interface as feeds
from trading.intervals import IntervalError

_PLACES = 9
ROWS_MAX = 2_000_000
"""In one answer in columns or CSV."""
JSON_ROWS_MAX = 10_000


class InstrumentRow(Row):
    """What trading needs to know of an instrument; a step of 0: it has none."""

    id = serializers.CharField()
    asset_class = serializers.CharField()
    currency = serializers.CharField(help_text="In which prices are quoted.")
    tick_size = Amount(_PLACES, allow_null=False)
    lot_step = Amount(_PLACES, allow_null=False)
    lot_min = Amount(_PLACES, allow_null=False)
    contract_size = Amount(_PLACES, allow_null=False)
    margin_rate = Amount(_PLACES, allow_null=False)
    calendar = serializers.CharField()
    time_zone = serializers.CharField()


class FeedRow(Row):
    """How a live feed is: stopped, not run, opening, running, stale, failing or ended."""

    name = serializers.CharField()
    state = serializers.CharField()
    source = serializers.CharField()
    instruments = serializers.ListField(child=serializers.CharField())
    last_record_at = Moment()
    records = serializers.IntegerField()
    bars = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    problem = serializers.CharField()


class Instruments(Listing):
    """List instruments, by id."""

    tag = "markets"
    row = InstrumentRow
    kinds = (str,)

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        found = feeds.list_instruments(after[0] if after else "", most + 1)
        return Page(found[:most], (found[most - 1].id,) if len(found) > most else None)


class Instrument(Thing):
    """Show an instrument."""

    tag = "markets"
    row = InstrumentRow

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        try:
            return feeds.get_instrument(place["instrument"])
        except feeds.InstrumentNotFound as error:
            raise Problem("not-found", str(error)) from None


class Feeds(Listing):
    """List the live feeds, and how each is."""

    tag = "markets"
    row = FeedRow
    is_firm_only = True

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return them."""
        return Page(feeds.feed_standings())


class Feed(Thing):
    """Show how a live feed is."""

    tag = "markets"
    row = FeedRow
    is_firm_only = True

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        return next((each for each in feeds.feed_standings() if each.name == place["feed"]), None)


class BarRow(Row):
    """A bar; `time` is when it opened. Where there are quotes, prices are mids, with bid and ask at the close."""

    time = serializers.CharField()
    open = Amount(_PLACES, allow_null=False)
    high = Amount(_PLACES, allow_null=False)
    low = Amount(_PLACES, allow_null=False)
    close = Amount(_PLACES, allow_null=False)
    volume = Amount(_PLACES)
    bid_close = Amount(_PLACES)
    ask_close = Amount(_PLACES)


class Bars(View):
    """Read bars as JSON page by page, or in one piece as CSV, Parquet or a stream of Arrow (all columns, ns UTC)."""

    tag = "markets"
    row = BarRow
    parameters = (
        asking.text("interval", "Such as 1m, 1h or 1d.", is_required=True),
        asking.moment("start", "From this opening time on."),
        asking.moment("end", "Before this opening time."),
        asking.choice("adjust", ("all", "splits", "none"), "For what prices are adjusted.", default="all"),
        asking.choice("format", FORMS, "The format, where the header Accept does not say it."),
        asking.whole("limit", 1, JSON_ROWS_MAX, "How many bars a page of JSON has.", default=1_000),
        asking.CURSOR,
    )

    @classmethod
    def answers(cls) -> dict[str, Any]:
        """Return what is answered, by its media type."""
        others = {media_type: OpenApiTypes.BINARY for form, media_type in MEDIA_TYPES.items() if form != "json"}
        return {MEDIA_TYPES["json"]: page_of(BarRow), **others}

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Leave the format to `get`, which knows those that are no JSON."""
        return self.renderer_classes[0](), self.renderer_classes[0].media_type

    def get(self, request: Request, instrument: str) -> HttpResponse:
        """Answer with them."""
        asked = self.asked(request)
        form = asked["format"] or form_of(request.headers.get("Accept", ""))
        after = place_of(asked["cursor"], "", (int,))
        start = asked["start"] if after is None else after[0] + 1
        try:
            most = (asked["limit"] if form == "json" else ROWS_MAX) + 1
            bars = feeds.read_bars(instrument, asked["interval"], start, asked["end"], asked["adjust"], most)
        except feeds.InstrumentNotFound as error:
            raise Problem("not-found", str(error)) from None
        except feeds.NoData as error:
            raise Problem("no-data", str(error)) from None
        except IntervalError as error:
            raise Problem("parameter-invalid", errors=[{"parameter": "interval", "detail": str(error)}]) from None
        if form != "json":
            if len(bars) > ROWS_MAX:
                raise Problem("too-much", f"These are more than {ROWS_MAX:,} bars, and an answer has no more.")
            return HttpResponse(encode(bars.time, columns_of(bars), form), content_type=MEDIA_TYPES[form])
        most = asked["limit"]
        rows = _told(bars, most)
        following = cursor_of("", [int(bars.time[most - 1])]) if len(bars) > most else None
        return HttpResponse(to_json({"data": rows, "next": following}), content_type="application/json")


def _told(bars: Any, most: int) -> list[dict[str, Any]]:
    columns = columns_of(bars)
    times = [time_text(at_ns) for at_ns in bars.time[:most].tolist()]
    prices = {
        name: [decimal(value, _PLACES) for value in columns[name][:most].tolist()] if name in columns else None
        for name in fields_of(BarRow)
        if name != "time"
    }
    return [
        {"time": at} | {name: None if values is None else values[index] for name, values in prices.items()}
        for index, at in enumerate(times)
    ]


def form_of(accept: str) -> str:
    """Return the format that a header Accept asks for. Raises Problem."""
    wanted = [each.partition(";")[0].strip() for each in accept.split(",")]
    if not accept or any(each in ("*/*", "application/*", "application/json") for each in wanted):
        return "json"
    for form, media_type in MEDIA_TYPES.items():
        if media_type in wanted:
            return form
    raise Problem("not-acceptable", f"There are {', '.join(MEDIA_TYPES.values())}.")
