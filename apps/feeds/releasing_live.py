"""Records that a live feed has put aside, let into stored history as somebody says that they were.

What was traded on stays as it was: bars that have closed are in the feed's log for ever. It is the stored series of the
instrument that gets the record, by the checks and the writing of records of files.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.db import connections, transaction
from django.utils import timezone

from apps.feeds.contracts import BAR_COLUMNS
from apps.feeds.interface import get_instrument
from apps.feeds.models import LiveDecision, Series
from apps.feeds.quarantined import LiveQuarantined, live_quarantined_row
from apps.feeds.records import ASK, BID, COLUMNS, PRICES, Kind
from apps.feeds.releasing import QuarantineError, Release, judged, read_time, read_values
from apps.feeds.rows import ALIAS, Rows, table_of, to_moment
from apps.feeds.series import only_writer
from banyan.timescale import ensure_partitions
from trading.intervals import format_interval

Place = tuple[int, int]
_NUMBER = r"(?:-?[0-9][0-9.e+-]*|-?inf|nan)"
_READ = re.compile(rf"line \d+: (?P<values>{_NUMBER}(?:, {_NUMBER})*)")
_KINDS = {len(columns): kind for kind, columns in COLUMNS.items()}


class LiveSeries(NamedTuple):
    """A stored series that a record can be let into: its id, name, columns (with whether each has to be there).

    `time` and `values` are those of the record as it was read, as far as they can be told.
    """

    id: int
    name: str
    columns: list[tuple[str, bool]]
    time: str
    values: dict[str, float]


def series_for(feed: str, place: Place) -> list[LiveSeries]:
    """Return the stored series that a record could be of, those that it was read as first. Raises QuarantineError."""
    found = _found(feed, place)
    kind, values = read_of(found)
    stored = sorted(
        Series.objects.using(ALIAS).filter(instrument_id=found.instrument, rows__gt=0),
        key=lambda each: (each.kind != kind, each.interval),
    )
    return [
        LiveSeries(
            each.pk,
            "ticks" if not each.interval else f"{format_interval(each.interval)} {each.kind}",
            [(name, each.kind != Kind.TICKS and name in PRICES[Kind(each.kind)]) for name in COLUMNS[Kind(each.kind)]],
            _time_of(found, each),
            values if each.kind == kind else {},
        )
        for each in stored
    ]


def read_of(found: LiveQuarantined) -> tuple[Kind | None, dict[str, float]]:
    """Return of which kind a record is and its columns, as its text says; None and nothing where it cannot be told."""
    names = [part.strip().partition(" ")[::2] for part in found.record.split(",")]
    if [name for name, _ in names] == list(BAR_COLUMNS):
        tick = get_instrument(found.instrument).tick_size
        numbers = dict(zip((*BID, *ASK), (int(value) * tick for _, value in names[:-1]), strict=True))
        volume = int(names[-1][1])
        return Kind.QUOTES, numbers | ({"volume": volume / 1e6} if volume >= 0 else {})
    read = _READ.fullmatch(found.record)
    try:
        values = [float(each) for each in read["values"].split(",")] if read else []
    except ValueError:
        values = []
    kind = _KINDS.get(len(values))
    if kind is None:
        return None, {}
    return kind, {name: value for name, value in zip(COLUMNS[kind], values, strict=True) if value == value}


def planned_live(feed: str, place: Place, series: int, time: str, values: Mapping[str, str]) -> Release:
    """Return what letting a record into a stored series would do. Raises QuarantineError where it cannot be."""
    found = _found(feed, place)
    return _planned(found, _series(found, series), time, values)[0]


def release_live(
    feed: str, place: Place, series: int, time: str, values: Mapping[str, str], *, by: str, why: str
) -> Release:  # fmt: skip
    """Let a record into a stored series, as `planned_live` says. Raises QuarantineError and SeriesBusy."""
    from apps.feeds.imports import write_batch

    found = _found(feed, place)
    of = _series(found, series)
    with only_writer(of):
        plan, rows, _ = _planned(found, of, time, values)
        ensure_partitions(connections[ALIAS], table_of(Kind(of.kind)), int(rows.time[0]), int(rows.time[0]))
        with transaction.atomic(using=ALIAS):
            made = LiveDecision(feed=feed, number=place[0], event=place[1], at=timezone.now(), by=by[:150], why=why)
            made.released = {"series": str(of), "time": plan.time.isoformat(), **plan.values}
            if LiveDecision.objects.using(ALIAS).filter(feed=feed, number=place[0], event=place[1]).exists():
                raise QuarantineError("it has been decided on meanwhile")
            made.save(using=ALIAS)
            plan, rows, replaced = _planned(found, of, time, values)
            write_batch(of, rows, replaced)
    return plan


def discard_live(feed: str, places: Sequence[Place], *, by: str, why: str) -> int:
    """Give records up; return how many had not been decided on before.

    Raises QuarantineError where the feed has put aside no record at one of the places: none is given up then.
    """
    now = timezone.now()
    fresh = [place for place in dict.fromkeys(places) if _put_aside(feed, place).decided_at is None]
    LiveDecision.objects.using(ALIAS).bulk_create(
        [LiveDecision(feed=feed, number=number, event=event, at=now, by=by[:150], why=why) for number, event in fresh],
        ignore_conflicts=True,
    )
    return len(fresh)


def _put_aside(feed: str, place: Place) -> LiveQuarantined:
    found = live_quarantined_row(feed, *place)
    if found is None:
        raise QuarantineError(f"feed {feed} has put aside no record {place[0]}.{place[1]}")
    return found


def _found(feed: str, place: Place) -> LiveQuarantined:
    found = _put_aside(feed, place)
    if found.decided_at is not None:
        word = "discarded" if found.released is None else "released"
        raise QuarantineError(f"record {place[0]}.{place[1]} was {word} already, by {found.decided_by}")
    return found


def _series(found: LiveQuarantined, number: int) -> Series:
    of = Series.objects.using(ALIAS).filter(instrument_id=found.instrument, pk=number).first()
    if of is None:
        raise QuarantineError(f"{found.instrument} has no such stored series: choose one that it has")
    return of


def _planned(
    found: LiveQuarantined, of: Series, time: str, values: Mapping[str, str]
) -> tuple[Release, Rows, Rows]:  # fmt: skip
    kind, read = read_of(found)
    known = read if kind == of.kind else None
    at = read_time(time)
    row = read_values(Kind(of.kind), known, values)
    told = {name: value for name, value in zip(COLUMNS[Kind(of.kind)], row, strict=True) if value == value}
    is_as_read = known == told and at == read_time(_time_of(found, of))
    return judged(of, at, row, is_corrected=not is_as_read)


def _time_of(found: LiveQuarantined, of: Series) -> str:
    """Return when a record was, as a row of a series has it: bars that were checked in a feed's log say their close."""
    is_by_close = found.record.startswith(f"{BAR_COLUMNS[0]} ")
    at_ns = found.event_time_ns - (of.interval if is_by_close else 0)
    return to_moment(at_ns).isoformat().replace("+00:00", "Z") if at_ns > 0 else ""
