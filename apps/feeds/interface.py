"""What other contexts may ask of feeds: instruments and bars. Django is imported only where the database is read."""

import hashlib
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from apps.feeds.adjustments import Adjust
from apps.feeds.catalogue import InstrumentNotFound, instrument_not_found, shipped_instruments
from apps.feeds.files import NoGoodRows, read_bars_file
from apps.feeds.layouts import LayoutError
from apps.feeds.records import FileReport, NoData, Reason, from_bars
from trading.bars import Bars, Close
from trading.instruments import Instrument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from apps.feeds.contracts import BarClosed
    from apps.feeds.quarantined import LiveQuarantined, QuarantineCount, Quarantined
    from apps.feeds.reading import Moment
    from apps.feeds.releasing import Release
    from apps.feeds.releasing_live import LiveSeries
    from apps.feeds.tick_reading import TickPlace, Ticks

__all__ = [
    "Candles", "DrawnInterval", "FeedStanding", "FileReport", "InstrumentNotFound", "LayoutError", "LiveGap",
    "NoData", "NoGoodRows", "Reason", "bars_before", "candles", "data_hash", "feed_names", "feed_of", "feed_standings",
    "get_instrument", "intervals_of", "last_closes", "last_quote", "list_instruments", "listen", "live_gaps", "notices",
    "quarantine_columns", "quarantine_count", "quarantine_counts", "quarantine_discard", "quarantine_discard_all",
    "quarantine_discard_live", "quarantine_live_plan", "quarantine_live_release", "quarantine_live_series",
    "quarantine_plan", "quarantine_release", "quarantined", "quarantined_live", "quarantined_live_row",
    "quarantined_row", "read_bars", "read_bars_file", "read_ticks", "run_feed", "shipped_instruments", "ticks_page",
]  # fmt: skip


def get_instrument(instrument_id: str, *, database: bool = True) -> Instrument:
    """Return the instrument "VENUE:SYMBOL": the database's own, else the shipped one. Raises InstrumentNotFound.

    With `database=False`, or where Django is not set up, only the shipped instruments are known.
    """
    if database and _django_is_ready():
        from apps.feeds.series import stored_instrument

        stored = stored_instrument(instrument_id)
        if stored is not None:
            return stored
    shipped = shipped_instruments().get(instrument_id.upper())
    if shipped is None:
        raise instrument_not_found(instrument_id)
    return shipped


def list_instruments(after: str = "", most: int = 500) -> list[Instrument]:
    """Return instruments by id, those after one: the database's own, and the shipped ones that it has none of."""
    from apps.feeds.series import stored_instruments

    stored = stored_instruments(after, most)
    shipped = [each for name, each in shipped_instruments().items() if name > after]
    return sorted({each.id: each for each in [*shipped, *stored]}.values(), key=lambda each: each.id)[:most]


def read_bars(
    instrument_id: str,
    interval: str | int,
    start: "Moment" = None,
    end: "Moment" = None,
    adjust: Adjust = "all",
    most: int | None = None,
) -> Bars:
    """Return the stored bars of an instrument whose open times are in [start, end), oldest first; the first `most`.

    `interval` is "1h" or nanoseconds. `start` and `end` are ISO text, dates, datetimes (naive: UTC) or ns UTC; None is
    no bound. `adjust` is "all" (splits and dividends, by the instrument's factors, if it has any), "splits" or "none".
    Quotes are taken where both quotes and bars are stored. The arrays belong to the caller. Raises InstrumentNotFound,
    NoData, IntervalError, MomentError, and ValueError for another `adjust`.
    """
    if not _django_is_ready():
        import django

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.dev")
        django.setup()
    from apps.feeds.reading import read_stored_bars

    return read_stored_bars(instrument_id, interval, start, end, adjust, most)


def ticks_page(
    instrument_id: str, start: int | None, end: int | None, after: "TickPlace | None", most: int
) -> "list[tuple[TickPlace, tuple[float, float, float, float]]]":
    """Return (place, (bid, ask, last, size)) of stored ticks in [start, end), ns UTC, after a place, oldest first.

    A place is (time, number among those of that time). Raises InstrumentNotFound and NoData.
    """
    from apps.feeds.tick_reading import ticks_page as found

    return found(instrument_id, start, end, after, most)


def read_ticks(instrument_id: str, start: int | None, end: int | None, most: int) -> "Ticks":
    """Return the first `most` stored ticks in [start, end), ns UTC, in columns. Raises InstrumentNotFound, NoData."""
    from apps.feeds.tick_reading import read_ticks as found

    return found(instrument_id, start, end, most)


