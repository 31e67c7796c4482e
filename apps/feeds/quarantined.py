"""What was not let in, as people and other contexts look at it: rows of files, and records of live feeds."""

from contextlib import closing
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count

from apps.feeds.contracts import RecordQuarantined
from apps.feeds.core import FEEDS
from apps.feeds.models import LiveDecision, QuarantinedRecord
from apps.feeds.records import Reason
from apps.feeds.rows import ALIAS
from banyan.codec import decode_message
from banyan.host.delivery import split_events
from banyan.store import Step, Store
from trading.intervals import format_interval

_AT_ONCE = 500
_RECORDS_MAX = 20_000


class Quarantined(NamedTuple):
    """A row of a file that was not let in, or ("gap") rows that were missed before it; `text` is as it was read."""

    id: int
    file: str
    line: int
    instrument: str
    interval: str
    reason: str
    detail: str
    text: str
    time: datetime | None
    imported_at: datetime
    values: dict[str, float] | None
    state: str
    decided_at: datetime | None
    decided_by: str
    decided_why: str
    released: dict[str, Any] | None


class LiveQuarantined(NamedTuple):
    """A record of a live feed that was not let in; `records` such came too fast to keep each.

    `released` is what stored history got of it; None: nothing, be it given up or not decided yet.
    """

    received_at_ns: int
    number: int
    event: int
    instrument: str
    reason: str
    record: str
    event_time_ns: int
    records: int
    decided_at: datetime | None
    decided_by: str
    decided_why: str
    released: dict[str, Any] | None


class QuarantineCount(NamedTuple):
    """How many rows of files are open: of an instrument, for a reason, of a file."""

    instrument: str
    reason: str
    file: str
    rows: int


def quarantine_counts(most: int) -> list[QuarantineCount]:
    """Return how many rows are open by instrument, reason and file, the most first."""
    names = ("source__series__instrument_id", "reason", "source__path")
    found = QuarantinedRecord.objects.using(ALIAS).filter(state=QuarantinedRecord.State.OPEN).order_by()
    counts = found.values_list(*names).annotate(rows=Count("id")).order_by("-rows", *names)
    return [QuarantineCount(*each) for each in counts[:most]]


def quarantined(
    most: int, before: int | None = None, *, instrument: str = "", reason: str = "", state: str = "", file: str = "",
    with_gaps: bool = True,
) -> list[Quarantined]:  # fmt: skip
    """Return rows of files, the newest first: those before the one of that id."""
    found = QuarantinedRecord.objects.using(ALIAS).select_related("source__series").order_by("-id")
    found = found if with_gaps or reason else found.exclude(reason=Reason.GAP)
    limits = {
        "id__lt": before, "source__series__instrument_id": instrument.upper(), "reason": reason, "state": state,
        "source__path__contains": file,
    }  # fmt: skip
    found = found.filter(**{name: value for name, value in limits.items() if value})
    return [_told(each) for each in found[:most]]


def quarantined_row(number: int) -> Quarantined | None:
    """Return a row of a file by its id, None where there is none."""
    found = QuarantinedRecord.objects.using(ALIAS).select_related("source__series").filter(id=number).first()
    return None if found is None else _told(found)


def live_quarantined(feed: str, most: int, before: tuple[int, int] | None = None) -> list[LiveQuarantined]:
    """Return what a live feed did not let in, newest first, before the place (number, event) of another.

    It looks through the last 20,000 records of the feed's log, or those before that place.
    """
    found: list[LiveQuarantined] = []
    with closing(Store(FEEDS.name)) as store:
        rows = store.connection.execute("SELECT number FROM banyan_key WHERE key = %s", [feed]).fetchall()
        last = before[0] if before else rows[0][0] if rows else 0
        first = max(0, last - _RECORDS_MAX)
        while last > first and len(found) < most:
            piece = [
                each
                for step in store.steps(feed, max(first, last - _AT_ONCE), last)
                for each in _of_step(step)
                if before is None or (each.number, each.event) < before
            ]
            found += reversed(piece)
            last -= _AT_ONCE
    return _decided(feed, found[:most])


def _decided(feed: str, found: list[LiveQuarantined]) -> list[LiveQuarantined]:
    """Return records with what was decided of them."""
    numbers = {each.number for each in found}
    decisions = {
        (each.number, each.event): each
        for each in LiveDecision.objects.using(ALIAS).filter(feed=feed, number__in=numbers)
    }
    told = []
    for each in found:
        of = decisions.get((each.number, each.event))
        if of is not None:
            each = each._replace(decided_at=of.at, decided_by=of.by, decided_why=of.why, released=of.released)  # noqa: PLW2901
        told.append(each)
    return told


def live_quarantined_row(feed: str, number: int, event: int) -> LiveQuarantined | None:
    """Return what a live feed did not let in, by its place; None where there is no such record."""
    with closing(Store(FEEDS.name)) as store:
        found = [each for step in store.steps(feed, number - 1, number) for each in _of_step(step)]
    found = [each for each in found if each.event == event]
    return _decided(feed, found)[0] if found else None


def _of_step(step: Step) -> list[LiveQuarantined]:
    return [
        LiveQuarantined(step.received_at_ns, step.number, index, *_fields(body), None, "", "", None)
        for index, (name, body) in enumerate(split_events(step.events))
        if name == RecordQuarantined.wire_name
    ]


def _fields(body: bytes) -> tuple[str, str, str, int, int]:
    message = decode_message(RecordQuarantined.wire_name, body)
    assert isinstance(message, RecordQuarantined)
    return message.instrument, message.reason, message.record, message.event_time_ns, message.count


def _told(found: QuarantinedRecord) -> Quarantined:
    series = found.source.series
    interval = format_interval(series.interval) if series.interval else "tick"
    return Quarantined(
        found.pk, found.source.path, found.line, series.instrument_id, interval, found.reason, found.detail,
        found.text, found.time, found.source.started, found.values, found.state, found.decided_at, found.decided_by,
        found.decided_why, found.released,
    )  # fmt: skip
