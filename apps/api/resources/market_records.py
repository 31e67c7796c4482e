"""Ticks, and rows of files that were not let in."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request

from apps.api import asking
from apps.api.access import Caller
from apps.api.bars import FORMS, MEDIA_TYPES, encode
from apps.api.doing import Body, Doing, Turn, by_kind
from apps.api.numbers import Number
from apps.api.problems import Problem
from apps.api.rendering import to_json
from apps.api.resources.markets import JSON_ROWS_MAX, ROWS_MAX, form_of
from apps.api.rows import Amount, Moment, Row, decimal, fields_of, time_text
from apps.api.sealing import cursor_of, place_of
from apps.api.views import Listing, Page, Thing, View, page_of
from apps.console.interface import Became
from apps.feeds import interface as feeds

_PLACES = 9
QUARANTINE_STATES = ("open", "released", "discarded")


class Columns(serializers.DictField):
    """Columns of a record by name, as decimal strings."""

    child = serializers.CharField()

    def to_representation(self, value: Mapping[str, float | str]) -> dict[str, str | None]:
        """Return them."""
        return {name: each if isinstance(each, str) else decimal(float(each), _PLACES) for name, each in value.items()}


class TickRow(Row):
    """A tick: a quote has bid and ask, a trade its price (`last`) and size."""

    time = serializers.CharField()
    bid = Amount(_PLACES)
    ask = Amount(_PLACES)
    last = Amount(_PLACES)
    size = Amount(_PLACES)


class QuarantinedRow(Row):
    """A row of a file that was not let in and why, or (reason `gap`) a hole before it; `text` is as it was read."""

    id = serializers.IntegerField()
    file = serializers.CharField()
    line = serializers.IntegerField()
    instrument = serializers.CharField()
    interval = serializers.CharField()
    reason = serializers.CharField()
    detail = serializers.CharField()
    text = serializers.CharField()
    time = Moment()
    imported_at = Moment(allow_null=False)
    values = Columns(allow_null=True, help_text="Its columns, where they could be read.")
    state = serializers.CharField(help_text="open, released or discarded.")
    decided_at = Moment()
    decided_by = serializers.CharField()
    decided_why = serializers.CharField()
    released = Columns(allow_null=True, help_text="What was let in: its time and its columns.")


class Ticks(View):
    """Read ticks as JSON page by page, or in one piece as CSV, Parquet or a stream of Arrow (ns UTC)."""

    tag = "markets"
    row = TickRow
    parameters = (
        asking.moment("start", "From this time on."),
        asking.moment("end", "Before this time."),
        asking.choice("format", FORMS, "The format, where the header Accept does not say it."),
        asking.whole("limit", 1, JSON_ROWS_MAX, "How many ticks a page of JSON has.", default=1_000),
        asking.CURSOR,
    )

    @classmethod
    def answers(cls) -> dict[str, Any]:
        """Return what is answered, by its media type."""
        others = {media_type: OpenApiTypes.BINARY for form, media_type in MEDIA_TYPES.items() if form != "json"}
        return {MEDIA_TYPES["json"]: page_of(TickRow), **others}

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Leave the format to `get`, which knows those that are no JSON."""
        return self.renderer_classes[0](), self.renderer_classes[0].media_type

    def get(self, request: Request, instrument: str) -> HttpResponse:
        """Answer with them."""
        asked = self.asked(request)
        form = asked["format"] or form_of(request.headers.get("Accept", ""))
        after = place_of(asked["cursor"], "", (int, int))
        try:
            if form == "json":
                return _page(instrument, asked, after)
            ticks = feeds.read_ticks(instrument, asked["start"], asked["end"], ROWS_MAX + 1)
        except feeds.InstrumentNotFound as error:
            raise Problem("not-found", str(error)) from None
        except feeds.NoData as error:
            raise Problem("no-data", str(error)) from None
        if len(ticks.time) > ROWS_MAX:
            raise Problem("too-much", f"These are more than {ROWS_MAX:,} ticks, and an answer has no more.")
        columns = {name: getattr(ticks, name) for name in ticks._fields if name != "time"}
        return HttpResponse(encode(ticks.time, columns, form), content_type=MEDIA_TYPES[form])


class Quarantine(Listing):
    """List rows of imported files that were not let in, newest first."""

    tag = "markets"
    row = QuarantinedRow
    is_firm_only = True
    kinds = (int,)
    parameters = (
        asking.text("instrument", "Only of this instrument."),
        asking.text("reason", "Only for this reason, such as jump."),
        asking.choice("state", QUARANTINE_STATES, "Only those in this state."),
    )

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        found = feeds.quarantined(
            most + 1, after[0] if after else None, instrument=asked["instrument"], reason=asked["reason"],
            state=asked["state"] or "",
        )  # fmt: skip
        return Page(found[:most], (found[most - 1].id,) if len(found) > most else None)


class QuarantinedRecord(Thing):
    """Show a row of an imported file that was not let in."""

    tag = "markets"
    row = QuarantinedRow
    is_firm_only = True

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        return feeds.quarantined_row(place["record"])


class Release(Body):
    """What is let in: the record as it was read, or with another time and other columns; and why."""

    time = serializers.DateTimeField(required=False)
    values = serializers.DictField(
        child=Number(may_be_zero=True),
        default=dict,
        help_text="Columns that are to be others than were read, such as close.",
    )
    reason = serializers.CharField(min_length=1, max_length=500)


class ReleaseRecord(Doing):
    """Let a row of a file in.

    As it was read, it has to be true by itself; with anything corrected, it has to fit the rows that are stored before
    and after it too. It takes the place of what is stored at that time.
    """

    tag = "markets"
    post_scope = "operate"
    is_firm_only = True
    body = Release

    def act(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        record = _known(place["record"])
        time = turn.given["time"].isoformat() if "time" in turn.given else ""
        values = " ".join(f"{name}={value}" for name, value in turn.given["values"].items())
        return by_kind(turn, "quarantine.release", record=record, time=time, values=values)


class DiscardRecord(Doing):
    """Give a row of a file up. Importing the same file again does not bring it back."""

    tag = "markets"
    post_scope = "operate"
    is_firm_only = True

    def act(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        return by_kind(turn, "quarantine.discard", record=_known(place["record"]))


def _known(record: int) -> str:
    if feeds.quarantined_row(record) is None:
        raise Problem("not-found", "There is no such record.")
    return str(record)


def _page(instrument: str, asked: Mapping[str, Any], after: tuple[int, int] | None) -> HttpResponse:
    most = asked["limit"]
    found = feeds.ticks_page(instrument, asked["start"], asked["end"], after, most + 1)
    names = [name for name in fields_of(TickRow) if name != "time"]
    rows = [
        {"time": time_text(place[0])}
        | {name: decimal(value, _PLACES) for name, value in zip(names, values, strict=True)}
        for place, values in found[:most]
    ]
    following = cursor_of("", found[most - 1][0]) if len(found) > most else None
    return HttpResponse(to_json({"data": rows, "next": following}), content_type="application/json")
