"""Live feeds as people define them: where their records come from, and what is made of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec

from apps.feeds.adapters.port import Adapter
from apps.feeds.adapters.replay import Pace, Past, ReplayAdapter
from apps.feeds.adapters.tail import TailAdapter
from apps.feeds.building import LATENESS_NS
from apps.feeds.calendars import check_calendar
from apps.feeds.checks import MAX_JUMP_SIGMAS
from apps.feeds.contracts import ConfigureFeed, FeedInstrument
from apps.feeds.interface import feed_of
from apps.feeds.live import check_tick, stored_past
from apps.feeds.pipeline import WAIT_NS, FeedSpec
from apps.feeds.resampling import check_intervals
from apps.feeds.rows import ALIAS
from banyan.clock import Clock
from banyan.kafka.topics import RESERVED
from trading.instruments import Instrument
from trading.intervals import SECOND
from trading.sessions import find_zone

TAIL, REPLAY = "tail", "replay"
SOURCES = (TAIL, REPLAY)
STALE_AFTER_NS = 60 * SECOND


class FeedError(ValueError):
    """A feed cannot be defined like this, or there is no such feed."""

    exit_code: ClassVar = 2


class FeedDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A feed: its source, its instruments as they were when it was defined, and the bars that are made of ticks.

    `interval_ns` is 0 where the source gives ticks, of which bars at `bars_ns` are made; bars are taken as they are.
    `files` has the file of each instrument for the source `tail`; `first`, `last` (ISO), `speed` and `lockstep` are for
    `replay`.
    """

    feed: str
    source: str
    instruments: list[Instrument]
    interval_ns: int = 0
    bars_ns: list[int] = []
    files: list[str] = []
    tz: str | None = None
    columns: list[str] | None = None
    first: str | None = None
    last: str | None = None
    speed: float | None = None
    lockstep: bool = False
    wait_ns: int = WAIT_NS
    lateness_ns: int = LATENESS_NS
    stale_after_ns: int = STALE_AFTER_NS
    max_jump_sigmas: float = MAX_JUMP_SIGMAS

    @property
    def names(self) -> list[str]:
        """The ids of its instruments."""
        return [each.id for each in self.instruments]


def check_definition(wanted: FeedDefinition) -> None:
    """Raise FeedError, TickError, CalendarError, ResampleError, ZoneError, NoData or MomentError for what cannot run.

    A replay's records are looked for; files may come later, but their folders must be there.
    """
    names = wanted.names
    if wanted.source not in SOURCES:
        raise FeedError(f"there is no source {wanted.source}; there are {' and '.join(SOURCES)}")
    if not names or len(set(names)) < len(names):
        raise FeedError("name each instrument once, and at least one")
    venues = {feed_of(name) for name in names}
    if venues != {wanted.feed}:
        raise FeedError(
            f"a feed has the instruments of one venue and its name, because strategy sets look for them there: these "
            f"are of {', '.join(sorted(venues))}"
        )
    if wanted.feed in RESERVED:
        raise FeedError(f"no venue can be called {wanted.feed}: that is the name of a topic of all feeds in Kafka")
    for instrument in wanted.instruments:
        check_tick(instrument)
        check_calendar(instrument.calendar)
    if wanted.interval_ns == 0 and not wanted.bars_ns:
        raise FeedError("ticks are made into bars: say which with --bars, such as --bars 1m")
    if wanted.interval_ns and wanted.bars_ns:
        raise FeedError("--bars are made of ticks; bars of a source are taken as they are")
    for interval_ns in wanted.bars_ns:
        check_intervals(0, interval_ns)
    for name in ("wait_ns", "lateness_ns", "stale_after_ns"):
        if getattr(wanted, name) < 0:
            raise FeedError(f"--{name.removesuffix('_ns').replace('_', '-')} is a time of 0 s or more")
    if wanted.stale_after_ns < SECOND:
        raise FeedError("--stale-after is 1 s or more: a feed is looked at every second")
    (_check_tail if wanted.source == TAIL else _check_replay)(wanted)


def spec_of(definition: FeedDefinition) -> FeedSpec:
    """Return what a pipeline needs to know of a feed."""
    return FeedSpec(
        definition.feed,
        {each.id: each for each in definition.instruments},
        definition.bars_ns,
        definition.wait_ns,
        definition.lateness_ns,
        definition.max_jump_sigmas,
    )


def configured(definition: FeedDefinition) -> ConfigureFeed:
    """Return what the feed has to be told of its instruments."""
    return ConfigureFeed(
        feed=definition.feed,
        instruments=[
            FeedInstrument(
                id=each.id, calendar=each.calendar, time_zone=each.time_zone, day_turn_minutes=each.day_turn_minutes
            )
            for each in definition.instruments
        ],
    )


def adapter_of(definition: FeedDefinition, clock: Clock, is_quiet: Callable[[], bool]) -> Adapter:
    """Return a new adapter for a feed's source. `is_quiet` tells a replay in lock step when it may go on."""
    if definition.source == TAIL:
        files = {
            each.id: (each, Path(path)) for each, path in zip(definition.instruments, definition.files, strict=True)
        }
        return TailAdapter(files, definition.interval_ns, tz=definition.tz, columns=definition.columns)
    pace = Pace(definition.speed, is_quiet if definition.lockstep else None, min(definition.bars_ns, default=0))
    return ReplayAdapter(_loader(definition), clock, pace)


def _loader(definition: FeedDefinition) -> Callable[[int], dict[str, Past]]:
    load = stored_past(definition.names, definition.interval_ns, definition.first, definition.last)

    def load_and_hang_up(after_ns: int) -> dict[str, Past]:
        from django.db import connections

        try:
            return dict(load(after_ns))
        finally:
            connections[ALIAS].close()  # the thread that reads a source has no other use for it

    return load_and_hang_up


def _check_tail(wanted: FeedDefinition) -> None:
    if wanted.first or wanted.last or wanted.speed is not None or wanted.lockstep:
        raise FeedError("--from, --to, --speed and --lockstep are for --source replay")
    if len(wanted.files) != len(wanted.instruments) or not all(wanted.files):
        raise FeedError("say which file each instrument's records are written to: --instrument ID=FILE")
    for path in map(Path, wanted.files):
        if not path.parent.is_dir():
            raise FeedError(f"{path}: there is no folder {path.parent}; the file itself may come later")
        if path.is_dir():
            raise FeedError(f"{path} is a folder, not a file")
        if path.suffix == ".gz":
            raise FeedError(f"{path}: a gzipped file cannot be followed; write it unpacked")
    if wanted.tz is not None:
        find_zone(wanted.tz)


def _check_replay(wanted: FeedDefinition) -> None:
    if any(wanted.files) or wanted.tz is not None or wanted.columns is not None:
        raise FeedError("files, --tz and --columns are for --source tail: a replay reads what is stored")
    if wanted.speed is not None and not 0.0 < wanted.speed < float("inf"):
        raise FeedError(f"--speed {wanted.speed:g}: it is above 0")
    if wanted.speed is not None and wanted.lockstep:
        raise FeedError("--lockstep has no speed: each step waits for the one before")
    stored_past(wanted.names, wanted.interval_ns, wanted.first, wanted.last)(0)


def parse_files(given: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the ids and the files ("" where there is none) of arguments ID or ID=FILE."""
    pairs = [each.partition("=") for each in given]
    return [name.upper() for name, _, _ in pairs], [str(Path(path).absolute()) if path else "" for _, _, path in pairs]
