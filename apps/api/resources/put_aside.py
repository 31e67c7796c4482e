"""Records of live feeds that were not let in: looked at, let into stored history, given up."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.api.access import Caller
from apps.api.doing import Body, Doing, Turn, by_kind
from apps.api.problems import Problem
from apps.api.resources.market_records import Columns, Release
from apps.api.rows import Moment, Row, Time
from apps.api.views import Listing, Page, Thing
from apps.console.interface import Became
from apps.feeds import interface as feeds

_LIVE_MAX = 500


class LiveQuarantinedRow(Row):
    """A record of a live feed that was not let in; `count` like it came too fast to keep each."""

    received_at = Time(source="received_at_ns", allow_null=False)
    instrument = serializers.CharField()
    reason = serializers.CharField()
    record = serializers.CharField(help_text="As it was received, cut to 500 characters.")
    event_time = Time(source="event_time_ns")
    count = serializers.IntegerField(source="records")
    number = serializers.IntegerField(help_text="Of the record in the feed's log.")
    event = serializers.IntegerField(help_text="Which of that record's events.")
    decided_at = Moment()
    decided_by = serializers.CharField()
    decided_why = serializers.CharField()
    released = Columns(allow_null=True, help_text="What stored history got: the series, its time and its columns.")


class StoredSeriesRow(Row):
    """A stored series that a record can be let into: its columns, and those of them that have to be there."""

    name = serializers.CharField(help_text="Such as 1m bars, 1h quotes or ticks.")
    columns = serializers.ListField(child=serializers.CharField())
    needed = serializers.ListField(child=serializers.CharField())
    time = serializers.CharField(help_text="Of the record as it was read; empty: it has none.")
    values = Columns(help_text="Columns of the record as it was read, where it was read as one of this series.")


class LiveRecordRow(LiveQuarantinedRow):
    """A record of a live feed that was not let in, and, while it is open, the stored series that it can be let into."""

    series = StoredSeriesRow(many=True, help_text="The likeliest first; none where nothing is stored.")


class FeedQuarantine(Listing):
    """List what a live feed did not let in, newest first, within the last 20,000 records of its log."""

    tag = "markets"
    row = LiveQuarantinedRow
    is_firm_only = True
    kinds = (int, int)

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        _known_feed(place["feed"])
        found = feeds.quarantined_live(place["feed"], most + 1, after)
        last = found[most - 1] if len(found) > most else None
        return Page(found[:most], (last.number, last.event) if last else None)


class LiveRecord(Thing):
    """Show a record of a live feed that was not let in."""

    tag = "markets"
    row = LiveRecordRow
    is_firm_only = True

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        found = _known_record(**place)
        series = feeds.quarantine_live_series(place["feed"], (found.number, found.event)) if _is_open(found) else []
        return found._asdict() | {"series": [_stored(each) for each in series]}


class LivePlace(Body):
    """Which record of a live feed: its place in the feed's log."""

    number = serializers.IntegerField(min_value=0, max_value=2**53)
    event = serializers.IntegerField(min_value=0, max_value=2**31 - 1)


class DiscardLive(Body):
    """Which records of a live feed are given up, and why."""

    records = LivePlace(many=True, allow_empty=False, max_length=_LIVE_MAX)
    reason = serializers.CharField(min_length=1, max_length=500)


class ReleaseLive(Release):
    """Which stored series gets the record: as it was read, or with another time and other columns; and why."""

    series = serializers.CharField(max_length=64, required=False, help_text="One of the record's; else the first.")


class DiscardLiveRecords(Doing):
    """Give records of a live feed up. Bars that have closed were traded on, so the feed never gets them later."""

    tag = "markets"
    post_scope = "operate"
    is_firm_only = True
    body = DiscardLive

    def act(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        _known_feed(place["feed"])
        places = ",".join(f"{each['number']}.{each['event']}" for each in turn.given["records"])
        return by_kind(turn, "quarantine.discard-live", feed=place["feed"], places=places)


class ReleaseLiveRecord(Doing):
    """Let a record of a live feed into stored history, which backtests and charts read.

    Bars that have closed live stay as they were traded on. Whatever is corrected has to fit the rows that are stored
    before and after it; what is stored at that time already, it takes the place of.
    """

    tag = "markets"
    post_scope = "operate"
    is_firm_only = True
    body = ReleaseLive

    def act(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        found, given = _known_record(**place), turn.given
        at = (found.number, found.event)
        series = feeds.quarantine_live_series(place["feed"], at) if _is_open(found) else []
        names = [each.name for each in series]
        name = given.get("series", next(iter(names), ""))
        if names and name not in names:
            problem = {"field": "series", "detail": f"Choose from {', '.join(names)}."}
            raise Problem("body-invalid", errors=[problem])
        chosen = next((each for each in series if each.name == name), None)  # None: whoever does it says why not
        time = given["time"].isoformat() if "time" in given else chosen.time if chosen else ""
        values = " ".join(f"{column}={value}" for column, value in given["values"].items())
        return by_kind(
            turn, "quarantine.release-live", feed=place["feed"], places=f"{at[0]}.{at[1]}",
            series=str(chosen.id if chosen else 0), time=time, values=values,
        )  # fmt: skip


def _known_feed(name: str) -> None:
    if all(each.name != name for each in feeds.feed_standings()):
        raise Problem("not-found", "There is no such feed.")


def _known_record(feed: str, number: int, event: int) -> "feeds.LiveQuarantined":
    _known_feed(feed)
    found = feeds.quarantined_live_row(feed, number, event)
    if found is None:
        raise Problem("not-found", "There is no such record.")
    return found


def _is_open(found: "feeds.LiveQuarantined") -> bool:
    return found.decided_at is None


def _stored(series: "feeds.LiveSeries") -> dict[str, Any]:
    return {
        "name": series.name, "columns": [name for name, _ in series.columns],
        "needed": [name for name, is_needed in series.columns if is_needed], "time": series.time,
        "values": series.values,
    }  # fmt: skip