def quarantined(
    most: int, before: int | None = None, *, instrument: str = "", reason: str = "", state: str = "", file: str = "",
    with_gaps: bool = True,
) -> "list[Quarantined]":  # fmt: skip
    """Return rows of files that were not let in, the newest first: those before the one of that id.

    `state` is open, released or discarded ("": any), `file` a part of the path. Gaps are told where they are the
    `reason`, or `with_gaps`.
    """
    from apps.feeds.quarantined import quarantined as found

    limits = {"instrument": instrument, "reason": reason, "state": state, "file": file}
    return found(most, before, with_gaps=with_gaps, **limits)


def quarantined_row(number: int) -> "Quarantined | None":
    """Return a row of a file that was not let in, by its id."""
    from apps.feeds.quarantined import quarantined_row as found

    return found(number)


def quarantined_live(feed: str, most: int, before: tuple[int, int] | None = None) -> "list[LiveQuarantined]":
    """Return what a live feed did not let in of late, newest first, before the place (number, event) of another."""
    from apps.feeds.quarantined import live_quarantined as found

    return found(feed, most, before)


def quarantined_live_row(feed: str, number: int, event: int) -> "LiveQuarantined | None":
    """Return what a live feed did not let in, by its place."""
    from apps.feeds.quarantined import live_quarantined_row as found

    return found(feed, number, event)


def quarantine_live_series(feed: str, place: tuple[int, int]) -> "list[LiveSeries]":
    """Return the stored series that a record of a live feed can be let into, the likeliest first, with what was read.

    Raises QuarantineError (a ValueError) where there is no such record, or it is decided on.
    """
    from apps.feeds.releasing_live import series_for

    return series_for(feed, place)


def quarantine_live_plan(
    feed: str, place: tuple[int, int], series: int, time: str, values: "Mapping[str, str]"
) -> "Release":  # fmt: skip
    """Return what letting a record of a live feed into a stored series (by id) would do. Raises QuarantineError."""
    from apps.feeds.releasing_live import planned_live

    return planned_live(feed, place, series, time, values)


def quarantine_live_release(
    feed: str, place: tuple[int, int], series: int, time: str, values: "Mapping[str, str]", *, by: str, why: str
) -> "Release":  # fmt: skip
    """Let a record of a live feed into a stored series, as `quarantine_live_plan` says.

    Bars that were traded on stay as they are. Raises QuarantineError, and SeriesBusy (a RuntimeError).
    """
    from apps.feeds.releasing_live import release_live

    return release_live(feed, place, series, time, values, by=by, why=why)


def quarantine_counts(most: int) -> "list[QuarantineCount]":
    """Return how many rows of files are open, by instrument, reason and file, the most first."""
    from apps.feeds.quarantined import quarantine_counts as found

    return found(most)


def quarantine_columns(number: int) -> list[tuple[str, bool]]:
    """Return the columns of a record's series, and whether each has to be there. Raises QuarantineError."""
    from apps.feeds.releasing import columns_of

    return columns_of(number)


def quarantine_plan(number: int, time: str = "", values: "Mapping[str, str] | None" = None) -> "Release":
    """Return what letting a record in would do, with another time or other values where such are given.

    It is checked as a record of a file is; what is corrected has to fit the stored rows around it too. Raises
    QuarantineError (a ValueError) where it cannot be let in like that.
    """
    from apps.feeds.releasing import planned

    return planned(number, time, values)


def quarantine_release(number: int, time: str, values: "Mapping[str, str]", *, by: str, why: str) -> "Release":
    """Let a record in as `quarantine_plan` says. Raises QuarantineError, and SeriesBusy (a RuntimeError)."""
    from apps.feeds.releasing import release

    return release(number, time, values, by=by, why=why)


def quarantine_discard(number: int, *, by: str, why: str) -> None:
    """Give a record up. Raises QuarantineError."""
    from apps.feeds.releasing import discard

    discard(number, by=by, why=why)


def quarantine_count(instrument: str = "", reason: str = "", file: str = "") -> int:
    """Return how many rows of files are open: of an instrument, for a reason ("": all but gaps), of a part of paths."""
    from apps.feeds.releasing import counted_open

    return counted_open(instrument, reason, file)


def quarantine_discard_all(instrument: str, reason: str, file: str, count: int, *, by: str, why: str) -> None:
    """Give up all open records that these find. Raises QuarantineError where they are not `count` any more."""
    from apps.feeds.releasing import discard_all

    discard_all(instrument, reason, file, count, by=by, why=why)


def quarantine_discard_live(feed: str, places: "Sequence[tuple[int, int]]", *, by: str, why: str) -> int:
    """Give up records of a live feed, by their places; return how many had not been decided on before.

    Raises QuarantineError where there is no record at one of the places: none is given up then.
    """
    from apps.feeds.releasing_live import discard_live

    return discard_live(feed, places, by=by, why=why)


def bars_before(feed: str, counts: "Mapping[tuple[str, int], int]", before_ns: int) -> "list[BarClosed]":
    """Return the last bars that closed before a time, oldest first: those of the feed's log, before it stored ones.

    `counts` says how many of each (instrument, interval in ns); there may be fewer. A hole of more than four days, and
    ten bars, ends the history of a channel: what lies before is too old to go on from.
    """
    from apps.feeds.history import Channel
    from apps.feeds.history import bars_before as found

    return found(feed, {Channel(*channel): count for channel, count in counts.items()}, before_ns)


class DrawnInterval(NamedTuple):
    """An interval that an instrument can be drawn at: with bars of its live feed, of what is stored, or of both."""

    interval_ns: int
    is_live: bool
    is_stored: bool


class Candles(NamedTuple):
    """Bars in columns, oldest first: open times in ns, the middle of bid and ask, volume (nan: not known).

    `has_earlier` tells whether there are bars before the first.
    """

    time_ns: "np.ndarray[Any, Any]"
    open: "np.ndarray[Any, Any]"
    high: "np.ndarray[Any, Any]"
    low: "np.ndarray[Any, Any]"
    close: "np.ndarray[Any, Any]"
    volume: "np.ndarray[Any, Any]"
    has_earlier: bool


class LiveGap(NamedTuple):
    """Between these times a feed gave nothing for an instrument though its session was open."""

    instrument: str
    interval_ns: int
    after_ns: int
    before_ns: int


def intervals_of(instrument_id: str) -> list[DrawnInterval]:
    """Return the intervals that an instrument can be drawn at, finest first. Raises InstrumentNotFound."""
    from apps.feeds.candles import intervals_of as found

    return found(instrument_id)


def candles(instrument_id: str, interval_ns: int, before_ns: int, count: int) -> Candles:
    """Return the last `count` bars (at most 5,000) that opened before a time, whatever lies between them.

    The feed's own come first, before them stored ones, which are made into the interval where a finer one is stored.
    Raises InstrumentNotFound.
    """
    from apps.feeds.candles import candles as found

    return found(instrument_id, interval_ns, before_ns, count)


def live_gaps(feed: str, most: int) -> list[LiveGap]:
    """Return the gaps that a live feed had of late, newest first."""
    from apps.feeds.gaps import live_gaps as found

    return found(feed, most)


def feed_of(instrument_id: str) -> str:
    """Return the name of the feed that an instrument's prices come from: its venue, in lower case."""
    return instrument_id.partition(":")[0].lower()


def last_quote(instrument_id: str) -> Close | None:
    """Return the last closing quote that an instrument's feed has let in, None without one."""
    from apps.feeds.history import last_quote as found

    return found(feed_of(instrument_id), instrument_id)


def last_closes() -> "Callable[[], Mapping[str, Close]]":
    """Return what tells, whenever it is asked, the last closing quote of each live instrument.

    It reads what has come since it was asked last. Asking raises psycopg.Error while the database is away.
    """
    from apps.feeds.closes import Closes

    return Closes().look


def listen(feed: str, name: str, *, listens: bool) -> None:
    """Give a strategy set the bars of a feed from now on, or do so no longer. Raises psycopg.OperationalError."""
    from apps.feeds.live import tell_listener

    tell_listener(feed, name, listens=listens)


class FeedStanding(NamedTuple):
    """How a live feed is: `state` is stopped, not run, opening, running, stale, failing or ended; times are UTC."""

    name: str
    state: str
    source: str
    instruments: tuple[str, ...]
    last_record_at: "datetime | None"
    records: int
    bars: int
    quarantined: int
    problem: str


def feed_names(*, with_logs: bool) -> list[str]:
    """Return the names of all feeds that were defined, and of those that have nothing but a log if wanted, in order."""
    from apps.feeds.reports import feed_names as found

    return found(with_logs=with_logs)


def feed_standings() -> list[FeedStanding]:
    """Return how each live feed that was defined is, by name."""
    from apps.feeds.reports import feed_standings as found

    return found()


def run_feed(name: str, *, is_running: bool) -> bool:
    """Start or stop a live feed; return whether that changes anything. Raises FeedError where there is none."""
    from apps.feeds.reports import run_feed as run

    return run(name, is_running=is_running)


def notices() -> list[str]:
    """Return what a person has to look at: one line for each live feed that does not give what it should."""
    from apps.feeds.reports import notices as found

    return found()


def data_hash(bars: Bars) -> str:
    """Return 64 hex digits (SHA-256) over kind, interval, times and all columns: equal data, equal hash."""
    kind, values = from_bars(bars)
    digest = hashlib.sha256(f"{kind}:{bars.interval}:{len(bars)}".encode())
    digest.update(np.ascontiguousarray(bars.time, np.int64).data)
    digest.update(values.data)
    return digest.hexdigest()


def _django_is_ready() -> bool:
    registry = sys.modules.get("django.apps")
    return registry is not None and registry.apps.ready
